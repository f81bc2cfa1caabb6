"""Inference requests and responses over REST: JSON, with the binary tensor data extension.

https://github.com/kserve/open-inference-protocol/blob/main/specification/protocol/inference_rest.md
and .../extensions/extension_binary_data.md of Triton's protocol, which its clients speak.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import orjson

from slipway_server.errors import RequestError
from slipway_server.protocol import Inputs, ServedModel, check, requested_outputs
from slipway_server.raw_tensors import decode_raw, encode_raw
from slipway_server.tensors import Array, datatype_of, decode, encode

HEADER_LENGTH = "inference-header-content-length"
"""HTTP header with the length of the JSON, where binary tensors follow it."""

_NOTHING: Mapping[str, Any] = {}


class RestAnswer(NamedTuple):
    """Body of a response, and the length of the JSON in it where binary tensors follow."""

    body: bytes
    header_length: int | None


class RestInference:
    """One inference request.

    Args:
        served: The model that is asked.
        body: The request's body.
        header_length: Length of the JSON in it, where the request says so.
    """

    def __init__(self, served: ServedModel, body: bytearray, header_length: int | None) -> None:
        self._served = served
        self._body = body
        self._header_length = header_length
        self._id: str | None = None
        self._binary: list[bool] = []
        self.outputs: Sequence[str] = ()

    def read(self) -> dict[str, Array]:
        """Return the model's inputs, and keep what the answer needs.

        Raises:
            RequestError: The request is not as the protocol says, or the model does not fit.
        """
        request = self._parse()
        parameters = _parameters("the request", request)
        tensors = _objects(request, "outputs") or []
        self.outputs = requested_outputs(
            [tensor.get("name") for tensor in tensors], self._served.model.outputs
        )
        binary = _flag("the request", parameters, "binary_data_output", False)
        self._binary = [binary] * len(self.outputs)
        for number, tensor in enumerate(tensors):
            owner = f"output '{self.outputs[number]}'"
            own = _parameters(owner, tensor)
            self._binary[number] = _flag(owner, own, "binary_data", binary)
        return self._inputs(request)

    def write(self, arrays: Sequence[Array]) -> RestAnswer:
        """Return the response with these outputs."""
        response: dict[str, Any] = {
            "model_name": self._served.name,
            "model_version": self._served.version,
        }
        if self._id is not None:
            response["id"] = self._id
        outputs: list[dict[str, Any]] = []
        raw: list[bytes] = []
        for name, array, binary in zip(self.outputs, arrays, self._binary, strict=True):
            output: dict[str, Any] = {
                "name": name,
                "datatype": datatype_of(array),
                "shape": list(array.shape),
            }
            if binary:
                raw.append(encode_raw(array))
                output["parameters"] = {"binary_data_size": len(raw[-1])}
            else:
                output["data"] = encode(array)
            outputs.append(output)
        response["outputs"] = outputs
        head = orjson.dumps(response, option=orjson.OPT_SERIALIZE_NUMPY)
        return RestAnswer(b"".join((head, *raw)), len(head)) if raw else RestAnswer(head, None)

    def _parse(self) -> dict[str, Any]:
        head: bytearray | memoryview = self._body
        if self._header_length is not None:
            if self._header_length > len(self._body):
                raise RequestError(
                    f"{HEADER_LENGTH} is {self._header_length}, the request has"
                    f" {len(self._body)} bytes"
                )
            head = memoryview(self._body)[: self._header_length]
        try:
            request = orjson.loads(head)
        except orjson.JSONDecodeError as error:
            raise RequestError(f"the request is not valid JSON: {error}") from None
        if not isinstance(request, dict):
            raise RequestError("the request must be a JSON object")
        self._id = request.get("id")
        if self._id is not None and not isinstance(self._id, str):
            raise RequestError("'id' must be a string")
        return request

    def _inputs(self, request: Mapping[str, Any]) -> dict[str, Array]:
        tensors = _objects(request, "inputs")
        if tensors is None:
            raise RequestError("the request has no 'inputs'")
        inputs = Inputs(self._served.model.inputs)
        offset = len(self._body) if self._header_length is None else self._header_length
        for tensor in tensors:
            spec = inputs.spec(tensor.get("name"))
            owner = f"input '{spec.name}'"
            for key in ("shape", "datatype"):
                if key not in tensor:
                    raise RequestError(f"{owner} has no '{key}'")
            shape = tensor["shape"]
            if not isinstance(shape, list):
                raise RequestError(f"{owner} must have a list of non-negative integers as 'shape'")
            datatype = check(spec, tensor["datatype"], shape)
            size = _binary_size(owner, tensor, len(self._body) - offset)
            if size is None:
                array = decode(spec.name, datatype, shape, _data(owner, tensor))
            else:
                data = memoryview(self._body)[offset : offset + size]
                array = decode_raw(spec.name, datatype, shape, data)
                offset += size
            inputs.add(spec, datatype, array)
        if offset != len(self._body):
            raise RequestError(
                f"{len(self._body) - offset} bytes of binary data belong to no input: each names"
                " its own by the parameter 'binary_data_size'"
            )
        return inputs.arrays()


def _data(owner: str, tensor: Mapping[str, Any]) -> list[Any]:
    if "data" not in tensor:
        raise RequestError(f"{owner} has no 'data'")
    data = tensor["data"]
    if not isinstance(data, list):
        raise RequestError(f"{owner} must have a list as 'data'")
    return data


def _binary_size(owner: str, tensor: Mapping[str, Any], left: int) -> int | None:
    """Return how many bytes of binary data an input has; `None` where it is in the JSON."""
    size = _parameters(owner, tensor).get("binary_data_size")
    if size is None:
        return None
    if type(size) is not int or size < 0:
        raise RequestError(f"'binary_data_size' of {owner} must be a non-negative integer")
    if "data" in tensor:
        raise RequestError(f"{owner} has both 'data' and 'binary_data_size'")
    if size > left:
        raise RequestError(
            f"{owner} has a 'binary_data_size' of {size}, but {left} bytes are left after the"
            f" JSON, whose length the header {HEADER_LENGTH} tells"
        )
    return size


def _objects(request: Mapping[str, Any], key: str) -> list[dict[str, Any]] | None:
    tensors = request.get(key)
    if tensors is None:
        return None
    if not isinstance(tensors, list) or not all(isinstance(tensor, dict) for tensor in tensors):
        raise RequestError(f"'{key}' must be a list of objects")
    return tensors


def _parameters(owner: str, value: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return parameters; those that the server does not know are ignored, as the protocol says."""
    parameters = value.get("parameters")
    if parameters is None:
        return _NOTHING
    if not isinstance(parameters, dict):
        raise RequestError(f"'parameters' of {owner} must be an object")
    return parameters


def _flag(owner: str, parameters: Mapping[str, Any], key: str, default: bool) -> bool:
    value = parameters.get(key, default)
    if not isinstance(value, bool):
        raise RequestError(f"'{key}' of {owner} must be true or false")
    return value
