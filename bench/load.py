"""A load of inference requests over plain sockets, so that the client costs as little as it can."""

import json
import os
import socket
import ssl
import statistics
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from apps.serving.client import Gateway, infer_request
from apps.serving.holdout import Holdout

_TIMEOUT_SECONDS = 30
_BUFFER = 65536
_END_OF_HEAD = b"\r\n\r\n"
_LENGTH = b"content-length:"


def measure(
    url: str,
    holdout: Holdout,
    *,
    clients: int,
    requests: int,
    pid: int | None = None,
    gateway: Gateway | None = None,
) -> dict[str, Any]:
    """Send requests from several clients at once, each over one connection.

    Args:
        url: URL of the model.
        holdout: The rows that are sent, over and over.
        clients: Connections that send at once.
        requests: Requests in all.
        pid: The server's process, when its CPU time is to be measured.
        gateway: How the gateway of an `https` URL is known.

    Returns:
        `clients`, `requests_per_second`, `p50_ms`, `p99_ms`, and with `pid` `cpu_ms`, the server's
        CPU time a request.
    """
    parts = urlsplit(url)
    messages = [_message(parts.netloc, f"{parts.path}/infer", holdout, row) for row in holdout.rows]
    context = gateway.context() if gateway else None

    def send(count: int, latencies: list[float]) -> None:
        _send(url, context, messages, count, latencies)

    return drive(send, url, clients=clients, requests=requests, pid=pid)


def drive(
    send: Callable[[int, list[float]], None],
    target: str,
    *,
    clients: int,
    requests: int,
    pid: int | None,
) -> dict[str, Any]:
    """Let several clients send at once, and return what `measure` does.

    Args:
        send: Sends so many requests, and adds the seconds that each took.
        target: Where they go, for the error.
        clients: How many send at once.
        requests: Requests in all.
        pid: The server's process, when its CPU time is to be measured.
    """
    latencies: list[float] = []
    share = requests // clients
    threads = [threading.Thread(target=send, args=(share, latencies)) for _ in range(clients)]
    cpu = 0.0 if pid is None else cpu_seconds(pid)
    start = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    elapsed = time.perf_counter() - start
    if len(latencies) != share * clients:
        raise RuntimeError(f"{share * clients - len(latencies)} requests to {target} failed")
    result = _summary(clients, latencies, elapsed)
    if pid is not None:
        result["cpu_ms"] = (cpu_seconds(pid) - cpu) / len(latencies) * 1000
    return result


def _summary(clients: int, latencies: Sequence[float], elapsed: float) -> dict[str, Any]:
    """Return what a load shows: `clients`, `requests_per_second`, `p50_ms` and `p99_ms`."""
    cuts = statistics.quantiles(latencies, n=100, method="inclusive")
    return {
        "clients": clients,
        "requests_per_second": len(latencies) / elapsed,
        "p50_ms": cuts[49] * 1000,
        "p99_ms": cuts[98] * 1000,
    }


def ask(url: str, holdout: Holdout, gateway: Gateway) -> float:
    """Return the seconds that one request takes, the connection that it opens included.

    Args:
        url: URL of the model.
        holdout: Its first row is sent.
        gateway: How the gateway of the URL is known.
    """
    parts = urlsplit(url)
    message = _message(parts.netloc, f"{parts.path}/infer", holdout, holdout.rows[0])
    start = time.perf_counter()
    _send(url, gateway.context(), [message], 1, [])
    return time.perf_counter() - start


def wait_answer(url: str, holdout: Holdout, seconds: float) -> float:
    """Return the time (`time.monotonic`) of a model's first prediction, asking every 50 ms.

    Whoever answers is not verified: the authority is known only when the stack is up.
    """
    unverified = ssl.create_default_context()
    unverified.check_hostname = False
    unverified.verify_mode = ssl.CERT_NONE
    parts = urlsplit(url)
    message = _message(parts.netloc, f"{parts.path}/infer", holdout, holdout.rows[0])
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            with _connect(url, unverified, 5) as connection:
                connection.sendall(message)
                if _receive(connection).startswith(b"HTTP/1.1 200"):
                    return time.monotonic()
        except OSError:
            # Nothing listens yet, or what listens has nothing behind it.
            pass
        time.sleep(0.05)
    raise RuntimeError(f"no prediction from {url} in {seconds:g} s")


def _connect(url: str, context: ssl.SSLContext | None, timeout: float) -> socket.socket:
    parts = urlsplit(url)
    host, encrypted = str(parts.hostname), parts.scheme == "https"
    plain = socket.create_connection((host, parts.port or (443 if encrypted else 80)), timeout)
    if not encrypted:
        return plain
    return (context or ssl.create_default_context()).wrap_socket(plain, server_hostname=host)


def _send(
    url: str,
    context: ssl.SSLContext | None,
    messages: Sequence[bytes],
    count: int,
    latencies: list[float],
) -> None:
    with _connect(url, context, _TIMEOUT_SECONDS) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for number in range(count):
            start = time.perf_counter()
            connection.sendall(messages[number % len(messages)])
            answer = _receive(connection)
            if not answer.startswith(b"HTTP/1.1 200"):
                raise RuntimeError(answer[:200].decode("utf-8", "replace"))
            latencies.append(time.perf_counter() - start)


def _receive(connection: socket.socket) -> bytes:
    """Return one answer: the server names its length."""
    data = b""
    while True:
        chunk = connection.recv(_BUFFER)
        if not chunk:
            raise ConnectionError("the connection was closed in the middle of an answer")
        data += chunk
        head, found, body = data.partition(_END_OF_HEAD)
        if found:
            lines = head.lower().split(b"\r\n")
            length = next(line for line in lines if line.startswith(_LENGTH))
            if len(body) >= int(length.removeprefix(_LENGTH)):
                return data


def _message(host: str, path: str, holdout: Holdout, row: list[Any]) -> bytes:
    body = infer_request(holdout, row)
    # All outputs, as a client asks that knows nothing of the model.
    request = {"inputs": json.loads(body)["inputs"]}
    body = json.dumps(request, separators=(",", ":")).encode()
    head = (
        f"POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def cpu_seconds(pid: int) -> float:
    """Return the CPU time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    # utime and stime, the 14th and 15th fields of the file; two went with the name.
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
