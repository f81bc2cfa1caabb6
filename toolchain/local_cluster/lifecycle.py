"""Creates, starts, inspects and removes local clusters."""

import time
import uuid
from dataclasses import replace
from ipaddress import IPv4Network
from pathlib import Path

from toolchain import programs
from toolchain.local_cluster import (
    cgroups,
    checks,
    containerd,
    forward,
    forwarding,
    models,
    network,
    node,
    remains,
    state,
)
from toolchain.local_cluster.api import ApiError, Client
from toolchain.local_cluster.bringup import bring_up
from toolchain.local_cluster.distributions import steps_of
from toolchain.local_cluster.errors import LocalClusterError, PreflightError
from toolchain.local_cluster.spec import ClusterSpec, ClusterState, Status
from toolchain.local_cluster.state import Layout, Record
from toolchain.progress import Report, duration


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
    found = checks.problems(spec)
    if found:
        raise PreflightError(found)
    with state.cluster_lock(spec.name, report):
        programs.ensure(steps_of(spec.distribution).programs, report)
        record = _agree(spec, report)
        bring_up(record, report)
        return _state_of(record)


def start(name: str, report: Report) -> ClusterState:
    """Start a cluster that exists; does nothing to one that runs.

    Args:
        name: The cluster.
        report: Takes progress lines.

    Raises:
        LocalClusterError: There is none, or it does not come up.
    """
    with state.cluster_lock(name, report):
        record = _existing(name)
        programs.ensure(steps_of(record.distribution).programs, report)
        bring_up(record, report)
        return _state_of(record)


def destroy(name: str, report: Report) -> None:
    """Remove a cluster with everything that it has on this machine; does nothing without one.

    Args:
        name: The cluster.
        report: Takes progress lines.

    Raises:
        LocalClusterError: Something could not be removed; the message names it.
    """
    with state.cluster_lock(name, report):
        if not remains.find(name):
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
                state.remove_empty_folders()
        remaining = remains.find(name)
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
        found = remains.find(name)
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


def put_model(name: str, source: Path, digest: str) -> Path:
    """Copy a model, a file or a folder, to a cluster's node, see `models.put`.

    Raises:
        LocalClusterError: There is no such cluster, or the model is another than `digest` says.
    """
    _existing(name)
    return models.put(state.layout(name), source, digest)


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
            # Also where a run that was cancelled ends, while there is nothing that the state of the
            # stack would have to know of.
            report(f"making cluster {spec.name}")
            return _plan(spec, version)
    problem = checks.owner_problem(spec, record)
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
        address_pool=record.network.address_pool,
        folder=where.folder,
        owner=record.owner,
    )


def _read_kubeconfig(where: Layout) -> str:
    try:
        return where.kubeconfig.read_text() if where.kubeconfig.exists() else ""
    except PermissionError as error:
        raise LocalClusterError(
            f"{where.kubeconfig} is root's: run the command with sudo"
        ) from error


def _api_problem(text: str) -> str | None:
    client = Client(text)
    try:
        answer = client.get("/readyz")
    except ApiError as error:
        return str(error)
    finally:
        client.close()
    return None if answer == "ok" else str(answer)
