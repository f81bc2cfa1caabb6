"""Requirements on what a model's endpoint has to answer, against a small HTTP server."""

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from apps.serving import conformance
from apps.serving.protocols import ProtocolName

# By method and path below the prefix that the gateway cuts off: status and content.
Answers = Mapping[tuple[str, str], tuple[int, Any]]

TENSOR = {"name": "X", "datatype": "FP32", "shape": [-1, 2]}
LABEL = {"name": "label", "datatype": "BYTES", "shape": [-1]}
METADATA = {"name": "digits", "inputs": [TENSOR], "outputs": [LABEL]}
MODEL = "/v2/models/digits"
INFER = ("POST", f"{MODEL}/infer")
MALFORMED = ("POST malformed", f"{MODEL}/infer")
OPEN_INFERENCE: Answers = {
    ("GET", "/v2/health/live"): (200, {}),
    ("GET", "/v2/health/ready"): (200, {}),
    ("GET", f"{MODEL}/ready"): (200, {}),
    ("GET", MODEL): (200, METADATA),
    MALFORMED: (400, {"error": "not JSON"}),
    INFER: (200, {"outputs": [{**LABEL, "shape": [1], "data": ["3"]}]}),
}
OPENAI: Answers = {
    ("GET", "/v1/models"): (200, {"data": [{"id": "digits"}]}),
    ("POST", "/v1/completions"): (200, {"choices": [{"text": "a"}]}),
}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    answers: Answers
    requests: list[Any]

    def do_GET(self) -> None:
        self.reply("GET")

    def do_POST(self) -> None:
        content = self.rfile.read(int(self.headers["Content-Length"]))
        try:
            self.requests.append(json.loads(content))
        except ValueError:
            self.reply("POST malformed")
        else:
            self.reply("POST")

    def reply(self, method: str) -> None:
        path = self.path.removeprefix("/vision/digits")
        status, body = self.answers.get((method, path), (404, {"error": "no such path"}))
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        del format, args


@contextmanager
def serving(answers: Answers) -> Iterator[tuple[str, list[Any]]]:
    """The URL of a server with these answers, and the requests that it gets."""
    requests: list[Any] = []
    handler = type("Serving", (Handler,), {"answers": answers, "requests": requests})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/vision/digits", requests
        finally:
            server.shutdown()
            thread.join()


def problem(protocol: ProtocolName, answers: Answers) -> str | None:
    """Return in what an endpoint fails, or `None`."""
    below = MODEL if protocol == "open-inference-v2" else "/v1"
    with serving(answers) as (url, _):
        try:
            conformance.check("digits", protocol, url + below, wait=0)
        except conformance.ConformanceError as error:
            return str(error)
    return None


def test_an_endpoint_that_speaks_its_protocol_passes() -> None:
    assert problem("open-inference-v2", OPEN_INFERENCE) is None
    assert problem("openai", OPENAI) is None
    assert problem("http", {}) is None


def test_the_request_is_made_from_the_metadata() -> None:
    inputs = [TENSOR, {**LABEL, "name": "text"}, {"name": "on", "datatype": "BOOL", "shape": [2]}]
    metadata = (200, {**METADATA, "inputs": inputs})
    with serving({**OPEN_INFERENCE, ("GET", MODEL): metadata}) as (url, requests):
        conformance.check("digits", "open-inference-v2", url + MODEL, wait=0)
    assert requests == [
        {
            "inputs": [
                {"name": "X", "datatype": "FP32", "shape": [1, 2], "data": [0, 0]},
                {"name": "text", "datatype": "BYTES", "shape": [1], "data": [""]},
                {"name": "on", "datatype": "BOOL", "shape": [2], "data": [False, False]},
            ]
        }
    ]


def test_a_model_may_refuse_zeros() -> None:
    refused = (400, {"error": "an empty text"})
    assert problem("open-inference-v2", {**OPEN_INFERENCE, INFER: refused}) is None


@pytest.mark.parametrize(
    ("call", "answer", "words"),
    [
        (("GET", "/v2/health/live"), (503, {}), "GET /health/live: HTTP 503"),
        (("GET", f"{MODEL}/ready"), (503, {}), "GET /models/digits/ready: HTTP 503"),
        (("GET", MODEL), (404, {"error": "none"}), "no metadata: GET /models/digits: HTTP 404"),
        (("GET", MODEL), (200, {**METADATA, "name": "model"}), "have another `name`"),
        (("GET", MODEL), (200, {**METADATA, "inputs": []}), "have no `inputs` with"),
        (("GET", MODEL), (200, {**METADATA, "outputs": [{"name": "a"}]}), "have no `outputs` with"),
        (MALFORMED, (500, {"error": "Traceback"}), "a malformed request is not answered by 400"),
        (MALFORMED, (400, {"detail": "no"}), "a malformed request is not answered by 400"),
        (INFER, (500, {"error": "no"}), "zeros in the form of its metadata are not answered"),
        (INFER, (200, {"outputs": []}), "zeros in the form of its metadata are not answered"),
        (INFER, (200, {"outputs": [TENSOR]}), "outputs that its metadata do not have"),
    ],
)
def test_what_is_not_as_the_open_inference_protocol_has_it_is_named(
    call: tuple[str, str], answer: tuple[int, Any], words: str
) -> None:
    found = problem("open-inference-v2", {**OPEN_INFERENCE, call: answer})
    assert found is not None
    assert found.startswith("model digits: does not speak open-inference-v2: ")
    assert words in found
    assert "\n" not in found


@pytest.mark.parametrize(
    ("call", "answer", "words"),
    [
        (("GET", "/v1/models"), (404, {}), "GET /models: HTTP 404"),
        (("GET", "/v1/models"), (200, {"data": [{"id": "other"}]}), "does not have `digits`"),
        (("POST", "/v1/completions"), (500, {}), "one token is not completed"),
        (("POST", "/v1/completions"), (200, {"choices": []}), "one token is not completed"),
    ],
)
def test_what_is_not_as_openai_s_clients_take_it_is_named(
    call: tuple[str, str], answer: tuple[int, Any], words: str
) -> None:
    found = problem("openai", {**OPENAI, call: answer})
    assert found is not None
    assert found.startswith("model digits: does not speak openai: ")
    assert words in found


def test_a_route_that_the_gateway_does_not_have_yet_is_waited_for() -> None:
    answers = dict(OPENAI)
    listed = answers.pop(("GET", "/v1/models"))
    with serving(answers) as (url, _):
        timer = threading.Timer(0.2, answers.__setitem__, (("GET", "/v1/models"), listed))
        timer.start()
        conformance.check("digits", "openai", f"{url}/v1", wait=30)
        timer.join()
