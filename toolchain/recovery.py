"""Repairs a stack whose engine was killed in the middle of an update.

Such an engine leaves two things behind: the lock of the file backend, and *pending operations* in
the state. The engine itself only warns about interrupted creations for ever, since it cannot know
whether the object is there. This project's resources can: their creation finishes an interrupted
one, and the identity of a Kubernetes object is known before it is created.
"""

import json
import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from toolchain.errors import SlipwayError

_KUBERNETES = "kubernetes:"
_MACHINE = "slipway:machine:"
_CLUSTER = "slipway:machine:LocalCluster"
_AUTONAMED = "pulumi.com/autonamed"
_BUILT_IN = "pulumi:"
_PROVIDER = "pulumi:providers:"


@dataclass(frozen=True)
class Lock:
    """A lock of the file backend (the JSON file that the engine writes).

    Attributes:
        path: The file.
        pid: Process that holds it.
        host: Machine on which that process runs.
        user: Who started it.
        since: When it took the lock, as RFC 3339 in UTC.
    """

    path: Path
    pid: int
    host: str
    user: str = ""
    since: str = ""

    @property
    def holder(self) -> str:
        """Who holds it, where and since when, for a person."""
        who = f"process {self.pid}{f' of {self.user}' if self.user else ''} on {self.host}"
        return f"{who} since {self.since}" if self.since else who

    def stale(self) -> bool:
        """Tell whether its holder surely has ended: it ran here, and no such engine runs now."""
        if self.host != socket.gethostname():
            return False
        try:
            stat = Path(f"/proc/{self.pid}/stat").read_text()
        except (FileNotFoundError, ProcessLookupError):
            return True
        before, _, after = stat.rpartition(")")
        # It has ended, though nobody has asked how: a container may have nothing that does.
        if after.split()[0] in "ZX":
            return True
        # The number may have been given to another program since.
        return before.partition("(")[2] != "pulumi"


def locks(backend: str, project_name: str, stack: str) -> list[Lock]:
    """Return the locks of a stack in a file backend; of other backends, none.

    Args:
        backend: URL of the backend.
        project_name: Name of the Pulumi project.
        stack: Name of the stack.
    """
    if not backend.startswith("file://"):
        return []
    folder = Path(backend.removeprefix("file://")).expanduser() / ".pulumi" / "locks"
    found = []
    for path in sorted((folder / "organization" / project_name / stack).glob("*.json")):
        try:
            raw = json.loads(path.read_text())
            holder = (int(raw["pid"]), str(raw["hostname"]), str(raw.get("username", "")))
            found.append(Lock(path, *holder, str(raw.get("timestamp", ""))))
        except (OSError, ValueError, KeyError, TypeError):
            # Half written by an engine that was killed at that very moment; the engine decides.
            continue
    return found


def orphans(program: Path) -> list[int]:
    """Return the processes of a program whose parent has ended.

    Args:
        program: The engine's language host, which outlives a killed engine and then waits for ever.
    """
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if (folder / "exe").readlink() != program.resolve():
                continue
            # After the name in parentheses, which may hold anything: the state, then the parent.
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            # It has ended meanwhile, is a thread of the kernel, or belongs to another user.
            continue
        if parent == 1:
            found.append(int(folder.name))
    return found


def held_elsewhere(held: list[Lock]) -> SlipwayError | None:
    """Return the error for the first lock whose holder may still run, if there is one."""
    for lock in held:
        if not lock.stale():
            return SlipwayError(
                f"the stack is being changed by {lock.holder}: wait until it has ended, or run "
                "`make unlock ARGS=--force` when you know that it has"
            )
    return None


@dataclass
class Repair:
    """What becomes of a state with pending operations.

    Attributes:
        deployment: The state without them, in the form that `pulumi stack import` takes.
        adopt: Kubernetes objects that may exist under their fixed name: the next update adopts
            them instead of failing because they exist. Until it has ended well the state is left as
            it is, since it alone says which ones they are.
        discard: Objects that the next update deletes, if they exist.
        retry: Operations that the next update starts again.
        unknown: Interrupted creations of other resources, which only a person can judge; when
            there is one, the state is left to the engine.
    """

    deployment: dict[str, Any]
    adopt: list[str] = field(default_factory=list)
    discard: list[str] = field(default_factory=list)
    retry: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)


def plan(exported: Mapping[str, Any], *, wanted: bool) -> Repair | None:
    """Decide about every pending operation of a state.

    Args:
        exported: What `pulumi stack export` gives.
        wanted: Whether what was being created is wanted: else it is deleted, if it exists. It is
            not where the stack is destroyed next, or an update has adopted all that it wants.

    Returns:
        `None` for a state without pending operations.
    """
    deployment = dict(exported.get("deployment") or {})
    operations = deployment.pop("pending_operations", None)
    if not operations:
        return None
    resources = list(deployment.get("resources") or [])
    living = [resource for resource in resources if not resource.get("delete")]
    recorded = {(resource["urn"], resource.get("id")) for resource in living}
    repair = Repair({**exported, "deployment": deployment})
    for operation in operations:
        resource = operation["resource"]
        urn, kind = str(resource["urn"]), str(resource["type"])
        if operation["type"] == "creating" and (urn, _identity(resource)) in recorded:
            # Finished since: the engine keeps an interrupted creation beside the one that follows.
            continue
        # A provider is nothing but its entry in the state.
        if operation["type"] != "creating" or kind.startswith(_PROVIDER):
            repair.retry.append(urn)
        elif kind.startswith(_KUBERNETES) and wanted and not _autonamed(resource):
            repair.adopt.append(urn)
        elif kind.startswith(_KUBERNETES) or (kind == _CLUSTER and not wanted):
            doomed = _doomed(resource)
            recorded.add((urn, doomed["id"]))
            resources.append(doomed)
            repair.discard.append(urn)
        elif kind.startswith(_MACHINE):
            repair.retry.append(urn)
        else:
            repair.unknown.append(urn)
    deployment["resources"] = resources
    return repair


