"""A server as a process on loopback ports, and what it does under load."""

import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

from apps.serving.holdout import Holdout
from bench import grpc_load, load
from bench.figures import Round
from bench.load import Bounds

SERVER: Final = Path(__file__).parents[1] / "apps/serving/server"
CLIENTS: Final = (1, 8, 32)
BOUNDS: Final = Bounds(requests=20000, seconds=3)
_WARM_UP: Final = Bounds(requests=1000, seconds=0.5)
_START_SECONDS: Final = 120
_STOP_SECONDS: Final = 30


class Ports(NamedTuple):
    """Free ports of the loopback address."""

    rest: int
    grpc: int


def slipway(path: Path, model_format: str, name: str, ports: Ports) -> list[str]:
    """Return the command of our server.

    Args:
        path: The model's file.
        model_format: Its format.
        name: Name of the model.
        ports: Where it listens.
    """
    return [
        *(sys.executable, "-m", "slipway_server", "--host", "127.0.0.1", "--drain-seconds", "0"),
        *("--port", str(ports.rest), "--grpc-port", str(ports.grpc)),
        *("--model-name", name, "--model-path", str(path), "--format", model_format),
    ]


def measured(command: Callable[[Ports], Sequence[str]], name: str, holdout: Holdout) -> Round:
    """Start a server, put each load on it, and end it.

    Args:
        command: From its ports to its command.
        name: Name of its model.
        holdout: The rows that are sent.

    Returns:
        `ready_s` from the start of its process to its first prediction, `rss_mib` after the load,
        and by `rest` and `grpc` the load by number of clients.
    """
    ports = _free_ports()
    url = f"http://127.0.0.1:{ports.rest}/v2/models/{name}"
    address = f"127.0.0.1:{ports.grpc}"
    started = time.monotonic()
    with _running(command(ports)) as pid:
        ready = load.wait_answer(url, holdout, _START_SECONDS) - started

        def rest(clients: int, bounds: Bounds) -> Round:
            return load.measure(url, holdout, clients=clients, bounds=bounds, pid=pid)

        def grpc(clients: int, bounds: Bounds) -> Round:
            return grpc_load.measure(
                address, name, holdout, clients=clients, bounds=bounds, pid=pid
            )

        loads = {}
        for protocol, put in (("rest", rest), ("grpc", grpc)):
            put(1, _WARM_UP)
            loads[protocol] = {str(clients): put(clients, BOUNDS) for clients in CLIENTS}
        return {"ready_s": ready, "rss_mib": rss_mib(pid), **loads}


@contextmanager
def _running(command: Sequence[str]) -> Iterator[int]:
    """Run a server and yield its process's number; an error is told with the end of its log."""
    with tempfile.TemporaryFile() as log, tempfile.TemporaryDirectory() as folder:
        process = subprocess.Popen(
            command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=os.environ | {"PYTHONPATH": str(SERVER)},
        )
        try:
            yield process.pid
        except RuntimeError as error:
            log.seek(0)
            lines = log.read().decode("utf-8", "replace").splitlines()[-5:]
            raise RuntimeError(f"{error}; its log ends: {' | '.join(lines)}") from error
        finally:
            process.terminate()
            process.wait(_STOP_SECONDS)


def rss_mib(pid: int) -> float:
    """Return the resident memory of a process in MiB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    raise RuntimeError(f"process {pid} has ended")


def _free_ports() -> Ports:
    with socket.socket() as one, socket.socket() as other:
        for each in (one, other):
            each.bind(("127.0.0.1", 0))
        return Ports(one.getsockname()[1], other.getsockname()[1])
