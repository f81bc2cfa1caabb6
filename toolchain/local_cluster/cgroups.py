"""The cgroups of a cluster: what finds every process of it, and is removed with it.

Every process of a cluster is in `/slipway-<name>` of every hierarchy: the components in `node`,
each port forward in `forward-<host port>-<node port>`, pods where the kubelet puts them
(`cgroupRoot`). Membership is inherited and kept by the kernel, so it needs no file of process
numbers, which a crash could leave wrong. Version 1, version 2 and both at once are known.
"""

import errno
import os
import signal
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from toolchain.local_cluster.errors import LocalClusterError

NEEDED = frozenset({"cpu", "cpuset", "memory", "pids"})
"""Controllers that the kubelet refuses to run without."""

REMOVAL = 20.0
"""Seconds within which killed processes have to leave their cgroups."""


@dataclass(frozen=True)
class Hierarchy:
    """One mounted cgroup file system.

    Attributes:
        mount: Where it is mounted.
        controllers: What it controls; empty for one that only groups processes.
        unified: Whether it is version 2.
    """

    mount: Path
    controllers: frozenset[str]
    unified: bool


def parse_mounts(mountinfo: str) -> list[Hierarchy]:
    """Return the hierarchies in a `/proc/<pid>/mountinfo`, one per mount point.

    Controllers of version 2 are not in that file; `hierarchies` adds them.
    """
    known = {"blkio", "cpu", "cpuacct", "cpuset", "devices", "freezer", "hugetlb", "memory"}
    known |= {"misc", "net_cls", "net_prio", "perf_event", "pids", "rdma"}
    found: dict[Path, Hierarchy] = {}
    for line in mountinfo.splitlines():
        before, _, after = line.partition(" - ")
        mount = Path(before.split()[4])
        kind, _, options = after.split(maxsplit=2)
        if kind == "cgroup":
            found[mount] = Hierarchy(mount, frozenset(options.split(",")) & known, unified=False)
        elif kind == "cgroup2":
            found[mount] = Hierarchy(mount, frozenset(), unified=True)
    return list(found.values())


def hierarchies() -> list[Hierarchy]:
    """Return the hierarchies of this machine."""
    found = parse_mounts(Path("/proc/self/mountinfo").read_text())
    return [_with_controllers(hierarchy) for hierarchy in found]


def _with_controllers(hierarchy: Hierarchy) -> Hierarchy:
    if not hierarchy.unified:
        return hierarchy
    listed = (hierarchy.mount / "cgroup.controllers").read_text().split()
    return Hierarchy(hierarchy.mount, frozenset(listed), unified=True)


def missing(found: Iterable[Hierarchy]) -> list[str]:
    """Return the needed controllers that no hierarchy has."""
    have = frozenset[str]().union(*(hierarchy.controllers for hierarchy in found))
    return sorted(NEEDED - have)


def root(name: str) -> str:
    """Return a cluster's cgroup, as the kubelet's `cgroupRoot` takes it."""
    return f"/slipway-{name}"


def folders(name: str, found: Sequence[Hierarchy] | None = None) -> list[Path]:
    """Return a cluster's folder in every hierarchy, whether it exists or not."""
    known = hierarchies() if found is None else found
    return [hierarchy.mount / root(name)[1:] for hierarchy in known]


def create(name: str, part: str, found: Sequence[Hierarchy] | None = None) -> list[Path]:
    """Make a part of a cluster's cgroup in every hierarchy.

    Args:
        name: The cluster.
        part: `node`, or the name of a port forward.
        found: Hierarchies; the machine's by default.

    Returns:
        The files that a process writes its number to in order to join.

    Raises:
        LocalClusterError: The kernel refuses.
    """
    known = hierarchies() if found is None else found
    joins: list[Path] = []
    for hierarchy in known:
        try:
            joins.append(_create_in(hierarchy, name, part))
        except OSError as error:
            raise LocalClusterError(
                f"cannot make the cgroup {root(name)} in {hierarchy.mount} ({error.strerror}): "
                "a cluster needs cgroups that it may write to; in a container, run it privileged"
            ) from error
    return joins


