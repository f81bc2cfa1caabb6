"""Requirements on the check at the end of `make up`, against a small HTTP server."""

import json
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from apps.serving import check, conformance
from apps.serving.holdout import Holdout, HoldoutError
from infra import settings as stack_settings

HOLDOUT = {
    "input": {"name": "X", "datatype": "FP32", "shape_of_one_row": [2]},
    "output": "label",
    "rows": [[1.0, 0.5], [2.0, 0.0], [3.0, 0.0], [4.0, 0.0]],
    "expected": [1, 2, 3, 4],
    "labels": [1, 2, 3, 0],
}
VERSION = "0a1b2c3d4e5f"
Answer = Callable[[int], tuple[int, Any]]


def correct(value: int) -> tuple[int, Any]:
    """Answer as the offline model did: the first number of the row."""
    return predicting(value, "INT64")


def predicting(value: Any, datatype: str) -> tuple[int, Any]:
    tensor = {"name": "label", "datatype": datatype, "shape": [1], "data": [value]}
    return 200, {"model_version": VERSION, "outputs": [tensor]}


class Gateway(ThreadingHTTPServer):
    """Answers inference requests by a function of the row's first number."""

    def __init__(self, answer: Answer, unready: int, context: ssl.SSLContext | None) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.scheme = "https" if context else "http"
        if context:
            # The handshake comes with the first read, in the thread of the connection.
            self.socket = context.wrap_socket(
                self.socket, server_side=True, do_handshake_on_connect=False
            )
        self.answer = answer
        self.unready = unready
        self.connections: set[Any] = set()
        self.hosts: set[str | None] = set()
        self.requests: list[Any] = []

    @property
    def endpoint(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.server_port}"

    @property
    def url(self) -> str:
        return f"{self.endpoint}/vision/digits/v2/models/digits"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a client that refuses the certificate."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # The answer leaves as two writes, which Nagle's algorithm would hold for 40 ms.
    disable_nagle_algorithm = True
    server: Gateway

    def do_GET(self) -> None:
        if self.server.unready > 0:
            self.server.unready -= 1
            self.reply(404, {"error": "no route"})
            return
        ready = f"/vision/digits/v2/models/digits/versions/{VERSION}/ready"
        self.reply(200 if self.path == ready else 500, {})

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.requests.append(request)
        self.server.connections.add(self.client_address)
        self.server.hosts.add(self.headers["Host"])
        self.reply(*self.server.answer(int(request["inputs"][0]["data"][0])))

    def reply(self, status: int, body: Any) -> None:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        del format, args


