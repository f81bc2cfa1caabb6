"""A control plane for all engine tests, and a stack for each of them."""

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.engine.control_plane import ControlPlane
from tests.engine.workspace import Workspace
from toolchain.kubernetes_plugin.cluster import Cluster


@pytest.fixture(scope="session")
def api_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """A real API server with etcd and controllers, and no nodes."""
    plane = ControlPlane(tmp_path_factory.mktemp("control-plane"))
    try:
        plane.start()
        yield plane
    finally:
        plane.stop()


@pytest.fixture(scope="session")
def cluster(api_server: ControlPlane) -> Cluster:
    """A client of the API server."""
    return Cluster(yaml.safe_load(api_server.kubeconfig))


@pytest.fixture
def namespace(cluster: Cluster) -> Iterator[str]:
    """A namespace of its own for a test."""
    name = f"test-{uuid.uuid4().hex[:8]}"
    manifest = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    cluster.create(manifest, field_manager="tests")
    yield name
    cluster.delete("v1", "Namespace", name, propagation="Background")


@pytest.fixture
def workspace(api_server: ControlPlane, tmp_path: Path) -> Workspace:
    """A stack of its own for a test, on the API server."""
    return Workspace(tmp_path, api_server.kubeconfig)
