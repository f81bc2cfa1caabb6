"""The state of a resource as the engine stores it.

The layout is that of the official plug-in, so that either can take over the other's state: the live
object, and beside its fields `__inputs`, `__initialApiVersion` and `__fieldManager`.
"""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from toolchain.kubernetes_plugin.diff import MISSING, same
from toolchain.kubernetes_plugin.secret_marks import LAST_APPLIED, marked
from toolchain.plugin.properties import Properties, plain

INPUTS: Final = "__inputs"
INITIAL_API_VERSION: Final = "__initialApiVersion"
FIELD_MANAGER: Final = "__fieldManager"

CRD_KIND: Final = "CustomResourceDefinition"

# The languages of programs cannot spell these keys of a JSON schema as properties: outputs have
# the spelling of the languages, inputs that of Kubernetes.
_DASHED: Final = {
    key.replace("-", "_"): key
    for key in (
        "x-kubernetes-embedded-resource",
        "x-kubernetes-int-or-string",
        "x-kubernetes-list-map-keys",
        "x-kubernetes-list-type",
        "x-kubernetes-map-type",
        "x-kubernetes-preserve-unknown-fields",
        "x-kubernetes-validations",
    )
}
_UNDERSCORED: Final = {dashed: underscored for underscored, dashed in _DASHED.items()}

_SERVER_METADATA: Final = (
    "creationTimestamp",
    "deletionGracePeriodSeconds",
    "deletionTimestamp",
    "generation",
    "managedFields",
    "resourceVersion",
    "uid",
)


@dataclass(frozen=True)
class State:
    """What is stored of one resource.

    Attributes:
        inputs: Last inputs, plain, with the field names of Kubernetes.
        live: Live object as last seen, plain, with the field names of Kubernetes.
        marked_inputs: Last inputs with their secret marks.
        initial_api_version: `apiVersion` that the object was created with.
        field_manager: Name under which the resource owns fields; "" if none was stored.
    """

    inputs: Properties
    live: Properties
    marked_inputs: Properties
    initial_api_version: str
    field_manager: str


def parse(properties: Mapping[str, Any]) -> State:
    """Return the parts of a stored state."""
    values = dict(properties)
    marked_inputs = values.pop(INPUTS, None) or {}
    initial_api_version = plain(values.pop(INITIAL_API_VERSION, ""))
    field_manager = plain(values.pop(FIELD_MANAGER, ""))
    return State(
        inputs=to_kubernetes(marked_inputs),
        live=to_kubernetes(values),
        marked_inputs=plain_container(marked_inputs),
        initial_api_version=initial_api_version or "",
        field_manager=field_manager or "",
    )


def build(
    live: Mapping[str, Any],
    inputs: Mapping[str, Any],
    marked_inputs: Mapping[str, Any],
    *,
    initial_api_version: str,
    field_manager: str,
) -> Properties:
    """Return the state to store.

    Who manages which field is left out: it is read from the cluster where it is needed, and would
    be a seventh of a state that the engine writes whole at every step.

    Args:
        live: Live object, plain.
        inputs: Inputs that led to it, plain.
        marked_inputs: Inputs of the program with their secret marks.
        initial_api_version: `apiVersion` that the object was created with.
        field_manager: Name under which the resource owns fields.
    """
    return {
        **marked(to_program(_without_managers(live)), marked_inputs),
        INPUTS: marked(to_program(inputs), marked_inputs),
        INITIAL_API_VERSION: initial_api_version,
        FIELD_MANAGER: field_manager,
    }


def _without_managers(live: Mapping[str, Any]) -> Properties:
    metadata = live.get("metadata")
    if not isinstance(metadata, Mapping) or "managedFields" not in metadata:
        return dict(live)
    kept = {key: value for key, value in metadata.items() if key != "managedFields"}
    return {**live, "metadata": kept}


def plain_container(value: Any) -> Properties:
    """Return the properties in a value that may be secret as a whole."""
    unwrapped = getattr(value, "value", value)
    return dict(unwrapped) if isinstance(unwrapped, Mapping) else {}


def to_kubernetes(values: Mapping[str, Any]) -> Properties:
    """Return plain values with the field names of Kubernetes."""
    result = _renamed(plain(values), _DASHED)
    assert isinstance(result, dict)
    return result


