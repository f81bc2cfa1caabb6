"""Starts llama.cpp's server, and ends it once the requests in flight are answered."""

import argparse
import re
import signal
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import xllamacpp

_POLL_SECONDS = 0.1
_STOP = {signal.SIGTERM, signal.SIGINT}
_IN_FLIGHT = re.compile(r"^llamacpp:requests_(?:processing|deferred) (\d+)", re.MULTILINE)


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Read the command line; a mistake ends the process with one line and exit code 2."""
    parser = argparse.ArgumentParser(
        prog="slipway_llm", description="Serve one GGUF model over the OpenAI API."
    )
    parser.add_argument("--model-name", required=True)
    parser.add_argument("--model-path", required=True, type=Path)
    parser.add_argument("--host", default="0.0.0.0")
    parser.add_argument("--port", type=_positive, default=8080)
    parser.add_argument("--threads", type=_positive, default=1, help="cores for computing")
    parser.add_argument(
        "--parallel",
        type=_positive,
        default=2,
        help="requests that are worked on at once, others wait (default: %(default)s)",
    )
    parser.add_argument(
        "--context",
        type=_positive,
        default=4096,
        help="tokens of one request and its answer, all kept in memory (default: %(default)s)",
    )
    parser.add_argument(
        "--grace-seconds",
        type=_positive,
        default=20,
        help="longest wait for answers in flight after SIGTERM (default: %(default)s)",
    )
    return parser.parse_args(arguments)


def parameters(values: argparse.Namespace) -> xllamacpp.CommonParams:
    """Return llama.cpp's parameters."""
    params = xllamacpp.CommonParams()
    params.model.path = str(values.model_path)
    params.model_alias = {values.model_name}
    params.hostnames = [values.host]
    params.port = values.port
    params.cpuparams.n_threads = values.threads
    params.n_parallel = values.parallel
    params.n_ctx = values.parallel * values.context
    params.endpoint_metrics = True
    # Whoever asks would see what others ask.
    params.endpoint_slots = False
    params.ui = False
    params.offline = True
    # Up to 8 GiB of former prompts by default, which no pod's memory is meant for.
    params.cache_ram_mib = 0
    return params


def main(arguments: Sequence[str]) -> int:
    """Serve until SIGTERM or SIGINT and return the exit code: 1 when the model cannot be had."""
    values = parse(arguments)
    if not values.model_path.is_file():
        _say(f"{values.model_path}: no such model file")
        return 1
    # Before llama.cpp starts its threads, which inherit it: the signals are this thread's alone.
    signal.pthread_sigmask(signal.SIG_BLOCK, _STOP)
    try:
        server = xllamacpp.Server(parameters(values))
    except RuntimeError as error:
        _say(f"{values.model_path}: cannot be served, the lines above say why: {error}")
        return 1
    signal.sigwait(_STOP)
    drain(server.handle_metrics, values.grace_seconds)
    return 0


def drain(metrics: Callable[[], str], patience: float) -> None:
    """Wait until no request is worked on or waits.

    Args:
        metrics: Returns the server's metrics as text.
        patience: Longest wait in seconds.
    """
    deadline = time.monotonic() + patience
    while any(map(int, _IN_FLIGHT.findall(metrics()))) and time.monotonic() < deadline:
        time.sleep(_POLL_SECONDS)


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return value


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
