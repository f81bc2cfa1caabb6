"""When an object counts as ready, and waiting for it.

`wait_until_ready` and `wait_until_deleted` are what the rest of the plug-in calls. They follow the
await logic of the official plug-in's 4.x line: pure status functions per kind
(`workloads`, `networking`, `core`), criteria that a program states itself (`criteria`), and
explanations from pods and events (`explain`). `check_ready` is their single look for a refresh.
"""

from toolchain.kubernetes_plugin.readiness.criteria import InvalidCriterionError, parse
from toolchain.kubernetes_plugin.readiness.deletion import wait_until_deleted
from toolchain.kubernetes_plugin.readiness.errors import NotReady
from toolchain.kubernetes_plugin.readiness.rules import default_timeout
from toolchain.kubernetes_plugin.readiness.waiting import check_ready, wait_until_ready

__all__ = [
    "InvalidCriterionError",
    "NotReady",
    "check_ready",
    "default_timeout",
    "parse",
    "wait_until_deleted",
    "wait_until_ready",
]
