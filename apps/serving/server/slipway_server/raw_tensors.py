"""Tensors as raw bytes: the binary tensor data extension over REST, raw contents over gRPC.

Values lie one after another in row-major order, little-endian; BOOL takes a byte, and each value of
BYTES comes after its length in four bytes.
"""

import math
import struct
from collections.abc import Sequence

import numpy as np

from slipway_server.errors import RequestError
from slipway_server.tensors import BYTES, DATATYPES, Array, texts

_LENGTH = struct.Struct("<I")


def decode_raw(name: str, datatype: str, shape: Sequence[int], data: memoryview) -> Array:
    """Turn a request's raw tensor into an array; numbers are not copied where they are aligned.

    Raises:
        RequestError: The data does not hold what `datatype` and `shape` say.
    """
    if datatype == BYTES:
        return _decode_texts(name, math.prod(shape), data).reshape(shape)
    dtype = DATATYPES[datatype]
    expected = math.prod(shape) * dtype.itemsize
    if len(data) != expected:
        raise RequestError(
            f"input '{name}' has {len(data)} bytes of binary data, {datatype} of shape"
            f" {list(shape)} takes {expected}"
        )
    if datatype == "BOOL":
        truths: Array = np.frombuffer(data, np.uint8) != 0
        return truths.reshape(shape)
    array: Array = np.frombuffer(data, dtype).reshape(shape)
    # Vector instructions of a runtime may rely on it.
    return array if array.flags.aligned else array.copy()


def encode_raw(array: Array) -> bytes:
    """Return an array's values as raw bytes."""
    if array.dtype.kind not in "OSU":
        return array.tobytes()
    encoded = [value.encode() for value in texts(array)]
    return b"".join(_LENGTH.pack(len(value)) + value for value in encoded)


def _decode_texts(name: str, count: int, data: memoryview) -> Array:
    values: list[str] = []
    offset = 0
    while offset < len(data) and len(values) < count:
        start = offset + _LENGTH.size
        if start > len(data):
            break
        offset = start + _LENGTH.unpack_from(data, offset)[0]
        if offset > len(data):
            break
        values.append(text(name, data[start:offset]))
    if len(values) != count or offset != len(data):
        raise RequestError(
            f"input '{name}' must have {count} strings as its binary data, each after its length"
            " in 4 bytes"
        )
    array = np.empty(count, dtype=object)
    array[:] = values
    return array


def text(name: str, data: memoryview | bytes) -> str:
    """Return a value of BYTES, which models take as text.

    Raises:
        RequestError: It is not UTF-8.
    """
    try:
        return str(data, "utf-8")
    except UnicodeDecodeError:
        raise RequestError(f"input '{name}' holds a string that is not UTF-8") from None
