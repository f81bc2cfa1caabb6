"""Our server against MLServer and the KServe SDK: the same models and rows, one worker each.

A peer is installed into a virtual environment of its own in the cache: their dependencies clash
with ours and with each other's.
"""

import hashlib
import json
import subprocess
import venv
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from apps.serving.holdout import Holdout
from bench import models, process
from bench.figures import Round
from bench.process import Ports
from bench.section import Context
from examples.digits import train
from toolchain import cache

MLSERVER: Final = "MLServer 1.7.1"
KSERVE: Final = "KServe SDK 0.21.0"
OURS: Final = "slipway (onnx)"

# The estimators come from files that these versions wrote.
_LIBRARIES: Final = ("joblib==1.6.0", "scikit-learn==1.9.1")

_PREDICTOR: Final = Path(__file__).with_name("kserve_predictor.py")
_FORMATS: Final = {OURS: ("onnx", "onnx"), "slipway (sklearn)": ("joblib", "sklearn")}
"""Suffix of the model's file and its format, by our server."""


@dataclass(frozen=True)
class Example:
    """A model in both formats, and the rows that are sent.

    Attributes:
        name: Name of the model.
        folder: Where `<name>.onnx`, `<name>.joblib` and `holdout.json` are.
    """

    name: str
    folder: Path

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
        command: From its Python, an empty folder, the model and its ports to its command.
    """

    name: str
    requirements: tuple[str, ...]
    command: Callable[[Path, Path, Example, Ports], list[str]]


def _mlserver(python: Path, folder: Path, example: Example, ports: Ports) -> list[str]:
    settings = {
        "host": "127.0.0.1",
        "http_port": ports.rest,
        "grpc_port": ports.grpc,
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


def _kserve(python: Path, folder: Path, example: Example, ports: Ports) -> list[str]:
    del folder
    model = str(example.folder / f"{example.name}.joblib")
    options = ["--http_port", str(ports.rest), "--grpc_port", str(ports.grpc), "--workers", "1"]
    return [str(python), str(_PREDICTOR), "--model", model, "--name", example.name, *options]


PEERS: Final = (
    Peer(
        MLSERVER,
        ("mlserver==1.7.1", "mlserver-sklearn==1.7.1", *_LIBRARIES),
        _mlserver,
    ),
    Peer(KSERVE, ("kserve==0.21.0", *_LIBRARIES), _kserve),
)


def measure(context: Context) -> Round:
    """Return by model and by server what `process.measured` does."""
    train.main()
    iris = context.folder / "iris"
    iris.mkdir()
    models.train_iris(iris)
    examples = (Example("digits", train.BUILD), Example("iris", iris))
    return {example.name: _measured(example, context) for example in examples}


def _measured(example: Example, context: Context) -> Round:
    commands: dict[str, Callable[[Ports], list[str]]] = {}
    for name, (suffix, model_format) in _FORMATS.items():
        path = example.folder / f"{example.name}.{suffix}"
        commands[name] = partial(process.slipway, path, model_format, example.name)
    for number, peer in enumerate(PEERS):
        folder = context.folder / f"{example.name}-{number}"
        folder.mkdir()
        commands[peer.name] = partial(peer.command, _installed(peer), folder, example)
    found = {}
    for name, command in commands.items():
        context.report(f"{name}, {example.name}")
        found[name] = process.measured(command, example.name, example.holdout)
    return found


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
