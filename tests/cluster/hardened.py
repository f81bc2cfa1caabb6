"""What every pod that we deploy has to be, and the few that cannot be all of it."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

Object = Mapping[str, Any]

# By namespace and `app.kubernetes.io/name` of the pod, and if needed its component after a slash:
# the rules that it breaks, each with the reason. A row that is not needed any more is reported too.
EXCEPTIONS: Final[Mapping[tuple[str, str], Mapping[str, str]]] = {
    # It answers ARP on the node's own interface for the addresses that it announces.
    ("metallb-system", "metallb/speaker"): {
        "host namespaces": "ARP and NDP are spoken on the node's own network",
        "user": "raw sockets are opened as root",
        "capabilities": "NET_RAW: raw sockets",
    },
    # Its chart has a probe for whether the controller still leads, and takes no other.
    ("cert-manager", "cert-manager"): {"probes": "nobody connects to it: nothing to be ready for"},
    ("cert-manager", "cainjector"): {"probes": "it has no address that could be asked"},
    ("external-secrets", "external-secrets"): {
        "probes": "its chart knows no readiness probe, and nothing sends it requests",
    },
}


def breaches(pod: Object) -> dict[str, str]:
    """Return the rules that a pod breaks, each with where."""
    spec = pod["spec"]
    found = dict(_of_pod(spec))
    for container in spec.get("initContainers", []) + spec["containers"]:
        for rule in _of_container(container, spec.get("securityContext") or {}):
            found.setdefault(rule, str(container["name"]))
    for container in spec["containers"]:
        # A pod that ends by itself has nothing to be probed for.
        is_probed = {"readinessProbe", "livenessProbe"} <= set(container)
        if spec.get("restartPolicy", "Always") == "Always" and not is_probed:
            found.setdefault("probes", str(container["name"]))
    return found


def _of_pod(spec: Object) -> Iterator[tuple[str, str]]:
    for key in ("hostNetwork", "hostPID", "hostIPC"):
        if spec.get(key):
            yield "host namespaces", key
    if any("hostPath" in volume for volume in spec.get("volumes", [])):
        yield "folders of the node", "a volume"
    if not spec.get("priorityClassName"):
        yield "priority class", "the pod"


def _of_container(container: Object, pod: Object) -> Iterator[str]:
    own = container.get("securityContext") or {}
    context = {**pod, **own}
    if context.get("runAsNonRoot") is not True or context.get("runAsUser") == 0:
        yield "user"
    if own.get("readOnlyRootFilesystem") is not True:
        yield "read-only root file system"
    if own.get("allowPrivilegeEscalation") is not False or own.get("privileged"):
        yield "privileges"
    capabilities = own.get("capabilities") or {}
    if "ALL" not in capabilities.get("drop", []) or capabilities.get("add"):
        yield "capabilities"
    if (context.get("seccompProfile") or {}).get("type") != "RuntimeDefault":
        yield "seccomp"
    resources = container.get("resources") or {}
    for kind in ("requests", "limits"):
        if not {"cpu", "memory"} <= set(resources.get(kind, {})):
            yield kind


def who(pod: Object) -> tuple[str, str]:
    """Return the key of a pod in `EXCEPTIONS`."""
    labels = pod["metadata"].get("labels", {})
    name = labels.get("app.kubernetes.io/name") or labels.get("k8s-app", "?")
    key = (pod["metadata"]["namespace"], name)
    with_component = (key[0], f"{name}/{labels.get('app.kubernetes.io/component')}")
    return with_component if with_component in EXCEPTIONS else key


def unexpected(pods: Sequence[Object]) -> list[str]:
    """Return what is wrong with pods: rules broken without a reason, reasons without a breach."""
    found = []
    for pod in pods:
        broken, excused = breaches(pod), EXCEPTIONS.get(who(pod), {})
        label = f"{pod['metadata']['namespace']}/{pod['metadata']['name']}"
        found += [
            f"{label}: {rule} ({where})" for rule, where in broken.items() if rule not in excused
        ]
        found += [f"{label}: keeps to {rule} by now" for rule in excused if rule not in broken]
    return found


def unprotected(controllers: Sequence[Object], budgets: Sequence[Object]) -> list[str]:
    """Return the controllers with several pods that no PodDisruptionBudget covers.

    Args:
        controllers: Deployments and StatefulSets; a drain passes over DaemonSets.
        budgets: PodDisruptionBudgets.
    """
    return [
        f"{item['metadata']['namespace']}/{item['metadata']['name']}"
        for item in controllers
        if item["spec"].get("replicas", 1) > 1
        and not any(_covers(budget, item) for budget in budgets)
    ]


def _covers(budget: Object, controller: Object) -> bool:
    labels = controller["spec"]["template"]["metadata"]["labels"]
    wanted = budget["spec"]["selector"].get("matchLabels", {})
    same_namespace = budget["metadata"]["namespace"] == controller["metadata"]["namespace"]
    return bool(same_namespace and wanted and wanted.items() <= labels.items())
