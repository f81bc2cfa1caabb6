"""A machine with local clusters that exist in memory only."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from toolchain import local_cluster
from toolchain.local_cluster import (
    Choice,
    ClusterSpec,
    ClusterState,
    LocalClusterError,
    PortForward,
    Status,
)
from toolchain.machine_plugin.resource import Call
from toolchain.progress import Report

URN = "urn:pulumi:dev::project::slipway:machine:LocalCluster::cluster"
IDENTITY = "identity-1"


@dataclass
class Machine:
    """What stands in for `toolchain.local_cluster`, and what a test sees of it."""

    folder: Path
    clusters: dict[str, ClusterState] = field(default_factory=dict)
    running: set[str] = field(default_factory=set)
    images: set[tuple[str, str]] = field(default_factory=set)
    problems: list[str] = field(default_factory=list)
    obtainable: tuple[str, ...] = ("upstream",)
    told: list[str] = field(default_factory=list)

    def add(self, name: str = "c", *, owner: str = "", running: bool = True) -> ClusterState:
        """Add a cluster as `create` would have left it."""
        made = ClusterState(
            name=name,
            distribution="upstream",
            version="v1.37.2",
            identity=IDENTITY,
            kubeconfig="secret kubeconfig",
            ports=(PortForward(8080, 30080),),
            node_ip="10.231.0.2",
            address_pool="10.231.0.4-10.231.0.14",
            folder=self.folder / name,
            owner=owner or f"cluster of stack dev in {Path.cwd()}",
        )
        self.clusters[name] = made
        if running:
            self.running.add(name)
        return made

    def call(self) -> Call:
        """Return a request of the engine."""
        return Call(URN, report=lambda line: None, tell=self.told.append)

    def choose_distribution(self, ordered: Sequence[str]) -> Choice:
        for index, name in enumerate(ordered):
            if name in self.obtainable:
                skipped = tuple((other, "not served here") for other in ordered[:index])
                return Choice("k3s" if name == "k3s" else "upstream", "v1.37.2", skipped)
        raise LocalClusterError("nothing on the list can be had")

    def preflight(self, spec: ClusterSpec) -> list[str]:
        existing = self.clusters.get(spec.name)
        taken = existing is not None and existing.owner != spec.owner
        return [*self.problems, *([f"{spec.name} is taken"] if taken else [])]

    def read(self, name: str) -> ClusterState | None:
        return self.clusters.get(name)

    def status(self, name: str) -> Status:
        if name not in self.clusters:
            return Status("absent")
        return Status("running") if name in self.running else Status("stopped", ("no node",))

    def create(self, spec: ClusterSpec, report: Report) -> ClusterState:
        known = self.clusters.get(spec.name) or self.add(spec.name, owner=spec.owner)
        self.clusters[spec.name] = replace(known, ports=spec.ports)
        self.running.add(spec.name)
        return self.clusters[spec.name]

    def destroy(self, name: str, report: Report) -> None:
        self.clusters.pop(name, None)

    def has_image(self, name: str, ref: str) -> bool:
        return (name, ref) in self.images


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Machine:
    """A machine without clusters, in place of this one."""
    made = Machine(tmp_path)
    for name in (
        "choose_distribution",
        "create",
        "destroy",
        "has_image",
        "preflight",
        "read",
        "status",
    ):
        monkeypatch.setattr(local_cluster, name, getattr(made, name))
    return made
