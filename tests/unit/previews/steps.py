"""Steps of a preview in the form in which the engine prints them."""

from collections.abc import Mapping
from typing import Any

from toolchain.previews import guard, model
from toolchain.previews.document import Report

NAMESPACE = "kubernetes:core/v1:Namespace"
DEPLOYMENT = "kubernetes:apps/v1:Deployment"
CLUSTER = "slipway:machine:LocalCluster"
SECRET = "kubernetes:core/v1:Secret"
CLAIM = "kubernetes:core/v1:PersistentVolumeClaim"
ROUTE = "kubernetes:gateway.networking.k8s.io/v1:HTTPRoute"
PROVIDER = "pulumi:providers:kubernetes"


def urn(type_: str, name: str) -> str:
    """Return the URN of a resource below a component."""
    return f"urn:pulumi:dev::slipway::slipway:infra:Part${type_}::{name}"


def state(type_: str, name: str, inputs: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    """Return a resource's state."""
    return {"urn": urn(type_, name), "custom": True, "type": type_, "inputs": inputs, **more}


def step(
    operation: str,
    type_: str,
    name: str,
    old: Mapping[str, Any] | None = None,
    new: Mapping[str, Any] | None = None,
    paths: Mapping[str, bool] | None = None,
    **more: Any,
) -> dict[str, Any]:
    """Return a step.

    Args:
        operation: What the engine does.
        type_: Type token.
        name: Logical name.
        old: Inputs before.
        new: Inputs after.
        paths: Properties that the provider calls changed, and whether they are inputs.
        more: Of the states.
    """
    made: dict[str, Any] = {"op": operation, "urn": urn(type_, name), "detailedDiff": None}
    if old is not None:
        made["oldState"] = state(type_, name, old, **more)
    if new is not None:
        made["newState"] = state(type_, name, new, **more)
    if paths is not None:
        made["detailedDiff"] = {
            path: {"kind": "update", "inputDiff": is_input} for path, is_input in paths.items()
        }
    return made


def replaced(
    type_: str, name: str, *, deletes_first: bool = True, reasons: tuple[str, ...] = (), **more: Any
) -> list[dict[str, Any]]:
    """Return the steps of a replacement, in their order."""
    more.setdefault("old", {})
    more.setdefault("new", {})
    operations = ["create-replacement", "replace", "delete-replaced"]
    if deletes_first:
        operations = ["delete-replaced", "replace", "create-replacement"]
    return [
        {**step(operation, type_, name, **more), "replaceReasons": list(reasons)}
        for operation in operations
    ]


def changes(*steps: dict[str, Any], same: int = 0) -> model.ChangeSet:
    """Return the changes of a preview with these steps."""
    return model.parse("dev", {"steps": list(steps), "changeSummary": {"same": same}})


def report(*steps: dict[str, Any], approve: tuple[str, ...] = ()) -> Report:
    """Return the report of a preview with these steps."""
    found = changes(*steps)
    return Report(found, guard.judge(found, approve))
