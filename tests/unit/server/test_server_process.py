"""Requirements on the server as a process: start, load, overload and end."""

import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.server.process import Answer, ServerProcess, read

BLOCKING = str(Path(__file__).with_name("blocking_server.py"))
REQUEST = {"inputs": [{"name": "X", "shape": [1], "datatype": "INT64", "data": [7]}]}
INFER = "/v2/models/digits/infer"


@pytest.fixture
def blocking(tmp_path: Path) -> Iterator[ServerProcess]:
    with ServerProcess([BLOCKING, str(tmp_path), "60"]) as server:
        server.wait_ready()
        yield server


class Asking(threading.Thread):
    """A request on a thread of its own."""

    def __init__(self, server: ServerProcess) -> None:
        super().__init__()
        self.connection = server.connect()
        self.answer: Answer | None = None

    def run(self) -> None:
        self.connection.request("POST", INFER, bytes(str(REQUEST).replace("'", '"'), "ascii"))
        self.answer = read(self.connection)
        self.connection.close()


def wait_for(path: Path) -> None:
    tick = threading.Event()
    for _ in range(6000):
        if path.exists():
            return
        tick.wait(0.01)
    raise AssertionError(f"{path.name} did not appear")


def test_a_full_queue_is_refused_while_health_answers(
    blocking: ServerProcess, tmp_path: Path
) -> None:
    working = Asking(blocking)
    working.start()
    wait_for(tmp_path / "started-1")
    # One thread works and one place waits: of two more requests exactly one is refused.
    others = [Asking(blocking), Asking(blocking)]
    for other in others:
        other.start()
    while all(other.is_alive() for other in others):
        assert blocking.ask("GET", "/v2/health/live").status == 200
    refused = blocking.ask("POST", INFER, REQUEST)
    assert refused.status == 503
    assert refused.body == {"error": "overloaded: 2 requests are in progress"}
    assert int(refused.headers["retry-after"]) > 0
    assert blocking.ask("GET", "/v2/health/ready").status == 200

    (tmp_path / "release").touch()
    answers = []
    for asking in (working, *others):
        asking.join()
        assert asking.answer is not None
        answers.append(asking.answer.status)
    assert sorted(answers) == [200, 200, 503]


def test_sigterm_turns_unready_at_once_and_finishes_what_is_in_flight(
    blocking: ServerProcess, tmp_path: Path
) -> None:
    working = Asking(blocking)
    working.start()
    wait_for(tmp_path / "started-1")
    blocking.process.send_signal(signal.SIGTERM)
    while (ready := blocking.ask("GET", "/v2/health/ready")).status == 200:
        pass
    assert ready.body == {"ready": False}
    assert blocking.ask("GET", "/v2/health/live").status == 200

    # The second signal ends the wait for load balancers, not the request.
    blocking.process.send_signal(signal.SIGTERM)
    (tmp_path / "release").touch()
    working.join()
    assert working.answer is not None
    assert working.answer.status == 200
    assert working.answer.body["outputs"][0]["data"] == [7]
    assert blocking.wait_exit() == 0


@pytest.mark.parametrize(
    ("model_format", "content", "words"),
    [
        ("onnx", None, "no such model file"),
        ("onnx", b"not a model", "not an ONNX model, or damaged"),
        ("sklearn", b"not a model", "not a scikit-learn model saved by joblib, or damaged"),
        ("sklearn", b"", "not a scikit-learn model saved by joblib, or damaged"),
        ("sklearn", b"\x80\x04cnowhere\nThing\n.", "needs code that this server does not have"),
        ("sklearn", b"\x80\x04K\x07.", "holds a int, not a model with predict()"),
    ],
)
def test_a_file_that_is_not_of_its_format_ends_the_server_with_one_line(
    tmp_path: Path, model_format: str, content: bytes | None, words: str
) -> None:
    path = tmp_path / "model"
    if content is not None:
        path.write_bytes(content)
    with ServerProcess.of_model(path, model_format) as server:
        assert server.wait_exit() == 1
    errors = [line for line in server.log if not line.startswith("INFO")]
    assert len(errors) == 1, "".join(server.log)
    assert words in errors[0]
    assert str(path) in errors[0]


@pytest.mark.parametrize(("file", "other"), [("digits.onnx", "sklearn"), ("digits.joblib", "onnx")])
def test_a_model_under_the_wrong_format_is_refused(digits: Path, file: str, other: str) -> None:
    with ServerProcess.of_model(digits / file, other) as server:
        assert server.wait_exit() == 1
    assert sum(not line.startswith("INFO") for line in server.log) == 1, "".join(server.log)


def test_a_port_in_use_ends_the_server_with_one_line(
    digits: Path, digits_server: ServerProcess
) -> None:
    port = str(digits_server.port)
    with ServerProcess.of_model(digits / "digits.onnx", "onnx", "--port", port) as server:
        assert server.wait_exit() == 1
    assert [port in line for line in server.log] == [True], "".join(server.log)


def test_an_onnx_model_is_served_without_importing_scikit_learn(digits: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from slipway_server import models;"
        "models.load(Path(sys.argv[1]), 'onnx'); sys.exit('sklearn' in sys.modules)"
    )
    with ServerProcess(["-c", program, str(digits / "digits.onnx")]) as process:
        assert process.wait_exit() == 0
