"""Command line of the controller."""

import argparse
import logging
import signal
import sys
import threading
import time
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final

from slipway_promoter.clients import Kubernetes, Prometheus
from slipway_promoter.controller import Controller

_API_SERVER: Final = "https://kubernetes.default.svc"
_PAUSE_SECONDS: Final = 5.0
# Longer than a look takes that waits for something which does not answer.
_STALE_SECONDS: Final = 300.0


class Health:
    """When the last look worked."""

    def __init__(self) -> None:
        self._worked: float | None = None

    def note(self) -> None:
        """Note that a look worked."""
        self._worked = time.monotonic()

    @property
    def is_good(self) -> bool:
        """Whether one did lately."""
        return self._worked is not None and time.monotonic() - self._worked < _STALE_SECONDS


def serve(health: Health, port: int) -> ThreadingHTTPServer:
    """Answer the kubelet's probes from a thread of its own.

    Args:
        health: What is answered.
        port: Where.
    """

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if health.is_good else 503)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
            """Say nothing: probes come every few seconds."""

    server = ThreadingHTTPServer(("", port), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Read the command line; a mistake ends the process with one line and exit code 2."""
    parser = argparse.ArgumentParser(
        prog="slipway_promoter", description="Promote the canaries of models by steps."
    )
    parser.add_argument("--namespace", action="append", required=True, help="of a team")
    parser.add_argument("--prometheus", required=True, help="its URL")
    parser.add_argument("--sample-seconds", type=int, required=True, help="how often it samples")
    parser.add_argument("--health-port", type=int, required=True)
    return parser.parse_args(arguments)


def main(arguments: Sequence[str]) -> None:
    """Look at the routes until the process is ended."""
    values = parse(arguments)
    logging.basicConfig(
        stream=sys.stderr, level=logging.INFO, format="%(levelname)s %(name)s: %(message)s"
    )
    # Nothing ends the first process of a container that does not ask for it.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    controller = Controller(
        Kubernetes(_API_SERVER),
        Prometheus(values.prometheus),
        values.namespace,
        values.sample_seconds,
    )
    health = Health()
    serve(health, values.health_port)
    while True:
        if controller.look():
            health.note()
        time.sleep(_PAUSE_SECONDS)


if __name__ == "__main__":
    main(sys.argv[1:])
