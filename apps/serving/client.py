"""A client of the Open Inference Protocol that keeps one connection open."""

import http.client
import json
import shlex
import socket
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

from apps.serving.holdout import Holdout

TIMEOUT_SECONDS = 30
_HEADERS = {"Content-Type": "application/json"}
_SHOWN = 200


class ClientError(Exception):
    """A request that was not answered as it should be; one line."""


@dataclass(frozen=True)
class Gateway:
    """How a stack's gateway is reached, and how it is known.

    Attributes:
        endpoint: URL of the gateway. A model with a host name of its own is asked for there too:
            its name may not be in the DNS.
        ca: Certificate of the authority that signs the gateway's, as PEM; `None` where the system
            knows that authority.
    """

    endpoint: str
    ca: str | None

    def context(self) -> ssl.SSLContext:
        """Return what verifies the gateway's certificate, its names included.

        Raises:
            ClientError: The authority's certificate is none.
        """
        try:
            return ssl.create_default_context(cadata=self.ca)
        except ssl.SSLError as error:
            raise ClientError(f"the stack's output `ca` is no certificate: {error}") from None


class Client:
    """Talks to one model.

    Args:
        url: URL of the model, `<gateway>/<path>/v2/models/<name>`.
        gateway: The gateway; without it the URL's own host is asked, and the authorities that the
            system knows.
    """

    def __init__(self, url: str, gateway: Gateway | None = None) -> None:
        self.url = url
        parts = urlsplit(url)
        self._path = parts.path
        host, port = parts.hostname or "", parts.port
        self._connection: http.client.HTTPConnection
        if parts.scheme == "https":
            self._connection = _GatewayConnection(host, port, gateway)
        else:
            self._connection = http.client.HTTPConnection(host, port, timeout=TIMEOUT_SECONDS)

    def infer(self, request: bytes) -> dict[str, Any]:
        """Send an inference request and return the answer.

        Raises:
            ClientError: Nobody answered, or not with status 200 and a JSON object.
        """
        status, content = self.ask("POST", "/infer", request)
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
            status, content = self.ask("GET", f"/versions/{version}/ready", None)
        except ClientError as error:
            return str(error)
        return None if status == 200 else f"HTTP {status}: {_shorten(content)}"

    def ask(self, method: str, path: str, body: bytes | None) -> tuple[int, bytes]:
        """Return the status and the content of an answer.

        Args:
            method: Method of the request.
            path: Path below the client's URL.
            body: JSON, if any.

        Raises:
            ClientError: Nobody answered.
        """
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


def paste_line(url: str, holdout: Holdout, options: Sequence[str] = ()) -> str:
    """Return a shell command that sends the first row.

    Args:
        url: URL of the model.
        holdout: Its held-out rows.
        options: Further options of curl.
    """
    request = infer_request(holdout, holdout.rows[0]).decode()
    header = next(f"{name}: {value}" for name, value in _HEADERS.items())
    return shlex.join(["curl", "-sS", *options, f"{url}/infer", "-H", header, "-d", request])


def curl_options(url: str, gateway: Gateway, ca_file: str | None) -> list[str]:
    """Return the options by which curl reaches a model and knows the gateway.

    Args:
        url: URL of the model.
        gateway: The gateway.
        ca_file: A file with the certificate of the gateway's authority, where it has one.
    """
    model, endpoint = urlsplit(url), urlsplit(gateway.endpoint)
    options = ["--cacert", ca_file] if ca_file else []
    if model.hostname != endpoint.hostname:
        port = model.port or http.client.HTTPS_PORT
        options += ["--connect-to", f"{model.hostname}:{port}:{endpoint.netloc}"]
    return options


class _GatewayConnection(http.client.HTTPSConnection):
    """A connection to the gateway, under the name of the model's URL."""

    def __init__(self, host: str, port: int | None, gateway: Gateway | None) -> None:
        context = gateway.context() if gateway else ssl.create_default_context()
        super().__init__(host, port, timeout=TIMEOUT_SECONDS, context=context)
        self._verifying = context
        self._endpoint = gateway.endpoint if gateway else None

    def connect(self) -> None:
        """Connect to the gateway's address, and verify that it has the URL's name."""
        parts = urlsplit(self._endpoint or f"https://{self.host}:{self.port}")
        address = (parts.hostname or "", parts.port or http.client.HTTPS_PORT)
        plain = socket.create_connection(address, TIMEOUT_SECONDS)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock = self._verifying.wrap_socket(plain, server_hostname=self.host)


def _short_number(value: Any) -> Any:
    """Write 5.0 as 5: the same number in JSON, and a line that a person can read."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _shorten(content: bytes) -> str:
    text = " ".join(content.decode("utf-8", "replace").split())
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
