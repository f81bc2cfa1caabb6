"""Pods that take what they were given, are watched, and have no rights on their node."""

from collections.abc import Iterator, Mapping
from typing import Any

from slipway_policy.rule import Resource, at, items, mapping
from slipway_policy.workloads import (
    all_containers,
    chart_parts,
    containers,
    makes_pods,
    pod_spec,
    runs_to_its_end,
)

_HOST = ("hostNetwork", "hostPID", "hostIPC")


def containers_have_limits(resource: Resource) -> Iterator[str]:
    """Refuse containers without requests and limits of CPU and memory."""
    for container in all_containers(resource):
        yield from _missing_limits(str(container.get("name")), container)
    for path, part in chart_parts(resource):
        # Where the chart's parts share them, they stand beside no image.
        if "resources" in part:
            yield from _missing_limits(path, part)


def _missing_limits(where: str, container: Mapping[str, Any]) -> Iterator[str]:
    for kind in ("requests", "limits"):
        for amount in ("cpu", "memory"):
            if at(container, "resources", kind, amount) is None:
                yield f"{where}: resources.{kind}.{amount} is missing"


def containers_have_probes(resource: Resource) -> Iterator[str]:
    """Refuse containers that nobody knows to be ready, or to be alive."""
    if runs_to_its_end(resource):
        return
    for container in containers(resource):
        for probe in ("readinessProbe", "livenessProbe"):
            if not mapping(container.get(probe)):
                yield f"{container.get('name')}: {probe} is missing"


def pods_have_no_rights_on_the_node(resource: Resource) -> Iterator[str]:
    """Refuse privileged pods, root, and what belongs to the node.

    It is what `restricted` of the Pod Security Standards asks for, but for capabilities and the
    system call filter, which the namespace itself enforces.
    """
    if makes_pods(resource):
        spec = pod_spec(resource)
        yield from (f"{key} is not for pods" for key in _HOST if spec.get(key) is True)
        for volume in map(mapping, items(spec.get("volumes"))):
            if "hostPath" in volume:
                yield f"volume {volume.get('name')}: hostPath is the node's"
        for container in all_containers(resource):
            yield from _rights(
                str(container.get("name")),
                mapping(spec.get("securityContext")),
                mapping(container.get("securityContext")),
            )
    for path, part in chart_parts(resource):
        # A value that is not set is the chart's, and seen when the chart is rendered.
        for key in ("securityContext", "podSecurityContext", "containerSecurityContext"):
            context = mapping(part.get(key))
            if context.get("privileged") is True or context.get("runAsUser") == 0:
                yield f"{path}.{key}: privileged, or root"


def _rights(where: str, pod: Mapping[str, Any], container: Mapping[str, Any]) -> Iterator[str]:
    if container.get("privileged") is True:
        yield f"{where}: securityContext.privileged is true"
    if container.get("allowPrivilegeEscalation") is not False:
        yield f"{where}: securityContext.allowPrivilegeEscalation is not false"
    user = container.get("runAsUser", pod.get("runAsUser"))
    non_root = container.get("runAsNonRoot", pod.get("runAsNonRoot"))
    if user == 0 or non_root is not True:
        yield f"{where}: it may run as root: set runAsNonRoot, and a runAsUser that is not 0"
