"""A server whose model works on a request until a file appears.

`blocking_server.py FOLDER DRAIN_SECONDS GRACE_SECONDS [PORT]`. Every call first leaves a file
`started-<n>` in the folder, and ends when `release` is there. With a port, so does loading:
`loading`, `loadable`.
"""

import itertools
import logging
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from slipway_server import server
from slipway_server.tensors import Array, TensorSpec


class BlockingModel:
    """Takes one number and gives it back."""

    platform = "test"
    inputs = (TensorSpec("X", "INT64", (1,)),)
    outputs = (TensorSpec("Y", "INT64", (1,)),)

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._calls = itertools.count(1)

    def predict(self, inputs: Mapping[str, Array], outputs: Sequence[str]) -> Sequence[Array]:
        """Wait for the file `release`; a negative number is a defect of the model."""
        del outputs
        if inputs["X"][0] < 0:
            raise ArithmeticError("a defect of the model")
        wait_for(self._folder / "release", told=self._folder / f"started-{next(self._calls)}")
        return [np.asarray(inputs["X"])]


def wait_for(path: Path, told: Path) -> None:
    """Leave a file, and wait for another."""
    told.touch()
    while not path.exists():
        time.sleep(0.01)


def load(folder: Path, *, waits: bool) -> BlockingModel:
    """Return the model, at once or when it may be loaded."""
    if waits:
        wait_for(folder / "loadable", told=folder / "loading")
    return BlockingModel(folder)


if __name__ == "__main__":
    place, drain_seconds, grace_seconds, *ports = sys.argv[1:]
    logging.basicConfig(stream=sys.stderr)
    logging.getLogger("slipway_server").setLevel(logging.INFO)
    options = server.Options(
        name="digits",
        version="1",
        host="127.0.0.1",
        port=int(ports[0]) if ports else 0,
        grpc_port=0,
        threads=1,
        queue=1,
        max_body=1000,
        drain_seconds=float(drain_seconds),
        grace_seconds=int(grace_seconds),
        access_log=False,
    )
    sys.exit(server.run(options, lambda: load(Path(place), waits=bool(ports))))
