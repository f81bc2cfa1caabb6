"""What a local cluster is asked to be, and what it is."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from toolchain.local_cluster.errors import LocalClusterError

Distribution = Literal["k3s", "upstream"]
DISTRIBUTIONS: tuple[Distribution, ...] = get_args(Distribution)

NAME_LIMIT = 40
"""Longest cluster name: it is the node's name and a part of paths and cgroup names."""

_NAME = re.compile(r"[a-z]([a-z0-9-]*[a-z0-9])?")


@dataclass(frozen=True)
class PortForward:
    """A TCP port of the machine's loopback address that leads to a port of the node."""

    host: int
    node: int


@dataclass(frozen=True)
class Brings:
    """What a distribution has beyond Kubernetes itself.

    Attributes:
        network_policies: Whether its network enforces NetworkPolicy objects.
        metrics_server: Whether it has a metrics-server.
        load_balancer: Whether Services of type LoadBalancer are given an address.
        storage_class: Name of its default StorageClass; `None` where it has no provisioner.
    """

    network_policies: bool
    metrics_server: bool
    load_balancer: bool
    storage_class: str | None


@dataclass(frozen=True)
class ClusterSpec:
    """What a caller asks for.

    Attributes:
        name: A DNS label of at most `NAME_LIMIT` characters that starts with a letter.
        distribution: `upstream` or `k3s`; see `choose_distribution`.
        ports: What is reachable on the machine's loopback address.
        owner: Who the cluster belongs to, for example a project and stack. A cluster of another
            owner is never touched. The empty text is an owner as well.
    """

    name: str
    distribution: Distribution
    ports: tuple[PortForward, ...] = ()
    owner: str = ""


@dataclass(frozen=True)
class ClusterState:
    """A cluster that exists.

    Attributes:
        name: Its name; also the node's.
        distribution: `upstream` or `k3s`.
        version: Kubernetes version, with its leading `v`.
        identity: Random; changes exactly when the cluster is created anew.
        kubeconfig: Admin kubeconfig (YAML), a secret; empty while none was written yet.
        ports: What is reachable on the machine's loopback address.
        node_ip: Address of the node, reachable from this machine only.
        address_pool: Further addresses of the node's network, for load balancers, as
            `<first>-<last>`; `None` where an earlier Slipway left no room for them.
        folder: Everything the cluster keeps, with logs in `logs/`.
        owner: As in `ClusterSpec`.
    """

    name: str
    distribution: Distribution
    version: str
    identity: str
    kubeconfig: str
    ports: tuple[PortForward, ...]
    node_ip: str
    address_pool: str | None
    folder: Path
    owner: str


@dataclass(frozen=True)
class Status:
    """Whether a cluster runs.

    Attributes:
        state: `absent`: nothing was made. `stopped`: its data is there, nothing runs. `running`:
            the API server says it is ready and every port answers. `broken`: something runs, but
            not all.
        reasons: Why it is not `running`, one line each.
    """

    state: Literal["absent", "stopped", "running", "broken"]
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True)
class Choice:
    """The distribution that a machine can get.

    Attributes:
        distribution: First of the ordered list that can be had.
        version: Kubernetes version, with its leading `v`.
        skipped: Names before it, each with the reason.
    """

    distribution: Distribution
    version: str
    skipped: tuple[tuple[str, str], ...]


def name_problem(name: str) -> str | None:
    """Return what is wrong with a cluster name, or `None`."""
    if len(name) > NAME_LIMIT:
        return f"slipway:cluster.name {name!r} has {len(name)} characters: use at most {NAME_LIMIT}"
    if not _NAME.fullmatch(name):
        return (
            f"slipway:cluster.name {name!r} is no DNS label: use lower-case letters, digits and "
            "hyphens, with a letter first and no hyphen last"
        )
    return None


def check_name(name: str) -> None:
    """Refuse a name before a path is made from it.

    Raises:
        LocalClusterError: The name breaks the rules of `ClusterSpec.name`.
    """
    problem = name_problem(name)
    if problem:
        raise LocalClusterError(problem)
