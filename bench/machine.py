"""The machine that a measurement was made on."""

import os
import platform
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

_PROC = Path("/proc")
_GIB = 2**30
_NOT_A_NAME = re.compile(r"\((?:r|tm)\)|\bcpu\b|@.*", re.IGNORECASE)


def describe() -> dict[str, Any]:
    """Return what readers need to compare figures: cores, memory and system, but no names."""
    return {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / _GIB, 1),
        "system": platform.freedesktop_os_release()["PRETTY_NAME"],
        "kernel": platform.release(),
        "python": platform.python_version(),
    }


def moment() -> dict[str, Any]:
    """Return when something is measured, and how busy the machine is before."""
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "load_before": round(os.getloadavg()[0], 1),
    }


def slug(machine: Mapping[str, Any]) -> str:
    """Return a name for the files of machines like this one, `<processor>-<n>-cores`.

    Args:
        machine: What `describe` returns.
    """
    words = re.findall(r"[a-z0-9]+", _NOT_A_NAME.sub(" ", machine["processor"]).lower())
    return "-".join([*words, str(machine["cores"]), "cores"])


def _processor() -> str:
    for line in (_PROC / "cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()
