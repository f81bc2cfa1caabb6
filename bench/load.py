"""A load of inference requests over plain sockets, so that the client costs as little as it can.

Run by itself it reads a `Task` as JSON from its standard input and writes what it measured, for a
load from inside the network of a pod.
"""

import json
import os
import socket
import ssl
import statistics
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from apps.serving.client import Gateway, infer_request
from apps.serving.holdout import Holdout

Ask = Callable[[int], None]
"""Sends the request of a number and takes its answer."""

Connect = Callable[[], AbstractContextManager[Ask]]
"""Opens one client's connection."""

_TIMEOUT_SECONDS = 30
_BUFFER = 65536
_END_OF_HEAD = b"\r\n\r\n"
_LENGTH = b"content-length:"


@dataclass(frozen=True)
class Bounds:
    """Where a load ends: whichever comes first.

    Attributes:
        requests: Requests in all.
        seconds: Seconds.
    """

    requests: int
    seconds: float


@dataclass(frozen=True)
class Task:
    """A load that another process puts on a model.

    Attributes:
        url: URL of the model.
        holdout: File of the rows that are sent.
        clients: Connections that send at once.
        requests: Requests in all.
        seconds: Longest time in seconds.
        ca: Certificate of the authority of an `https` URL.
    """

    url: str
    holdout: str
    clients: int
    requests: int
    seconds: float
    ca: str | None = None


def measure(
    url: str,
    holdout: Holdout,
    *,
    clients: int,
    bounds: Bounds,
    pid: int | None = None,
    gateway: Gateway | None = None,
) -> dict[str, float]:
    """Send requests from several clients at once, each over one connection.

    Args:
        url: URL of the model.
        holdout: The rows that are sent, over and over.
        clients: Connections that send at once.
        bounds: Where the load ends.
        pid: The server's process, when its CPU time is to be measured.
        gateway: How the gateway of an `https` URL is known.

    Returns:
        `requests_per_second`, `p50_ms`, `p99_ms`, `client_cpu_ms`, the CPU time that the clients
        themselves took a request, and with `pid` `cpu_ms`, that of the server.
    """
    parts = urlsplit(url)
    messages = [_message(parts.netloc, f"{parts.path}/infer", holdout, row) for row in holdout.rows]
    context = gateway.context() if gateway else None
    return drive(lambda: _connected(url, context, messages), clients, bounds, pid)


def drive(connect: Connect, clients: int, bounds: Bounds, pid: int | None) -> dict[str, float]:
    """Let several clients ask at once, and return what `measure` does.

    Time and CPU count from the moment at which all are connected and have had one answer.

    Args:
        connect: Opens a client's connection.
        clients: How many ask at once.
        bounds: Where the load ends.
        pid: The server's process, when its CPU time is to be measured.
    """
    began: list[float] = []

    def begin() -> None:
        cpu = 0.0 if pid is None else cpu_seconds(pid)
        began[:] = time.perf_counter(), time.process_time(), cpu

    # The last one to be ready takes the time, before any goes on.
    ready = threading.Barrier(clients, begin)
    share = max(2, bounds.requests // clients)
    with ThreadPoolExecutor(clients) as pool:
        one = partial(_client, connect, ready, share, bounds.seconds)
        loads = [pool.submit(one) for _ in range(clients)]
        results = [load.exception() for load in loads]
    for error in sorted(filter(None, results), key=_is_consequence):
        raise error
    start, own, cpu = began
    elapsed, own = time.perf_counter() - start, time.process_time() - own
    latencies = [latency for load in loads for latency in load.result()]
    cuts = statistics.quantiles(latencies, n=100, method="inclusive")
    result = {
        "requests_per_second": len(latencies) / elapsed,
        "p50_ms": cuts[49] * 1000,
        "p99_ms": cuts[98] * 1000,
        "client_cpu_ms": own / len(latencies) * 1000,
    }
    if pid is not None:
        result["cpu_ms"] = (cpu_seconds(pid) - cpu) / len(latencies) * 1000
    return result


def _client(connect: Connect, ready: threading.Barrier, share: int, seconds: float) -> list[float]:
    """Return the seconds that each request of one client took."""
    latencies: list[float] = []
    try:
        with connect() as ask:
            # The connection is not part of the first request.
            ask(0)
            ready.wait()
            now = time.perf_counter()
            end = now + seconds
            while len(latencies) < share and (now < end or len(latencies) < 2):
                ask(len(latencies))
                before, now = now, time.perf_counter()
                latencies.append(now - before)
    except BaseException:
        # The others would wait for this one without end.
        ready.abort()
        raise
    return latencies


def _is_consequence(error: BaseException) -> bool:
    return isinstance(error, threading.BrokenBarrierError)


def ask_once(url: str, holdout: Holdout, gateway: Gateway) -> float:
    """Return the seconds that one request takes, the connection that it opens included.

    Args:
        url: URL of the model.
        holdout: Its first row is sent.
        gateway: How the gateway of the URL is known.
    """
    parts = urlsplit(url)
    message = _message(parts.netloc, f"{parts.path}/infer", holdout, holdout.rows[0])
    start = time.perf_counter()
    with _connected(url, gateway.context(), [message]) as ask:
        ask(0)
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
            with _opened(url, unverified, 5) as connection:
                connection.sendall(message)
                if _receive(connection).startswith(b"HTTP/1.1 200"):
                    return time.monotonic()
        except OSError:
            # Nothing listens yet, or what listens has nothing behind it.
            pass
        time.sleep(0.05)
    raise RuntimeError(f"no prediction from {url} in {seconds:g} s")


def _opened(url: str, context: ssl.SSLContext | None, timeout: float) -> socket.socket:
    parts = urlsplit(url)
    host, encrypted = str(parts.hostname), parts.scheme == "https"
    plain = socket.create_connection((host, parts.port or (443 if encrypted else 80)), timeout)
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if not encrypted:
        return plain
    return (context or ssl.create_default_context()).wrap_socket(plain, server_hostname=host)


@contextmanager
def _connected(
    url: str, context: ssl.SSLContext | None, messages: Sequence[bytes]
) -> Iterator[Ask]:
    with _opened(url, context, _TIMEOUT_SECONDS) as connection:

        def ask(number: int) -> None:
            connection.sendall(messages[number % len(messages)])
            answer = _receive(connection)
            if not answer.startswith(b"HTTP/1.1 200"):
                raise RuntimeError(f"{url} answered {answer[:200].decode('utf-8', 'replace')}")

        yield ask


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


def main() -> None:
    """Put the load of a `Task` on a model."""
    task = Task(**json.load(sys.stdin))
    parts = urlsplit(task.url)
    gateway = Gateway(f"{parts.scheme}://{parts.netloc}", task.ca) if task.ca else None
    found = measure(
        task.url,
        Holdout.read(Path(task.holdout)),
        clients=task.clients,
        bounds=Bounds(task.requests, task.seconds),
        gateway=gateway,
    )
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
