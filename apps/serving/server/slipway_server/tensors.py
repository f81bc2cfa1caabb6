"""Tensors between JSON and numpy, with the checks that the protocol's datatypes ask for.

JSON values are never coerced silently: a string is not a number, 1.5 is not an integer, and a
number that does not fit the datatype is refused. `null` stands for NaN in floating-point tensors,
in both directions, because JSON has no NaN and models with missing values need one.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from slipway_server.errors import RequestError

Array = npt.NDArray[Any]

BYTES = "BYTES"
DATATYPES: Mapping[str, np.dtype[Any]] = {
    "BOOL": np.dtype(np.bool_),
    "INT8": np.dtype(np.int8),
    "INT16": np.dtype(np.int16),
    "INT32": np.dtype(np.int32),
    "INT64": np.dtype(np.int64),
    "UINT8": np.dtype(np.uint8),
    "UINT16": np.dtype(np.uint16),
    "UINT32": np.dtype(np.uint32),
    "UINT64": np.dtype(np.uint64),
    "FP16": np.dtype(np.float16),
    "FP32": np.dtype(np.float32),
    "FP64": np.dtype(np.float64),
    BYTES: np.dtype(np.object_),
}
"""numpy type of every datatype of the protocol (its section "Tensor Data Types")."""

_NAMES = {dtype: name for name, dtype in DATATYPES.items()}
_TEXT_KINDS = "OSU"
# numpy would take small and huge unsigned integers side by side for floating-point numbers.
_AS_OBJECTS = (BYTES, "UINT64")
_EXPECTED = {"b": "true or false", "i": "integers", "u": "integers", "f": "numbers"}
_ACCEPTED = {"b": "b", "i": "iu", "u": "iu", "f": "fiu"}


@dataclass(frozen=True)
class TensorSpec:
    """Name, datatype and shape of a model's input or output; -1 is a dimension of any size."""

    name: str
    datatype: str
    shape: tuple[int, ...]

    def metadata(self) -> dict[str, Any]:
        """Return the protocol's `$metadata_tensor`."""
        return {"name": self.name, "datatype": self.datatype, "shape": list(self.shape)}


def datatype_of(array: Array) -> str:
    """Return the protocol's datatype of an array.

    Raises:
        KeyError: The array's type has no counterpart in the protocol.
    """
    return BYTES if array.dtype.kind in _TEXT_KINDS else _NAMES[array.dtype]


def check_shape(spec: TensorSpec, shape: Sequence[int]) -> None:
    """Refuse a shape that the tensor's specification does not allow."""
    if len(shape) == len(spec.shape) and all(
        wanted in (-1, size) for wanted, size in zip(spec.shape, shape, strict=True)
    ):
        return
    raise RequestError(
        f"input '{spec.name}' has shape {list(shape)}, the model takes {list(spec.shape)}"
    )


def check_size(name: str, found: int, shape: Sequence[int]) -> None:
    """Refuse data with more or fewer values than its shape needs."""
    size = math.prod(shape)
    if found != size:
        raise RequestError(
            f"input '{name}' has {found} values in its data, its shape {list(shape)} needs"
            f" {size} values"
        )


def decode(name: str, datatype: str, shape: Sequence[int], data: list[Any]) -> Array:
    """Turn a request's tensor data, flat or nested, into an array of exactly that shape and type.

    Raises:
        RequestError: The data does not hold what `datatype` and `shape` say.
    """
    if datatype != BYTES and _holds_text(data):
        raise _not_only(name, datatype)
    try:
        raw = np.array(data, dtype=object if datatype in _AS_OBJECTS else None)
    except ValueError:
        raise RequestError(f"input '{name}' has rows of different lengths") from None
    if raw.ndim > 1 and raw.shape != tuple(shape):
        raise RequestError(
            f"input '{name}' has shape {list(raw.shape)} in its data, not {list(shape)}"
        )
    check_size(name, raw.size, shape)
    return _convert(name, datatype, raw).reshape(shape)


def encode(array: Array) -> Array | list[Any]:
    """Return an array's values in row-major order, in a form that orjson writes as a flat list."""
    if array.dtype.kind not in _TEXT_KINDS:
        return np.ascontiguousarray(array).reshape(-1)
    return texts(array)


def texts(array: Array) -> list[str]:
    """Return the values of an array of BYTES in row-major order."""
    return [
        value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
        for value in array.reshape(-1)
    ]


def _holds_text(data: list[Any]) -> bool:
    """Tell whether nested lists hold a string anywhere.

    numpy would give every value of such a tensor the room of its longest string: a request of some
    hundred kilobytes could take gigabytes. Not recursive, because a request may nest deeper than
    Python recurses.
    """
    pending = [data]
    while pending:
        values = pending.pop()
        kinds = set(map(type, values))
        if str in kinds:
            return True
        if list in kinds:
            pending.extend(value for value in values if type(value) is list)
    return False


def _not_only(name: str, datatype: str) -> RequestError:
    expected = _EXPECTED[DATATYPES[datatype].kind]
    return RequestError(f"input '{name}' is {datatype}, but its data is not {expected} only")


def _convert(name: str, datatype: str, raw: Array) -> Array:
    target = DATATYPES[datatype]
    if datatype == BYTES:
        if not all(isinstance(value, str) for value in raw.flat):
            raise RequestError(f"input '{name}' is BYTES, but its data is not strings only")
        return raw
    if raw.dtype == target:
        return raw
    if raw.size == 0:
        return raw.astype(target)
    if raw.dtype.kind == "O":
        accepted, raw = _check_objects(target, raw)
    else:
        accepted = raw.dtype.kind in _ACCEPTED[target.kind]
    if not accepted:
        raise _not_only(name, datatype)
    if target.kind == "f":
        try:
            with np.errstate(over="raise"):
                return raw.astype(target)
        except FloatingPointError:
            raise RequestError(f"input '{name}' holds a number too large for {datatype}") from None
    limits = np.iinfo(target)
    if raw.min() < limits.min or raw.max() > limits.max:
        raise RequestError(f"input '{name}' holds a number outside the range of {datatype}")
    return raw.astype(target)


def _check_objects(target: np.dtype[Any], raw: Array) -> tuple[bool, Array]:
    """Tell whether every value fits the kind of a datatype, and return them with null as NaN."""
    if target.kind == "u":
        return all(type(value) is int for value in raw.flat), raw
    values = [math.nan if value is None else value for value in raw.flat]
    if target.kind != "f" or not all(type(value) in (int, float) for value in values):
        return False, raw
    return True, np.array(values, dtype=np.float64)
