"""The Kubernetes objects of a stack, as files for kubectl."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

SECRET_MARK = "4dabf18193072939515e22adb298388d"
"""Key by which Pulumi marks a secret value in a state (`resource.SigKey` of its SDK)."""
# As the typed SDKs spell the keys of a CustomResourceDefinition's schema.
_SDK_EXTENSION, _EXTENSION = "x_kubernetes_", "x-kubernetes-"
_KEYS = {"_ref": "$ref", "_schema": "$schema"}
_WAIT_FOR = "pulumi.com/waitFor"

# Only what exists before these makes sense of what comes after them.
FIRST_KINDS = ("Namespace", "CustomResourceDefinition")

# What each of these kinds is waited for, by kubectl as by Pulumi.
CONDITIONS: Mapping[str, str] = {
    "CustomResourceDefinition": "condition=Established",
    "Deployment": "condition=Available",
    "PersistentVolumeClaim": "jsonpath={.status.phase}=Bound",
}


def kubernetes_resources(state: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the Kubernetes resources of an exported state, in the order of their creation."""
    return [
        resource
        for resource in state["deployment"].get("resources", [])
        if resource["type"].startswith("kubernetes:") and resource.get("custom")
    ]


def without_kubernetes(state: Mapping[str, Any]) -> dict[str, Any]:
    """Return an exported state as it would be had the Kubernetes resources never been created.

    `pulumi destroy --target` would take along what depends on them, images of the node included.
    """
    gone = {resource["urn"] for resource in kubernetes_resources(state)}
    kept = [
        _without_references(resource, gone)
        for resource in state["deployment"]["resources"]
        if resource["urn"] not in gone
    ]
    return {**state, "deployment": {**state["deployment"], "resources": kept}}


def _without_references(resource: dict[str, Any], gone: set[str]) -> dict[str, Any]:
    changed = dict(resource)
    if "dependencies" in resource:
        changed["dependencies"] = [urn for urn in resource["dependencies"] if urn not in gone]
    if "propertyDependencies" in resource:
        changed["propertyDependencies"] = {
            name: [urn for urn in urns or [] if urn not in gone]
            for name, urns in resource["propertyDependencies"].items()
        }
    return changed


def manifests(state: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the objects that a stack asks Kubernetes for: its resources' inputs.

    Args:
        state: Output of `pulumi stack export --show-secrets`.
    """
    return [_plain(resource["inputs"]) for resource in kubernetes_resources(state)]


def waits(objects: list[dict[str, Any]]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Iterate over (what kubectl waits for, object), `pulumi.com/waitFor` included."""
    for one in objects:
        asked = one["metadata"].get("annotations", {}).get(_WAIT_FOR)
        condition = asked or CONDITIONS.get(one["kind"])
        if condition is not None:
            yield condition, one


def write(path: Path, objects: list[dict[str, Any]]) -> Path:
    """Write objects as one List that only this user can read: there may be secrets in it."""
    path.touch(mode=0o600)
    path.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}))
    return path


def _plain(value: Any) -> Any:
    """Return a value of the state without Pulumi's own keys and marks of secrets."""
    if isinstance(value, list):
        return [_plain(one) for one in value]
    if not isinstance(value, dict):
        return value
    if SECRET_MARK in value:
        return _plain(json.loads(value["plaintext"]))
    return {
        _KEYS.get(key, key.replace(_SDK_EXTENSION, _EXTENSION)): _plain(one)
        for key, one in value.items()
        if not key.startswith("__")
    }
