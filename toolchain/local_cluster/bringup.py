"""Brings a cluster from whatever is there of it to a node that is ready."""

import threading
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime
from pathlib import Path

from toolchain import images, programs
from toolchain.local_cluster import (
    containerd,
    distribution,
    forward,
    forwarding,
    network,
    node,
    pki,
    readiness,
    sandbox,
    services,
    state,
)
from toolchain.local_cluster.api import ApiError, Client
from toolchain.local_cluster.commands import search_path
from toolchain.local_cluster.distribution import DistributionSteps, Machine
from toolchain.local_cluster.distributions import steps_of
from toolchain.local_cluster.errors import LocalClusterError
from toolchain.local_cluster.readiness import Step
from toolchain.local_cluster.state import Layout, Record
from toolchain.progress import Report

_STARTED = "started"
"""File with the digest of the configuration that the running node was started with."""


def bring_up(record: Record, report: Report) -> None:
    """Make everything of a cluster that is not there yet, and wait until it is ready.

    The caller holds the cluster's lock, and its programs are there.

    Args:
        record: The cluster.
        report: Takes progress lines.

    Raises:
        LocalClusterError: Something failed; the next call goes on from there.
    """
    steps, where = steps_of(record.distribution), state.layout(record.name)
    archives = [images.build(recipe, report) for recipe in steps.images]
    for folder in (where.config, where.logs, where.data, where.models):
        folder.mkdir(parents=True, exist_ok=True)
    # Keys and configuration are nobody's business; logs and models are.
    where.config.chmod(0o700)
    where.data.chmod(0o711)
    steps.prepare(record, where, report)
    machine = distribution.look_at_machine(where.folder)
    pid = _run_node(record, where, steps, machine, report)
    forward.reconcile(
        record.name, where, record.network.node_ip, record.ports, programs.path("socat")
    )
    abandoned = threading.Event()
    with ThreadPoolExecutor(max_workers=1) as pool:
        importing = pool.submit(_import_own, steps, pid, archives, abandoned)
        try:
            _await_ready(record, where, steps, machine, node.started_at(pid), importing, report)
        finally:
            abandoned.set()


def _run_node(
    record: Record, where: Layout, steps: DistributionSteps, machine: Machine, report: Report
) -> int:
    """Start the node unless it runs with this very configuration; returns its PID 1."""
    name = record.name
    plan = steps.blueprint(record, where, machine)
    resolv_conf = where.config / "resolv.conf"
    state.write_atomically(resolv_conf, sandbox.resolv_conf(machine.resolvers), mode=0o644)
    path = search_path(*plan.programs, programs.path("s6-svscan").parent)
    init = where.config / "init.sh"
    script = sandbox.init_script(
        name=name,
        network=record.network,
        folder=where.folder,
        kept=plan.kept,
        resolv_conf=resolv_conf,
        services=where.services,
        svscan=programs.path("s6-svscan"),
        path=path,
    )
    digest = services.digest(
        plan.services,
        {**plan.files, **plan.scripts, init: script, where.pki: pki.fingerprint(where)},
    )
    started = where.config / _STARTED
    pid = node.init_pid(name)
    if pid is not None and node.is_prepared(pid) and _reads(started, digest):
        network.attach(name, record.network, pid)
        return pid
    if pid is not None:
        report("restarting the node: its configuration changed, or its start was interrupted")
        node.stop(name)
    node.end(name)
    with state.machine_lock(report):
        forwarding.enable(network.machine_routes()[1])
    started.unlink(missing_ok=True)
    _write(plan.files, mode=0o600)
    _write({**plan.scripts, init: script}, mode=0o700)
    services.write(where.services, plan.services, where.logs, path, programs.path("s6-log"))
    report(f"starting node {name} ({record.distribution} {record.version})")
    pid = node.start(name, where, record.network, init)
    state.write_atomically(started, digest)
    return pid


def _reads(path: Path, text: str) -> bool:
    return path.exists() and path.read_text() == text


def _write(texts: Mapping[Path, str], mode: int) -> None:
    for path, text in texts.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        state.write_atomically(path, text, mode=mode)


def _import_own(
    steps: DistributionSteps, pid: int, archives: list[Path], abandoned: threading.Event
) -> None:
    """Bring the node's own images to it while the rest of it starts."""
    if not archives:
        return
    socket = node.inside(pid, steps.containerd_socket)
    while not socket.exists():
        if abandoned.wait(0.05):
            return
    command = containerd.client(steps.ctr(), pid, steps.containerd_socket)
    present = containerd.images(command)
    for recipe, archive in zip(steps.images, archives, strict=True):
        if images.reference(recipe) not in present:
            containerd.import_archive(command, archive)


def _await_ready(
    record: Record,
    where: Layout,
    steps: DistributionSteps,
    machine: Machine,
    since: datetime,
    importing: "Future[None]",
    report: Report,
) -> None:
    def wait(*wanted: Step) -> None:
        readiness.wait(wanted, where, lambda: node.init_pid(record.name) is not None, report)

    def imported() -> str | None:
        return importing.result() if importing.done() else "they are being imported"

    if steps.kubeconfig(record, where) is None:
        wait(_kubeconfig(record, where, steps))
    text = steps.kubeconfig(record, where) or ""
    client = Client(text)
    try:
        wait(readiness.api_server(client))
        for addon in steps.addons(machine, record):
            client.apply(addon.path, addon.manifest)
        wait(
            Step("the image store", imported, "containerd"),
            *readiness.steps(client, record.name, since),
        )
    except ApiError as error:
        raise LocalClusterError(
            f"the API server of cluster {record.name} refuses: {error}"
        ) from error
    finally:
        client.close()
    # Written last: its presence says that the cluster was ready once.
    if not _reads(where.kubeconfig, text):
        state.write_atomically(where.kubeconfig, text)


def _kubeconfig(record: Record, where: Layout, steps: DistributionSteps) -> Step:
    def missing() -> str | None:
        written = steps.kubeconfig(record, where) is not None
        return None if written else f"{record.distribution} has not written it"

    return Step("the admin's kubeconfig", missing)
