"""Command line of the server."""

import argparse
import logging
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from slipway_server import cores, models, server

MIB = 2**20

MAX_BODY_MIB = 8
"""Largest request by default. Measured: reading JSON numbers takes up to 17 times their text, so
two such requests at once stay within the 512 MiB that a model's pod has by default."""


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Read the command line; a mistake ends the process with one line and exit code 2."""
    parser = argparse.ArgumentParser(
        prog="slipway_server", description="Serve one model over the Open Inference Protocol v2."
    )
    parser.add_argument("--model-name", required=True)
    parser.add_argument("--model-version", default="1")
    parser.add_argument("--model-path", required=True, type=Path)
    parser.add_argument(
        "--format",
        required=True,
        choices=sorted(models.FORMATS),
        help="sklearn runs code from the model file (a pickle): only for files you trust",
    )
    parser.add_argument("--host", default="0.0.0.0")
    parser.add_argument("--port", type=int, default=8080)
    parser.add_argument("--grpc-port", type=int, default=8081)
    parser.add_argument(
        "--threads",
        type=_positive,
        default=cores.available(),
        help="requests that are worked on at once (default: the cores this container may use)",
    )
    parser.add_argument(
        "--queue",
        type=_count,
        default=64,
        help="requests that may wait; more are refused with status 503 (default: 64)",
    )
    parser.add_argument(
        "--max-body-mib",
        type=_positive,
        default=MAX_BODY_MIB,
        help="largest request in MiB (default: %(default)s)",
    )
    parser.add_argument(
        "--drain-seconds",
        type=float,
        default=3.0,
        help="how long to serve on after SIGTERM while already unready (default: 3)",
    )
    parser.add_argument(
        "--grace-seconds",
        type=_positive,
        default=20,
        help="longest wait for requests in flight after that (default: 20, which with the drain "
        "stays under the 30 that Kubernetes gives a pod by default)",
    )
    parser.add_argument(
        "--timeout-seconds",
        type=_positive,
        help="when a request without an answer gets status 504 (default: never)",
    )
    parser.add_argument("--access-log", action="store_true", help="one line a request")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str]) -> int:
    """Run the server and return its exit code."""
    values = parse(arguments)
    logging.basicConfig(
        stream=sys.stderr, level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s"
    )
    logging.getLogger("slipway_server").setLevel(logging.INFO)
    if values.access_log:
        logging.getLogger("uvicorn.access").setLevel(logging.INFO)
    options = server.Options(
        name=values.model_name,
        version=values.model_version,
        host=values.host,
        port=values.port,
        grpc_port=values.grpc_port,
        threads=values.threads,
        queue=values.queue,
        max_body=values.max_body_mib * MIB,
        drain_seconds=values.drain_seconds,
        grace_seconds=values.grace_seconds,
        access_log=values.access_log,
        timeout=values.timeout_seconds,
    )
    return server.run(options, partial(models.load, values.model_path, values.format))


def _count(text: str) -> int:
    value = int(text)
    if value < 0:
        raise argparse.ArgumentTypeError(f"{text} is negative")
    return value


def _positive(text: str) -> int:
    value = _count(text)
    if value == 0:
        raise argparse.ArgumentTypeError("must be at least 1")
    return value


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
