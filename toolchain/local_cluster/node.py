"""The node sandbox: starts, finds and ends the processes that are a node.

A node is a tree of processes in its own network, pid, mount, uts and ipc namespaces below an
s6-svscan as PID 1. When that one ends the kernel ends all the others and removes the namespaces,
with every mount, interface and iptables rule in them.
"""

import os
import shlex
import shutil
import signal
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from toolchain.local_cluster import cgroups, commands, network, sandbox, services
from toolchain.local_cluster.errors import LocalClusterError
from toolchain.local_cluster.network import Network
from toolchain.local_cluster.state import Layout

_T = TypeVar("_T")

PART = "node"
"""The part of the cluster's cgroup that holds the components."""

START = 30.0
"""Seconds within which the namespaces have to be there."""

STOP = services.KILL_AFTER + 5.0
"""Seconds for s6 to end the components; then the whole node is killed."""

VANISH = 5.0
"""Seconds for the kernel to end all processes of a pid namespace."""

LOG = "node"
"""Log of PID 1, in the folder of logs."""


def init_pid(name: str) -> int | None:
    """Return the machine's number for PID 1 of a node, or `None` when it does not run."""
    for pid in cgroups.members(name, PART):
        if _levels(pid)[1:] == [1]:
            return pid
    return None


def _levels(pid: int) -> list[int]:
    """Return a process's number in each pid namespace, from this one inwards."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return []
    line = next((line for line in status.splitlines() if line.startswith("NSpid:")), "NSpid:")
    return [int(number) for number in line.split()[1:]]


def inside(pid: int, path: Path) -> Path:
    """Return the path by which this machine reaches a file of a node's own file systems.

    Args:
        pid: PID 1 of the node.
        path: Absolute path inside the node.
    """
    return Path(f"/proc/{pid}/root") / path.relative_to("/")


def is_prepared(pid: int) -> bool:
    """Tell whether a node's file systems and network are there and it supervises."""
    return inside(pid, sandbox.READY).exists()


def started_at(pid: int) -> datetime:
    """Return when a prepared node began to start its components.

    Args:
        pid: PID 1 of the node.
    """
    return datetime.fromtimestamp(inside(pid, sandbox.READY).stat().st_mtime, UTC)


def start(name: str, where: Layout, addresses: Network, init: Path) -> int:
    """Start a node that does not run.

    Args:
        name: The cluster.
        where: Its folders.
        addresses: Its addresses.
        init: The script that becomes PID 1; see `sandbox.init_script`.

    Returns:
        The machine's number for PID 1.

    Raises:
        LocalClusterError: It did not come up; the message has the last line of its log.
    """
    log = where.logs / LOG / "current"
    log.parent.mkdir(parents=True, exist_ok=True)
    joins = cgroups.create(name, PART)
    launcher = where.config / "launch.sh"
    launcher.write_text(launch_script(joins, init, log))
    launcher.chmod(0o700)
    # A session of its own, and a parent that is not this process: the node outlives it.
    commands.run(["setsid", "--fork", launcher])
    pid = _await(lambda: init_pid(name), name, log)
    network.attach(name, addresses, pid)
    _await(lambda: init_pid(name) == pid and is_prepared(pid), name, log)
    return pid


def launch_script(joins: Sequence[Path], init: Path, log: Path) -> str:
    """Return the script that makes the namespaces.

    Args:
        joins: Files of the cgroups to join, see `cgroups.create`.
        init: The script that becomes PID 1.
        log: Where its output goes.
    """
    lines = ["#!/bin/sh", "set -eu"]
    lines += [f"exec </dev/null >>{shlex.quote(str(log))} 2>&1"]
    lines += [f"echo $$ >{shlex.quote(str(procs))}" for procs in joins]
    # Propagation is private by default: no mount of the node reaches the machine.
    lines += [
        "cd /",
        f"exec {commands.clean_environment()} "
        "unshare --net --pid --fork --mount --mount-proc --uts --ipc " + shlex.quote(str(init)),
    ]
    return "\n".join(lines) + "\n"


def _await(condition: Callable[[], _T | None], name: str, log: Path) -> _T:
    deadline = time.monotonic() + START
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            lines = log.read_text(errors="replace").splitlines() if log.exists() else []
            last = lines[-1] if lines else "it wrote nothing"
            raise LocalClusterError(f"the node of cluster {name} did not start: {last} ({log})")
        time.sleep(0.02)


def stop(name: str) -> None:
    """End a node in order, so that its components can close their files; then kill the rest."""
    pid = init_pid(name)
    # Before it is prepared it is a shell, which as PID 1 ignores the signal.
    if pid is not None and is_prepared(pid):
        with suppress(ProcessLookupError):
            # s6-svscan ends every component and then itself.
            os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + STOP
        while cgroups.is_alive(pid) and time.monotonic() < deadline:
            time.sleep(0.05)
    end(name)


def end(name: str) -> None:
    """Kill a node and disconnect it from the machine; its data stays."""
    pid = init_pid(name)
    if pid is not None:
        # Ends the whole pid namespace at once, so nothing is started again meanwhile.
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        deadline = time.monotonic() + VANISH
        # The process that waits for it ends by itself; killed first, it would leave a zombie to
        # whatever is PID 1 of this machine.
        while cgroups.members(name, PART) and time.monotonic() < deadline:
            time.sleep(0.01)
    for part in cgroups.parts(name):
        if not part.startswith("forward-"):
            cgroups.kill(name, part)
            # A kubelet that finds the cgroups of its last run looks for their containers for
            # seconds.
            cgroups.remove(name, part)
    network.detach(name)


def remove_folder(where: Layout) -> None:
    """Remove everything that a cluster keeps; nothing of it may run.

    Raises:
        LocalClusterError: Something is mounted in it, or the file system refuses.
    """
    held = mounts_below(where.folder)
    if held:
        raise LocalClusterError(
            f"{held[0]} is still mounted: unmount it (`umount {held[0]}`), then try again"
        )
    record_last = sorted(
        where.folder.iterdir() if where.folder.is_dir() else [],
        key=lambda path: path == where.record,
    )
    try:
        for path in record_last:
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()
        if where.folder.is_dir():
            where.folder.rmdir()
    except OSError as error:
        raise LocalClusterError(f"{error.filename} cannot be removed: {error.strerror}") from error


def mounts_below(folder: Path) -> list[Path]:
    """Return what this machine has mounted in a folder, deepest first."""
    points = [
        # The kernel writes a space in a path as \\040.
        Path(line.split()[4].replace("\\040", " "))
        for line in Path("/proc/self/mountinfo").read_text().splitlines()
    ]
    below = [point for point in points if point.is_relative_to(folder)]
    return sorted(below, key=lambda point: len(point.parts), reverse=True)