def name_of(urn: str) -> str:
    """Return the type and logical name at the end of a URN, for a person."""
    kind, _, name = urn.rpartition("::")
    return f"{kind.rpartition('$')[2].rpartition('::')[2]} {name}"


def state_file(backend: str, project_name: str, stack: str) -> Path | None:
    """Return the state's file in a file backend; `None` for other backends."""
    if not backend.startswith("file://"):
        return None
    base = Path(backend.removeprefix("file://")).expanduser() / ".pulumi" / "stacks" / project_name
    for name in (f"{stack}.json", f"{stack}.json.gz", f"{stack}.json.zst"):
        if (base / name).exists():
            return base / name
    return base / f"{stack}.json"


def may_be_pending(state: Path | None) -> bool:
    """Tell whether a state has to be looked at more closely: cheap, and never wrongly `False`.

    Args:
        state: The file of a file backend; `None` for another backend.
    """
    if state is None or state.suffix != ".json":
        return True
    try:
        return b'"pending_operations"' in state.read_bytes()
    except FileNotFoundError:
        return False


def exported(state: Path | None) -> dict[str, Any] | None:
    """Return what `pulumi stack export` would give, without the second that the engine takes.

    Args:
        state: The file of a file backend.

    Returns:
        `None` for another backend, a compressed state, and one that is not there.
    """
    if state is None or state.suffix != ".json" or not state.exists():
        return None
    stored = json.loads(state.read_bytes())
    return {
        "version": stored["version"],
        "deployment": (stored.get("checkpoint") or {}).get("latest") or {},
    }


def is_only_a_cluster(state: Path | None) -> bool:
    """Tell whether to destroy a stack is to remove its local cluster: all the rest goes with it.

    Nothing is lost then if a destruction is not recorded step by step (docs/adr/0018): done again,
    it asks the cluster for nothing, and what this project makes on the machine may be gone already.

    Args:
        state: The file of a file backend; `None`, like a compressed one, is taken for another kind
            of stack.
    """
    resources = _resources(state)
    clusters = {resource["urn"] for resource in resources if resource["type"] == _CLUSTER}
    return bool(clusters) and all(
        resource.get("deletedWith") in clusters
        or resource.get("external")
        or not resource.get("custom")
        or resource["type"].startswith((_MACHINE, _BUILT_IN))
        for resource in resources
    )


def count(state: Path | None) -> int:
    """Return how many resources a state holds; none where `is_only_a_cluster` cannot tell."""
    return len(_resources(state))


def _resources(state: Path | None) -> list[dict[str, Any]]:
    if state is None or state.suffix != ".json":
        return []
    try:
        latest = json.loads(state.read_bytes())["checkpoint"].get("latest") or {}
    except (OSError, ValueError, KeyError):
        return []
    return list(latest.get("resources") or [])


def destruction_mark(backend: str, project_name: str, stack: str) -> Path:
    """Return the file that says that the destruction of a stack has begun and not ended.

    Args:
        backend: URL of a file backend; the mark is beside what the engine keeps there.
        project_name: Name of the Pulumi project.
        stack: Name of the stack.
    """
    folder = Path(backend.removeprefix("file://")).expanduser()
    return folder / f"{project_name}-{stack}.destroying"


def reconsider(mark: Path, state: Path | None, before: int) -> None:
    """Renew the mark of a destruction that was stopped halfway; take back that of one not begun.

    The objects of a cluster leave the state before the cluster is gone with them: a state that has
    lost something may speak of a cluster whose objects exist, and does not know of them.

    Args:
        mark: The mark.
        state: File of the state, which the engine has written as it ended.
        before: How many resources the state held before the destruction.
    """
    if state is None or not 0 < count(state) < before:
        mark.unlink()
        return
    # Later than the state, however coarse the clock of the file system is.
    renewed = state.stat().st_mtime_ns + 1
    os.utime(mark, ns=(renewed, renewed))


def was_cut_short(mark: Path, state: Path) -> bool:
    """Tell whether a destruction was killed or stopped, and nothing was done since.

    The state then does not say what has gone, or says of what is there that it has. Anything that
    was done since has written the state.

    Args:
        mark: Made right before the engine started, and again where it was stopped halfway.
        state: File of the state.
    """
    try:
        return mark.stat().st_mtime_ns > state.stat().st_mtime_ns
    except FileNotFoundError:
        return False


def _autonamed(resource: Mapping[str, Any]) -> bool:
    """Tell whether an object's name was made up for this creation: the next one gets another."""
    annotations = (resource.get("inputs", {}).get("metadata") or {}).get("annotations") or {}
    return str(annotations.get(_AUTONAMED, "")).lower() == "true"


def _identity(resource: Mapping[str, Any]) -> str | None:
    """Return the id that a resource has once it is created, where that is known before."""
    inputs = resource.get("inputs", {})
    if resource["type"] == _CLUSTER:
        return str(inputs["name"])
    if not resource["type"].startswith(_KUBERNETES) or not inputs.get("metadata"):
        return None
    name, namespace = inputs["metadata"].get("name"), inputs["metadata"].get("namespace")
    return f"{namespace}/{name}" if namespace else name


def _doomed(resource: Mapping[str, Any]) -> dict[str, Any]:
    """Return the state of a resource that the engine deletes at the end of its next update.

    It is the form in which the engine itself keeps the old half of a replacement.
    """
    outputs = resource["inputs"]
    return {**resource, "id": _identity(resource), "outputs": outputs, "delete": True}