@contextmanager
def serving(
    answer: Answer, unready: int = 0, context: ssl.SSLContext | None = None
) -> Iterator[Gateway]:
    with Gateway(answer, unready, context) as gateway:
        thread = threading.Thread(target=gateway.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield gateway
        finally:
            gateway.shutdown()
            thread.join()


def holdout(**changes: Any) -> Holdout:
    return Holdout.model_validate(HOLDOUT | changes)


def test_every_row_is_one_request_over_one_connection() -> None:
    with serving(correct) as gateway:
        result = check.check_model("digits", gateway.url, VERSION, holdout())
    assert (result.rows, result.accuracy, len(result.latencies)) == (4, 0.75, 4)
    assert 0 < result.percentile(50) <= result.percentile(99)
    assert len(gateway.connections) == 1
    assert gateway.requests[0] == {
        "inputs": [{"name": "X", "shape": [1, 2], "datatype": "FP32", "data": [1, 0.5]}],
        "outputs": [{"name": "label"}],
    }


def test_what_a_canary_predicts_is_not_compared() -> None:
    asked: list[int] = []

    def answer(value: int) -> tuple[int, Any]:
        asked.append(value)
        if len(asked) % 2:
            return 200, {"model_version": "of-canary", "outputs": []}
        return correct(value)

    with serving(answer) as gateway:
        result = check.check_model("digits", gateway.url, VERSION, holdout(), canary="of-canary")
    assert result.rows == 4
    assert asked == [1, 1, 2, 2, 3, 3, 4, 4]


@pytest.mark.parametrize(
    ("datatype", "offline", "equal"),
    [
        ("FP32", 0.10000000149011612, True),
        ("FP32", 0.10000000894069672, False),
        ("FP32", 1e300, False),
        ("FP16", 0.0999755859375, True),
        ("FP64", 0.10000000149011612, False),
    ],
)
def test_a_number_is_compared_as_its_datatype_holds_it(
    datatype: str, offline: float, equal: bool
) -> None:
    regression = holdout(rows=[[1.0, 0.5]], expected=[offline], labels=[0.1])
    with serving(lambda value: predicting(0.1, datatype)) as gateway:
        if equal:
            check.check_model("price", gateway.url, VERSION, regression)
        else:
            with pytest.raises(check.CheckError, match=r"predicted 0\.1 through the gateway"):
                check.check_model("price", gateway.url, VERSION, regression)


def test_the_check_waits_until_the_route_is_there() -> None:
    with serving(correct, unready=2) as gateway:
        assert check.check_model("digits", gateway.url, VERSION, holdout()).rows == 4


@pytest.mark.parametrize(
    ("answer", "line"),
    [
        (
            lambda value: correct(value if value < 3 else 9),
            "model digits, row 2: predicted 9 through the gateway, 3 offline",
        ),
        (
            lambda value: correct(value) if value < 2 else (503, {"error": "overloaded"}),
            'model digits, row 1: HTTP 503: {"error": "overloaded"}',
        ),
        (
            lambda value: (200, b"<html>"),
            "model digits, row 0: the answer is not JSON: <html>",
        ),
        (
            lambda value: (200, correct(value)[1] | {"outputs": [{"name": "other", "data": [1]}]}),
            "model digits, row 0: the answer has no output `label`",
        ),
        (
            lambda value: (200, correct(value)[1] | {"model_version": "old"}),
            f"model digits, row 0: answered by version old, the stack has {VERSION}",
        ),
        (lambda value: (200, []), "model digits, row 0: the answer has no `outputs`: []"),
    ],
)
def test_a_wrong_answer_names_the_model_and_the_row(answer: Answer, line: str) -> None:
    # Only another version is asked again.
    wait = 0 if "version" in line else check.READY_SECONDS
    with serving(answer) as gateway, pytest.raises(check.CheckError) as caught:
        check.check_model("digits", gateway.url, VERSION, holdout(), wait=wait)
    assert str(caught.value) == line


def test_answers_of_the_version_before_are_asked_for_again() -> None:
    versions = iter(["old", VERSION, "old", "old"])

    def updating(value: int) -> tuple[int, Any]:
        return 200, correct(value)[1] | {"model_version": next(versions, VERSION)}

    with serving(updating) as gateway:
        result = check.check_model("digits", gateway.url, VERSION, holdout())
    assert (result.rows, len(result.latencies)) == (4, 4)
    assert len(gateway.requests) == 7


def test_a_model_that_never_gets_ready_is_named() -> None:
    with serving(correct, unready=10**6) as gateway, pytest.raises(check.CheckError) as caught:
        check.check_model("digits", gateway.url, VERSION, holdout(), wait=0)
    assert str(caught.value) == (
        f'model digits: not ready in time at {gateway.url}: HTTP 404: {{"error": "no route"}}'
    )


def test_an_endpoint_that_is_gone_is_named() -> None:
    with serving(correct) as gateway:
        url = gateway.url
    with pytest.raises(
        check.CheckError, match=r"not ready in time at .*: no answer from .*refused"
    ):
        check.check_model("digits", url, VERSION, holdout(), wait=0)


@pytest.fixture
def stack(tmp_path: Path) -> stack_settings.Settings:
    (tmp_path / "holdout.json").write_text(json.dumps(HOLDOUT))
    model = {"team": "vision", "format": "onnx", "uri": "file:digits.onnx"}
    return stack_settings.parse(
        {
            "cluster": {"kind": "local"},
            "teams": {"vision": {}},
            "models": {"digits": {**model, "holdout": "holdout.json"}, "other": model},
        }
    )


def test_the_printed_curl_line_works_as_it_is(
    stack: stack_settings.Settings, tmp_path: Path
) -> None:
    lines: list[str] = []
    with serving(correct) as gateway:
        outputs = {"models": {"digits": {"url": gateway.url, "version": VERSION}}}
        assert check.check_stack(stack, outputs, tmp_path, lines.append) == []
        # A new shell with only the standard folders on its PATH, as a person would have.
        pasted = subprocess.run(["sh", "-c", lines[-1]], capture_output=True, check=True)
    assert lines[0].startswith(
        "model digits: 4 of 4 predictions equal those made offline, accuracy 0.7500, latency p50"
    )
    assert gateway.url in lines[1]
    assert json.loads(pasted.stdout) == correct(1)[1]
    assert len(lines) == 3


def test_a_model_without_held_out_data_is_asked_too(
    stack: stack_settings.Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(name: str, *_: object) -> None:
        if name == "other":
            raise conformance.ConformanceError("model other: does not speak open-inference-v2")

    monkeypatch.setattr(conformance, "check", refused)
    model = {"url": "https://127.0.0.1:1/v2/models/it", "version": VERSION}
    lines: list[str] = []
    outputs = {"models": {"digits": model, "other": model}}
    assert check.check_protocols(stack, outputs, lines.append) == [
        "model other: does not speak open-inference-v2"
    ]
    assert lines == [f"model digits: speaks open-inference-v2 at {model['url']}"]


def test_every_failing_model_is_reported(stack: stack_settings.Settings, tmp_path: Path) -> None:
    assert check.check_stack(stack, {}, tmp_path, print) == [
        "model digits: the stack's output `models` does not have it; run `make up`"
    ]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "no such file"),
        ("{", "Invalid JSON"),
        (json.dumps(HOLDOUT | {"labels": []}), "differ in length"),
        (json.dumps({**HOLDOUT, "extra": 1}), "extra: Extra inputs are not permitted"),
        (json.dumps({**HOLDOUT, "rows": []}), "rows: "),
    ],
)
def test_a_damaged_holdout_file_is_named(tmp_path: Path, content: str | None, words: str) -> None:
    path = tmp_path / "holdout.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(HoldoutError) as caught:
        Holdout.read(path)
    assert str(caught.value).startswith(str(path))
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("models", [{"models": []}, {"models": {"digits": 3}}])
def test_outputs_of_another_form_are_those_of_a_stack_without_the_model(
    stack: stack_settings.Settings, tmp_path: Path, models: dict[str, Any]
) -> None:
    [failure] = check.check_stack(stack, models, tmp_path, print)
    assert failure.startswith("model digits: the stack's output `models` does not have it")


