"""Clusters for the tests of the node sandbox, without the engine and the platform."""

import hashlib
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.ports import free_ports
from toolchain import images, local_cluster
from toolchain.local_cluster import ClusterSpec, PortForward, cgroups, network, node, state
from toolchain.local_cluster.api import ApiError, Client

OWNER = "tests"
HTTP_NODE_PORT, DNS_NODE_PORT = 30080, 30053
PATIENCE = 90.0


def until(condition: Callable[[], object], what: str) -> None:
    """Wait for a condition, which may fail to answer while things start."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            if condition():
                return
            last = "it is false"
        except (OSError, ApiError, AssertionError) as error:
            last = str(error)
        assert time.monotonic() < deadline, f"{what}: {last}"
        time.sleep(0.1)


def machine() -> dict[str, list[str]]:
    """Return what a node could leave on a machine."""

    def said(*command: str) -> list[str]:
        return subprocess.run(
            command, capture_output=True, text=True, check=True
        ).stdout.splitlines()

    seen = {
        "mounts": Path("/proc/self/mountinfo").read_text().splitlines(),
        "interfaces": sorted(path.name for path in Path("/sys/class/net").iterdir()),
        "nat rules": said("iptables", "-w", "-t", "nat", "-S"),
        "filter rules": said("iptables", "-w", "-S"),
        "routes": said("ip", "-4", "route", "show"),
        "cgroups": sorted(
            str(path)
            for pattern in ("slipway-*", "*/slipway-*")
            for path in Path("/sys/fs/cgroup").glob(pattern)
        ),
        "clusters": [f"clusters/{name}" for name in state.names()],
        "locks": sorted(path.name for path in state.LOCKS.glob("slipway*")),
        "settings": [
            Path("/proc/sys", setting).read_text().strip()
            for setting in ("vm/overcommit_memory", "kernel/panic", "net/ipv4/ip_forward")
        ],
        "fixed places": [
            place
            for place in ("/var/lib/kubelet", "/var/lib/cni", "/run/containerd", "/etc/rancher")
            if Path(place).exists()
        ],
        "processes": processes_of_nodes(),
    }
    # Clusters that are not this file's come and go as they like.
    others = [
        mark
        for name in [path.name for path in (state.ROOT / "clusters").glob("*")]
        if not name.startswith("test-")
        for mark in (f"slipway-{name}", network.interface(name), f"clusters/{name}")
    ]
    return {
        kind: [line for line in lines if not any(mark in line for mark in others)]
        for kind, lines in seen.items()
    }


def processes_of_nodes() -> list[str]:
    """Return the command lines of processes that name a cluster's folder."""
    found = []
    for process in Path("/proc").iterdir():
        try:
            words = (process / "cmdline").read_bytes().decode().replace("\0", " ")
        except (FileNotFoundError, NotADirectoryError, ProcessLookupError):
            continue
        if "/var/lib/slipway/clusters/" in words:
            found.append(words)
    return sorted(found)


@dataclass(frozen=True)
class Node:
    """A cluster under test."""

    spec: ClusterSpec
    before: dict[str, list[str]]

    @property
    def http(self) -> str:
        return f"http://127.0.0.1:{self.spec.ports[0].host}/health"

    @property
    def dns(self) -> int:
        return self.spec.ports[1].host

    def client(self) -> Client:
        found = local_cluster.read(self.spec.name)
        assert found is not None
        return Client(found.kubeconfig)


def spec(name: str) -> ClusterSpec:
    http, dns = free_ports()
    ports = (PortForward(http, HTTP_NODE_PORT), PortForward(dns, DNS_NODE_PORT))
    return ClusterSpec(name, "upstream", ports, OWNER)


