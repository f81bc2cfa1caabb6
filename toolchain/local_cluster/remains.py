"""What a cluster has on a machine, by looking at the machine and not at its own files."""

from toolchain.local_cluster import cgroups, forwarding, network, node, state

LOOKED_FOR = (
    "processes",
    "cgroups",
    "network interfaces",
    "iptables rules",
    "mounts",
    "folders",
)
"""Everything that a cluster makes on a machine. Network and other namespaces have no name: they
are gone with the last process in them."""


def find(name: str) -> list[str]:
    """Return what there is of a cluster, one line each; empty for one that was removed.

    Args:
        name: The cluster.
    """
    where = state.layout(name)
    found = [f"process {pid}" for pid in sorted(cgroups.members(name))]
    found += [f"cgroup {path}" for path in cgroups.folders(name) if path.exists()]
    if network.exists(name):
        found.append(f"network interface {network.interface(name)}")
    found += [
        f"iptables rule in table {table}: {' '.join(words)}"
        for table, words in network.marked_rules(name)
    ]
    found += [f"mount {path}" for path in node.mounts_below(where.folder)]
    if where.folder.exists():
        found.append(f"folder {where.folder}")
    if not state.names():
        # What the last cluster takes along.
        found += [
            f"forwarding switched on for interface {device}" for device in forwarding.switched()
        ]
        found += [f"folder {path}" for path in (state.ROOT / "clusters",) if path.exists()]
    return found
