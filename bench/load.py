"""A load of inference requests over plain sockets, so that the client costs as little as it can."""

import json
import os
import socket
import statistics
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from apps.serving.client import infer_request
from apps.serving.holdout import Holdout

_TIMEOUT_SECONDS = 30
_BUFFER = 65536
_END_OF_HEAD = b"\r\n\r\n"
_LENGTH = b"content-length:"


def measure(
    url: str, holdout: Holdout, *, clients: int, requests: int, pid: int | None = None
) -> dict[str, Any]:
    """Send requests from several clients at once, each over one connection.

    Args:
        url: URL of the model.
        holdout: The rows that are sent, over and over.
        clients: Connections that send at once.
        requests: Requests in all.
        pid: The server's process, when its CPU time is to be measured.

    Returns:
        `clients`, `requests_per_second`, `p50_ms`, `p99_ms`, and with `pid` `cpu_ms`, the server's
        CPU time a request.
    """
    parts = urlsplit(url)
    messages = [_message(parts.netloc, f"{parts.path}/infer", holdout, row) for row in holdout.rows]
    address = (str(parts.hostname), parts.port or 80)
    latencies: list[float] = []
    share = requests // clients
    threads = [
        threading.Thread(target=_send, args=(address, messages, share, latencies))
        for _ in range(clients)
    ]
    cpu = 0.0 if pid is None else _cpu_seconds(pid)
    start = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    elapsed = time.perf_counter() - start
    if len(latencies) != share * clients:
        raise RuntimeError(f"{share * clients - len(latencies)} requests to {url} failed")
    cuts = statistics.quantiles(latencies, n=100, method="inclusive")
    result = {
        "clients": clients,
        "requests_per_second": len(latencies) / elapsed,
        "p50_ms": cuts[49] * 1000,
        "p99_ms": cuts[98] * 1000,
    }
    if pid is not None:
        result["cpu_ms"] = (_cpu_seconds(pid) - cpu) / len(latencies) * 1000
    return result


def wait_answer(url: str, holdout: Holdout, seconds: float) -> float:
    """Return the time (`time.monotonic`) of a model's first prediction, asking every 50 ms."""
    parts = urlsplit(url)
    message = _message(parts.netloc, f"{parts.path}/infer", holdout, holdout.rows[0])
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            with socket.create_connection((str(parts.hostname), parts.port or 80), 5) as connection:
                connection.sendall(message)
                if _receive(connection).startswith(b"HTTP/1.1 200"):
                    return time.monotonic()
        except OSError:
            # Nothing listens yet, or what listens has nothing behind it.
            pass
        time.sleep(0.05)
    raise RuntimeError(f"no prediction from {url} in {seconds:g} s")


def _send(
    address: tuple[str, int], messages: Sequence[bytes], count: int, latencies: list[float]
) -> None:
    with socket.create_connection(address, _TIMEOUT_SECONDS) as connection:
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


def _cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    # utime and stime, the 14th and 15th fields of the file; two went with the name.
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
