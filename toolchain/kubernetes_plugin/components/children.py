"""Registers the objects of a component as resources of the stack."""

import copy
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
from pulumi.provider.experimental.property_value import PropertyValue

from toolchain.kubernetes_plugin.components.ordering import Identity, identity_of, ordered
from toolchain.kubernetes_plugin.components.wire import reference_to
from toolchain.kubernetes_plugin.readiness.rules import SKIP_AWAIT
from toolchain.kubernetes_plugin.types import PACKAGE

Object = dict[str, Any]

RESOURCE_POLICY = "helm.sh/resource-policy"
_KEEP = "keep"

# What of every object stays readable in previews and state, even where the rest is secret.
_READABLE = ("apiVersion", "kind")
_IDENTIFYING = ("name", "namespace")


@dataclass(frozen=True)
class Registration:
    """How the objects of one component become resources.

    Attributes:
        prefix: Put before every logical name, with a colon; "" for none.
        skip_await: Whether nothing waits until the objects are ready.
        secret: Whether the objects were made from secrets, so that their contents are secret.
        helm_policies: Whether `helm.sh/resource-policy` is heeded.
    """

    prefix: str
    skip_await: bool = False
    secret: bool = False
    helm_policies: bool = False


def type_token(obj: Object) -> str:
    """Return the engine's type of an object: `kubernetes:apps/v1:Deployment`."""
    api_version = obj["apiVersion"]
    qualified = api_version if "/" in api_version else f"core/{api_version}"
    return f"{PACKAGE}:{qualified}:{obj['kind']}"


def logical_name(obj: Object, prefix: str) -> str:
    """Return the engine's name of an object: `<prefix>:<namespace>/<name>`."""
    metadata = obj["metadata"]
    namespace = metadata.get("namespace")
    name = f"{namespace}/{metadata['name']}" if namespace else str(metadata["name"])
    return f"{prefix}:{name}" if prefix else name


def register(
    component: pulumi.ComponentResource, objects: Iterable[Object], how: Registration
) -> list[pulumi.CustomResource]:
    """Register normalized objects as children of a component, in the order they are made.

    Raises:
        ComponentError: They cannot be ordered.
    """
    made: dict[Identity, pulumi.CustomResource] = {}
    for obj, waits_for in ordered(objects):
        options = pulumi.ResourceOptions(
            parent=component,
            depends_on=[made[identity] for identity in waits_for],
            retain_on_delete=True if how.helm_policies and _is_kept(obj, component) else None,
        )
        made[identity_of(obj)] = pulumi.CustomResource(
            type_token(obj), logical_name(obj, how.prefix), properties_of(obj, how), options
        )
    return list(made.values())


def properties_of(obj: Object, how: Registration) -> dict[str, Any]:
    """Return the inputs of an object's resource, with what must not be seen marked secret."""
    properties = copy.deepcopy(obj)
    if how.skip_await:
        annotations = properties["metadata"].get("annotations") or {}
        properties["metadata"]["annotations"] = {**annotations, SKIP_AWAIT: "true"}
    if how.secret:
        return _all_secret(properties)
    if (properties["apiVersion"], properties["kind"]) == ("v1", "Secret"):
        for key in ("data", "stringData"):
            if key in properties:
                properties[key] = pulumi.Output.secret(properties[key])
    return properties


async def references(children: Sequence[pulumi.CustomResource]) -> PropertyValue:
    """Return registered children as a list of references to resources."""
    return PropertyValue([await reference_to(child) for child in children])


def _all_secret(properties: dict[str, Any]) -> dict[str, Any]:
    metadata = {
        key: value if key in _IDENTIFYING else pulumi.Output.secret(value)
        for key, value in properties["metadata"].items()
    }
    contents = {
        key: value if key in _READABLE else pulumi.Output.secret(value)
        for key, value in properties.items()
    }
    return contents | {"metadata": metadata}


def _is_kept(obj: Object, component: pulumi.ComponentResource) -> bool:
    """Whether Helm's annotation asks to keep the object when its release goes."""
    annotations = obj["metadata"].get("annotations")
    policy = annotations.get(RESOURCE_POLICY) if isinstance(annotations, Mapping) else None
    if policy is not None and policy != _KEEP:
        pulumi.log.warn(f"Unsupported Helm resource policy {policy!r}", component)
    return policy == _KEEP
