"""Makes a local node enforce NetworkPolicies for a while, and answer as one of a cloud does."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.cluster.local_node import until
from toolchain import programs
from toolchain.local_cluster import node, state

STOP = 30.0
"""Seconds for the peer to end after it was asked to."""

METADATA = "169.254.169.254"
"""Where clouds tell a machine who it is, and give it keys."""

_LISTEN = """
import socket, sys
server = socket.create_server((sys.argv[1], int(sys.argv[2])))
while True:
    server.accept()[0].close()
"""
_CHAINS = ("KUBE-ROUTER-", "KUBE-NWPLCY-", "KUBE-POD-FW-")
_SETS = ("KUBE-SRC-", "KUBE-DST-")


@contextmanager
def enforced(name: str, log: Path) -> Iterator[None]:
    """Enforce the NetworkPolicies of a local cluster for the length of a block.

    kube-router's firewall runs as a process of this machine in the node's network and mount
    namespaces: there it finds the node's rules, and the lock that kube-proxy takes for changing
    them. Afterwards the node's network is as if it had never run.

    Args:
        name: The cluster; its node runs.
        log: Takes what the peer says.
    """
    record, pid = state.load(name), node.init_pid(name)
    assert record is not None
    assert pid is not None
    programs.ensure(programs.PEERS)
    with log.open("wb") as output:
        # nsenter becomes the peer, so that the process's id is the peer's.
        peer = subprocess.Popen(
            [
                *_inside(pid),
                str(programs.path("kube-router")),
                "--run-firewall=true",
                "--run-router=false",
                "--run-service-proxy=false",
                "--health-port=0",
                f"--kubeconfig={state.layout(name).kubeconfig}",
                f"--hostname-override={name}",
                f"--service-cluster-ip-range={record.network.services}",
            ],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
        try:
            until(lambda: _is_in_force(pid, peer, log), "the peer enforces policies")
            yield
            assert peer.poll() is None, f"the peer has ended: {log.read_text()}"
        finally:
            peer.terminate()
            try:
                peer.wait(STOP)
            finally:
                peer.kill()
                peer.wait()
                _clean(pid)


@contextmanager
def metadata_server(name: str, port: int) -> Iterator[str]:
    """Let the node of a local cluster answer where a cloud's does, for the length of a block.

    Args:
        name: The cluster; its node runs.
        port: Where it listens.

    Yields:
        Its address, `<address>:<port>`.
    """
    pid = node.init_pid(name)
    assert pid is not None
    address = [f"{METADATA}/32", "dev", "lo"]
    _run(pid, "ip", "address", "add", *address)
    try:
        listen = [sys.executable, "-c", _LISTEN, METADATA, str(port)]
        server = subprocess.Popen([*_inside(pid), *listen], stdin=subprocess.DEVNULL)
        try:
            yield f"{METADATA}:{port}"
            assert server.poll() is None
        finally:
            server.kill()
            server.wait()
    finally:
        _run(pid, "ip", "address", "delete", *address)


def _inside(pid: int) -> list[str]:
    return [str(programs.path("nsenter")), f"--target={pid}", "--net", "--mount", "--"]


def _run(pid: int, *command: str, given: str = "") -> str:
    """Run a command in the node's network and return what it said."""
    done = subprocess.run(
        [*_inside(pid), *command], input=given, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{' '.join(command)}: {done.stderr}"
    return done.stdout


def _is_in_force(pid: int, peer: "subprocess.Popen[bytes]", log: Path) -> bool:
    """Tell whether the peer has made its rules for pods."""
    if peer.poll() is not None:
        # Not an assertion: no waiting would help.
        raise RuntimeError(f"the peer has ended with {peer.returncode}: {log.read_text()}")
    return any(rule.startswith("-N KUBE-POD-FW-") for rule in _rules(pid))


def _rules(pid: int) -> list[str]:
    return _run(pid, "iptables", "-w", "-S").splitlines()


def _clean(pid: int) -> None:
    """Remove the peer's rules and sets; it leaves them, so that a restart of it opens nothing.

    In one transaction, and without touching what kube-proxy has changed in the meantime.
    """
    rules = [rule for rule in _rules(pid) if any(mark in rule for mark in _CHAINS)]
    chains = sorted({rule.split()[1] for rule in rules if rule.startswith("-N ")})
    jumps = [
        rule.replace("-A", "-D", 1)
        for rule in rules
        if rule.startswith("-A ") and not rule.split()[1].startswith(_CHAINS)
    ]
    change = [
        "*filter",
        # Naming a chain empties it, and a chain has to be empty to be deleted.
        *(f":{chain} - [0:0]" for chain in chains),
        *jumps,
        *(f"-X {chain}" for chain in chains),
        "COMMIT",
    ]
    _run(pid, "iptables-restore", "--wait", "--noflush", given="\n".join(change) + "\n")
    for name in _run(pid, "ipset", "list", "-name").splitlines():
        if name.startswith(_SETS):
            _run(pid, "ipset", "destroy", name)
    left = [rule for rule in _rules(pid) if any(mark in rule for mark in (*_CHAINS, *_SETS))]
    assert not left, left
