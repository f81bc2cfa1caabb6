"""Requirements on the binary tensor data extension."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest

from slipway_server.errors import RequestError
from slipway_server.protocol import ServedModel
from slipway_server.raw_tensors import decode_raw, encode_raw
from slipway_server.rest import RestAnswer, RestInference
from slipway_server.tensors import DATATYPES, Array, TensorSpec
from tests.unit.server.answering import answer
from tests.unit.server.process import ServerProcess

INFER = "/v2/models/digits/infer"
VALUES = np.array([[1.5, -2.0]], np.float32)


class Pair:
    """Takes a number and a text, and gives both back."""

    platform = "test"
    inputs = (TensorSpec("N", "FP32", (-1, 2)), TensorSpec("T", "BYTES", (-1,)))
    outputs = inputs

    def predict(self, inputs: Mapping[str, Array], outputs: Sequence[str]) -> Sequence[Array]:
        return [inputs[name] for name in outputs]


PAIR = ServedModel("pair", "1", Pair())


def tensor(name: str, size: int, **more: Any) -> dict[str, Any]:
    spec = {spec.name: spec for spec in Pair.inputs}[name]
    shape = [1, *spec.shape[1:]]
    parameters = {"binary_data_size": size}
    return {
        "name": name,
        "datatype": spec.datatype,
        "shape": shape,
        "parameters": parameters,
    } | more


def ask(request: Mapping[str, Any], *raw: bytes) -> RestAnswer:
    head = json.dumps(request).encode()
    return answer(PAIR, RestInference(PAIR, bytearray(b"".join((head, *raw))), len(head)))


def both(**more: Any) -> dict[str, Any]:
    return {"inputs": [tensor("N", 8), tensor("T", 6)], **more}


RAW = (VALUES.tobytes(), b"\x02\x00\x00\x00\xc3\xa9")


@pytest.mark.parametrize("datatype", sorted(set(DATATYPES) - {"BYTES"}))
def test_numbers_come_back_as_they_went(datatype: str) -> None:
    array = np.array([[0, 1, 1]], DATATYPES[datatype])
    again = decode_raw("X", datatype, (1, 3), memoryview(encode_raw(array)))
    assert again.dtype == array.dtype
    assert np.array_equal(again, array)


def test_texts_come_back_as_they_went() -> None:
    array = np.array([["", "\u00e9"], ["abc", "\0"]], dtype=object)
    raw = encode_raw(array)
    assert raw[:10] == b"\x00\x00\x00\x00\x02\x00\x00\x00\xc3\xa9"
    assert decode_raw("X", "BYTES", (2, 2), memoryview(raw)).tolist() == array.tolist()


def test_numbers_at_an_odd_offset_are_aligned_for_the_runtime() -> None:
    raw = memoryview(b"\0" + VALUES.tobytes())[1:]
    array = decode_raw("X", "FP32", (1, 2), raw)
    assert array.flags.aligned
    assert np.array_equal(array, VALUES)


def test_inputs_follow_the_json_in_their_order_and_outputs_are_json_by_default() -> None:
    answer = ask(both(), *RAW)
    assert answer.header_length is None
    numbers, texts = json.loads(answer.body)["outputs"]
    assert (numbers["data"], texts["data"]) == ([1.5, -2.0], ["\u00e9"])


def test_an_input_in_json_may_stand_beside_one_in_binary() -> None:
    text = {"name": "T", "datatype": "BYTES", "shape": [1], "data": ["b"]}
    answer = ask({"inputs": [text, tensor("N", 8)]}, RAW[0])
    assert json.loads(answer.body)["outputs"][1]["data"] == ["b"]


def test_outputs_are_binary_where_the_request_says_so() -> None:
    outputs = [{"name": "T"}, {"name": "N", "parameters": {"binary_data": False}}]
    for request, binary in (
        (both(parameters={"binary_data_output": True}), ["N", "T"]),
        (both(outputs=outputs, parameters={"binary_data_output": True}), ["T"]),
        (both(outputs=[{"name": "N", "parameters": {"binary_data": True}}]), ["N"]),
    ):
        answer = ask(request, *RAW)
        assert answer.header_length is not None
        head = json.loads(answer.body[: answer.header_length])
        raw = [one for one in head["outputs"] if "data" not in one]
        assert [one["name"] for one in raw] == binary
        sizes = [one["parameters"]["binary_data_size"] for one in raw]
        assert sum(sizes) == len(answer.body) - answer.header_length
        by_name = dict(zip(("N", "T"), RAW, strict=True))
        assert answer.body[answer.header_length :] == b"".join(by_name[name] for name in binary)


@pytest.mark.parametrize(
    ("request_", "raw", "words"),
    [
        (both(), (RAW[0], b""), "'T' has a 'binary_data_size' of 6, but 0 bytes are left"),
        (both(), (*RAW, b"x"), "1 bytes of binary data belong to no input"),
        ({"inputs": [tensor("N", 7)]}, (b"1234567",), "has 7 bytes of binary data, FP32 of shape"),
        ({"inputs": [tensor("N", -1)]}, (), "'binary_data_size' of input 'N' must be a non-neg"),
        ({"inputs": [tensor("N", True)]}, (), "'binary_data_size' of input 'N' must be a non-neg"),
        ({"inputs": [tensor("N", 8, data=[1, 2])]}, RAW[:1], "both 'data' and 'binary_data_size'"),
        ({"inputs": [tensor("T", 3)]}, (b"\1\0\0",), "must have 1 strings as its binary data"),
        ({"inputs": [tensor("T", 4)]}, (b"\1\0\0\0",), "must have 1 strings as its binary data"),
        ({"inputs": [tensor("T", 8)]}, (bytes(8),), "must have 1 strings as its binary data"),
        ({"inputs": [tensor("T", 0)]}, (), "must have 1 strings as its binary data"),
        ({"inputs": [tensor("T", 5)]}, (b"\1\0\0\0\xff",), "holds a string that is not UTF-8"),
        (both(parameters={"binary_data_output": 1}), RAW, "'binary_data_output' of the request"),
        (
            both(outputs=[{"name": "N", "parameters": {"binary_data": "yes"}}]),
            RAW,
            "'binary_data' of output 'N' must be true or false",
        ),
    ],
)
def test_binary_data_that_does_not_fit_is_refused(
    request_: Mapping[str, Any], raw: Sequence[bytes], words: str
) -> None:
    with pytest.raises(RequestError) as caught:
        ask(request_, *raw)
    assert caught.value.status == 400
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("length", "words"),
    [
        ("three", "must be a number of bytes"),
        ("-1", "must be a number of bytes"),
        ("9" * 5000, "must be a number of bytes"),
        ("99", "is 99, the request has 2 bytes"),
        ("1", "not valid JSON"),
    ],
)
def test_a_length_of_the_json_that_cannot_be_is_refused(
    digits_server: ServerProcess, length: str, words: str
) -> None:
    connection = digits_server.connect()
    connection.request("POST", INFER, b"{}", {"Inference-Header-Content-Length": length})
    response = connection.getresponse()
    assert response.status == 400
    assert words in json.loads(response.read())["error"]
    connection.close()
