"""The script that becomes PID 1 of a node: it prepares the node's view of the file system.

It runs in new network, pid, mount, uts and ipc namespaces. What Kubernetes writes to fixed places
(`/run`, `/var/lib`, `/etc`, a few kernel settings) goes to the node's own copies, so two nodes do
not meet there and nothing is left when the last process of the namespaces ends.
"""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path

from toolchain.local_cluster.network import NODE_INTERFACE, Network

READY = Path("/run/slipway/ready")
"""File inside the node that exists once its file systems and network are there."""

LINK_WAIT = 30
"""Seconds that a new node waits for the machine to connect it; then it ends by itself."""

# Settings that are one for the whole machine, not one per namespace, and that the kubelet sets to
# its taste at every start: it gets files of its own to set.
KERNEL_SETTINGS = (
    "kernel/keys/root_maxbytes",
    "kernel/keys/root_maxkeys",
    "kernel/panic",
    "kernel/panic_on_oops",
    "vm/overcommit_memory",
    "vm/panic_on_oom",
)

_SCRIPT = """\
#!/bin/sh
# Becomes PID 1 of the node {name}: prepares file systems and network, then supervises.
set -eu
export PATH={path}

mount --make-rprivate /
mount -t tmpfs -o mode=0755 tmpfs /run
mkdir -p /run/lock /run/slipway/cgroup /run/slipway/folder

# /sys of this network namespace, with the machine's cgroups.
mount --rbind /sys/fs/cgroup /run/slipway/cgroup
mount -t sysfs sysfs /sys
mount --rbind /run/slipway/cgroup /sys/fs/cgroup
umount -l /run/slipway/cgroup

# What is written to /etc and /var/lib stays in this namespace, except for the folders below.
mount --bind {folder} /run/slipway/folder
for place in etc var/lib; do
  over=/run/slipway/over/$place
  mkdir -p $over/upper $over/work
  mount -t overlay overlay -o lowerdir=/$place,upperdir=$over/upper,workdir=$over/work /$place
done
# Not there yet where it is on a disk of its own, which an overlay does not show.
mkdir -p {folder}
mount --bind /run/slipway/folder {folder}
umount /run/slipway/folder
keep() {{
  mkdir -p "$1" "$2"
  mount --bind "$1" "$2"
}}
{keeps}
rm -f /etc/resolv.conf
cp {resolv_conf} /etc/resolv.conf
hostname {name}
printf '127.0.0.1 localhost\\n%s %s\\n' {node_ip} {name} >/etc/hosts

for setting in {settings}; do
  if [ -e /proc/sys/$setting ]; then
    mkdir -p "/run/slipway/sys/${{setting%/*}}"
    cat /proc/sys/$setting >/run/slipway/sys/$setting
    mount --bind /run/slipway/sys/$setting /proc/sys/$setting
  fi
done
# Pods may ask for mounts that come and go with the node's.
mount --make-rshared /

waited=0
until [ -e /sys/class/net/{interface} ]; do
  waited=$((waited + 1))
  if [ $waited -gt {link_tenths} ]; then
    echo "the machine did not connect the node within {link_wait} s" >&2
    exit 1
  fi
  sleep 0.1
done
ip link set lo up
ip address add {node_ip}/{link_prefix} dev {interface}
ip link set {interface} up
ip route add default via {host_ip}
# A pod has a route of its own while it lives; what is sent to one that has gone is refused here
# and does not leave by the default route.
ip route add unreachable {pods}
echo 1 >/proc/sys/net/ipv4/ip_forward
: >{ready}
exec {svscan} {services}
"""


@dataclass(frozen=True)
class Kept:
    """A folder of the cluster that a node sees at a fixed place."""

    folder: Path
    place: Path


def init_script(
    *,
    name: str,
    network: Network,
    folder: Path,
    kept: Sequence[Kept],
    resolv_conf: Path,
    services: Path,
    svscan: Path,
    path: str,
) -> str:
    """Return the script.

    Args:
        name: The cluster; becomes the node's host name.
        network: Its addresses.
        folder: The cluster's folder, which a node sees at the same path.
        kept: What survives a restart although Kubernetes has a fixed place for it.
        resolv_conf: The node's resolvers.
        services: What s6-svscan scans.
        svscan: That program.
        path: Value of PATH.
    """
    quote = shlex.quote
    return _SCRIPT.format(
        name=name,
        path=quote(path),
        folder=quote(str(folder)),
        keeps="\n".join(f"keep {quote(str(k.folder))} {quote(str(k.place))}" for k in kept),
        resolv_conf=quote(str(resolv_conf)),
        node_ip=network.node_ip,
        link_prefix=network.link.prefixlen,
        host_ip=network.host_ip,
        pods=network.pods,
        interface=NODE_INTERFACE,
        settings=" ".join(KERNEL_SETTINGS),
        link_wait=LINK_WAIT,
        link_tenths=LINK_WAIT * 10,
        ready=READY,
        svscan=quote(str(svscan)),
        services=quote(str(services)),
    )


def resolv_conf(resolvers: Sequence[IPv4Address]) -> str:
    """Return the node's resolv.conf; without resolvers, one that says so."""
    if not resolvers:
        return "# This machine has no resolver that a node can reach.\n"
    return "".join(f"nameserver {address}\n" for address in resolvers)
