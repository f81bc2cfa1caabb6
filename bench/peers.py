"""Our server against MLServer and the KServe SDK: the same models and rows, one worker each.

A peer is installed into a virtual environment of its own in the cache: their dependencies clash
with ours and with each other's.
"""

import hashlib
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from apps.serving.holdout import Holdout
from bench import grpc_load, iris, load
from bench.server import SERVER, rss_mib
from examples.digits import train
from toolchain import cache

CLIENTS: Final = (1, 8, 32)
_START_SECONDS: Final = 120
# The estimators come from files that these versions wrote.
_LIBRARIES: Final = ("joblib==1.6.0", "scikit-learn==1.9.1")

_PREDICTOR: Final = Path(__file__).with_name("kserve_predictor.py")
_OURS: Final = {"onnx": ("onnx", 1), "joblib": ("sklearn", 10)}
"""Format by suffix of the model's file, and by how much fewer requests are sent."""


@dataclass(frozen=True)
class Example:
    """A model in both formats, and the rows that are sent.

    Attributes:
        name: Name of the model.
        folder: Where `<name>.onnx`, `<name>.joblib` and `holdout.json` are.
        requests: How many requests a run of a server of ours sends; of a peer's, a tenth.
    """

    name: str
    folder: Path
    requests: int

    @property
    def holdout(self) -> Holdout:
        """The rows."""
        return Holdout.read(self.folder / "holdout.json")


@dataclass(frozen=True)
class Peer:
    """A server of somebody else.

    Attributes:
        name: As it is called.
        requirements: What is installed.
        command: From its Python, a folder of its own, the model and its ports to its command.
    """

    name: str
    requirements: tuple[str, ...]
    command: Callable[[Path, Path, Example, tuple[int, int]], list[str]]


def _mlserver(python: Path, folder: Path, example: Example, ports: tuple[int, int]) -> list[str]:
    settings = {
        "host": "127.0.0.1",
        "http_port": ports[0],
        "grpc_port": ports[1],
        "metrics_endpoint": None,
        # Inference in the process itself: its workers crash with a uvloop of this year.
        "parallel_workers": 0,
        "debug": False,
    }
    model = {
        "name": example.name,
        "implementation": "mlserver_sklearn.SKLearnModel",
        "parameters": {"uri": str(example.folder / f"{example.name}.joblib"), "version": "1"},
    }
    (folder / "settings.json").write_text(json.dumps(settings))
    (folder / "model-settings.json").write_text(json.dumps(model))
    return [str(python.with_name("mlserver")), "start", str(folder)]


def _kserve(python: Path, folder: Path, example: Example, ports: tuple[int, int]) -> list[str]:
    del folder
    model = str(example.folder / f"{example.name}.joblib")
    options = ["--http_port", str(ports[0]), "--grpc_port", str(ports[1]), "--workers", "1"]
    return [str(python), str(_PREDICTOR), "--model", model, "--name", example.name, *options]


PEERS: Final = (
    Peer(
        "MLServer 1.7.1",
        ("mlserver==1.7.1", "mlserver-sklearn==1.7.1", *_LIBRARIES),
        _mlserver,
    ),
    Peer("KServe SDK 0.21.0", ("kserve==0.21.0", *_LIBRARIES), _kserve),
)


def measure(report: Callable[[str], None]) -> list[dict[str, Any]]:
    """Measure each server with each example.

    Args:
        report: Takes a line for a person before each server.

    Returns:
        By server and example: `server`, `model`, `ready_s` from the start of its process to its
        first prediction, `rss_mib` after the load, and `rest` and `grpc` by number of clients.
    """
    train.main()
    with tempfile.TemporaryDirectory(prefix="slipway-bench-") as temporary:
        folder = Path(temporary)
        iris.train(folder)
        examples = (Example("digits", train.BUILD, 4000), Example("iris", folder, 8000))
        results = []
        for example in examples:
            for suffix, (model_format, fewer) in _OURS.items():
                report(f"slipway ({model_format}), {example.name}")
                ports = _free_ports()
                command = _ours(example, suffix, model_format, ports)
                results.append(
                    _measure(f"slipway ({model_format})", example, command, folder, ports, fewer)
                )
            for peer in PEERS:
                report(f"{peer.name}, {example.name}")
                ports = _free_ports()
                command = peer.command(_installed(peer), folder, example, ports)
                results.append(_measure(peer.name, example, command, folder, ports, 10))
        return results


def _ours(example: Example, suffix: str, model_format: str, ports: tuple[int, int]) -> list[str]:
    return [
        *(sys.executable, "-m", "slipway_server", "--host", "127.0.0.1", "--drain-seconds", "0"),
        *("--port", str(ports[0]), "--grpc-port", str(ports[1]), "--format", model_format),
        *("--model-name", example.name),
        *("--model-path", str(example.folder / f"{example.name}.{suffix}")),
    ]


def _measure(
    name: str,
    example: Example,
    command: Sequence[str],
    folder: Path,
    ports: tuple[int, int],
    fewer: int,
) -> dict[str, Any]:
    holdout = example.holdout
    url = f"http://127.0.0.1:{ports[0]}/v2/models/{example.name}"
    count = example.requests // fewer
    started = time.monotonic()
    with _running(command, folder) as process:
        ready = load.wait_answer(url, holdout, _START_SECONDS) - started
        pid = process.pid
        load.measure(url, holdout, clients=1, requests=count // 10)
        rest = [
            load.measure(url, holdout, clients=clients, requests=count, pid=pid)
            for clients in CLIENTS
        ]
        grpc = [
            grpc_load.measure(
                f"127.0.0.1:{ports[1]}",
                example.name,
                holdout,
                clients=clients,
                requests=count,
                pid=pid,
            )
            for clients in CLIENTS
        ]
        return {
            "server": name,
            "model": example.name,
            "ready_s": ready,
            "rss_mib": rss_mib(pid),
            "rest": rest,
            "grpc": grpc,
        }


@contextmanager
def _running(command: Sequence[str], folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    log = folder / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=folder,
            stdout=output,
            stderr=output,
            env=os.environ | {"PYTHONPATH": str(SERVER)},
        )
        try:
            yield process
        except RuntimeError as error:
            lines = log.read_text("utf-8", "replace").splitlines()[-5:]
            raise RuntimeError(f"{error}; its log ends: {' | '.join(lines)}") from error
        finally:
            process.terminate()
            process.wait()


def _installed(peer: Peer) -> Path:
    """Return the Python of a peer's environment, which is made where it is missing."""
    digest = hashlib.sha256("\n".join(peer.requirements).encode()).hexdigest()[:12]
    folder = cache.root() / "bench" / digest
    python = folder / "bin" / "python"
    complete = folder / "complete"
    if not complete.exists():
        venv.create(folder, clear=True, with_pip=True)
        pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, *peer.requirements], check=True)
        complete.touch()
    return python


def _free_ports() -> tuple[int, int]:
    with socket.socket() as one, socket.socket() as other:
        for each in (one, other):
            each.bind(("127.0.0.1", 0))
        return one.getsockname()[1], other.getsockname()[1]
