"""Resident memory of a local cluster, by program."""

import re
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from infra import naming

NODE, PLATFORM, MODELS = "node", "platform", "models"
"""Parts of a cluster: its own components, pods that serve no model, pods that serve one."""

SIZES: Final = ("processes", "rss_mib", "pss_mib", "anonymous_mib")
"""What is measured of a program."""

_PROC = Path("/proc")
# As the kubelet names the cgroup of a pod.
_POD = re.compile(r"/pod([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})/")


def model_pods(pods: Collection[Mapping[str, Any]]) -> set[str]:
    """Return the UIDs of the pods that serve a model.

    Args:
        pods: Pods as the API shows them.
    """
    return {
        pod["metadata"]["uid"]
        for pod in pods
        if pod["metadata"].get("labels", {}).get("app.kubernetes.io/component") == naming.MODEL
    }


def by_program(folder: Path, models: Collection[str]) -> dict[str, dict[str, float]]:
    """Return the memory of every process under a node's first one, summed by part and program.

    Args:
        folder: The cluster's folder, by which its processes are found.
        models: UIDs of the pods that serve models.

    Returns:
        By `<part>/<program>`, the largest first: `processes`, `rss_mib` (pages shared with others
        count in each), `pss_mib` (each page counts once in all) and `anonymous_mib` (without the
        pages of files, which the kernel can take back).
    """
    sums: dict[str, dict[str, float]] = defaultdict(lambda: dict.fromkeys(SIZES, 0.0))
    for pid in descendants(_first_process(folder)):
        fields = _fields(_PROC / str(pid) / "smaps_rollup")
        if "Rss" not in fields:
            continue
        cgroups = _read(_PROC / str(pid) / "cgroup").decode()
        entry = sums[f"{part_of(cgroups, models)}/{_program(pid)}"]
        entry["processes"] += 1
        for size, field in zip(SIZES[1:], ("Rss", "Pss", "Anonymous"), strict=True):
            entry[size] += fields[field] / 1024
    return dict(sorted(sums.items(), key=lambda one: -one[1]["pss_mib"]))


def process_of(folder: Path, program: str) -> int:
    """Return the process of a program that runs once under a node's first process.

    Args:
        folder: The cluster's folder, by which its processes are found.
        program: The program.
    """
    found = [pid for pid in descendants(_first_process(folder)) if _program(pid) == program]
    if len(found) != 1:
        raise RuntimeError(f"{len(found)} processes of {program} are running in the cluster")
    return found[0]


def part_of(cgroups: str, models: Collection[str]) -> str:
    """Return the part of the cluster that a process belongs to.

    Args:
        cgroups: Text of its `/proc/<pid>/cgroup`.
        models: UIDs of the pods that serve models.
    """
    pod = _POD.search(cgroups)
    if pod is None:
        return NODE
    return MODELS if pod[1] in models else PLATFORM


def _first_process(folder: Path) -> int:
    """Return process 1 of the node: the topmost of those that share the node's PID namespace."""
    ours = Path("/proc/self/ns/pid").readlink()
    for pid in _pids():
        if str(folder).encode() not in _read(_PROC / str(pid) / "cmdline"):
            continue
        namespace = _namespace(pid)
        if namespace in (None, ours):
            continue
        while _namespace(parent := _parents()[pid]) == namespace:
            pid = parent
        return pid
    raise RuntimeError(f"no process of a node in {folder} is running")


def descendants(first: int) -> list[int]:
    """Return a process and all that it started, directly or not."""
    children: dict[int, list[int]] = defaultdict(list)
    for pid, parent in _parents().items():
        children[parent].append(pid)
    found, queue = [], [first]
    while queue:
        pid = queue.pop()
        found.append(pid)
        queue.extend(children[pid])
    return found


def _parents() -> dict[int, int]:
    fields = ((pid, _fields(_PROC / str(pid) / "status")) for pid in _pids())
    return {pid: found["PPid"] for pid, found in fields if "PPid" in found}


def _program(pid: int) -> str:
    arguments = _read(_PROC / str(pid) / "cmdline").decode("utf-8", "replace").split("\0")
    if "slipway_server" in arguments:
        return "model server"
    return Path(arguments[0]).name


def _namespace(pid: int) -> Path | None:
    try:
        return (_PROC / str(pid) / "ns" / "pid").readlink()
    except FileNotFoundError:
        return None


def _pids() -> Iterator[int]:
    return (int(path.name) for path in _PROC.iterdir() if path.name.isdigit())


def _read(path: Path) -> bytes:
    """Return a file of /proc; empty when its process has ended meanwhile."""
    try:
        return path.read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return b""


def _fields(path: Path) -> dict[str, int]:
    """Return the numbers of a file of `Name: number` lines."""
    found = {}
    for line in _read(path).decode("utf-8", "replace").splitlines():
        name, _, rest = line.partition(":")
        value = rest.split()
        if value and value[0].isdigit():
            found[name] = int(value[0])
    return found
