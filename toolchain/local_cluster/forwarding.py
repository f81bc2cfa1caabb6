"""The machine's IP forwarding, which nodes need to reach what is beyond the machine.

Only the interfaces of default routes are switched, and what was switched is kept in a file, so
that the removal of the last cluster leaves the machine as it was.
"""

import json
from collections.abc import Sequence
from pathlib import Path

from toolchain.local_cluster import state

_SYSCTL = Path("/proc/sys/net/ipv4")


def _journal() -> Path:
    return state.ROOT / "forwarding.json"


def switched() -> list[str]:
    """Return the interfaces whose forwarding was switched on for the clusters."""
    journal = _journal()
    if not journal.exists():
        return []
    return [str(device) for device in json.loads(journal.read_text())]


def enable(uplinks: Sequence[str], sysctl: Path = _SYSCTL) -> None:
    """Let answers that arrive on these interfaces be passed on to nodes.

    The caller holds the machine's lock.

    Args:
        uplinks: Interfaces of the machine's default routes.
        sysctl: Folder of the kernel's IPv4 settings.
    """
    off = [d for d in dict.fromkeys(uplinks) if not _reads(sysctl / "conf" / d / "forwarding", "1")]
    if not off:
        return
    # Written first: a crash between the two steps must not make the change a permanent one.
    state.write_atomically(_journal(), json.dumps(sorted({*switched(), *off})) + "\n", mode=0o644)
    for device in off:
        (sysctl / "conf" / device / "forwarding").write_text("1")


def restore(sysctl: Path = _SYSCTL) -> None:
    """Undo `enable`, unless somebody has switched forwarding on for the whole machine since.

    The caller holds the machine's lock.

    Args:
        sysctl: Folder of the kernel's IPv4 settings.
    """
    if not _reads(sysctl / "ip_forward", "1"):
        for device in switched():
            setting = sysctl / "conf" / device / "forwarding"
            if setting.exists():
                setting.write_text("0")
    _journal().unlink(missing_ok=True)


def _reads(setting: Path, value: str) -> bool:
    return setting.exists() and setting.read_text().strip() == value
