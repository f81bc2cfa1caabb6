"""Ports of the machine's loopback address that lead to ports of a node.

Each is one socat in a part of the cluster's cgroup that is named after its two ports, so which
forwards run, and which processes they are, can always be asked of the kernel.
"""

import errno
import shlex
import socket
import time
from collections.abc import Iterable
from contextlib import suppress
from ipaddress import IPv4Address
from pathlib import Path

from toolchain.local_cluster import cgroups, commands
from toolchain.local_cluster.errors import LocalClusterError
from toolchain.local_cluster.spec import PortForward
from toolchain.local_cluster.state import Layout

START = 5.0
"""Seconds within which a forward has to listen."""


def part(port: PortForward) -> str:
    """Return the part of the cluster's cgroup that holds a forward."""
    return f"forward-{port.host}-{port.node}"


def running(name: str) -> set[PortForward]:
    """Return the forwards of a cluster that run."""
    found: set[PortForward] = set()
    for entry in cgroups.parts(name):
        words = entry.split("-")
        if words[0] == "forward" and cgroups.members(name, entry):
            found.add(PortForward(host=int(words[1]), node=int(words[2])))
    return found


def reconcile(
    name: str, where: Layout, node_ip: IPv4Address, ports: Iterable[PortForward], socat: Path
) -> None:
    """Start the forwards that are wanted and end those that are not.

    Args:
        name: The cluster.
        where: Its folders.
        node_ip: Where the forwards lead.
        ports: What is wanted.
        socat: The program.

    Raises:
        LocalClusterError: A port is in use.
    """
    wanted = set(ports)
    end(name, keep=wanted)
    for port in sorted(wanted - running(name), key=lambda forward: forward.host):
        _start(name, where, node_ip, port, socat)


def end(name: str, keep: Iterable[PortForward] = ()) -> None:
    """End the forwards of a cluster, with the connections through them.

    Args:
        name: The cluster.
        keep: Forwards to leave alone.
    """
    kept = {part(port) for port in keep}
    for entry in cgroups.parts(name):
        if entry.startswith("forward-") and entry not in kept:
            cgroups.kill(name, entry)
            cgroups.remove(name, entry)


def _start(name: str, where: Layout, node_ip: IPv4Address, port: PortForward, socat: Path) -> None:
    problem = port_problem(port.host)
    if problem:
        raise LocalClusterError(problem)
    log = where.logs / "forward" / "current"
    log.parent.mkdir(parents=True, exist_ok=True)
    joins = cgroups.create(name, part(port))
    launcher = where.config / f"forward-{port.host}.sh"
    launcher.write_text(launch_script(joins, node_ip, port, socat, log))
    launcher.chmod(0o700)
    commands.run(["setsid", "--fork", launcher])
    deadline = time.monotonic() + START
    while not _listens(port.host):
        if time.monotonic() > deadline:
            raise LocalClusterError(
                f"port {port.host} of this machine does not lead to cluster {name}: see {log}"
            )
        time.sleep(0.02)


def launch_script(
    joins: Iterable[Path], node_ip: IPv4Address, port: PortForward, socat: Path, log: Path
) -> str:
    """Return the script of one forward.

    Args:
        joins: Files of the cgroups to join, see `cgroups.create`.
        node_ip: Address of the node.
        port: The two ports.
        socat: The program.
        log: Where its messages go.
    """
    lines = ["#!/bin/sh", "set -eu", f"exec </dev/null >>{shlex.quote(str(log))} 2>&1"]
    lines += [f"echo $$ >{shlex.quote(str(procs))}" for procs in joins]
    lines += [
        f"cd /\nexec {commands.clean_environment()} {shlex.quote(str(socat))} "
        f"TCP-LISTEN:{port.host},bind=127.0.0.1,reuseaddr,nodelay,fork,backlog=128 "
        f"TCP:{node_ip}:{port.node},nodelay"
    ]
    return "\n".join(lines) + "\n"


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def port_problem(port: int) -> str | None:
    """Return why a forward cannot listen on a port of the loopback address, or `None`."""
    with socket.socket() as probe:
        # As socat does it, so that a connection in TIME_WAIT is no obstacle.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            reason = "is in use" if error.errno == errno.EADDRINUSE else error.strerror
        else:
            return None
    listener = listening_process(port)
    by = f" by {listener}" if listener else ""
    return (
        f"port {port} of 127.0.0.1 {reason}{by}: give slipway:cluster.httpPort or httpsPort a free "
        "one instead"
    )


def listening_process(port: int) -> str | None:
    """Return who listens on a TCP port, if visible: a cluster, or a program and its number."""
    inodes = {
        inode
        for table in ("tcp", "tcp6")
        for inode in parse_listeners(Path(f"/proc/net/{table}").read_text(), port)
    }
    targets = {f"socket:[{inode}]" for inode in inodes}
    for process in Path("/proc").iterdir() if targets else ():
        if not process.name.isdigit() or not _has_open(process, targets):
            continue
        # It may have ended meanwhile.
        with suppress(FileNotFoundError, ProcessLookupError):
            who = cgroups.cluster_of((process / "cgroup").read_text())
            program = (process / "comm").read_text().strip()
            return f"cluster {who}" if who else f"{program} (process {process.name})"
    return None


def _has_open(process: Path, targets: set[str]) -> bool:
    """Tell whether a process has one of these sockets open, as far as it can be seen."""
    try:
        links = list((process / "fd").iterdir())
    except (FileNotFoundError, PermissionError, ProcessLookupError):
        return False
    for link in links:
        # A file can be closed while this looks, and some processes let nobody look.
        with suppress(FileNotFoundError, PermissionError, ProcessLookupError):
            if str(link.readlink()) in targets:
                return True
    return False


def parse_listeners(table: str, port: int) -> list[str]:
    """Return the socket inodes that listen on a port, from a `/proc/net/tcp`."""
    found: list[str] = []
    for line in table.splitlines()[1:]:
        fields = line.split()
        listening = fields[3] == "0A"
        if listening and int(fields[1].rpartition(":")[2], 16) == port:
            found.append(fields[9])
    return found
