"""What the tests of the local cluster share."""

from ipaddress import IPv4Address
from pathlib import Path

import pytest

from toolchain import programs
from toolchain.local_cluster import network, state
from toolchain.local_cluster.distribution import Machine
from toolchain.local_cluster.spec import PortForward
from toolchain.local_cluster.state import Layout, Record


@pytest.fixture
def record() -> Record:
    """A cluster that was never made."""
    return Record(
        name="local",
        owner="project/stack",
        distribution="upstream",
        version="v1.2.3",
        identity="0000",
        network=network.plan([], []),
        ports=(PortForward(8080, 30080),),
    )


@pytest.fixture
def where() -> Layout:
    """Where that cluster would be."""
    return state.layout("local")


@pytest.fixture
def machine() -> Machine:
    """A machine that allows everything."""
    return Machine(
        may_protect_from_oom=True,
        snapshotter="overlayfs",
        resolvers=(IPv4Address("192.0.2.53"), IPv4Address("192.0.2.54")),
    )


@pytest.fixture
def no_programs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every program be in a folder of its own, without obtaining it."""
    monkeypatch.setattr(programs, "path", lambda name: Path("/programs") / name / name)


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in place of the machine's state and locks."""
    monkeypatch.setattr(state, "ROOT", tmp_path / "slipway")
    monkeypatch.setattr(state, "LOCKS", tmp_path / "locks")
    return tmp_path / "slipway"
