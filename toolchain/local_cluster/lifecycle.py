"""Creates, starts, inspects and removes local clusters."""

import shutil
import time
import uuid
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime
from ipaddress import IPv4Network
from pathlib import Path

from toolchain import images, programs
from toolchain.local_cluster import (
    cgroups,
    containerd,
    distribution,
    forward,
    forwarding,
    leftovers,
    models,
    network,
    node,
    pki,
    preflight,
    readiness,
    sandbox,
    services,
    state,
)
from toolchain.local_cluster.api import ApiError, Client
from toolchain.local_cluster.commands import search_path
from toolchain.local_cluster.distribution import Blueprint, DistributionSteps, Machine
from toolchain.local_cluster.errors import LocalClusterError, PreflightError
from toolchain.local_cluster.k3s import K3s
from toolchain.local_cluster.spec import ClusterSpec, ClusterState, Distribution, Status
from toolchain.local_cluster.state import Layout, Record
from toolchain.local_cluster.upstream import Upstream
from toolchain.progress import Report, duration

_STEPS: dict[Distribution, DistributionSteps] = {"upstream": Upstream(), "k3s": K3s()}

_STARTED = "started"
"""File with the digest of the configuration that the running node was started with."""

_SOCKET = 60.0
"""Seconds for containerd to listen, and for k3s to write its kubeconfig."""


def steps_of(chosen: Distribution) -> DistributionSteps:
    """Return the steps of a distribution."""
    return _STEPS[chosen]


def create(spec: ClusterSpec, report: Report) -> ClusterState:
    """Create a cluster, or bring an existing one to what is asked for, and wait until it is ready.

    An interrupted creation is finished, a stopped node started, and a node whose programs or
    configuration changed is restarted with its data.

    Args:
        spec: What is asked for.
        report: Takes progress lines.

    Raises:
        PreflightError: The machine cannot have it; nothing was made.
        LocalClusterError: Something failed on the way; the next call goes on from there.
    """
    found = preflight.problems(spec)
    if found:
        raise PreflightError(found)
    with state.cluster_lock(spec.name, report):
        return _bring_up(_agree(spec, report), report)


def start(name: str, report: Report) -> ClusterState:
    """Start a cluster that exists; does nothing to one that runs.

    Args:
        name: The cluster.
        report: Takes progress lines.

    Raises:
        LocalClusterError: There is none, or it does not come up.
    """
    with state.cluster_lock(name, report):
        return _bring_up(_existing(name), report)


def destroy(name: str, report: Report) -> None:
    """Remove a cluster with everything that it has on this machine; does nothing without one.

    Args:
        name: The cluster.
        report: Takes progress lines.

    Raises:
        LocalClusterError: Something could not be removed; the message names it.
    """
    with state.cluster_lock(name, report):
        if not leftovers.find(name):
            return
        started = time.monotonic()
        report(f"removing cluster {name}")
        forward.end(name)
        node.end(name)
        cgroups.remove(name)
        node.remove_folder(state.layout(name))
        with state.machine_lock(report):
            if not state.names():
                forwarding.restore()
                if state.ROOT.exists():
                    shutil.rmtree(state.ROOT)
        remaining = leftovers.find(name)
        if remaining:
            raise LocalClusterError(
                f"cluster {name} is not removed completely: {'; '.join(remaining)}; "
                "run `make down` again"
            )
        report(f"cluster {name} is removed ({duration(time.monotonic() - started)})")


def status(name: str) -> Status:
    """Return whether a cluster runs.

    Args:
        name: The cluster.
    """
    record = state.load(name)
    if record is None:
        found = leftovers.find(name)
        if not found:
            return Status("absent")
        return Status("broken", ("its record is missing", *found))
    pid = node.init_pid(name)
    if pid is None:
        return Status("stopped", ("its node does not run",))
    reasons = []
    if not node.is_prepared(pid):
        reasons.append("its node is not prepared")
    if not network.exists(name):
        reasons.append(f"its network interface {network.interface(name)} is missing")
    reasons += [
        f"port {port.host} of 127.0.0.1 does not lead to it"
        for port in record.ports
        if port not in forward.running(name)
    ]
    text = _read_kubeconfig(state.layout(name))
    if not text:
        reasons.append("it has not been ready yet")
    elif problem := _api_problem(text):
        reasons.append(f"its API server is not ready: {problem}")
    return Status("broken", tuple(reasons)) if reasons else Status("running")


def read(name: str) -> ClusterState | None:
    """Return what a cluster is, running or not; `None` when there is none."""
    record = state.load(name)
    return None if record is None else _state_of(record)


def import_image(name: str, archive: Path, report: Report) -> None:
    """Bring the images of an OCI or Docker archive to a running cluster.

    Args:
        name: The cluster.
        archive: The file.
        report: Takes progress lines.

    Raises:
        LocalClusterError: The cluster does not run, or refuses the archive.
    """
    started = time.monotonic()
    containerd.import_archive(_client_of(name), archive)
    report(f"{archive.name} is imported ({duration(time.monotonic() - started)})")


def has_image(name: str, ref: str) -> bool:
    """Tell whether a running cluster has an image.

    Raises:
        LocalClusterError: The cluster does not run.
    """
    return ref in containerd.images(_client_of(name))


def put_model(name: str, file: Path, digest: str) -> Path:
    """Copy a model file to a cluster's node, see `models.put`.

    Raises:
        LocalClusterError: There is no such cluster, or the file is another than `digest` says.
    """
    _existing(name)
    return models.put(state.layout(name), file, digest)


