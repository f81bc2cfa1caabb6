"""Inference requests and responses over gRPC."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np
from google.protobuf.message import DecodeError

from slipway_server.errors import RequestError
from slipway_server.grpc_messages import MESSAGES
from slipway_server.protocol import Inputs, ServedModel, check, requested_outputs
from slipway_server.raw_tensors import decode_raw, encode_raw, text
from slipway_server.tensors import DATATYPES, Array, check_size, datatype_of, encode

_REQUEST: Final = MESSAGES["ModelInferRequest"]
_RESPONSE: Final = MESSAGES["ModelInferResponse"]

_CONTENTS: Final = {
    "BOOL": "bool_contents",
    "INT8": "int_contents",
    "INT16": "int_contents",
    "INT32": "int_contents",
    "INT64": "int64_contents",
    "UINT8": "uint_contents",
    "UINT16": "uint_contents",
    "UINT32": "uint_contents",
    "UINT64": "uint64_contents",
    "FP32": "fp32_contents",
    "FP64": "fp64_contents",
    "BYTES": "bytes_contents",
}
"""Typed field by datatype; FP16 has none and is always raw."""


class GrpcInference:
    """One inference request.

    Args:
        served: The model that the server has.
        check_name: Raises a `RequestError` unless it serves a model of that name and version.
        message: A serialised `ModelInferRequest`.
    """

    def __init__(
        self, served: ServedModel, check_name: Callable[[str, str], None], message: bytes
    ) -> None:
        self._served = served
        self._check_name = check_name
        self._message = message
        self._id = ""
        self._raw = False
        self.outputs: Sequence[str] = ()

    def read(self) -> Mapping[str, Array]:
        """Return the model's inputs, and keep what the answer needs.

        Raises:
            RequestError: The request is not as the protocol says, or the model does not fit.
        """
        try:
            request = _REQUEST.FromString(self._message)
        except DecodeError:
            raise RequestError("the request is not a ModelInferRequest") from None
        self._check_name(request.model_name, request.model_version)
        self._id = request.id
        self.outputs = requested_outputs(
            [output.name for output in request.outputs], self._served.model.outputs
        )
        raw = request.raw_input_contents
        self._raw = bool(raw)
        if raw and len(raw) != len(request.inputs):
            raise RequestError(
                f"the request has {len(request.inputs)} inputs and {len(raw)} raw_input_contents"
            )
        inputs = Inputs(self._served.model.inputs)
        for number, tensor in enumerate(request.inputs):
            spec = inputs.spec(tensor.name)
            shape = list(tensor.shape)
            datatype = check(spec, tensor.datatype, shape)
            if not raw:
                array = _typed(spec.name, datatype, shape, tensor.contents)
            elif tensor.HasField("contents"):
                raise RequestError(
                    f"input '{spec.name}' has 'contents' beside the request's raw_input_contents"
                )
            else:
                array = decode_raw(spec.name, datatype, shape, memoryview(raw[number]))
            inputs.add(spec, datatype, array)
        return inputs.arrays()

    def write(self, arrays: Sequence[Array]) -> bytes:
        """Return the response with these outputs, raw or typed as the inputs were."""
        response = _RESPONSE(
            model_name=self._served.name, model_version=self._served.version, id=self._id
        )
        raw = self._raw or any(datatype_of(array) not in _CONTENTS for array in arrays)
        for name, array in zip(self.outputs, arrays, strict=True):
            datatype = datatype_of(array)
            output = response.outputs.add(name=name, datatype=datatype, shape=array.shape)
            if raw:
                response.raw_output_contents.append(encode_raw(array))
            else:
                getattr(output.contents, _CONTENTS[datatype]).extend(_values(datatype, array))
        message: bytes = response.SerializeToString()
        return message


def _typed(name: str, datatype: str, shape: Sequence[int], contents: Any) -> Array:
    field = _CONTENTS.get(datatype)
    if field is None:
        raise RequestError(f"input '{name}' is {datatype}, which takes raw_input_contents")
    for other, values in contents.ListFields():
        if other.name != field and values:
            raise RequestError(
                f"input '{name}' is {datatype}, which takes {field}, not {other.name}"
            )
    values = getattr(contents, field)
    check_size(name, len(values), shape)
    if datatype == "BYTES":
        texts = np.empty(len(values), dtype=object)
        texts[:] = [text(name, value) for value in values]
        return texts.reshape(shape)
    try:
        return np.array(values, dtype=DATATYPES[datatype]).reshape(shape)
    except OverflowError:
        raise RequestError(
            f"input '{name}' holds a number outside the range of {datatype}"
        ) from None


def _values(datatype: str, array: Array) -> Any:
    values = encode(array)
    return [value.encode() for value in values] if datatype == "BYTES" else values
