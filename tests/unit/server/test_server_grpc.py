"""Requirements on the protocol over gRPC, against the example in ONNX."""

import contextlib
import json
import signal
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
import tritonclient.grpc as triton_grpc
from tritonclient.grpc import service_pb2 as triton_messages
from tritonclient.utils import InferenceServerException

from slipway_server.errors import RequestError
from slipway_server.grpc_inference import GrpcInference
from slipway_server.grpc_messages import MESSAGES, SERVICE
from slipway_server.grpc_server import HEALTH
from slipway_server.protocol import ServedModel
from slipway_server.tensors import DATATYPES, Array, TensorSpec
from tests.unit.server.answering import answer
from tests.unit.server.process import ServerProcess
from tests.unit.server.test_server_process import BLOCKING, wait_until

SERVING, NOT_SERVING = 1, 2


class Echo:
    """Gives its only input back."""

    platform = "test"

    def __init__(self, datatype: str) -> None:
        self.inputs = (TensorSpec("X", datatype, (-1,)),)
        self.outputs = (TensorSpec("Y", datatype, (-1,)),)

    def predict(self, inputs: Mapping[str, Array], outputs: Sequence[str]) -> Sequence[Array]:
        return [inputs["X"] for _ in outputs]


def echo(datatype: str, request: Any) -> Any:
    served = ServedModel("echo", "1", Echo(datatype))
    inference = GrpcInference(served, lambda name, version: None, request.SerializeToString())
    return MESSAGES["ModelInferResponse"].FromString(answer(served, inference))


def request(datatype: str, *raw: bytes, shape: Sequence[int] = (2,), **contents: Any) -> Any:
    tensor: dict[str, Any] = {"name": "X", "datatype": datatype, "shape": list(shape)}
    if contents:
        tensor["contents"] = contents
    return MESSAGES["ModelInferRequest"](
        model_name="echo", id="a-7", inputs=[tensor], raw_input_contents=raw
    )


@pytest.fixture
def channel(digits_server: ServerProcess) -> Iterator[grpc.Channel]:
    with grpc.insecure_channel(f"127.0.0.1:{digits_server.grpc_port}") as channel:
        yield channel


def call(channel: grpc.Channel, method: str, message: bytes = b"", answer: str = "") -> Any:
    read = MESSAGES[answer].FromString if answer else None
    ask: Any = channel.unary_unary(method, response_deserializer=read)
    return ask(message, timeout=30)


def health(channel: grpc.Channel, service: str = "") -> int:
    message = MESSAGES["HealthCheckRequest"](service=service).SerializeToString()
    status: int = call(channel, f"/{HEALTH}/Check", message, "HealthCheckResponse").status
    return status


@pytest.mark.parametrize("name", sorted(name for name in MESSAGES if "Health" not in name))
def test_the_messages_are_those_of_the_protocol(name: str) -> None:
    theirs = triton_messages.DESCRIPTOR.message_types_by_name
    outer, *inner = name.split(".")
    their_message = theirs[outer]
    for part in inner:
        their_message = their_message.nested_types_by_name[part]
    their_fields = {field.name: field for field in their_message.fields}
    for field in MESSAGES[name].DESCRIPTOR.fields:
        same = their_fields.pop(field.name)
        assert (field.number, field.type, field.is_repeated) == (
            same.number,
            same.type,
            same.is_repeated,
        ), field.name
    # Nothing but what the server reads nothing of.
    assert set(their_fields) <= {"parameters"}


@pytest.mark.parametrize("datatype", sorted(set(DATATYPES) - {"BYTES", "FP16"}))
def test_numbers_come_back_as_they_went_typed_and_raw(datatype: str) -> None:
    array = np.array([0, 1], DATATYPES[datatype])
    raw = echo(datatype, request(datatype, array.tobytes()))
    assert (raw.model_name, raw.model_version, raw.id) == ("echo", "1", "a-7")
    assert list(raw.raw_output_contents) == [array.tobytes()]
    assert (raw.outputs[0].name, raw.outputs[0].datatype) == ("Y", datatype)
    assert list(raw.outputs[0].shape) == [2]

    kind = {"I": "int", "U": "uint", "F": "fp", "B": "bool"}[datatype[0]]
    size = {"INT64": "64", "UINT64": "64", "FP32": "32", "FP64": "64"}.get(datatype, "")
    field = f"{kind}{size}_contents"
    typed = echo(datatype, request(datatype, **{field: array.tolist()}))
    assert not typed.raw_output_contents
    assert list(getattr(typed.outputs[0].contents, field)) == [0, 1]


