"""How many cores a container may use."""

import math
import os
from pathlib import Path

CGROUP = Path("/sys/fs/cgroup")


def available(cgroup: Path = CGROUP) -> int:
    """Return the cores this process may use, its container's CPU limit rounded up included.

    A pod limited to one core on a node with 64 still sees all 64: without the limit it would start
    as many threads, which only wait for each other.
    """
    cores = len(os.sched_getaffinity(0))
    quota = _quota(cgroup)
    return cores if quota is None else max(1, min(cores, math.ceil(quota)))


def _quota(cgroup: Path) -> float | None:
    """Return the CPU limit in cores, from cgroup v2 or v1; `None` where there is none."""
    unified = cgroup / "cpu.max"
    legacy = cgroup / "cpu" / "cpu.cfs_quota_us"
    if unified.is_file():
        quota, period = unified.read_text().split()
    elif legacy.is_file():
        quota, period = legacy.read_text(), legacy.with_name("cpu.cfs_period_us").read_text()
    else:
        return None
    if quota == "max" or int(quota) < 0:
        return None
    return int(quota) / int(period)
