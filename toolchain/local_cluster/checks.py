"""What a cluster needs of the machine, looked at before anything is made."""

import os
from collections.abc import Sequence
from pathlib import Path

from toolchain import cache, host
from toolchain.local_cluster import cgroups, commands, forward, node, state
from toolchain.local_cluster.errors import LocalClusterError
from toolchain.local_cluster.spec import ClusterSpec, PortForward, name_problem
from toolchain.progress import size

DISK = 3_000_000_000
"""Bytes for a new cluster: its images unpacked (0.6 GB), etcd, logs, and room for models."""

MEMORY = 1_500_000_000
"""Bytes of memory for a node that does not run yet: it and the platform take about 1.3 GB."""

_PORTS = range(1, 65536)


def problems(spec: ClusterSpec) -> list[str]:
    """Return everything that keeps a cluster from being created or started, one line each.

    Args:
        spec: What is asked for.
    """
    found: list[str] = []
    named_wrongly = name_problem(spec.name)
    if named_wrongly:
        return [named_wrongly]
    found += _record(spec)
    found += _ports_given(spec.ports)
    if os.geteuid() != 0:
        # What follows can only be seen, or only matters, as root.
        return [*found, "slipway:cluster needs root to make a node: run the command with sudo"]
    found += _kernel()
    if node.init_pid(spec.name) is None:
        found += _room(DISK, MEMORY)
    free_of_ours = set(spec.ports) - forward.running(spec.name)
    ours = {port.host for port in forward.running(spec.name)}
    for port in sorted(free_of_ours, key=lambda candidate: candidate.host):
        if port.host in ours or port.host not in _PORTS:
            continue
        problem = forward.port_problem(port.host)
        if problem:
            found.append(problem)
    return found


def _record(spec: ClusterSpec) -> list[str]:
    try:
        record = state.load(spec.name)
    except LocalClusterError as error:
        return [str(error)]
    if record is None:
        return []
    found = (owner_problem(spec, record), _address_problem(record))
    return [problem for problem in found if problem]


def _address_problem(record: state.Record) -> str | None:
    """Return why an existing cluster cannot be used any longer, or `None`."""
    if record.network.address_pool is not None:
        return None
    return (
        f"the network {record.network.link} of cluster {record.name}, which an earlier Slipway "
        "made, has no room for load balancers: remove the cluster with `make down`; the next "
        "`make up` makes it anew"
    )


def owner_problem(spec: ClusterSpec, record: state.Record) -> str | None:
    """Return why an existing cluster is not for the one who asks, or `None`."""
    if record.owner == spec.owner:
        return None
    return (
        f"slipway:cluster.name {spec.name!r} is taken on this machine by "
        f"{record.owner or 'nobody'}: choose another name, or remove "
        "that cluster with `make down` on its own stack"
    )


def _ports_given(ports: Sequence[PortForward]) -> list[str]:
    found = [
        f"port {number} is none: use 1 to 65535"
        for port in ports
        for number in (port.host, port.node)
        if number not in _PORTS
    ]
    hosts = [port.host for port in ports]
    found += [
        f"port {number} of this machine is asked for more than once"
        for number in sorted({number for number in hosts if hosts.count(number) > 1})
    ]
    return found


def _room(disk: int, memory: int) -> list[str]:
    found: list[str] = []
    free = cache.free(state.ROOT)
    if free < disk:
        found.append(
            f"a local cluster needs {size(disk)} of disk and {state.ROOT} has {size(free)}: "
            "make room there"
        )
    available = available_memory(Path("/proc/meminfo").read_text())
    if available < memory:
        found.append(
            f"a local cluster needs {size(memory)} of memory and {size(available)} is available: "
            "end other programs, or use a larger machine"
        )
    return found


def available_memory(meminfo: str) -> int:
    """Return the bytes that programs can still take, from the text of `/proc/meminfo`."""
    line = next(line for line in meminfo.splitlines() if line.startswith("MemAvailable:"))
    return int(line.split()[1]) * 1024


def _kernel() -> list[str]:
    found: list[str] = []
    controllers = cgroups.missing(cgroups.hierarchies())
    if controllers:
        found.append(
            f"this machine has no cgroup controllers {', '.join(controllers)}: "
            "mount /sys/fs/cgroup, or switch them on in the kernel's command line"
        )
    # Each step in namespaces that end with it, so that the attempt itself leaves nothing.
    for feature, arguments, script in (
        (
            "namespaces",
            ("--net", "--pid", "--fork", "--mount", "--mount-proc", "--uts", "--ipc"),
            "true",
        ),
        ("overlayfs", ("--mount",), _OVERLAY),
        ("veth interfaces", ("--net",), "ip link add slw0 type veth peer name slw1"),
    ):
        if feature.startswith("veth") and host.which("ip") is None:
            continue  # The toolchain installs it before the cluster is made.
        tried = commands.attempt(["unshare", *arguments, "sh", "-c", script])
        if tried.returncode != 0:
            said = tried.stderr.strip().splitlines()
            found.append(
                f"this kernel gives no {feature} ({said[-1] if said else 'no reason given'}): "
                "use a machine whose kernel has them, or a container that is privileged"
            )
    return found


_OVERLAY = (
    "mount -t tmpfs tmpfs /mnt && mkdir /mnt/lower /mnt/upper /mnt/work /mnt/all && "
    "mount -t overlay overlay -o lowerdir=/mnt/lower,upperdir=/mnt/upper,workdir=/mnt/work /mnt/all"
)
