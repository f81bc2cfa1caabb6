"""Models and servers that the tests of the model server share."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from examples.digits import train
from tests.unit.server.process import ServerProcess


@pytest.fixture(scope="session")
def digits() -> Path:
    """The folder of the trained example."""
    assert train.main() == 0
    return train.BUILD


@pytest.fixture(scope="session")
def digits_server(digits: Path) -> Iterator[ServerProcess]:
    """A running server with the example in ONNX."""
    with ServerProcess.of_model(digits / "digits.onnx", "onnx") as server:
        server.wait_ready()
        yield server
