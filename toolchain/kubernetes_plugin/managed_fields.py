"""Who owns which field of an object, as its `managedFields` say.

A create is a plain POST, which Kubernetes books as an "Update" by `pulumi-kubernetes`. The first
server-side apply has to take those fields over, or it would conflict with the plug-in's own create.
"""

import copy
from collections.abc import Mapping, Sequence
from typing import Any, Final

from toolchain.kubernetes_plugin import naming
from toolchain.kubernetes_plugin.client import Object

CREATE_MANAGER: Final = "pulumi-kubernetes"

# The managers that the official plug-in takes over from: its own creates, and `kubectl apply`.
_TAKEN_OVER: Final = frozenset(
    {
        ("kubectl", "Apply"),
        ("kubectl", "Update"),
        ("before-first-apply", "Update"),
        ("pulumi-kubernetes", "Update"),
        ("pulumi-kubernetes.exe", "Update"),
        ("pulumi-resource-kubernetes", "Update"),
    }
)
_OWN_CLIENT_SIDE: Final = frozenset(
    {"pulumi-kubernetes", "pulumi-kubernetes.exe", "pulumi-resource-kubernetes"}
)

Entry = Mapping[str, Any]


def entries(live: Object) -> list[Entry]:
    """Return the ownership entries of an object."""
    found = naming.metadata_of(live).get("managedFields")
    return list(found) if isinstance(found, list) else []


def takeover(live: Object, manager: str) -> list[dict[str, Any]] | None:
    """Return the JSON patch that makes `manager` the owner of what the plug-in wrote before.

    Returns:
        The patch, bound to the version of the object; `None` if there is nothing to take over.
    """
    kept: list[dict[str, Any]] = []
    fields: dict[str, Any] = {}
    template: dict[str, Any] | None = None
    changed = False
    for entry in entries(live):
        if entry.get("subresource"):
            kept.append(dict(entry))
            continue
        identity = (entry.get("manager"), entry.get("operation"))
        if identity == (manager, "Apply") or identity in _TAKEN_OVER:
            changed = changed or identity != (manager, "Apply")
            template = template or dict(entry)
            _merge(fields, entry.get("fieldsV1") or {})
        else:
            kept.append(dict(entry))
    if template is None or not changed:
        return None
    own = {**template, "manager": manager, "operation": "Apply", "fieldsV1": fields}
    return [
        {"op": "replace", "path": "/metadata/managedFields", "value": [*kept, own]},
        {
            "op": "replace",
            "path": "/metadata/resourceVersion",
            "value": naming.metadata_of(live).get("resourceVersion"),
        },
    ]


def _merge(target: dict[str, Any], source: Mapping[str, Any]) -> None:
    for key, value in source.items():
        inner = target.setdefault(key, {})
        _merge(inner, value)


def must_force(live: Object | None, *, preview: bool) -> bool:
    """Return whether an apply has to be forced although nobody asked for it.

    That is so where the conflict would be with the plug-in itself: in the preview of an update that
    starts with a takeover, and on an object older than ownership entries.
    """
    if live is None:
        return preview
    found = entries(live)
    if not found:
        return True
    return preview and any(
        entry.get("manager") in _OWN_CLIENT_SIDE and entry.get("operation") == "Update"
        for entry in found
    )


def owned_by_others_only(live: Object, manager: str, path: Sequence[str]) -> bool:
    """Return whether a field, or anything below it, is owned by others and not by `manager`."""
    owners = {
        str(entry.get("manager"))
        for entry in entries(live)
        if _owns(entry.get("fieldsV1") or {}, path)
    }
    return bool(owners) and manager not in owners


def _owns(fields: Mapping[str, Any], path: Sequence[str]) -> bool:
    node: Any = fields
    for key in path:
        node = node.get(f"f:{key}") if isinstance(node, Mapping) else None
        if node is None:
            return False
    return True


def with_ignored(
    inputs: Object, live: Object, manager: str, ignored: Sequence[Sequence[str]]
) -> Object:
    """Return inputs in which ignored fields cannot change anything.

    An ignored field that only others own is left out of the apply; one of our own keeps the live
    value, since leaving it out would unset it.

    Args:
        inputs: New inputs.
        live: Object as it is.
        manager: Name under which the resource owns fields.
        ignored: Paths of the fields, as keys.
    """
    result = copy.deepcopy(inputs)
    for path in ignored:
        if owned_by_others_only(live, manager, path):
            _remove(result, path)
        else:
            found = _at(live, path)
            if found is not None:
                _set(result, path, found)
    return result


def _at(obj: Any, path: Sequence[str]) -> Any:
    for key in path:
        obj = obj.get(key) if isinstance(obj, Mapping) else None
    return obj


def _remove(obj: Object, path: Sequence[str]) -> None:
    parent = _at(obj, path[:-1])
    if isinstance(parent, dict):
        parent.pop(path[-1], None)


def _set(obj: Object, path: Sequence[str], value: Any) -> None:
    node = obj
    for key in path[:-1]:
        inner = node.setdefault(key, {})
        if not isinstance(inner, dict):
            return
        node = inner
    node[path[-1]] = value