def _create_in(hierarchy: Hierarchy, name: str, part: str) -> Path:
    cluster = hierarchy.mount / root(name)[1:]
    leaf = cluster / part
    for parent, folder in ((hierarchy.mount, cluster), (cluster, leaf)):
        if hierarchy.unified and hierarchy.controllers:
            # A group's controllers are those that its parent hands down.
            wanted = " ".join(f"+{c}" for c in sorted(hierarchy.controllers & _HANDED_DOWN))
            if folder is cluster:
                (parent / "cgroup.subtree_control").write_text(wanted)
        folder.mkdir(exist_ok=True)
        if "cpuset" in hierarchy.controllers and not hierarchy.unified:
            # A new version 1 cpuset is empty and takes no process.
            for setting in ("cpuset.cpus", "cpuset.mems"):
                if not (folder / setting).read_text().strip():
                    (folder / setting).write_text((parent / setting).read_text())
    return leaf / "cgroup.procs"


_HANDED_DOWN = NEEDED | {"hugetlb", "io"}


def members(
    name: str, part: str | None = None, found: Sequence[Hierarchy] | None = None
) -> set[int]:
    """Return the processes of a cluster, or of one part of it."""
    pids: set[int] = set()
    for folder in folders(name, found):
        # Groups of pods come and go while this looks; os.walk passes over what is gone.
        for group, _, _ in os.walk(folder / part if part else folder):
            pids |= _listed(Path(group) / "cgroup.procs")
    # 0 stands for a process outside of this pid namespace.
    return {pid for pid in pids if pid > 0 and is_alive(pid)}


def parts(name: str, found: Sequence[Hierarchy] | None = None) -> set[str]:
    """Return the names of the parts of a cluster's cgroup."""
    return {
        part for folder in folders(name, found) for part in next(os.walk(folder), ("", [], []))[1]
    }


def _listed(procs: Path) -> set[int]:
    """Return the processes of one group; none when the group is gone."""
    try:
        return {int(line) for line in procs.read_text().split()}
    except FileNotFoundError:
        return set()
    except OSError as error:
        # How the kernel says that the group went after the file was opened.
        if error.errno == errno.ENODEV:
            return set()
        raise


def is_alive(pid: int) -> bool:
    """Tell whether a process runs; one that ended and waits for its parent does not."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(")")[2].split()[0] not in "ZX"


def kill(name: str, part: str | None = None) -> None:
    """Kill every process of a cluster, or of one part of it, and wait until they are gone.

    Raises:
        LocalClusterError: Some are still there after `REMOVAL` seconds.
    """
    deadline = time.monotonic() + REMOVAL
    while pids := members(name, part):
        if time.monotonic() > deadline:
            raise LocalClusterError(
                f"processes of cluster {name} do not end: {', '.join(map(str, sorted(pids)))}"
            )
        for pid in pids:
            _kill_member(pid, name)
        time.sleep(0.02)


def _kill_member(pid: int, name: str) -> None:
    """Kill one process, unless its number has gone to a process outside of the cluster."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        if cluster_of(Path(f"/proc/{pid}/cgroup").read_text()) == name:
            signal.pidfd_send_signal(handle, signal.SIGKILL)
    except (FileNotFoundError, ProcessLookupError):
        return
    finally:
        os.close(handle)


def cluster_of(groups: str) -> str | None:
    """Return the cluster that a process belongs to, from its `/proc/<pid>/cgroup`, if any."""
    for line in groups.splitlines():
        top = line.split(":", 2)[2].split("/")[1]
        if top.startswith("slipway-"):
            return top.removeprefix("slipway-")
    return None


def remove(name: str, part: str | None = None) -> None:
    """Remove the cgroups of a cluster, or of one part of it, in every hierarchy.

    Raises:
        LocalClusterError: They still hold processes after `REMOVAL` seconds.
    """
    deadline = time.monotonic() + REMOVAL
    for folder in folders(name):
        base = folder / part if part else folder
        while base.is_dir():
            try:
                # Children before parents; the files in them go with the folder.
                for child, _, _ in os.walk(base, topdown=False):
                    Path(child).rmdir()
            except FileNotFoundError:
                continue
            except OSError as error:
                if time.monotonic() > deadline:
                    raise LocalClusterError(
                        f"the cgroup {error.filename} cannot be removed: {error.strerror}"
                    ) from error
                time.sleep(0.05)
