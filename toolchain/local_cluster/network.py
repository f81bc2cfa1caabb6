"""Addresses of a node, and the link between its network namespace and the machine.

Every cluster has a /28 of its own for the link: the machine's end, the node, and the addresses of
its load balancers. Pods and services of all clusters use the same ranges: those exist inside a
node's namespace only. They must merely not hide what the node has to reach through the machine,
which is why the machine's routes are looked at.
"""

import hashlib
import json
import os
import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from itertools import chain
from pathlib import Path

from toolchain import host
from toolchain.local_cluster import commands
from toolchain.local_cluster.errors import LocalClusterError

NODE_INTERFACE = "eth0"

LINK_PREFIX = 28
"""16 addresses for a link: eleven of them for load balancers, where a cluster has one gateway."""

LINK_POOLS = (
    IPv4Network("10.231.0.0/16"),
    IPv4Network("172.30.240.0/20"),
    IPv4Network("192.168.231.0/24"),
)
# The first pair is what k3s uses, so that both distributions look alike.
_CLUSTER_RANGES = (
    (IPv4Network("10.42.0.0/16"), IPv4Network("10.43.0.0/16")),
    (IPv4Network("10.242.0.0/16"), IPv4Network("10.243.0.0/16")),
    (IPv4Network("172.26.0.0/16"), IPv4Network("172.27.0.0/16")),
    (IPv4Network("192.168.64.0/19"), IPv4Network("192.168.96.0/19")),
)


@dataclass(frozen=True)
class Network:
    """The addresses of one cluster.

    Attributes:
        link: The network between machine and node.
        pods: Range of pod addresses.
        services: Range of service addresses.
    """

    link: IPv4Network
    pods: IPv4Network
    services: IPv4Network

    @property
    def host_ip(self) -> IPv4Address:
        """The machine's end of the link: the node's default gateway."""
        return self.link[1]

    @property
    def node_ip(self) -> IPv4Address:
        """The node's address."""
        return self.link[2]

    @property
    def address_pool(self) -> str | None:
        """The link's addresses for load balancers, as `<first>-<last>`.

        `None` on the /30 of a cluster that an earlier Slipway made.
        """
        if self.link.prefixlen > LINK_PREFIX:
            return None
        return f"{self.link[4]}-{self.link[-2]}"

    @property
    def api_service_ip(self) -> IPv4Address:
        """Address of the Service `kubernetes`: the first of the range, by definition."""
        return self.services[1]

    @property
    def dns_ip(self) -> IPv4Address:
        """Address of the Service `kube-dns`, the tenth of the range by convention."""
        return self.services[10]


def plan(taken: Iterable[IPv4Network], links: Iterable[IPv4Network]) -> Network:
    """Choose the addresses of a new cluster.

    Args:
        taken: What the machine reaches by a route of its own, and its resolvers.
        links: Links of the other clusters.

    Raises:
        LocalClusterError: Every candidate collides.
    """
    busy = list(taken)
    used = list(links)
    link = next(
        (
            candidate
            for candidate in chain.from_iterable(
                pool.subnets(new_prefix=LINK_PREFIX) for pool in LINK_POOLS
            )
            if not _overlaps(candidate, [*used, *busy])
        ),
        None,
    )
    if link is None:
        pools = ", ".join(map(str, LINK_POOLS))
        raise LocalClusterError(
            f"no address range is free for the node: the machine's routes cover {pools}; "
            "remove a route, or a cluster with `make down`"
        )
    ranges = next(
        (
            pair
            for pair in _CLUSTER_RANGES
            if not any(_overlaps(net, [*busy, link]) for net in pair)
        ),
        None,
    )
    if ranges is None:
        tried = ", ".join(f"{pods} with {services}" for pods, services in _CLUSTER_RANGES)
        raise LocalClusterError(
            "no address ranges are free for pods and services: the machine's routes cover "
            f"{tried}; remove a route"
        )
    return Network(link=link, pods=ranges[0], services=ranges[1])


def _overlaps(network: IPv4Network, others: Sequence[IPv4Network]) -> bool:
    return any(network.overlaps(other) for other in others)


def parse_routes(document: str) -> tuple[list[IPv4Network], list[str]]:
    """Read the output of `ip -json -4 route show`.

    Returns:
        The networks with a route of their own, and the interfaces of default routes.
    """
    networks: list[IPv4Network] = []
    uplinks: list[str] = []
    for route in json.loads(document or "[]"):
        destination = route["dst"]
        if destination == "default":
            if "dev" in route:
                uplinks.append(route["dev"])
            continue
        networks.append(IPv4Network(destination))
    return networks, uplinks


def machine_routes() -> tuple[list[IPv4Network], list[str]]:
    """Return the machine's networks and the interfaces of its default routes."""
    return parse_routes(commands.run(["ip", "-json", "-4", "route", "show"]))


