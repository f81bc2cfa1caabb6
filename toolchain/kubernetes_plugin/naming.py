"""Names, annotations and identifiers of objects.

The annotations and the shape of an automatic name are those of the official plug-in
(`provider/pkg/metadata` in its repository), since they end up in the cluster and in the state.
"""

import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from toolchain.plugin.properties import Unknown

AUTONAMED: Final = "pulumi.com/autonamed"
REPLACE_UNREADY: Final = "pulumi.com/replaceUnready"
PATCH_FORCE: Final = "pulumi.com/patchForce"
PATCH_FIELD_MANAGER: Final = "pulumi.com/patchFieldManager"
DELETION_PROPAGATION: Final = "pulumi.com/deletionPropagationPolicy"

_SUFFIX_DIGITS: Final = 8


@dataclass(frozen=True)
class Autonaming:
    """What the engine's `pulumi:autonaming` configuration asks for one resource."""

    mode: Literal["propose", "enforce", "disable"]
    proposed: str


class NamingError(Exception):
    """A resource that has no name and may not be given one."""


def metadata_of(obj: Mapping[str, Any]) -> dict[str, Any]:
    """Return the metadata of an object, or an empty one if it is absent or not known yet."""
    metadata = obj.get("metadata")
    return metadata if isinstance(metadata, dict) else {}


def name_of(obj: Mapping[str, Any]) -> str:
    """Return the name of an object, or "" if it has none or it is not known yet."""
    name = metadata_of(obj).get("name")
    return name if isinstance(name, str) else ""


def namespace_of(obj: Mapping[str, Any]) -> str:
    """Return the namespace of an object, or "" if it has none or it is not known yet."""
    namespace = metadata_of(obj).get("namespace")
    return namespace if isinstance(namespace, str) else ""


def annotation(obj: Mapping[str, Any], key: str) -> str:
    """Return the value of an annotation, or "" if it is absent or not known yet."""
    annotations = metadata_of(obj).get("annotations")
    value = annotations.get(key) if isinstance(annotations, dict) else None
    return value if isinstance(value, str) else ""


def annotated(obj: Mapping[str, Any], key: str) -> bool:
    """Return whether an annotation says `true`."""
    return annotation(obj, key) == "true"


def is_named(obj: Mapping[str, Any]) -> bool:
    """Return whether a name is given, be it one that is not known yet."""
    return bool(name_of(obj)) or isinstance(metadata_of(obj).get("name"), Unknown)


def is_autonamed(obj: Mapping[str, Any]) -> bool:
    """Return whether the name was made by the plug-in."""
    return annotated(obj, AUTONAMED)


def unique_suffix(seed: bytes = b"") -> str:
    """Return eight hexadecimal digits: a function of the seed, or random without one."""
    digest = hashlib.sha256(seed).hexdigest() if seed else secrets.token_hex(_SUFFIX_DIGITS)
    return digest[:_SUFFIX_DIGITS]


def assign_name(
    obj: dict[str, Any], logical_name: str, seed: bytes = b"", autonaming: Autonaming | None = None
) -> None:
    """Give an object that has no name one that is unique in the cluster.

    Raises:
        NamingError: The engine's configuration switches automatic names off.
    """
    if is_named(obj) or metadata_of(obj).get("generateName"):
        return
    name = f"{logical_name}-{unique_suffix(seed)}"
    if autonaming is not None:
        if autonaming.mode == "disable":
            raise NamingError("autonaming is disabled: set metadata.name on this resource")
        name = autonaming.proposed
    _set_autoname(obj, name)


def keep_autoname(obj: dict[str, Any], old: Mapping[str, Any]) -> None:
    """Give an object that has no name the automatic name of its older self."""
    if not is_named(obj) and is_autonamed(old):
        _set_autoname(obj, name_of(old))


def _set_autoname(obj: dict[str, Any], name: str) -> None:
    metadata = obj.setdefault("metadata", {})
    if not isinstance(metadata, dict):
        return
    metadata["name"] = name
    annotations = metadata.setdefault("annotations", {})
    if isinstance(annotations, dict):
        annotations[AUTONAMED] = "true"


def identifier(obj: Mapping[str, Any]) -> str:
    """Return the engine's id of an object: `namespace/name`, or `name` without a namespace."""
    namespace = namespace_of(obj)
    return f"{namespace}/{name_of(obj)}" if namespace else name_of(obj)


def split_identifier(resource_id: str) -> tuple[str, str]:
    """Return namespace ("" if none) and name of an engine id."""
    namespace, _, name = resource_id.rpartition("/")
    return namespace, name


def new_field_manager() -> str:
    """Return the name under which one resource owns fields of its object from now on."""
    return f"pulumi-kubernetes-{unique_suffix()}"


def deletion_propagation(
    inputs: Mapping[str, Any],
) -> Literal["Foreground", "Background", "Orphan"]:
    """Return what happens to the dependents of an object that is deleted."""
    policy = annotation(inputs, DELETION_PROPAGATION).lower()
    if policy == "background":
        return "Background"
    return "Orphan" if policy == "orphan" else "Foreground"
