"""The Kubernetes objects of a stack, as files for kubectl."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
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
# These are taken once the pods and the webhook of cert-manager are there, and a route once the
# certificate is.
_LAST_KINDS = ("Certificate", "ClusterIssuer", "HTTPRoute", "Issuer")
# What is waited for before them. Others wait for a certificate themselves.
_CERTIFIERS = "cert-manager"

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
    return [
        _plain(resource["inputs"])
        for resource in kubernetes_resources(state)
        # What is only read is made by something else.
        if not resource.get("external")
    ]


@dataclass(frozen=True)
class Step:
    """Objects that can be made at once, and those that the next step waits for."""

    makes: list[dict[str, Any]]
    awaits: list[dict[str, Any]]


def steps(manifests: list[dict[str, Any]]) -> dict[str, Step]:
    """Return the steps in which objects can be made, by name and in order."""
    first = [one for one in manifests if one["kind"] in FIRST_KINDS]
    last = [one for one in manifests if one["kind"] in _LAST_KINDS]
    rest = [one for one in manifests if one["kind"] not in (*FIRST_KINDS, *_LAST_KINDS)]
    certifiers = [one for one in rest if one["metadata"].get("namespace") == _CERTIFIERS]
    others = [one for one in rest if one not in certifiers]
    return {
        "first": Step(first, first),
        "rest": Step(rest, certifiers),
        "last": Step(last, [*last, *others]),
    }


def waits(objects: list[dict[str, Any]]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Iterate over (what kubectl waits for, object), `pulumi.com/waitFor` included."""
    for one in objects:
        asked = one["metadata"].get("annotations", {}).get(_WAIT_FOR)
        condition = asked or CONDITIONS.get(one["kind"])
        if condition is not None:
            # Several conditions are written as a list of them.
            for each in json.loads(condition) if condition.startswith("[") else [condition]:
                yield each, one


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