def test_texts_and_halves_come_back_as_they_went() -> None:
    text = echo("BYTES", request("BYTES", bytes_contents=[b"", "\u00e9".encode()]))
    assert list(text.outputs[0].contents.bytes_contents) == [b"", b"\xc3\xa9"]
    half = np.array([0.5, 2], np.float16).tobytes()
    assert list(echo("FP16", request("FP16", half)).raw_output_contents) == [half]


@pytest.mark.parametrize(
    ("datatype", "message", "words"),
    [
        ("INT8", request("INT8", int_contents=[1, 300]), "outside the range of INT8"),
        (
            "INT8",
            request("INT8", int_contents=[1]),
            "has 1 values in its data, its shape [2]",
        ),
        ("INT8", request("INT8", fp32_contents=[1, 2]), "takes int_contents, not fp32_contents"),
        ("INT8", request("INT8"), "has 0 values in its data"),
        ("INT8", request("INT8", b"\1"), "has 1 bytes of binary data"),
        ("INT8", request("INT8", b"\1\2", b""), "has 1 inputs and 2 raw_input_contents"),
        ("INT8", request("INT8", b"\1\2", int_contents=[1]), "has 'contents' beside"),
        ("INT8", request("INT8", shape=(-2,)), "non-negative integers as 'shape'"),
        ("FP16", request("FP16", fp32_contents=[1, 2]), "takes raw_input_contents"),
        ("BYTES", request("BYTES", bytes_contents=[b"", b"\xff"]), "string that is not UTF-8"),
        ("INT8", request("FP32"), "has datatype FP32, the model takes INT8"),
    ],
)
def test_a_request_that_does_not_fit_is_refused(datatype: str, message: Any, words: str) -> None:
    with pytest.raises(RequestError) as caught:
        echo(datatype, message)
    assert words in str(caught.value)


def test_tritons_grpc_client_works_as_it_is(digits: Path, digits_server: ServerProcess) -> None:
    holdout = json.loads((digits / "holdout.json").read_text())
    rows = np.array(holdout["rows"], np.float32)
    tensor = triton_grpc.InferInput("X", list(rows.shape), "FP32")
    tensor.set_data_from_numpy(rows)
    with triton_grpc.InferenceServerClient(f"127.0.0.1:{digits_server.grpc_port}") as client:
        assert client.is_server_live()
        assert client.is_server_ready()
        assert client.is_model_ready("digits", "1")
        assert list(client.get_server_metadata().extensions) == ["binary_tensor_data"]
        metadata = client.get_model_metadata("digits")
        assert (metadata.platform, metadata.inputs[0].datatype) == ("onnx_onnxv1", "FP32")
        assert list(metadata.outputs[1].shape) == [-1, 10]
        label = triton_grpc.InferRequestedOutput("label")
        for outputs in (None, [label]):
            result = client.infer("digits", [tensor], request_id="a-7", outputs=outputs)
            assert result.as_numpy("label").tolist() == holdout["expected"]
            assert result.get_response().id == "a-7"
        with pytest.raises(InferenceServerException, match="unknown model 'cats'") as caught:
            client.infer("cats", [tensor])
        assert caught.value.status() == "StatusCode.NOT_FOUND"


@pytest.mark.parametrize(
    ("method", "message", "code", "words"),
    [
        ("ModelInfer", b"\xff", "INVALID_ARGUMENT", "not a ModelInferRequest"),
        ("ModelReady", b"\n\4cats", "NOT_FOUND", "unknown model 'cats'"),
        ("ModelMetadata", b"\n\6digits\x12\0012", "NOT_FOUND", "unknown version '2'"),
        ("ModelInfer", bytes(9 * 2**20), "RESOURCE_EXHAUSTED", "larger than max"),
        ("Nothing", b"", "UNIMPLEMENTED", ""),
    ],
)
def test_errors_have_the_codes_of_grpc(
    channel: grpc.Channel, method: str, message: bytes, code: str, words: str
) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        call(channel, f"/{SERVICE}/{method}", message)
    error: Any = caught.value
    assert error.code().name == code
    assert words in error.details()


