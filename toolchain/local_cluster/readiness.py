"""Waits until a cluster can take work, and finds out which component is to blame if it cannot."""

import json
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from toolchain.local_cluster import services
from toolchain.local_cluster.api import ApiError, Client
from toolchain.local_cluster.errors import LocalClusterError
from toolchain.local_cluster.state import Layout
from toolchain.progress import Report, duration

LIMIT = 240.0
"""Seconds for everything; a node on two busy cores takes about 30."""

REPORT_EVERY = 15.0
"""Seconds after which a wait that goes on says so again."""

EXITS = 5
"""A component that ends this often during one wait will not come up by itself."""


@dataclass(frozen=True)
class Step:
    """One thing to wait for.

    Attributes:
        what: For the progress line: `<what> is ready`.
        check: Returns `None` once it is there, else what is missing.
        component: Whom to suspect when it does not come.
    """

    what: str
    check: Callable[[], str | None]
    component: str = services.KUBERNETES


def api_server(client: Client) -> Step:
    """Return the step that everything else comes after.

    Args:
        client: Reaches the API server.
    """
    return Step("the API server", lambda: _api_server(client))


def steps(client: Client, node: str, since: datetime) -> list[Step]:
    """Return what is waited for once the API server answers, in order.

    Args:
        client: Reaches the API server.
        node: Name of the node.
        since: When the node's processes began. What the API server keeps from before says
            nothing about them: right after a restart everything still looks ready.
    """
    # Kubernetes keeps whole seconds.
    start = since.replace(microsecond=0)
    return [
        Step(f"node {node}", lambda: _node(client, node, start)),
        Step("the namespace default", lambda: _default_namespace(client)),
        Step("the cluster's DNS", lambda: _dns(client, start)),
    ]


def _api_server(client: Client) -> str | None:
    return None if client.get("/readyz") == "ok" else "it is not ready"


def _node(client: Client, name: str, start: datetime) -> str | None:
    node = client.find(f"/api/v1/nodes/{name}")
    if node is None:
        return "it has not registered"
    # A kubelet that starts on a known node renews the lease at once and the condition 10 s later;
    # on a new node it is the other way round.
    lease = client.find(f"/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/{name}")
    condition = _condition(node, "Ready")
    reports = (
        lease["spec"].get("renewTime") if lease else None,
        condition.get("lastHeartbeatTime") if condition else None,
    )
    if all(_time(report) < start for report in reports):
        return "its kubelet has not reported yet"
    return _shortcoming(condition)


def _default_namespace(client: Client) -> str | None:
    base = "/api/v1/namespaces/default"
    if client.find(f"{base}/serviceaccounts/default") is None:
        return "it has no default service account"
    if client.find(f"{base}/configmaps/kube-root-ca.crt") is None:
        return "it has no kube-root-ca.crt"
    return None


def _dns(client: Client, start: datetime) -> str | None:
    pods = client.get("/api/v1/pods")["items"]
    stale = [pod["metadata"]["name"] for pod in pods if _is_stale(pod, start)]
    if stale:
        return f"pods of before were not looked at yet: {', '.join(stale)}"
    serving = [pod for pod in pods if _is_dns(pod)]
    if not serving:
        return "it has no pod"
    problems = [_shortcoming(_condition(pod, "Ready")) for pod in serving]
    # While it is rolled there are two.
    return None if None in problems else problems[0]


def _is_dns(pod: Mapping[str, Any]) -> bool:
    labels = pod["metadata"].get("labels", {})
    is_system = bool(pod["metadata"]["namespace"] == "kube-system")
    return is_system and labels.get("k8s-app") == "kube-dns"


def _is_stale(pod: Mapping[str, Any], start: datetime) -> bool:
    """Tell whether a pod is called ready for a container that ended with the node's last run."""
    if _shortcoming(_condition(pod, "Ready")) is not None:
        return False
    running = [
        container["state"]["running"]
        for container in pod["status"].get("containerStatuses", [])
        if "running" in container.get("state", {})
    ]
    return any(_time(state.get("startedAt")) < start for state in running)


