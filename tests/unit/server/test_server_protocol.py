"""Requirements on requests and responses, over HTTP against the example in ONNX."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from tests.unit.server.process import ServerProcess

MODEL = "/v2/models/digits"
ROW = [0.0] * 64


def request(**changes: Any) -> dict[str, Any]:
    tensor = {"name": "X", "shape": [1, 64], "datatype": "FP32", "data": ROW}
    return {"inputs": [tensor | changes]}


def without(key: str) -> dict[str, Any]:
    changed = copy.deepcopy(request())
    del changed["inputs"][0][key]
    return changed


def test_the_server_and_the_model_describe_themselves(digits_server: ServerProcess) -> None:
    server = digits_server.ask("GET", "/v2")
    assert server.status == 200
    extensions = ["binary_tensor_data"]
    assert server.body == {"name": "slipway", "version": "0.1.0", "extensions": extensions}
    model = digits_server.ask("GET", MODEL)
    assert model.status == 200
    assert model.body == {
        "name": "digits",
        "versions": ["1"],
        "platform": "onnx_onnxv1",
        "inputs": [{"name": "X", "datatype": "FP32", "shape": [-1, 64]}],
        "outputs": [
            {"name": "label", "datatype": "INT64", "shape": [-1]},
            {"name": "probabilities", "datatype": "FP32", "shape": [-1, 10]},
        ],
    }
    assert digits_server.ask("GET", f"{MODEL}/versions/1").body == model.body


def test_health_answers(digits_server: ServerProcess) -> None:
    assert digits_server.ask("GET", "/v2/health/live").body == {"live": True}
    assert digits_server.ask("GET", "/v2/health/ready").body == {"ready": True}
    ready = {"name": "digits", "ready": True}
    assert digits_server.ask("GET", f"{MODEL}/ready").body == ready
    assert digits_server.ask("GET", f"{MODEL}/versions/1/ready").body == ready


def test_a_model_answers_the_same_in_both_formats(
    digits: Path, digits_server: ServerProcess
) -> None:
    holdout = json.loads((digits / "holdout.json").read_text())
    rows = holdout["rows"]
    body = request(shape=[len(rows), 64], data=rows)
    onnx = digits_server.ask("POST", f"{MODEL}/infer", body)
    with ServerProcess.of_model(digits / "digits.joblib", "sklearn") as other:
        other.wait_ready()
        sklearn = other.ask("POST", f"{MODEL}/infer", body)
    labels, probabilities = onnx.body["outputs"]
    same_labels, same_probabilities = sklearn.body["outputs"]
    assert labels["data"] == holdout["expected"]
    assert labels == same_labels
    assert probabilities["name"] == same_probabilities["name"] == "probabilities"
    assert probabilities["shape"] == same_probabilities["shape"] == [len(rows), 10]
    assert probabilities["data"] == pytest.approx(same_probabilities["data"], abs=1e-6)


def test_nested_data_means_the_same_as_flat_data(digits_server: ServerProcess) -> None:
    flat = digits_server.ask("POST", f"{MODEL}/infer", request(shape=[2, 64], data=ROW + ROW))
    nested = digits_server.ask("POST", f"{MODEL}/infer", request(shape=[2, 64], data=[ROW, ROW]))
    assert flat.status == 200
    assert nested.body == flat.body


def test_the_id_comes_back_and_only_the_requested_outputs(digits_server: ServerProcess) -> None:
    body = request() | {"id": "a-7", "outputs": [{"name": "label"}], "parameters": {"any": 1}}
    answer = digits_server.ask("POST", f"{MODEL}/versions/1/infer", body)
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.body["id"] == "a-7"
    assert answer.body["model_name"] == "digits"
    assert answer.body["model_version"] == "1"
    (output,) = answer.body["outputs"]
    assert (output["name"], output["datatype"], output["shape"]) == ("label", "INT64", [1])
    assert "id" not in digits_server.ask("POST", f"{MODEL}/infer", request()).body


def test_null_is_as_good_as_nothing_for_what_a_request_may_leave_out(
    digits_server: ServerProcess,
) -> None:
    body = request(parameters=None) | {"id": None, "outputs": None, "parameters": None}
    answer = digits_server.ask("POST", f"{MODEL}/infer", body)
    assert answer.status == 200
    assert "id" not in answer.body


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"{", "not valid JSON"),
        (b"", "not valid JSON"),
        (b"\xff\xfe", "not valid JSON"),
        ([], "must be a JSON object"),
        ({}, "no 'inputs'"),
        ({"inputs": {}}, "'inputs' must be a list of objects"),
        ({"inputs": [1]}, "'inputs' must be a list of objects"),
        ({"inputs": []}, "input 'X' is missing"),
        (request() | {"id": 7}, "'id' must be a string"),
        (request() | {"parameters": 7}, "'parameters' of the request must be an object"),
        (request(parameters=[]), "'parameters' of input 'X' must be an object"),
        (request(name=None), "every entry of 'inputs' needs a 'name'"),
        (request(name="Y"), "the model has no input 'Y', it has 'X'"),
        ({"inputs": request()["inputs"] * 2}, "input 'X' is given twice"),
        (without("shape"), "input 'X' has no 'shape'"),
        (without("datatype"), "input 'X' has no 'datatype'"),
        (without("data"), "input 'X' has no 'data'"),
        (request(datatype="FP64"), "input 'X' has datatype FP64, the model takes FP32"),
        (request(datatype="float"), "input 'X' has datatype \"float\", the protocol knows BOOL"),
        (request(datatype=["FP32"]), "the protocol knows BOOL"),
        (request(shape=[64]), "input 'X' has shape [64], the model takes [-1, 64]"),
        (request(shape=[1, 63]), "input 'X' has shape [1, 63], the model takes [-1, 64]"),
        (request(shape=[-1, 64]), "list of non-negative integers"),
        (request(shape=[True, 64]), "list of non-negative integers"),
        (request(shape=[1.0, 64]), "list of non-negative integers"),
        (request(shape=[10**18, 64]), "list of non-negative integers"),
        (request(shape="1x64"), "list of non-negative integers"),
        (request(shape=[2, 64]), "has 64 values in its data, its shape [2, 64] needs 128 values"),
        (request(data=[ROW, ROW]), "has shape [2, 64] in its data"),
        (request(data=[ROW, [1]]), "rows of different lengths"),
        (request(data="abc"), "must have a list as 'data'"),
        (request(data=["1"] * 64), "input 'X' is FP32, but its data is not numbers only"),
        (request(data=[None, "1"] * 32), "input 'X' is FP32, but its data is not numbers only"),
        (request(data=[{}] * 64), "input 'X' is FP32, but its data is not numbers only"),
        (request(data=[True] * 64), "input 'X' is FP32, but its data is not numbers only"),
        (request(data=[1e300] * 64), "holds a number too large for FP32"),
        (request() | {"outputs": [{"name": "Z"}]}, "the model has no output 'Z'"),
        (request() | {"outputs": [{}]}, "every entry of 'outputs' needs a 'name'"),
        (request() | {"outputs": [{"name": "label"}] * 2}, "output 'label' is requested twice"),
        (request() | {"outputs": "label"}, "'outputs' must be a list of objects"),
    ],
)
def test_a_bad_request_is_refused_in_the_protocols_words(
    digits_server: ServerProcess, body: object, words: str
) -> None:
    answer = digits_server.ask("POST", f"{MODEL}/infer", body)
    assert answer.status == 400, answer.body
    assert list(answer.body) == ["error"]
    assert words in answer.body["error"]
    assert "Traceback" not in answer.body["error"]


@pytest.mark.parametrize(
    ("method", "path", "status", "error"),
    [
        ("GET", "/v2/models/cats", 404, "unknown model 'cats', this server has 'digits'"),
        ("GET", "/v2/models/cats/ready", 404, "unknown model 'cats', this server has 'digits'"),
        ("POST", "/v2/models/cats/infer", 404, "unknown model 'cats', this server has 'digits'"),
        ("GET", f"{MODEL}/versions/2", 404, "unknown version '2' of model 'digits'"),
        ("POST", f"{MODEL}/versions/2/infer", 404, "unknown version '2' of model 'digits'"),
        ("GET", "/nothing", 404, "no endpoint /nothing"),
        ("GET", f"{MODEL}/infer", 405, f"{MODEL}/infer does not take GET"),
    ],
)
def test_what_is_not_there_is_named(
    digits_server: ServerProcess, method: str, path: str, status: int, error: str
) -> None:
    answer = digits_server.ask(method, path)
    assert answer.status == status
    assert answer.body["error"].startswith(error)


def test_an_oversized_request_is_refused(digits: Path) -> None:
    limit = ("--max-body-mib", "1")
    with ServerProcess.of_model(digits / "digits.onnx", "onnx", *limit) as server:
        answer = server.ask("POST", f"{MODEL}/infer", b" " * (2**20 + 1))
        assert answer.status in (413, 503), answer
        server.wait_ready()
        answer = server.ask("POST", f"{MODEL}/infer", b" " * (2**20 + 1))
    assert answer.status == 413
    assert answer.body == {"error": "the request is larger than 1048576 bytes"}


def test_bad_requests_leave_no_line_in_the_log(digits_server: ServerProcess) -> None:
    before = list(digits_server.log)
    assert digits_server.ask("POST", f"{MODEL}/infer", b"{").status == 400
    assert digits_server.ask("GET", "/v2/health/live").status == 200
    assert digits_server.log == before
    assert all(line.startswith("INFO slipway_server") for line in before)