def test_the_health_service_knows_the_server(channel: grpc.Channel) -> None:
    assert health(channel) == SERVING
    assert health(channel, SERVICE) == SERVING
    with pytest.raises(grpc.RpcError, match="unknown service 'cats'"):
        health(channel, "cats")


@pytest.fixture
def blocking(tmp_path: Path) -> Iterator[ServerProcess]:
    with ServerProcess([BLOCKING, str(tmp_path), "60", "60"]) as server:
        server.wait_ready()
        yield server


def number(value: int) -> bytes:
    tensor = {"name": "X", "datatype": "INT64", "shape": [1]}
    raw = [np.int64(value).tobytes()]
    message = MESSAGES["ModelInferRequest"](
        model_name="digits", inputs=[tensor], raw_input_contents=raw
    )
    content: bytes = message.SerializeToString()
    return content


def test_a_full_queue_is_refused_with_the_time_to_wait_while_health_answers(
    blocking: ServerProcess, tmp_path: Path
) -> None:
    with grpc.insecure_channel(f"127.0.0.1:{blocking.grpc_port}") as channel:
        infer: Any = channel.unary_unary(f"/{SERVICE}/ModelInfer")
        working = [infer.future(number(7), timeout=30)]
        wait_until((tmp_path / "started-1").exists, "the model starts on the request")
        working.append(infer.future(number(8), timeout=30))
        refused: list[Any] = []

        def is_refused() -> bool:
            try:
                working.append(infer.future(number(9), timeout=30))
                working[-1].result(timeout=0.2)
            except grpc.FutureTimeoutError:
                return False
            except grpc.RpcError as error:
                refused.append(error)
            return True

        wait_until(is_refused, "one too many is refused")
        assert refused[0].code() is grpc.StatusCode.UNAVAILABLE
        assert "overloaded" in refused[0].details()
        assert dict(refused[0].trailing_metadata())["grpc-retry-pushback-ms"] == "1000"
        assert health(channel) == SERVING
        (tmp_path / "release").touch()
        for one in working[:2]:
            assert one.result()


def test_a_defect_of_the_model_tells_the_client_nothing(
    blocking: ServerProcess, tmp_path: Path
) -> None:
    (tmp_path / "release").touch()
    address = f"127.0.0.1:{blocking.grpc_port}"
    with grpc.insecure_channel(address) as channel, pytest.raises(grpc.RpcError) as caught:
        call(channel, f"/{SERVICE}/ModelInfer", number(-1))
    error: Any = caught.value
    assert (error.code(), error.details()) == (grpc.StatusCode.INTERNAL, "internal error")
    wait_until(lambda: "ArithmeticError" in "".join(blocking.log), "the server logs the defect")


def test_sigterm_is_told_to_who_watches_and_finishes_what_is_in_flight(
    blocking: ServerProcess, tmp_path: Path
) -> None:
    statuses: list[int] = []

    def watch(calls: Any) -> None:
        with contextlib.suppress(grpc.RpcError):
            for answer in calls:
                statuses.append(answer.status)

    with grpc.insecure_channel(f"127.0.0.1:{blocking.grpc_port}") as channel:
        follow: Any = channel.unary_stream(
            f"/{HEALTH}/Watch", response_deserializer=MESSAGES["HealthCheckResponse"].FromString
        )
        calls = follow(b"")
        watching = threading.Thread(target=watch, args=(calls,), daemon=True)
        watching.start()
        wait_until(lambda: statuses == [SERVING], "the first status")
        infer: Any = channel.unary_unary(f"/{SERVICE}/ModelInfer")
        working = infer.future(number(7), timeout=30)
        wait_until((tmp_path / "started-1").exists, "the model starts on the request")
        blocking.process.send_signal(signal.SIGTERM)
        wait_until(lambda: statuses == [SERVING, NOT_SERVING], "the drain is told")
        blocking.process.send_signal(signal.SIGTERM)
        (tmp_path / "release").touch()
        answer = MESSAGES["ModelInferResponse"].FromString(working.result())
        assert list(answer.raw_output_contents) == [np.int64(7).tobytes()]
        calls.cancel()
        watching.join()
    assert blocking.wait_exit() == 0
