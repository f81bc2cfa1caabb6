"""What a distribution has to say; everything else about a node is the same for all of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any, Protocol

from toolchain.local_cluster import network
from toolchain.local_cluster.sandbox import Kept
from toolchain.local_cluster.services import Service
from toolchain.local_cluster.spec import Brings
from toolchain.local_cluster.state import Layout, Record
from toolchain.progress import Report

_CAP_SYS_RESOURCE = 24


@dataclass(frozen=True)
class Machine:
    """What a distribution needs to know of the machine.

    Attributes:
        may_protect_from_oom: Whether processes may be given an `oom_score_adj` below their
            parent's, which takes CAP_SYS_RESOURCE. Where they may not, a container runtime that
            tries cannot start any pod.
        snapshotter: How containerd makes root file systems.
        resolvers: What answers DNS questions about the world.
    """

    may_protect_from_oom: bool
    snapshotter: str
    resolvers: tuple[IPv4Address, ...]


@dataclass(frozen=True)
class Blueprint:
    """What makes a node one of a distribution.

    Attributes:
        files: Configuration by absolute path, without secrets.
        scripts: Programs of the node's own, by absolute path.
        services: Supervised components.
        kept: Folders of the cluster that the node sees at fixed places.
        programs: Folders for the components' PATH.
    """

    files: Mapping[Path, str]
    services: Sequence[Service]
    kept: Sequence[Kept]
    programs: Sequence[Path]
    scripts: Mapping[Path, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Addon:
    """An object that the cluster brings itself.

    Attributes:
        path: Its path in the Kubernetes API.
        manifest: The object.
    """

    path: str
    manifest: Mapping[str, Any]


class DistributionSteps(Protocol):
    """The steps in which distributions differ."""

    @property
    def version(self) -> str:
        """Kubernetes version, with its leading `v`."""
        ...

    @property
    def programs(self) -> tuple[str, ...]:
        """Programs it needs, as `toolchain.programs` names them."""
        ...

    @property
    def brings(self) -> Brings:
        """What it has beyond Kubernetes itself."""
        ...

    @property
    def containerd_socket(self) -> Path:
        """Socket of containerd inside the node."""
        ...

    @property
    def images(self) -> tuple[str, ...]:
        """Recipes of the images that the node itself needs."""
        ...

    def obstacle(self) -> str | None:
        """Return why this machine cannot run it although it can be had, or `None`."""
        ...

    def ctr(self) -> list[str]:
        """Return the command of containerd's client."""
        ...

    def prepare(self, record: Record, where: Layout, report: Report) -> None:
        """Make keys and certificates, before the node starts."""
        ...

    def blueprint(self, record: Record, where: Layout, machine: Machine) -> Blueprint:
        """Return the node's configuration; depends on nothing but the arguments and pins."""
        ...

    def kubeconfig(self, record: Record, where: Layout) -> str | None:
        """Return the admin's kubeconfig, or `None` while there is none."""
        ...

    def addons(self, machine: Machine, record: Record) -> list[Addon]:
        """Return the objects that are applied once the API server answers."""
        ...


def look_at_machine(folder: Path) -> Machine:
    """Return what this machine allows.

    Args:
        folder: Where the cluster's data is, or will be.
    """
    return Machine(
        may_protect_from_oom=may_protect_from_oom(),
        snapshotter=snapshotter_for(file_system(folder, Path("/proc/self/mountinfo").read_text())),
        resolvers=tuple(network.resolvers()),
    )


def may_protect_from_oom() -> bool:
    """Tell whether this process may lower an `oom_score_adj`; see `Machine`."""
    return has_capability(Path("/proc/self/status").read_text(), _CAP_SYS_RESOURCE)


def has_capability(status: str, capability: int) -> bool:
    """Tell from a `/proc/<pid>/status` whether a process has a capability in effect."""
    line = next(line for line in status.splitlines() if line.startswith("CapEff:"))
    return bool(int(line.split()[1], 16) >> capability & 1)


def file_system(folder: Path, mountinfo: str) -> str:
    """Return the type of the file system that holds a folder.

    Args:
        folder: An absolute path, which need not exist.
        mountinfo: Text of a `/proc/<pid>/mountinfo`.
    """
    best, kind = Path("/"), ""
    for line in mountinfo.splitlines():
        before, _, after = line.partition(" - ")
        point = Path(before.split()[4])
        # Later lines cover earlier ones at the same point.
        if folder.is_relative_to(point) and len(point.parts) >= len(best.parts):
            best, kind = point, after.split()[0]
    return kind


def snapshotter_for(kind: str) -> str:
    """Return containerd's snapshotter for a file system type.

    The kernel refuses an overlay whose upper folder is on an overlay itself, as in a container;
    `native` copies instead, which is slow and large but works everywhere.
    """
    return "native" if kind in ("overlay", "fuse.fuse-overlayfs") else "overlayfs"
