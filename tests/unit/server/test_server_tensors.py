"""Requirements on the datatypes of the protocol."""

import json
import math
import tracemalloc
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest

from slipway_server.errors import RequestError
from slipway_server.protocol import ServedModel
from slipway_server.rest import RestInference
from slipway_server.tensors import DATATYPES, Array, TensorSpec, datatype_of, decode
from tests.unit.server.answering import answer

VALUES: Mapping[str, list[Any]] = {
    "BOOL": [True, False],
    "INT8": [-128, 127],
    "INT16": [-(2**15), 2**15 - 1],
    "INT32": [-(2**31), 2**31 - 1],
    "INT64": [-(2**63), 2**63 - 1],
    "UINT8": [0, 2**8 - 1],
    "UINT16": [0, 2**16 - 1],
    "UINT32": [0, 2**32 - 1],
    "UINT64": [0, 2**64 - 1],
    "FP16": [0.5, -2.0],
    "FP32": [0.1, -2.0],
    "FP64": [0.1, -1e300],
    "BYTES": ["caf\u00e9", ""],
}


class Echo:
    """Gives its only input back."""

    platform = "test"

    def __init__(self, datatype: str, shape: tuple[int, ...] = (-1,)) -> None:
        self.inputs = (TensorSpec("X", datatype, shape),)
        self.outputs = (TensorSpec("Y", datatype, shape),)

    def predict(self, inputs: Mapping[str, Array], outputs: Sequence[str]) -> Sequence[Array]:
        return [inputs["X"] for _ in outputs]


def ask(model: ServedModel, tensor: dict[str, Any]) -> Any:
    body = bytearray(json.dumps({"inputs": [tensor]}).encode())
    return json.loads(answer(model, RestInference(model, body, None)).body)


def echo(datatype: str, data: list[Any], shape: Sequence[int] | None = None) -> Any:
    model = ServedModel("echo", "1", Echo(datatype, (-1,) * len(shape or [0])))
    tensor = {"name": "X", "datatype": datatype, "shape": shape or [len(data)], "data": data}
    return ask(model, tensor)["outputs"][0]


def test_every_datatype_of_the_protocol_is_covered() -> None:
    assert set(VALUES) == set(DATATYPES)


@pytest.mark.parametrize(("datatype", "data"), VALUES.items())
def test_values_come_back_as_they_went(datatype: str, data: list[Any]) -> None:
    output = echo(datatype, data)
    assert (output["datatype"], output["shape"]) == (datatype, [2])
    assert output["data"] == pytest.approx(data) if datatype == "FP32" else data == output["data"]


@pytest.mark.parametrize("datatype", DATATYPES)
def test_an_empty_batch_keeps_its_datatype(datatype: str) -> None:
    assert echo(datatype, [], [0]) == {
        "name": "Y",
        "datatype": datatype,
        "shape": [0],
        "data": [],
    }


@pytest.mark.parametrize("datatype", ["FP16", "FP32", "FP64"])
def test_null_is_nan_both_ways(datatype: str) -> None:
    array = decode("X", datatype, [2], [None, 1])
    assert array.dtype == DATATYPES[datatype]
    assert math.isnan(array[0])
    assert echo(datatype, [None, 1])["data"] == [None, 1.0]


def test_nested_data_is_read_and_flat_data_is_written_in_row_major_order() -> None:
    output = echo("INT64", [[1, 2, 3], [4, 5, 6]], [2, 3])
    assert (output["shape"], output["data"]) == ([2, 3], [1, 2, 3, 4, 5, 6])
    assert echo("BYTES", [["a", "b"], ["c", "d"]], [2, 2])["data"] == ["a", "b", "c", "d"]


@pytest.mark.parametrize(
    ("datatype", "data", "words"),
    [
        ("INT64", [1.5], "is INT64, but its data is not integers only"),
        ("INT64", [1.0], "is INT64, but its data is not integers only"),
        ("INT64", [None], "is INT64, but its data is not integers only"),
        ("INT64", [True], "is INT64, but its data is not integers only"),
        ("INT8", [128], "outside the range of INT8"),
        ("INT8", [-129], "outside the range of INT8"),
        ("UINT8", [-1], "outside the range of UINT8"),
        ("UINT64", [1.5], "is UINT64, but its data is not integers only"),
        ("UINT64", [True], "is UINT64, but its data is not integers only"),
        ("UINT8", [None], "is UINT8, but its data is not integers only"),
        ("UINT64", [-1], "outside the range of UINT64"),
        ("INT64", [2**63], "outside the range of INT64"),
        ("BOOL", [1], "is BOOL, but its data is not true or false only"),
        ("BOOL", ["true"], "is BOOL, but its data is not true or false only"),
        ("FP16", [70000], "too large for FP16"),
        ("FP64", ["1"], "is FP64, but its data is not numbers only"),
        ("FP64", [[]], "has shape [1, 0] in its data"),
        ("BYTES", [1], "is BYTES, but its data is not strings only"),
        ("BYTES", [None], "is BYTES, but its data is not strings only"),
    ],
)
def test_nothing_is_coerced(datatype: str, data: list[Any], words: str) -> None:
    with pytest.raises(RequestError, match=r"^input 'X' ") as caught:
        echo(datatype, data)
    assert words in str(caught.value)
    assert caught.value.status == 400


@pytest.mark.parametrize("nested", [False, True])
def test_one_long_string_among_numbers_does_not_multiply_its_memory(nested: bool) -> None:
    values: list[Any] = ["a" * 10_000, *[0.0] * 999]
    tracemalloc.start()
    try:
        with pytest.raises(RequestError, match="not numbers only"):
            decode("X", "FP32", [1, 1000], [values] if nested else values)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 2**20


def test_data_that_is_nested_as_deep_as_json_allows_is_refused() -> None:
    data: list[Any] = []
    for _ in range(1000):
        data = [data]
    with pytest.raises(RequestError, match=r"^input 'X' "):
        decode("X", "FP32", [1], data)


@pytest.mark.parametrize(
    ("array", "datatype"),
    [
        (np.array(["a"]), "BYTES"),
        (np.array([b"a"]), "BYTES"),
        (np.array(["a"], dtype=object), "BYTES"),
        (np.array([1], dtype=np.uint16), "UINT16"),
    ],
)
def test_a_models_array_has_its_datatype(array: Array, datatype: str) -> None:
    assert datatype_of(array) == datatype


def test_an_array_that_is_not_contiguous_is_written_in_row_major_order() -> None:
    class Transposing(Echo):
        def predict(self, inputs: Mapping[str, Array], outputs: Sequence[str]) -> Sequence[Array]:
            return [array.T for array in super().predict(inputs, outputs)]

    model = ServedModel("echo", "1", Transposing("INT64", (-1, -1)))
    tensor = {"name": "X", "datatype": "INT64", "shape": [2, 3], "data": [1, 2, 3, 4, 5, 6]}
    answer = ask(model, tensor)
    assert answer["outputs"][0]["shape"] == [3, 2]
    assert answer["outputs"][0]["data"] == [1, 4, 2, 5, 3, 6]
