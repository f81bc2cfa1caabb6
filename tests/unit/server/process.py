"""Runs the server as a process on a loopback port, and talks to it."""

import http.client
import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

SERVER = Path(__file__).parents[3] / "apps/serving/server"
DEADLINE_SECONDS = 60
_PORTS = re.compile(r"listening on 127\.0\.0\.1:(\d+), gRPC on port (\d+)")


class Answer(NamedTuple):
    """An HTTP answer with its JSON body."""

    status: int
    body: Any
    headers: dict[str, str]


class ServerProcess:
    """A server process; its log is read as it is written."""

    def __init__(self, arguments: Sequence[str]) -> None:
        environment = os.environ | {"PYTHONPATH": str(SERVER)}
        self.process = subprocess.Popen(
            [sys.executable, *arguments], stderr=subprocess.PIPE, text=True, env=environment
        )
        self.log: list[str] = []
        self._ports = (0, 0)
        self._listening = threading.Event()
        self._reader = threading.Thread(target=self._read_log, daemon=True)
        self._reader.start()

    @classmethod
    def of_model(cls, path: Path, model_format: str, *more: str) -> Self:
        """Start the server as its image does."""
        fixed = ["-m", "slipway_server", "--host", "127.0.0.1", "--port", "0", "--grpc-port", "0"]
        model = ["--model-name", "digits", "--model-path", str(path), "--format", model_format]
        return cls([*fixed, *model, "--drain-seconds", "0", *more])

    @property
    def port(self) -> int:
        """The port of REST, once the server listens."""
        return self._wait_listening()[0]

    @property
    def grpc_port(self) -> int:
        """The port of gRPC, once the server listens."""
        return self._wait_listening()[1]

    def _wait_listening(self) -> tuple[int, int]:
        assert self._listening.wait(DEADLINE_SECONDS), "".join(self.log)
        assert all(self._ports), "".join(self.log)
        return self._ports

    def _read_log(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.log.append(line)
            if found := _PORTS.search(line):
                self._ports = (int(found.group(1)), int(found.group(2)))
                self._listening.set()
        self._listening.set()

    def connect(self) -> http.client.HTTPConnection:
        """Open a connection that is kept alive."""
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=DEADLINE_SECONDS)

    def ask(self, method: str, path: str, body: object = None) -> Answer:
        """Send one request; a body that is not bytes is sent as JSON."""
        connection = self.connect()
        content = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        try:
            connection.request(method, path, content)
            return read(connection)
        finally:
            connection.close()

    def wait_ready(self) -> None:
        """Wait until the model is loaded."""
        connection = self.connect()
        while self.process.poll() is None:
            connection.request("GET", "/v2/health/ready")
            if read(connection).status == 200:
                connection.close()
                return
        raise AssertionError("".join(self.log))

    def wait_exit(self) -> int:
        """Wait for the end of the process and of its log."""
        code = self.process.wait(DEADLINE_SECONDS)
        self._reader.join(DEADLINE_SECONDS)
        return code

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.process.kill()
        self.wait_exit()
        assert self.process.stderr is not None
        self.process.stderr.close()


def read(connection: http.client.HTTPConnection) -> Answer:
    """Read an answer to the request that was sent."""
    response = connection.getresponse()
    content = response.read()
    headers = {name.lower(): value for name, value in response.getheaders()}
    return Answer(response.status, json.loads(content) if content else None, headers)