def _condition(document: Mapping[str, Any], kind: str) -> Mapping[str, Any] | None:
    conditions = document.get("status", {}).get("conditions", [])
    return next((condition for condition in conditions if condition["type"] == kind), None)


def _shortcoming(condition: Mapping[str, Any] | None) -> str | None:
    """Return why a condition does not hold, or `None`."""
    if condition is None:
        return "nothing was reported yet"
    if condition["status"] == "True":
        return None
    return str(condition.get("message") or condition.get("reason") or "no reason was given")


def _time(text: str | None) -> datetime:
    return datetime.fromisoformat(text) if text else datetime.min.replace(tzinfo=UTC)


def wait(
    wanted: Sequence[Step],
    where: Layout,
    is_alive: Callable[[], bool],
    report: Report,
) -> None:
    """Wait for each step in turn.

    Args:
        wanted: What to wait for.
        where: Folders of the cluster.
        is_alive: Whether the node still runs.
        report: Takes a line per step, and one every `REPORT_EVERY` seconds.

    Raises:
        LocalClusterError: It took longer than `LIMIT`, the node ended, or a component keeps
            ending; the message names the component, its log and its last meaningful line.
    """
    started = time.monotonic()
    before = _exits(where)
    for step in wanted:
        announced = time.monotonic()
        while True:
            problem = _problem(step)
            if problem is None:
                break
            now = time.monotonic()
            failing = _failing(where, before)
            if not is_alive():
                raise LocalClusterError(f"the node ended by itself: see {where.logs / 'node'}")
            if failing or now - started > LIMIT:
                raise LocalClusterError(_diagnosis(step, problem, failing, where))
            if now - announced > REPORT_EVERY:
                report(f"waiting for {step.what}: {problem} ({duration(now - started)})")
                announced = now
            time.sleep(0.1)
        report(f"{step.what} is ready ({duration(time.monotonic() - started)})")


def _problem(step: Step) -> str | None:
    try:
        return step.check()
    except ApiError as error:
        return str(error)


def _exits(where: Layout) -> dict[str, int]:
    """Return how often each component ended since the node was started."""
    found = sorted(path.parent.name for path in where.services.glob("*/run"))
    return {name: services.exits(where.logs, name) for name in found}


def _failing(where: Layout, before: Mapping[str, int]) -> str | None:
    """Return a component that keeps ending during this wait, if there is one."""
    now = _exits(where)
    return next((name for name in now if now[name] - before.get(name, 0) >= EXITS), None)


def _diagnosis(step: Step, problem: str, failing: str | None, where: Layout) -> str:
    blamed = failing or step.component
    if not (where.services / blamed).exists():
        # k3s has containerd in it too.
        blamed = services.KUBERNETES
    log = where.logs / blamed / "current"
    what = f"{blamed} keeps ending" if failing else f"{step.what} is not ready: {problem}"
    said = last_meaningful_line(log.read_text(errors="replace")) if log.exists() else None
    return f"{what}; {blamed} says: {said or 'nothing'} ({log})"


_ALARMING = re.compile(
    r"^[EF]\d{4} "  # klog
    r"|level=(error|fatal)|\"level\":\"(error|fatal|panic)\""
    r"|^(panic|fatal|Error)\b|^error:|\b(failed|invalid|cannot|refused|denied|unknown)\b",
    re.IGNORECASE,
)


def last_meaningful_line(text: str, longest: int = 300) -> str | None:
    """Return the last line of a log that tells of a failure, else the last line.

    Args:
        text: The log.
        longest: Characters after which the line is cut.
    """
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    alarming = [line for line in lines if _ALARMING.search(line)]
    chosen = (alarming or lines)[-1:]
    if not chosen:
        return None
    text = _in_words(chosen[0])
    return text if len(text) <= longest else text[: longest - 1] + "…"


def _in_words(line: str) -> str:
    """Return what a line of etcd's JSON log says; any other line as it is."""
    try:
        document = json.loads(line)
    except ValueError:
        return line
    if not isinstance(document, dict) or "msg" not in document:
        return line
    return ": ".join(str(document[key]) for key in ("msg", "error") if key in document)
