"""Answers that a model streams pass the real gateway as they come."""

import http.client
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.cluster import outside
from tests.cluster.checkout import Checkout
from tests.running import Run
from tests.waiting import until

pytestmark = pytest.mark.cluster


@contextmanager
def _stream(address: str, go_on: threading.Event) -> Iterator[int]:
    """Answer one request by two server-sent events, the second when it is told to go on."""
    with socket.create_server((address, 0)) as listening:

        def serve() -> None:
            taken, _ = listening.accept()
            with taken:
                taken.recv(65536)
                taken.sendall(
                    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
                    b"Connection: close\r\n\r\ndata: first\n\n"
                )
                if go_on.wait(30):
                    taken.sendall(b"data: last\n\n")
                taken.shutdown(socket.SHUT_WR)
                # One that is closed with something unread is reset, and the answer cut off.
                taken.settimeout(30)
                while taken.recv(65536):
                    pass

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield listening.getsockname()[1]
        finally:
            go_on.set()
            thread.join()


def test_server_sent_events_arrive_as_they_are_sent(
    checkout: Checkout, served: Run, tmp_path: Path
) -> None:
    go_on = threading.Event()
    parts = urlsplit(checkout.endpoint)
    with (
        _stream(outside.address(checkout), go_on) as port,
        outside.model(checkout, "stream", port, tmp_path),
        ExitStack() as closing,
    ):
        answers: list[http.client.HTTPResponse] = []

        def answered() -> bool:
            asking = http.client.HTTPSConnection(
                str(parts.hostname), parts.port, timeout=10, context=checkout.gateway().context()
            )
            closing.callback(asking.close)
            asking.request("POST", "/stream", b"{}")
            answers.append(closing.enter_context(asking.getresponse()))
            return answers[-1].status == 200

        until(answered, "the route")
        assert answers[-1].readline() == b"data: first\n"
        go_on.set()
        assert answers[-1].read() == b"\ndata: last\n\n"
