"""Inference requests and responses of the Open Inference Protocol v2."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from slipway_server.errors import RequestError
from slipway_server.models import Model
from slipway_server.tensors import (
    BYTES,
    DATATYPES,
    Array,
    TensorSpec,
    check_shape,
    datatype_of,
    decode,
    encode,
)

MAX_DIMENSION = 2**31 - 1
"""Largest size of one dimension: more can never come with its data in one request."""


@dataclass(frozen=True)
class ServedModel:
    """A model under the name and version by which clients ask for it."""

    name: str
    version: str
    model: Model

    def metadata(self) -> dict[str, Any]:
        """Return the protocol's `$metadata_model_response`."""
        return {
            "name": self.name,
            "versions": [self.version],
            "platform": self.model.platform,
            "inputs": [spec.metadata() for spec in self.model.inputs],
            "outputs": [spec.metadata() for spec in self.model.outputs],
        }

    def infer(self, body: bytes | bytearray) -> bytes:
        """Answer an inference request.

        Raises:
            RequestError: The request is not one this model can answer.
        """
        request = _parse(body)
        outputs = _requested_outputs(request, self.model.outputs)
        arrays = self.model.predict(_read_inputs(request, self.model.inputs), outputs)
        response: dict[str, Any] = {"model_name": self.name, "model_version": self.version}
        if "id" in request:
            response["id"] = request["id"]
        response["outputs"] = [
            _write_output(name, array) for name, array in zip(outputs, arrays, strict=True)
        ]
        return orjson.dumps(response, option=orjson.OPT_SERIALIZE_NUMPY)


def _parse(body: bytes | bytearray) -> dict[str, Any]:
    try:
        request = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise RequestError(f"the request is not valid JSON: {error}") from None
    if not isinstance(request, dict):
        raise RequestError("the request must be a JSON object")
    if "id" in request and not isinstance(request["id"], str):
        raise RequestError("'id' must be a string")
    _check_parameters("the request", request)
    return request


def _read_inputs(request: dict[str, Any], specs: Sequence[TensorSpec]) -> dict[str, Array]:
    tensors = _objects(request, "inputs")
    if tensors is None:
        raise RequestError("the request has no 'inputs'")
    by_name = {spec.name: spec for spec in specs}
    arrays: dict[str, Array] = {}
    for tensor in tensors:
        name = _name(tensor, "inputs", by_name)
        if name in arrays:
            raise RequestError(f"input '{name}' is given twice")
        arrays[name] = _read_tensor(by_name[name], tensor)
    missing = [name for name in by_name if name not in arrays]
    if missing:
        raise RequestError(f"input '{missing[0]}' is missing")
    return arrays


def _read_tensor(spec: TensorSpec, tensor: Mapping[str, Any]) -> Array:
    name = spec.name
    for key in ("shape", "datatype", "data"):
        if key not in tensor:
            raise RequestError(f"input '{name}' has no '{key}'")
    datatype, shape, data = tensor["datatype"], tensor["shape"], tensor["data"]
    if not isinstance(datatype, str) or datatype not in DATATYPES:
        raise RequestError(
            f"input '{name}' has datatype {_show(datatype)}, the protocol knows"
            f" {', '.join(DATATYPES)}"
        )
    if not _takes(spec, datatype):
        raise RequestError(
            f"input '{name}' has datatype {datatype}, the model takes {spec.datatype}"
        )
    if not isinstance(shape, list) or not all(
        type(size) is int and 0 <= size <= MAX_DIMENSION for size in shape
    ):
        raise RequestError(f"input '{name}' must have a list of non-negative integers as 'shape'")
    if not isinstance(data, list):
        raise RequestError(f"input '{name}' must have a list as 'data'")
    _check_parameters(f"input '{name}'", tensor)
    check_shape(spec, shape)
    array = decode(name, datatype, shape, data)
    return array if datatype == spec.datatype else array.astype(DATATYPES[spec.datatype])


def _takes(spec: TensorSpec, datatype: str) -> bool:
    """Tell whether a datatype is the model's own or a narrower number that loses nothing."""
    if datatype == spec.datatype:
        return True
    return spec.datatype == "FP64" and datatype not in (BYTES, "BOOL", "INT64", "UINT64")


def _requested_outputs(request: dict[str, Any], specs: Sequence[TensorSpec]) -> list[str]:
    tensors = _objects(request, "outputs")
    names = [spec.name for spec in specs]
    if not tensors:
        return names
    requested = [_name(tensor, "outputs", names) for tensor in tensors]
    for name, tensor in zip(requested, tensors, strict=True):
        _check_parameters(f"output '{name}'", tensor)
        if requested.count(name) > 1:
            raise RequestError(f"output '{name}' is requested twice")
    return requested


def _objects(request: dict[str, Any], key: str) -> list[dict[str, Any]] | None:
    tensors = request.get(key)
    if tensors is None:
        return None
    if not isinstance(tensors, list) or not all(isinstance(tensor, dict) for tensor in tensors):
        raise RequestError(f"'{key}' must be a list of objects")
    return tensors


def _name(tensor: Mapping[str, Any], key: str, known: Sequence[str] | Mapping[str, Any]) -> str:
    name = tensor.get("name")
    if not isinstance(name, str):
        raise RequestError(f"every entry of '{key}' needs a 'name'")
    if name not in known:
        raise RequestError(
            f"the model has no {key[:-1]} '{name}', it has {', '.join(repr(one) for one in known)}"
        )
    return name


def _check_parameters(owner: str, value: Mapping[str, Any]) -> None:
    """Refuse parameters of the wrong form; the server acts on none, so others are ignored."""
    if not isinstance(value.get("parameters", {}), dict):
        raise RequestError(f"'parameters' of {owner} must be an object")


def _write_output(name: str, array: Array) -> dict[str, Any]:
    return {
        "name": name,
        "datatype": datatype_of(array),
        "shape": list(array.shape),
        "data": encode(array),
    }


def _show(value: object) -> str:
    text = orjson.dumps(value).decode()
    return text if len(text) <= 40 else text[:37] + "..."
