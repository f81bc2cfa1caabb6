"""One running stack for all tests of real pods."""

import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import yaml

from tests.cluster.checkout import Checkout
from tests.cluster.enforcement import enforced
from tests.ports import free_ports
from tests.running import Run
from toolchain import local_cluster
from toolchain.kubernetes_plugin.cluster import Cluster
from toolchain.local_cluster import Brings

CLUSTER = "slipway-test"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let the tests that destroy the shared stack at their end come last."""
    items.sort(key=lambda item: item.path.name == "test_stack_lifecycle.py")


@pytest.fixture(scope="session")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkout]:
    """A checkout of the project; whatever its stack made is gone at the end."""
    if os.geteuid() != 0:
        pytest.skip("a node needs root")
    # What a test run that was killed has left.
    local_cluster.destroy(CLUSTER, print)
    folder: Path = tmp_path_factory.mktemp("checkout") / "slipway"
    yield Checkout(folder, CLUSTER, *free_ports())
    local_cluster.destroy(CLUSTER, print)


@pytest.fixture(scope="session")
def served(checkout: Checkout) -> Run:
    """What the first `make up` of the checkout printed."""
    return checkout.slipway("up")


@pytest.fixture(scope="module")
def cluster(checkout: Checkout, served: Run) -> Cluster:
    """A client of the shared cluster."""
    state = local_cluster.read(checkout.cluster)
    assert state is not None
    return Cluster(yaml.safe_load(state.kubeconfig))


@pytest.fixture(scope="module")
def enforcement(
    checkout: Checkout,
    served: Run,
    brings: Brings,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[None]:
    """Policies are enforced: by the cluster itself, or by the tests' peer."""
    with ExitStack() as stack:
        if not brings.network_policies:
            log = tmp_path_factory.mktemp("enforcement") / "kube-router.log"
            stack.enter_context(enforced(checkout.cluster, log))
        yield


@pytest.fixture(scope="module")
def brings(checkout: Checkout, served: Run) -> Brings:
    """What the cluster's distribution has beyond Kubernetes itself."""
    state = local_cluster.read(checkout.cluster)
    assert state is not None
    return local_cluster.brings(state.distribution)
