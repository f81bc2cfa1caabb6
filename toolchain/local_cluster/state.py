"""What a cluster keeps on disk, and the locks around it.

The record `cluster.json` is written before anything else is made and its folder is removed last,
so whatever an interrupted run leaves can be found by the next one.
"""

import fcntl
import json
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import IPv4Network
from pathlib import Path

from toolchain.local_cluster.errors import LocalClusterError
from toolchain.local_cluster.network import Network
from toolchain.local_cluster.spec import (
    DISTRIBUTIONS,
    Distribution,
    PortForward,
    check_name,
)
from toolchain.progress import Report

ROOT = Path("/var/lib/slipway")
"""Where local clusters live: the machine's state, so not a user's cache."""

LOCKS = Path("/run/lock")
"""Lock files are of this boot only; each is removed by the run that held it."""

LOCK_WAIT = 900.0
"""Seconds to wait for another run that works on the same cluster; creating one takes far less."""

_FORMAT = 1


@dataclass(frozen=True)
class Layout:
    """The folders of one cluster.

    Attributes:
        folder: `<ROOT>/clusters/<name>`.
    """

    folder: Path

    @property
    def record(self) -> Path:
        """What was asked for and planned, as JSON."""
        return self.folder / "cluster.json"

    @property
    def kubeconfig(self) -> Path:
        """The admin's kubeconfig, readable by root only."""
        return self.folder / "kubeconfig"

    @property
    def pki(self) -> Path:
        """Keys and certificates."""
        return self.folder / "pki"

    @property
    def config(self) -> Path:
        """Generated configuration of every component."""
        return self.folder / "config"

    @property
    def services(self) -> Path:
        """Service folders that s6 supervises."""
        return self.folder / "services"

    @property
    def logs(self) -> Path:
        """One folder per component, and the logs of the pods."""
        return self.folder / "logs"

    @property
    def data(self) -> Path:
        """What has to survive a reboot: etcd, images, volumes."""
        return self.folder / "data"

    @property
    def models(self) -> Path:
        """Model files, one folder per digest."""
        return self.folder / "models"


@dataclass(frozen=True)
class Record:
    """What `cluster.json` holds: the request, and what was decided once for this cluster."""

    name: str
    owner: str
    distribution: Distribution
    version: str
    identity: str
    network: Network
    ports: tuple[PortForward, ...]


def layout(name: str) -> Layout:
    """Return the folders of a cluster, which need not exist.

    Raises:
        LocalClusterError: The name breaks the rules, so no path is made from it.
    """
    check_name(name)
    return Layout(ROOT / "clusters" / name)


def names() -> list[str]:
    """Return the names of all clusters of this machine that have a folder."""
    clusters = ROOT / "clusters"
    if not clusters.is_dir():
        return []
    return sorted(path.name for path in clusters.iterdir() if path.is_dir())


def remove_empty_folders() -> None:
    """Remove the folders above the clusters, unless something else is kept there."""
    for folder in (ROOT / "clusters", ROOT):
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()


def write_atomically(path: Path, text: str, mode: int = 0o600) -> None:
    """Replace a file so that a reader, and a crash, sees the old text or the new one.

    Args:
        path: The file; its folder must exist.
        text: Its new content.
        mode: Permissions from the first byte on.
    """
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "w") as file:
            os.fchmod(file.fileno(), mode)
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def save(record: Record) -> None:
    """Write a cluster's record, and its folder if that is missing."""
    where = layout(record.name)
    where.folder.mkdir(parents=True, exist_ok=True, mode=0o755)
    network = record.network
    document = {
        "format": _FORMAT,
        "name": record.name,
        "owner": record.owner,
        "distribution": record.distribution,
        "version": record.version,
        "identity": record.identity,
        "network": {
            "link": str(network.link),
            "pods": str(network.pods),
            "services": str(network.services),
        },
        "ports": [{"host": port.host, "node": port.node} for port in record.ports],
    }
    write_atomically(where.record, json.dumps(document, indent=2) + "\n", mode=0o644)


def load(name: str) -> Record | None:
    """Return a cluster's record, or `None` when there is none.

    Raises:
        LocalClusterError: The file is damaged, or was written by a newer Slipway.
    """
    path = layout(name).record
    try:
        text = path.read_text()
    except FileNotFoundError:
        return None
    try:
        return _parse(json.loads(text))
    except (ValueError, KeyError, TypeError) as error:
        raise LocalClusterError(
            f"{path} cannot be read ({error}): remove the cluster with `make down` and create it "
            "again"
        ) from error


def _parse(document: dict[str, object]) -> Record:
    if document["format"] != _FORMAT:
        raise ValueError(f"format {document['format']}, this Slipway knows {_FORMAT}")
    distribution = next((d for d in DISTRIBUTIONS if d == document["distribution"]), None)
    if distribution is None:
        raise ValueError(f"distribution {document['distribution']!r}")
    network, ports = document["network"], document["ports"]
    if not isinstance(network, dict) or not isinstance(ports, list):
        raise TypeError("network or ports")
    return Record(
        name=str(document["name"]),
        owner=str(document["owner"]),
        distribution=distribution,
        version=str(document["version"]),
        identity=str(document["identity"]),
        network=Network(
            link=IPv4Network(network["link"]),
            pods=IPv4Network(network["pods"]),
            services=IPv4Network(network["services"]),
        ),
        ports=tuple(PortForward(host=port["host"], node=port["node"]) for port in ports),
    )


@contextmanager
def cluster_lock(name: str, report: Report) -> Iterator[None]:
    """Hold the lock of one cluster, so that two runs never change it at once.

    Args:
        name: The cluster.
        report: Told when another run holds the lock.

    Raises:
        LocalClusterError: The other run still holds it after `LOCK_WAIT` seconds.
    """
    check_name(name)
    with _lock(f"cluster {name}", LOCKS / f"slipway-{name}.lock", report):
        yield


@contextmanager
def machine_lock(report: Report) -> Iterator[None]:
    """Hold the lock of what all clusters of the machine share: address ranges, sysctls."""
    with _lock("the machine's clusters", LOCKS / "slipway.lock", report):
        yield


@contextmanager
def _lock(what: str, path: Path, report: Report) -> Iterator[None]:
    """Hold a lock file; the kernel drops the lock with the process, so none is ever stale."""
    path.parent.mkdir(parents=True, exist_ok=True)
    deadline = time.monotonic() + LOCK_WAIT
    waiting = False
    while True:
        with path.open("w") as handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise LocalClusterError(
                        f"another run has been working on {what} for {LOCK_WAIT:.0f} s: "
                        "wait for it or end it, then try again"
                    ) from None
                if not waiting:
                    report(f"waiting for another run that works on {what}")
                    waiting = True
                time.sleep(0.2)
                continue
            if not _is_current(path, handle.fileno()):
                continue
            try:
                yield
            finally:
                # Removed while it is held: whoever opened this file meanwhile sees in
                # `_is_current` that it is gone, and opens the next one.
                path.unlink(missing_ok=True)
            return


def _is_current(path: Path, descriptor: int) -> bool:
    """Tell whether an open lock file is still the one that its name leads to."""
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False