def _existing(name: str) -> Record:
    record = state.load(name)
    if record is None:
        raise LocalClusterError(f"there is no cluster {name} on this machine: `make up` creates it")
    return record


def _client_of(name: str) -> list[str]:
    steps = steps_of(_existing(name).distribution)
    pid = node.init_pid(name)
    if pid is None:
        raise LocalClusterError(f"cluster {name} does not run: `make up` starts it")
    return containerd.client(steps.ctr(), pid, steps.containerd_socket)


def _agree(spec: ClusterSpec, report: Report) -> Record:
    """Return the record of what is asked for, written before anything else is made."""
    version = steps_of(spec.distribution).version
    record = state.load(spec.name)
    if record is None:
        with state.machine_lock(report):
            return _plan(spec, version)
    problem = preflight.owner_problem(spec, record)
    if problem:
        raise LocalClusterError(problem)
    if record.distribution != spec.distribution:
        raise LocalClusterError(
            f"cluster {spec.name} is {record.distribution} and cannot become {spec.distribution}: "
            "remove it first with `make down`"
        )
    wanted = replace(record, ports=spec.ports, version=version)
    if wanted != record:
        state.save(wanted)
    return wanted


def _plan(spec: ClusterSpec, version: str) -> Record:
    others = [record for name in state.names() if (record := state.load(name))]
    taken, _ = network.machine_routes()
    taken += [IPv4Network(address) for address in network.resolvers()]
    links = [record.network.link for record in others]
    record = Record(
        name=spec.name,
        owner=spec.owner,
        distribution=spec.distribution,
        version=version,
        identity=str(uuid.uuid4()),
        network=network.plan((net for net in taken if net not in links), links),
        ports=spec.ports,
    )
    state.save(record)
    return record


def _bring_up(record: Record, report: Report) -> ClusterState:
    """Make everything of a cluster that is not there yet, and wait until it is ready."""
    steps, where = steps_of(record.distribution), state.layout(record.name)
    programs.ensure(steps.programs, report)
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
    with ThreadPoolExecutor(max_workers=1) as pool:
        importing = pool.submit(_import_own, record.name, steps, pid, archives)
        _await_ready(record, where, steps, machine, node.started_at(pid), importing, report)
    return _state_of(record)


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
    digest = services.digest(plan.services, {**plan.files, init: script, where.pki: _keys(where)})
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
    _write(plan, init, script)
    services.write(where.services, plan.services, where.logs, path, programs.path("s6-log"))
    report(f"starting node {name} ({record.distribution} {record.version})")
    pid = node.start(name, where, record.network, init)
    state.write_atomically(started, digest)
    return pid


def _keys(where: Layout) -> str:
    return pki.fingerprint(where)


def _reads(path: Path, text: str) -> bool:
    return path.exists() and path.read_text() == text


def _write(plan: Blueprint, init: Path, script: str) -> None:
    for path, text in plan.files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        state.write_atomically(path, text)
    state.write_atomically(init, script, mode=0o700)


def _import_own(name: str, steps: DistributionSteps, pid: int, archives: list[Path]) -> None:
    """Bring the node's own images to it while the rest of it starts."""
    if not archives:
        return
    socket = node.inside(pid, steps.containerd_socket)
    deadline = time.monotonic() + _SOCKET
    while not socket.exists():
        if time.monotonic() > deadline or not cgroups.is_alive(pid):
            raise LocalClusterError(f"containerd of cluster {name} does not listen on its socket")
        time.sleep(0.05)
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
    text = _await_kubeconfig(record, where, steps)
    client = Client(text)
    try:
        first, *others = readiness.steps(record.name, since)

        def wait(wanted: list[readiness.Step]) -> None:
            readiness.wait(
                client, wanted, where, lambda: node.init_pid(record.name) is not None, report
            )

        wait([first])
        for addon in steps.addons(machine, record):
            client.apply(addon.path, addon.manifest)
        importing.result()
        wait(others)
    except ApiError as error:
        raise LocalClusterError(
            f"the API server of cluster {record.name} refuses: {error}"
        ) from error
    finally:
        client.close()
    # Written last: its presence says that the cluster was ready once.
    if not _reads(where.kubeconfig, text):
        state.write_atomically(where.kubeconfig, text)


def _await_kubeconfig(record: Record, where: Layout, steps: DistributionSteps) -> str:
    deadline = time.monotonic() + _SOCKET
    while (text := steps.kubeconfig(record, where)) is None:
        if time.monotonic() > deadline:
            raise LocalClusterError(
                f"{record.distribution} of cluster {record.name} wrote no kubeconfig within "
                f"{_SOCKET:.0f} s: see {where.logs}"
            )
        time.sleep(0.1)
    return text


def _state_of(record: Record) -> ClusterState:
    where = state.layout(record.name)
    return ClusterState(
        name=record.name,
        distribution=record.distribution,
        version=record.version,
        identity=record.identity,
        kubeconfig=_read_kubeconfig(where),
        ports=record.ports,
        node_ip=str(record.network.node_ip),
        folder=where.folder,
        owner=record.owner,
        enforces_network_policy=steps_of(record.distribution).enforces_network_policy,
    )


def _read_kubeconfig(where: Layout) -> str:
    return where.kubeconfig.read_text() if where.kubeconfig.exists() else ""


def _api_problem(text: str) -> str | None:
    client = Client(text)
    try:
        answer = client.get("/readyz")
    except ApiError as error:
        return str(error)
    finally:
        client.close()
    return None if answer == "ok" else str(answer)
