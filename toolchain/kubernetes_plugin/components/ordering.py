"""In which order the objects of a manifest are made, and which waits for which.

The order is that of `cli-utils`, which the official plug-in uses: definitions before objects of
their kind, namespaces before what lives in them, and what the annotation
`config.kubernetes.io/depends-on` names before the object that carries it.
"""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from toolchain.kubernetes_plugin.components.errors import ComponentError
from toolchain.kubernetes_plugin.types import group_of

Object = dict[str, Any]

DEPENDS_ON = "config.kubernetes.io/depends-on"

# Kinds that come first among objects that do not wait for each other, then all others by name.
_FIRST = (
    ("", "Namespace"),
    ("", "ResourceQuota"),
    ("storage.k8s.io", "StorageClass"),
    ("apiextensions.k8s.io", "CustomResourceDefinition"),
    ("admissionregistration.k8s.io", "MutatingWebhookConfiguration"),
    ("", "ServiceAccount"),
    ("rbac.authorization.k8s.io", "Role"),
    ("rbac.authorization.k8s.io", "ClusterRole"),
    ("rbac.authorization.k8s.io", "RoleBinding"),
    ("rbac.authorization.k8s.io", "ClusterRoleBinding"),
    ("", "ConfigMap"),
    ("", "Secret"),
    ("", "Service"),
    ("", "LimitRange"),
    ("scheduling.k8s.io", "PriorityClass"),
    ("apps", "Deployment"),
    ("apps", "StatefulSet"),
    ("batch", "CronJob"),
    ("policy", "PodDisruptionBudget"),
)
_LAST = ("admissionregistration.k8s.io", "ValidatingWebhookConfiguration")
_RANKS = {kind: rank - len(_FIRST) for rank, kind in enumerate(_FIRST)} | {_LAST: 1}


class Identity(NamedTuple):
    """What names an object within a manifest."""

    group: str
    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        """Return the form of the annotation `config.kubernetes.io/depends-on`."""
        if self.namespace:
            return f"{self.group}/namespaces/{self.namespace}/{self.kind}/{self.name}"
        return f"{self.group}/{self.kind}/{self.name}"


def identity_of(obj: Object) -> Identity:
    """Return the identity of a normalized object."""
    metadata = obj["metadata"]
    return Identity(
        group_of(obj["apiVersion"]),
        obj["kind"],
        str(metadata.get("namespace") or ""),
        str(metadata["name"]),
    )


def ordered(objects: Iterable[Object]) -> list[tuple[Object, tuple[Identity, ...]]]:
    """Return the objects in the order in which they can be made, each with what it waits for.

    Of two objects with one identity, the later one counts.

    Raises:
        ComponentError: A dependency is not in the manifest, is written wrongly, or is a circle.
    """
    by_identity = {identity_of(obj): obj for obj in objects}
    waits_for = {
        identity: _dependencies(identity, obj, by_identity) for identity, obj in by_identity.items()
    }
    left = dict(waits_for)
    result: list[tuple[Object, tuple[Identity, ...]]] = []
    while left:
        free = [identity for identity, needed in left.items() if not any(n in left for n in needed)]
        if not free:
            circle = ", ".join(sorted(str(identity) for identity in left))
            raise ComponentError(f"objects wait for each other in a circle: {circle}")
        for identity in sorted(free, key=_rank):
            result.append((by_identity[identity], waits_for[identity]))
            del left[identity]
    return result


def _rank(identity: Identity) -> tuple[int, Identity]:
    return _RANKS.get((identity.group, identity.kind), 0), identity


def _dependencies(
    identity: Identity, obj: Object, by_identity: Mapping[Identity, Object]
) -> tuple[Identity, ...]:
    needed: list[Identity] = []
    for other, candidate in by_identity.items():
        if _defines(candidate, identity) or _holds(other, identity):
            needed.append(other)
    for stated in _stated(identity, obj):
        if stated not in by_identity:
            raise ComponentError(
                f"{identity.kind} {identity.name}: annotation {DEPENDS_ON} names {stated}, which is"
                " not part of the same manifests"
            )
        needed.append(stated)
    return tuple(dict.fromkeys(needed))


def _defines(candidate: Object, identity: Identity) -> bool:
    if candidate["kind"] != "CustomResourceDefinition":
        return False
    spec = candidate.get("spec") or {}
    names = spec.get("names") or {}
    return (spec.get("group"), names.get("kind")) == (identity.group, identity.kind)


def _holds(other: Identity, identity: Identity) -> bool:
    is_namespace = other.group == "" and other.kind == "Namespace"
    return is_namespace and bool(identity.namespace) and other.name == identity.namespace


def _stated(identity: Identity, obj: Object) -> list[Identity]:
    value = (obj["metadata"].get("annotations") or {}).get(DEPENDS_ON)
    if value is None:
        return []
    return [_reference(part.strip(), identity) for part in str(value).split(",")]


def _reference(text: str, carrier: Identity) -> Identity:
    fields = text.split("/")
    if len(fields) == 3:
        return Identity(group=fields[0], kind=fields[1], namespace="", name=fields[2])
    if len(fields) == 5 and fields[1] == "namespaces":
        return Identity(group=fields[0], kind=fields[3], namespace=fields[2], name=fields[4])
    raise ComponentError(
        f"{carrier.kind} {carrier.name}: annotation {DEPENDS_ON}: {text!r} must read"
        " <group>/<kind>/<name> or <group>/namespaces/<namespace>/<kind>/<name>"
    )