def test_an_authority_that_is_no_certificate_is_named(
    stack: stack_settings.Settings, tmp_path: Path
) -> None:
    model = {"url": "https://127.0.0.1:1/v2/models/digits", "version": VERSION}
    outputs = {"ca": "no certificate", "models": {"digits": model}}
    [failure] = check.check_stack(stack, outputs, tmp_path, print)
    assert failure.startswith("model digits: the stack's output `ca` is no certificate")


@pytest.mark.parametrize(
    ("content", "words"),
    [(None, "cannot be read: No such file"), (b"\xff{", "is not what"), (b"[]", "is not what")],
)
def test_a_file_of_outputs_that_is_none_is_named(
    content: bytes | None,
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "Pulumi.local.yaml").write_text("config: {slipway:cluster: {kind: local}}")
    if content is not None:
        (tmp_path / "outputs.json").write_bytes(content)
    monkeypatch.chdir(tmp_path)
    assert check.main(["--outputs", "outputs.json"]) == 1
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith("error: --outputs outputs.json: ")
    assert words in line


def test_a_machine_without_pulumi_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(check.CheckError, match="make shell"):
        check._stack_outputs("local", tmp_path)


def test_the_command_line_fails_with_one_line(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "apps.serving.check", "--stack", "nowhere"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith("error: Pulumi.nowhere.yaml: no such stack file")
