"""Requirements on the server as a process: start, load, overload and end."""

import copy
import json
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from slipway_server.server import bind
from slipway_server.service import HELD_BODIES
from tests.ports import free_port
from tests.unit.server.process import Answer, ServerProcess, read

BLOCKING = str(Path(__file__).with_name("blocking_server.py"))
REQUEST: dict[str, Any] = {
    "inputs": [{"name": "X", "shape": [1], "datatype": "INT64", "data": [7]}]
}
INFER = "/v2/models/digits/infer"
DEADLINE_SECONDS = 30


@pytest.fixture
def blocking(tmp_path: Path) -> Iterator[ServerProcess]:
    with ServerProcess([BLOCKING, str(tmp_path), "60", "60"]) as server:
        server.wait_ready()
        yield server


class Asking(threading.Thread):
    """A request on a thread of its own."""

    def __init__(self, server: ServerProcess) -> None:
        super().__init__(daemon=True)
        self.connection = server.connect()
        self.answer: Answer | None = None

    def run(self) -> None:
        self.connection.request("POST", INFER, bytes(str(REQUEST).replace("'", '"'), "ascii"))
        self.answer = read(self.connection)
        self.connection.close()


def wait_until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"never happened: {what}"
        time.sleep(0.005)


def test_a_full_queue_is_refused_while_health_answers(
    blocking: ServerProcess, tmp_path: Path
) -> None:
    working = Asking(blocking)
    working.start()
    wait_until((tmp_path / "started-1").exists, "the model starts on the request")
    # One thread works and one place waits: of two more requests exactly one is refused.
    others = [Asking(blocking), Asking(blocking)]
    for other in others:
        other.start()
    wait_until(lambda: not all(other.is_alive() for other in others), "one of two is refused")
    refused = blocking.ask("POST", INFER, REQUEST)
    assert refused.status == 503
    assert refused.body == {"error": "overloaded: 2 requests are in progress"}
    assert int(refused.headers["retry-after"]) > 0
    for check in ("live", "ready"):
        assert blocking.ask("GET", f"/v2/health/{check}").status == 200

    (tmp_path / "release").touch()
    answers = []
    for asking in (working, *others):
        asking.join()
        assert asking.answer is not None
        answers.append(asking.answer.status)
    assert sorted(answers) == [200, 200, 503]


def test_bodies_beyond_what_may_be_held_are_refused_until_there_is_room_again(
    blocking: ServerProcess, tmp_path: Path
) -> None:
    (tmp_path / "release").touch()
    body = json.dumps(REQUEST).encode().ljust(900)

    def status() -> int:
        return blocking.ask("POST", INFER, body).status

    assert status() == 200
    unfinished = [blocking.connect() for _ in range(HELD_BODIES)]
    for connection in unfinished:
        connection.putrequest("POST", INFER)
        connection.putheader("Content-Length", "1000")
        connection.endheaders(b" " * 999)
    wait_until(lambda: status() == 503, "a body too many is refused")
    for connection in unfinished:
        connection.close()
    wait_until(lambda: status() == 200, "there is room again")


def test_sigterm_turns_unready_at_once_and_finishes_what_is_in_flight(
    blocking: ServerProcess, tmp_path: Path
) -> None:
    working = Asking(blocking)
    working.start()
    wait_until((tmp_path / "started-1").exists, "the model starts on the request")
    blocking.process.send_signal(signal.SIGTERM)
    wait_until(lambda: blocking.ask("GET", "/v2/health/ready").status == 503, "unready")
    assert blocking.ask("GET", "/v2/health/ready").body == {"ready": False}
    assert blocking.ask("GET", "/v2/health/live").status == 200

    # The second signal ends the wait for load balancers, not the request.
    blocking.process.send_signal(signal.SIGTERM)
    (tmp_path / "release").touch()
    working.join()
    assert working.answer is not None
    assert working.answer.status == 200
    assert working.answer.body["outputs"][0]["data"] == [7]
    assert blocking.wait_exit() == 0


def test_a_request_that_outlasts_the_grace_does_not_keep_the_server(tmp_path: Path) -> None:
    with ServerProcess([BLOCKING, str(tmp_path), "0", "1"]) as server:
        server.wait_ready()
        with closing(server.connect()) as asking:
            asking.request("POST", INFER, json.dumps(REQUEST).encode())
            wait_until((tmp_path / "started-1").exists, "the model starts on the request")
            server.process.send_signal(signal.SIGTERM)
            assert server.wait_exit() == 0


def test_connections_are_refused_until_the_model_is_loaded(tmp_path: Path) -> None:
    port = free_port()
    with ServerProcess([BLOCKING, str(tmp_path), "0", "60", str(port)]) as server:
        wait_until((tmp_path / "loading").exists, "the model is being loaded")
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port), DEADLINE_SECONDS)
        (tmp_path / "loadable").touch()
        server.wait_ready()


def test_sigterm_ends_a_server_that_is_loading_at_once(tmp_path: Path) -> None:
    with ServerProcess([BLOCKING, str(tmp_path), "0", "60", str(free_port())]) as server:
        wait_until((tmp_path / "loading").exists, "the model is being loaded")
        server.process.send_signal(signal.SIGTERM)
        assert server.wait_exit() == 0
    assert not any("listening" in line for line in server.log)


def test_a_defect_of_the_model_tells_the_client_nothing_and_costs_no_place(
    blocking: ServerProcess, tmp_path: Path
) -> None:
    (tmp_path / "release").touch()
    defect = copy.deepcopy(REQUEST)
    defect["inputs"][0]["data"] = [-1]
    # More often than there are places.
    for _ in range(4):
        answer = blocking.ask("POST", INFER, defect)
        assert (answer.status, answer.body) == (500, {"error": "internal error"})
    assert blocking.ask("POST", INFER, REQUEST).status == 200
    wait_until(lambda: "ArithmeticError" in "".join(blocking.log), "the server logs the defect")


@pytest.mark.parametrize(
    ("model_format", "words"),
    [("onnx", "not an ONNX model, or damaged"), ("sklearn", "not a scikit-learn model")],
)
def test_a_file_that_is_not_of_its_format_ends_the_server_with_one_line(
    tmp_path: Path, model_format: str, words: str
) -> None:
    path = tmp_path / "model"
    path.write_bytes(b"not a model")
    with ServerProcess.of_model(path, model_format) as server:
        assert server.wait_exit() == 1
    errors = [line for line in server.log if not line.startswith("INFO")]
    assert len(errors) == 1, "".join(server.log)
    assert words in errors[0]
    assert str(path) in errors[0]


@pytest.mark.parametrize("option", ["--port", "--grpc-port"])
def test_a_port_in_use_ends_the_server_with_one_line(
    digits: Path, digits_server: ServerProcess, option: str
) -> None:
    port = str(digits_server.port)
    with ServerProcess.of_model(digits / "digits.onnx", "onnx", option, port) as server:
        assert server.wait_exit() == 1
    assert [port in line for line in server.log] == [True], "".join(server.log)


def test_an_onnx_model_is_served_without_importing_scikit_learn(digits: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from slipway_server import models;"
        "models.load(Path(sys.argv[1]), 'onnx'); sys.exit('sklearn' in sys.modules)"
    )
    with ServerProcess(["-c", program, str(digits / "digits.onnx")]) as process:
        assert process.wait_exit() == 0


def test_no_answer_waits_for_a_delayed_acknowledgement() -> None:
    # asyncio turns Nagle's algorithm off only on connections of a socket that names its protocol.
    with bind("127.0.0.1", 0) as listener:
        assert listener.proto == socket.IPPROTO_TCP