def deploy(made: Node) -> None:
    """Run CoreDNS once more as the application: its configuration file plays the model.

    Over HTTP it says that it is well; over DNS it asks the cluster's DNS Service.
    """
    name = made.spec.name
    record = state.load(name)
    assert record is not None
    corefile = state.layout(name).folder / "Corefile"
    corefile.write_text(
        f".:5353 {{\n  health :8080\n  forward . {record.network.dns_ip}\n  errors\n}}\n"
    )
    digest = hashlib.sha256(corefile.read_bytes()).hexdigest()
    on_node = local_cluster.put_model(name, corefile, digest)
    labels = {"app": "probe"}
    client = made.client()
    client.apply(
        "/apis/apps/v1/namespaces/default/deployments/probe",
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "probe"},
            "spec": {
                "selector": {"matchLabels": labels},
                "template": {
                    "metadata": {"labels": labels},
                    "spec": {
                        "terminationGracePeriodSeconds": 0,
                        "containers": [
                            {
                                "name": "probe",
                                "image": images.reference("coredns"),
                                "imagePullPolicy": "Never",
                                "args": ["-conf", f"/model/{on_node.name}"],
                                "volumeMounts": [{"name": "model", "mountPath": "/model"}],
                            }
                        ],
                        "volumes": [
                            {"name": "model", "hostPath": {"path": str(on_node.parent)}},
                        ],
                    },
                },
            },
        },
    )
    client.apply(
        "/api/v1/namespaces/default/services/probe",
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "probe"},
            "spec": {
                "type": "NodePort",
                "selector": labels,
                "ports": [
                    {"name": "http", "port": 8080, "nodePort": HTTP_NODE_PORT},
                    {"name": "dns", "port": 5353, "nodePort": DNS_NODE_PORT},
                ],
            },
        },
    )
    client.close()


def answers(url: str) -> bool:
    with urllib.request.urlopen(url, timeout=2) as response:
        return bool(response.read() == b"OK")


def resolve(port: int, name: str) -> str:
    """Ask a DNS server on a loopback TCP port for an address (RFC 1035, one question)."""
    question = b"".join(bytes([len(part)]) + part.encode() for part in name.split(".")) + b"\0"
    query = struct.pack(">6H", 1, 0x0100, 1, 0, 0, 0) + question + struct.pack(">2H", 1, 1)
    with socket.create_connection(("127.0.0.1", port), timeout=2) as connection:
        connection.sendall(struct.pack(">H", len(query)) + query)
        with connection.makefile("rb") as stream:
            (length,) = struct.unpack(">H", stream.read(2))
            answer = stream.read(length)
    assert struct.unpack(">H", answer[6:8])[0] == 1, f"no answer for {name}"
    return socket.inet_ntoa(answer[-4:])


def reboot(name: str) -> None:
    """End at once everything of a cluster that a reboot would end."""
    pid = node.init_pid(name)
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    until(lambda: not cgroups.members(name, node.PART), "the node's processes end")
    for part in cgroups.parts(name):
        if part.startswith("forward-"):
            for member in cgroups.members(name, part):
                os.kill(member, signal.SIGKILL)
    until(lambda: not cgroups.members(name), "all processes end")
    cgroups.remove(name)
    network.detach(name)


_CREATE = """
import json, sys
from toolchain import local_cluster
from toolchain.local_cluster import ClusterSpec, PortForward
wanted = json.loads(sys.argv[1])
ports = tuple(PortForward(**port) for port in wanted.pop("ports"))
local_cluster.create(ClusterSpec(ports=ports, **wanted), print)
"""


def start_creating(wanted: ClusterSpec) -> subprocess.Popen[str]:
    document = {
        "name": wanted.name,
        "distribution": wanted.distribution,
        "owner": wanted.owner,
        "ports": [{"host": port.host, "node": port.node} for port in wanted.ports],
    }
    return subprocess.Popen(
        [sys.executable, "-c", _CREATE, json.dumps(document)],
        cwd=Path(local_cluster.__file__).parents[2],
        stdout=subprocess.DEVNULL,
        text=True,
    )
