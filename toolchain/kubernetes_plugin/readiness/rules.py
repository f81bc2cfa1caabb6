"""Which status function judges which kind, and how long it is given.

A kind that is not in the table is ready as soon as the API server stored it, unless the environment
variable `PULUMI_K8S_AWAIT_ALL` asks to judge it by the conventions that most controllers keep.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from toolchain.kubernetes_plugin.readiness import core, criteria, networking, workloads
from toolchain.kubernetes_plugin.readiness.fields import Document, annotation, group, text
from toolchain.kubernetes_plugin.readiness.verdict import Related, Verdict

Operation = Literal["create", "update", "delete", "read"]
Companion = Literal["endpoint_slices", "quotas", "services", "storage_class", "unserved"]

SKIP_AWAIT = "pulumi.com/skipAwait"
TIMEOUT_SECONDS = "pulumi.com/timeoutSeconds"
AWAIT_ALL = "PULUMI_K8S_AWAIT_ALL"
"""Environment variable of the official plug-in: `true` judges kinds of which nothing is known."""

_DEFAULT_TIMEOUT = 600.0


@dataclass(frozen=True)
class Rule:
    """How the readiness of a kind is judged.

    Attributes:
        judge: The status function.
        related: What the status function has to be given besides the object.
        timeout: Seconds that the official plug-in gives the kind, unless the program says
            otherwise.
    """

    judge: Callable[[Document, Related], Verdict]
    related: tuple[Companion, ...] = ()
    timeout: float = _DEFAULT_TIMEOUT


# API group and kind. The group's version plays no role: the API server converts between them.
RULES = {
    ("apps", "Deployment"): Rule(workloads.deployment, ("quotas",)),
    ("apps", "StatefulSet"): Rule(workloads.stateful_set),
    ("apps", "DaemonSet"): Rule(workloads.daemon_set),
    ("batch", "Job"): Rule(workloads.job),
    ("", "Pod"): Rule(workloads.pod),
    ("", "ReplicationController"): Rule(workloads.replication_controller),
    ("", "Service"): Rule(networking.service, ("endpoint_slices",)),
    ("networking.k8s.io", "Ingress"): Rule(networking.ingress, ("services",)),
    ("", "PersistentVolume"): Rule(core.persistent_volume, timeout=300.0),
    ("", "PersistentVolumeClaim"): Rule(
        core.persistent_volume_claim, ("storage_class",), timeout=300.0
    ),
    ("", "ResourceQuota"): Rule(core.resource_quota, timeout=60.0),
    # The official plug-in gives a token 5 s, which a busy single node can miss.
    ("", "Secret"): Rule(core.secret, timeout=30.0),
    ("apiextensions.k8s.io", "CustomResourceDefinition"): Rule(
        core.custom_resource_definition, ("unserved",), timeout=60.0
    ),
}

_JUDGED_WHEN_READ = {
    ("", "Pod"),
    ("", "Service"),
    ("apps", "DaemonSet"),
    ("apps", "Deployment"),
    ("apps", "StatefulSet"),
    ("batch", "Job"),
    ("networking.k8s.io", "Ingress"),
}

# Kinds whose deletion the official plug-in does not wait for either when awaiting is skipped.
_SKIPS_DELETION = {
    ("", "Namespace"),
    ("", "Pod"),
    ("", "ReplicationController"),
    ("apps", "DaemonSet"),
    ("apps", "Deployment"),
    ("apps", "StatefulSet"),
    ("batch", "Job"),
}


def rule_for(obj: Document, inputs: Document) -> Rule | None:
    """Return the rule for an object, `None` if there is nothing to wait for.

    Criteria that the program states itself take the place of the kind's own.

    Raises:
        criteria.InvalidCriterionError: The program's criteria cannot be understood.
    """
    if skips_await(inputs):
        return None
    stated = annotation(obj, criteria.WAIT_FOR) or annotation(inputs, criteria.WAIT_FOR)
    if stated:
        return Rule(criteria.judge_all(criteria.parse(stated)))
    rule = RULES.get((group(obj), text(obj, "kind")))
    if rule is None and os.environ.get(AWAIT_ALL) == "true":
        return Rule(core.any_kind)
    return rule


def rule_for_read(obj: Document, inputs: Document) -> Rule | None:
    """Return the rule that a read object is judged by, `None` if it is not judged."""
    kind = (group(obj), text(obj, "kind"))
    return RULES[kind] if kind in _JUDGED_WHEN_READ and not skips_await(inputs) else None


def skips_await(inputs: Document) -> bool:
    """Whether the program asks not to wait."""
    return annotation(inputs, SKIP_AWAIT) == "true"


def skips_deletion(inputs: Document) -> bool:
    """Whether the program asks not to wait for a deletion, of a kind where that is possible."""
    return skips_await(inputs) and (group(inputs), text(inputs, "kind")) in _SKIPS_DELETION


def default_timeout(kind: str, operation: Operation) -> float:
    """Return how long an operation on a kind may take, in seconds, if the program says nothing.

    These are the official plug-in's: 10 min, less for a few kinds that are ready within moments.
    """
    if operation == "delete":
        return _DEFAULT_TIMEOUT
    timeouts = [rule.timeout for (_, name), rule in RULES.items() if name == kind]
    return timeouts[0] if timeouts else _DEFAULT_TIMEOUT


def effective_timeout(timeout: float, inputs: Document, operation: Operation) -> float:
    """Return the seconds an operation may take.

    Args:
        timeout: The program's `customTimeouts`; 0 means that it has none.
        inputs: The object as the program states it; its annotation `pulumi.com/timeoutSeconds`
            counts where `timeout` is 0, and is ignored unless it is a whole number.
        operation: What is done.
    """
    if timeout > 0:
        return timeout
    stated = annotation(inputs, TIMEOUT_SECONDS)
    if stated.isdecimal():
        return float(stated)
    return default_timeout(text(inputs, "kind"), operation)
