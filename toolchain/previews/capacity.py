"""What changes in quotas, replicas, requests of pods, volumes and node pools."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from infra.settings.types import parse_quantity
from toolchain.previews import kinds
from toolchain.previews.model import Change, ChangeSet, at

_SCALERS: Final = {
    "kubernetes:autoscaling/v2:HorizontalPodAutoscaler": ("spec.minReplicas", "spec.maxReplicas"),
    "kubernetes:keda.sh/v1alpha1:ScaledObject": ("spec.minReplicaCount", "spec.maxReplicaCount"),
}
_CLAIM: Final = "kubernetes:core/v1:PersistentVolumeClaim"
# Where each cloud has the size of a node pool and its bounds.
_POOL_SIZES: Final = (
    "scalingConfig.desiredSize",
    "scalingConfig.minSize",
    "scalingConfig.maxSize",
    "count",
    "minCount",
    "maxCount",
    "vmSize",
    "instanceTypes",
    "nodeCount",
    "initialNodeCount",
    "autoscaling.minNodeCount",
    "autoscaling.maxNodeCount",
    "nodeConfig.machineType",
)
_RESOURCES: Final = ("requests", "limits")


@dataclass(frozen=True)
class Figure:
    """One number that changes.

    Attributes:
        kind: Type of what has it, for a person.
        place: Where it is: namespace and name.
        what: What it counts: `replicas`, `server requests cpu`, `quota requests.memory`.
        old: Before; `None` where there was none.
        new: After; `None` where there is none any more.
    """

    kind: str
    place: str
    what: str
    old: str | None
    new: str | None


def figures(changes: ChangeSet) -> list[Figure]:
    """Return the numbers that change, of new and of vanishing resources too."""
    found = []
    for change in changes.changes:
        old, new = dict(_numbers(change, change.old)), dict(_numbers(change, _after(change)))
        found += [
            Figure(kinds.shown(change.type), change.place, what, old.get(what), new.get(what))
            for what in dict.fromkeys([*old, *new])
            if old.get(what) != new.get(what)
        ]
    return found


def totals(changes: ChangeSet) -> dict[str, Decimal]:
    """Return by how much the requests of all pods change, at their stated replicas.

    A workload without a number of replicas, which an autoscaler has, counts once.

    Returns:
        The differences that are not zero, in cores, bytes and pieces, by resource.
    """
    sums: dict[str, Decimal] = {}
    for change in changes.changes:
        if kinds.normalized(change.type) not in kinds.WORKLOADS:
            continue
        for sign, inputs in ((-1, change.old), (1, _after(change))):
            for resource, amount in _requested(inputs):
                sums[resource] = sums.get(resource, Decimal(0)) + sign * amount
    return {resource: amount for resource, amount in sorted(sums.items()) if amount}


def _after(change: Change) -> Mapping[str, Any]:
    return {} if change.operation in ("delete", "forget") else change.new


def _numbers(change: Change, inputs: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    type_ = kinds.normalized(change.type)
    if type_ == kinds.QUOTA:
        for resource, amount in sorted((at(inputs, "spec.hard") or {}).items()):
            yield f"quota {resource}", str(amount)
    elif type_ in kinds.WORKLOADS:
        yield from _present(inputs, {"spec.replicas": "replicas"})
        for container in _containers(inputs):
            resources = container.get("resources") or {}
            for kind in _RESOURCES:
                for resource, amount in sorted((resources.get(kind) or {}).items()):
                    yield f"{container.get('name')} {kind} {resource}", str(amount)
    elif type_ in _SCALERS:
        yield from _present(
            inputs, dict(zip(_SCALERS[type_], ("at least", "at most"), strict=True))
        )
    elif type_ == _CLAIM:
        yield from _present(inputs, {"spec.resources.requests.storage": "storage"})
    elif type_ in kinds.NODE_POOLS:
        yield from _present(inputs, {path: path for path in _POOL_SIZES})


def _present(inputs: Mapping[str, Any], names: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for path, name in names.items():
        value = at(inputs, path)
        if value is not None:
            yield name, _text(value)


def _text(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _containers(inputs: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return list(at(inputs, "spec.template.spec.containers") or ())


def _requested(inputs: Mapping[str, Any]) -> Iterator[tuple[str, Decimal]]:
    """Yield what the pods of a workload ask for together."""
    replicas = at(inputs, "spec.replicas")
    count = replicas if isinstance(replicas, int) else 1
    for container in _containers(inputs):
        for resource, amount in ((container.get("resources") or {}).get("requests") or {}).items():
            try:
                yield resource, count * parse_quantity(str(amount))
            except (ValueError, KeyError):
                # A quantity in a form that this project does not write, or unknown as yet.
                continue