def resolvers(
    files: Sequence[Path] = (
        Path("/etc/resolv.conf"),
        # Where systemd-resolved keeps the real ones while resolv.conf names its own loopback stub.
        Path("/run/systemd/resolve/resolv.conf"),
    ),
) -> list[IPv4Address]:
    """Return the machine's resolvers that a node can reach; loopback ones are not among them.

    Args:
        files: Files in the format of resolv.conf; the first that names any usable one is used.
    """
    for file in files:
        found = parse_resolvers(file.read_text()) if file.exists() else []
        if found:
            return found
    return []


def parse_resolvers(text: str) -> list[IPv4Address]:
    """Return the IPv4 resolvers of a resolv.conf, without those on a loopback address."""
    found: list[IPv4Address] = []
    for line in text.splitlines():
        words = line.split()
        if len(words) < 2 or words[0] != "nameserver":
            continue
        try:
            address = IPv4Address(words[1])
        except ValueError:
            continue  # An IPv6 resolver: the node's link is IPv4 only.
        if not address.is_loopback and not address.is_unspecified:
            found.append(address)
    return found


def interface(name: str) -> str:
    """Return the machine's end of a cluster's link; a hash, for Linux allows 15 characters."""
    return "slw" + hashlib.sha256(name.encode()).hexdigest()[:10]


def comment(name: str) -> str:
    """Return the mark of a cluster's iptables rules."""
    return f"slipway-{name}"


Rule = tuple[str, str, tuple[str, ...]]
"""Table, chain and match of an iptables rule."""


def rules(name: str, network: Network) -> list[Rule]:
    """Return the machine's iptables rules of a cluster.

    The two FORWARD rules matter where that chain drops by default, as it does beside Docker.
    """
    device = interface(name)
    mark = ("-m", "comment", "--comment", comment(name))
    link = str(network.link)
    return [
        ("nat", "POSTROUTING", ("-s", link, "!", "-d", link, *mark, "-j", "MASQUERADE")),
        ("filter", "FORWARD", ("-i", device, *mark, "-j", "ACCEPT")),
        (
            "filter",
            "FORWARD",
            (
                "-o",
                device,
                "-m",
                "conntrack",
                "--ctstate",
                "RELATED,ESTABLISHED",
                *mark,
                "-j",
                "ACCEPT",
            ),
        ),
        # The last one that is inserted is the first that is looked at. Until the node has rules for
        # a Service's address, packets to it would leave the node, and someone else might answer.
        (
            "filter",
            "FORWARD",
            ("-i", device, "-d", str(network.services), *mark, "-j", "REJECT"),
        ),
    ]


def attach(name: str, network: Network, pid: int) -> None:
    """Connect a node's network namespace to the machine; repeats nothing that is there.

    Args:
        name: The cluster.
        network: Its addresses.
        pid: A process in the namespace. The node configures its own end.
    """
    device = interface(name)
    if not exists(name):
        commands.run(
            [
                "ip",
                "link",
                "add",
                device,
                "type",
                "veth",
                "peer",
                "name",
                NODE_INTERFACE,
                "netns",
                str(pid),
            ]
        )
    commands.run(
        ["ip", "address", "replace", f"{network.host_ip}/{network.link.prefixlen}", "dev", device]
    )
    commands.run(["ip", "link", "set", device, "up"])
    Path(f"/proc/sys/net/ipv4/conf/{device}/forwarding").write_text("1")
    for table, where, match in rules(name, network):
        present = commands.attempt(["iptables", "-w", "-t", table, "-C", where, *match])
        if present.returncode != 0:
            # First, so that a rule which drops everything cannot come before it.
            commands.run(["iptables", "-w", "-t", table, "-I", where, "1", *match])


def detach(name: str) -> None:
    """Remove a cluster's interface and rules from the machine; does nothing when there are none."""
    if exists(name):
        removed = commands.attempt(["ip", "link", "delete", interface(name)])
        # It goes by itself with the node's namespace, perhaps just now.
        if removed.returncode != 0 and exists(name):
            raise LocalClusterError(
                f"the network interface {interface(name)} of cluster {name} cannot be removed: "
                f"{removed.stderr.strip()}"
            )
    for table, words in marked_rules(name):
        commands.run(["iptables", "-w", "-t", table, "-D", *words])


def exists(name: str) -> bool:
    """Tell whether the machine has the interface of a cluster."""
    return Path(f"/sys/class/net/{interface(name)}").exists()


def marked_rules(name: str) -> list[tuple[str, list[str]]]:
    """Return the machine's rules of a cluster: table, and words without the leading `-A`.

    Without root, which may not list them, and without iptables there are none to be seen.
    """
    if os.geteuid() != 0 or host.which("iptables") is None:
        return []
    return [
        (table, words)
        for table in ("nat", "filter")
        for words in parse_rules(commands.run(["iptables", "-w", "-t", table, "-S"]), comment(name))
    ]


def parse_rules(listing: str, mark: str) -> list[list[str]]:
    """Return the rules of an `iptables -S` listing whose comment is exactly `mark`."""
    found: list[list[str]] = []
    for line in listing.splitlines():
        words = shlex.split(line)
        if words[:1] != ["-A"] or "--comment" not in words:
            continue
        if words[words.index("--comment") + 1] == mark:
            found.append(words[1:])
    return found
