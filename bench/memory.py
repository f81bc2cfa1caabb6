"""Resident memory of a local cluster, by program."""

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_PROC = Path("/proc")


def by_program(folder: Path) -> list[dict[str, Any]]:
    """Return the memory of every process under a node's first one, summed by program.

    Args:
        folder: The cluster's folder, by which its processes are found.

    Returns:
        `program`, `processes`, `rss_mib` (pages shared with others count in each) and `pss_mib`
        (each page counts once in all), the largest first.
    """
    sums: dict[str, list[float]] = defaultdict(lambda: [0, 0.0, 0.0])
    for pid in descendants(_first_process(folder)):
        fields = _fields(_PROC / str(pid) / "smaps_rollup")
        if "Rss" not in fields:
            continue
        entry = sums[_program(pid)]
        entry[0] += 1
        entry[1] += fields["Rss"] / 1024
        entry[2] += fields["Pss"] / 1024
    rows = [
        {"program": name, "processes": int(count), "rss_mib": rss, "pss_mib": pss}
        for name, (count, rss, pss) in sums.items()
    ]
    return sorted(rows, key=lambda row: -float(row["pss_mib"]))


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