def to_program(values: Mapping[str, Any]) -> Properties:
    """Return values with the field names that a program can spell."""
    result = _renamed(values, _UNDERSCORED)
    assert isinstance(result, dict)
    return result


def _renamed(value: Any, names: Mapping[str, str]) -> Any:
    if isinstance(value, Mapping):
        return {names.get(key, key): _renamed(item, names) for key, item in value.items()}
    if isinstance(value, list):
        return [_renamed(item, names) for item in value]
    return value


def normalized(inputs: Mapping[str, Any]) -> Properties:
    """Return inputs in the form in which the API server would keep them.

    Server-managed metadata goes, and so does a definition's `status`; what a Secret holds in
    `stringData` moves to `data`, encoded.
    """
    result = dict(inputs)
    metadata = result.get("metadata")
    if isinstance(metadata, Mapping):
        result["metadata"] = {k: v for k, v in metadata.items() if k not in _SERVER_METADATA}
    if result.get("kind") == CRD_KIND:
        result.pop("status", None)
        spec = result.get("spec")
        if isinstance(spec, Mapping) and spec.get("preserveUnknownFields") is False:
            result["spec"] = {k: v for k, v in spec.items() if k != "preserveUnknownFields"}
    elif result.get("kind") == "Secret" and result.get("apiVersion") == "v1":
        _normalize_secret(result)
    return result


def _normalize_secret(secret: Properties) -> None:
    given = secret.get("stringData")
    if isinstance(given, Mapping):
        del secret["stringData"]
    else:
        given = {}
    data = secret.get("data")
    if not given and not isinstance(data, Mapping):
        return
    encoded = {key: _canonical_base64(value) for key, value in (data or {}).items()}
    for key, value in given.items():
        # A value that is not known yet stays so.
        known = isinstance(value, str)
        encoded[key] = base64.b64encode(value.encode()).decode() if known else value
    secret["data"] = encoded


def _canonical_base64(value: Any) -> Any:
    """Return base64 text as the API server prints it; what is not base64 it will refuse itself."""
    if not isinstance(value, str):
        return value
    try:
        # The API server reads over line breaks, and over nothing else.
        lines = value.replace("\r", "").replace("\n", "")
        return base64.b64encode(base64.b64decode(lines, validate=True)).decode()
    except ValueError:
        return value


def refreshed_inputs(
    last_inputs: Mapping[str, Any], last_live: Mapping[str, Any], live: Mapping[str, Any]
) -> Properties:
    """Return the inputs as a refresh has to store them: as they were, except where they drifted.

    A field drifted if the cluster now holds another value than when the state was written; a field
    that the server had rewritten already then keeps the program's way of writing it.
    """
    result = _refreshed(last_inputs, last_live, live)
    assert isinstance(result, dict)
    return result


def _refreshed(given: Any, then: Any, now: Any) -> Any:
    if isinstance(given, Mapping) and isinstance(now, Mapping):
        before = then if isinstance(then, Mapping) else {}
        fields = {
            key: _refreshed(value, before.get(key, MISSING), now.get(key, MISSING))
            for key, value in given.items()
        }
        return {key: value for key, value in fields.items() if value is not MISSING}
    if isinstance(given, list) and isinstance(now, list):
        before_list = then if isinstance(then, list) else []
        if not same(before_list, now) and len(now) != len(given):
            return now
        return [
            _refreshed(value, _at(before_list, index), _at(now, index))
            for index, value in enumerate(given)
            if index < len(now)
        ]
    if then is MISSING and now is MISSING:
        return given
    return given if same(then, now) else now


def _at(values: list[Any], index: int) -> Any:
    return values[index] if index < len(values) else MISSING


def imported_inputs(live: Mapping[str, Any]) -> Properties:
    """Return the inputs of an object that is being imported: all that a program could set."""
    result = {key: value for key, value in live.items() if key != "status"}
    metadata = {
        key: value
        for key, value in (live.get("metadata") or {}).items()
        if key not in _SERVER_METADATA
    }
    annotations = {
        key: value
        for key, value in (metadata.pop("annotations", None) or {}).items()
        if key not in (LAST_APPLIED, "deployment.kubernetes.io/revision")
    }
    if annotations:
        metadata["annotations"] = annotations
    result["metadata"] = metadata
    return result
