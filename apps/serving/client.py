"""A client of the Open Inference Protocol that keeps one connection open."""

import http.client
import json
import shlex
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self
from urllib.parse import SplitResult, urlsplit

from apps.serving.holdout import Holdout

TIMEOUT_SECONDS = 30
_HEADERS = {"Content-Type": "application/json"}
_SHOWN = 200


class ClientError(Exception):
    """A request that was not answered as it should be; one line."""


class Client:
    """Talks to one model.

    Args:
        url: URL of the model, `<gateway>/<path>/v2/models/<name>`.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        parts = urlsplit(url)
        self._path = parts.path
        self._connection = _connection(parts)

    def infer(self, request: bytes) -> dict[str, Any]:
        """Send an inference request and return the answer.

        Raises:
            ClientError: Nobody answered, or not with status 200 and a JSON object.
        """
        status, content = self._ask("POST", "/infer", request)
        if status != 200:
            raise ClientError(f"HTTP {status}: {_shorten(content)}")
        try:
            answer = json.loads(content)
        except ValueError:
            raise ClientError(f"the answer is not JSON: {_shorten(content)}") from None
        if not isinstance(answer, dict) or "outputs" not in answer:
            raise ClientError(f"the answer has no `outputs`: {_shorten(content)}")
        return answer

    def not_ready(self, version: str) -> str | None:
        """Return why a version of the model takes no requests yet, or `None` once it does."""
        try:
            status, content = self._ask("GET", f"/versions/{version}/ready", None)
        except ClientError as error:
            return str(error)
        return None if status == 200 else f"HTTP {status}: {_shorten(content)}"

    def _ask(self, method: str, path: str, body: bytes | None) -> tuple[int, bytes]:
        try:
            self._connection.request(method, self._path + path, body, _HEADERS)
            response = self._connection.getresponse()
            return response.status, response.read()
        except (OSError, http.client.HTTPException) as error:
            # A connection in an unknown state must not be used again; the next request opens one.
            self._connection.close()
            raise ClientError(
                f"no answer from {self.url}: {error or type(error).__name__}"
            ) from None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._connection.close()


def infer_request(holdout: Holdout, row: Sequence[Any]) -> bytes:
    """Return the inference request of one row."""
    tensor = {
        "name": holdout.input.name,
        "shape": [1, *holdout.input.shape_of_one_row],
        "datatype": holdout.input.datatype,
        "data": [_short_number(value) for value in row],
    }
    request = {"inputs": [tensor], "outputs": [{"name": holdout.output}]}
    return json.dumps(request, separators=(",", ":")).encode()


def paste_line(url: str, holdout: Holdout) -> str:
    """Return a shell command that sends the first row."""
    request = infer_request(holdout, holdout.rows[0]).decode()
    header = next(f"{name}: {value}" for name, value in _HEADERS.items())
    return shlex.join(["curl", "-sS", f"{url}/infer", "-H", header, "-d", request])


def _connection(parts: SplitResult) -> http.client.HTTPConnection:
    host, port = parts.hostname or "", parts.port
    if parts.scheme == "https":
        return http.client.HTTPSConnection(host, port, timeout=TIMEOUT_SECONDS)
    return http.client.HTTPConnection(host, port, timeout=TIMEOUT_SECONDS)


def _short_number(value: Any) -> Any:
    """Write 5.0 as 5: the same number in JSON, and a line that a person can read."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _shorten(content: bytes) -> str:
    text = " ".join(content.decode("utf-8", "replace").split())
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
