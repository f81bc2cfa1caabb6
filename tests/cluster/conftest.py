"""One running stack for all tests of real pods."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.checkout import Checkout
from tests.ports import free_port
from tests.running import Run
from toolchain import local_cluster

CLUSTER = "slipway-test"


@pytest.fixture(scope="session")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkout]:
    """A checkout of the project; whatever its stack made is gone at the end."""
    if os.geteuid() != 0:
        pytest.skip("a node needs root")
    # What a test run that was killed has left.
    local_cluster.destroy(CLUSTER, print)
    folder: Path = tmp_path_factory.mktemp("checkout") / "slipway"
    yield Checkout(folder, CLUSTER, free_port())
    local_cluster.destroy(CLUSTER, print)


@pytest.fixture(scope="session")
def served(checkout: Checkout) -> Run:
    """What the first `make up` of the checkout printed."""
    return checkout.slipway("up")
