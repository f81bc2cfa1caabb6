"""The distribution `k3s`: the official binary with a configuration file.

It brings its own containerd, CNI plug-ins, CoreDNS, metrics server, storage and load balancer.
"""

import os
from pathlib import Path
from typing import Any

import yaml

from infra import versions
from toolchain import programs
from toolchain.local_cluster import kubeconfig
from toolchain.local_cluster.cgroups import root as cgroup_root
from toolchain.local_cluster.distribution import (
    Addon,
    Blueprint,
    Machine,
    may_protect_from_oom,
)
from toolchain.local_cluster.pki import DOMAIN
from toolchain.local_cluster.sandbox import Kept
from toolchain.local_cluster.services import KUBERNETES, Service
from toolchain.local_cluster.spec import Brings
from toolchain.local_cluster.state import Layout, Record
from toolchain.progress import Report


class K3s:
    """See `DistributionSteps`."""

    version = f"v{versions.K3S}"
    programs = ("k3s", "s6-svscan", "ip", "iptables", "socat", "unshare")
    # kube-router's policy controller, metrics-server, ServiceLB and the local path provisioner.
    brings = Brings(
        network_policies=True, metrics_server=True, load_balancer=True, storage_class="local-path"
    )
    containerd_socket = Path("/run/k3s/containerd/containerd.sock")
    # It pulls its own.
    images: tuple[str, ...] = ()

    def obstacle(self) -> str | None:
        """Return why this machine cannot run it, or `None`.

        Its containerd has no setting that stops it from protecting pods from the kernel's
        out-of-memory killer, without which none starts where that is not allowed.
        """
        if os.geteuid() == 0 and not may_protect_from_oom():
            return "its pods need CAP_SYS_RESOURCE, which this machine does not give"
        return None

    def ctr(self) -> list[str]:
        """Return the command of containerd's client, which is in the same binary."""
        return [str(programs.path("k3s")), "ctr"]

    def prepare(self, record: Record, where: Layout, report: Report) -> None:
        """Do nothing: k3s issues and renews its certificates itself."""
        del record, where, report

    def kubeconfig(self, record: Record, where: Layout) -> str | None:
        """Return the kubeconfig that k3s wrote, with the node's address."""
        written = _written_kubeconfig(where)
        if not written.exists():
            return None
        return kubeconfig.readdressed(written.read_text(), record.name, record.network.node_ip)

    def addons(self, machine: Machine, record: Record) -> list[Addon]:
        """Return nothing: k3s brings CoreDNS."""
        del machine, record
        return []

    def blueprint(self, record: Record, where: Layout, machine: Machine) -> Blueprint:
        """Return the node's configuration."""
        k3s = programs.path("k3s")
        file = where.config / "k3s.yaml"
        return Blueprint(
            files={file: yaml.safe_dump(configuration(record, where, machine), sort_keys=False)},
            services=(Service(KUBERNETES, [str(k3s), "server", "--config", str(file)]),),
            kept=(
                Kept(where.data / "kubelet", Path("/var/lib/kubelet")),
                Kept(where.data / "cni", Path("/var/lib/cni")),
                # The node's password: without it the server takes a restarted node for another.
                Kept(where.data / "rancher", Path("/etc/rancher")),
                Kept(where.logs, Path("/var/log")),
            ),
            programs=(k3s.parent,),
        )


def configuration(record: Record, where: Layout, machine: Machine) -> dict[str, Any]:
    """Return the content of k3s's `config.yaml`.

    Args:
        record: The cluster.
        where: Its folders.
        machine: What the machine allows.
    """
    network = record.network
    kubelet = {
        "cgroup-root": cgroup_root(record.name),
        "fail-swap-on": "false",
        "fail-cgroupv1": "false",
        # The same reasons as in upstream.py: a full disk is not the cluster's, and imported
        # images cannot be pulled again.
        "eviction-hard": "memory.available<100Mi,nodefs.available<500Mi,imagefs.available<500Mi",
        "image-gc-high-threshold": "100",
        "image-gc-low-threshold": "99",
    }
    return {
        "data-dir": str(where.data / "k3s"),
        "write-kubeconfig": str(_written_kubeconfig(where)),
        "write-kubeconfig-mode": "0600",
        "node-name": record.name,
        "node-ip": str(network.node_ip),
        "advertise-address": str(network.node_ip),
        "tls-san": [str(network.node_ip)],
        "cluster-cidr": str(network.pods),
        "service-cidr": str(network.services),
        "cluster-dns": str(network.dns_ip),
        "cluster-domain": DOMAIN,
        "resolv-conf": str(where.config / "resolv.conf"),
        # One node has nobody to build tunnels to, for which the kernel would need vxlan.
        "flannel-backend": "host-gw",
        # The platform brings the gateway, on every cluster the same.
        "disable": ["traefik"],
        "snapshotter": machine.snapshotter,
        "kubelet-arg": [f"{key}={value}" for key, value in kubelet.items()],
        # The limit is the machine's, and a network namespace may only read it.
        "kube-proxy-arg": ["conntrack-max-per-core=0", "conntrack-min=0"],
    }


def _written_kubeconfig(where: Layout) -> Path:
    return where.data / "k3s.kubeconfig"
