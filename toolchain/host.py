"""What the toolchain asks of the machine it runs on."""

import os
import platform
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from toolchain.errors import ToolchainError

Architecture = Literal["amd64", "arm64"]

# Debian keeps administration programs where the PATH of a plain user does not look.
ADMIN_PATH = ("/usr/local/sbin", "/usr/sbin", "/sbin")


def architecture() -> Architecture:
    """Return this machine's architecture, named as Go and most publishers name it.

    Raises:
        ToolchainError: It is one for which the pinned programs are not published.
    """
    machine = platform.machine()
    if machine in ("x86_64", "amd64"):
        return "amd64"
    if machine in ("aarch64", "arm64"):
        return "arm64"
    raise ToolchainError(f"this machine is {machine}: Slipway runs on x86_64 and aarch64 Linux")


def is_root() -> bool:
    """Tell whether this process may install packages and create a local cluster."""
    return os.geteuid() == 0


def memory() -> int:
    """Return this machine's memory in bytes."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def which(name: str, without: Sequence[Path] = ()) -> Path | None:
    """Return a program of the machine's own PATH, or `None`.

    Args:
        name: File name of the program.
        without: Folders that do not count, with all that is in them.
    """
    folders = [
        *os.environ.get("PATH", os.defpath).split(os.pathsep),
        *ADMIN_PATH,
    ]
    kept = [f for f in folders if not any(Path(f).is_relative_to(excluded) for excluded in without)]
    found = shutil.which(name, path=os.pathsep.join(kept))
    return Path(found) if found else None


def start(
    command: Sequence[str | Path], *, cwd: Path | None = None, env: Mapping[str, str] | None = None
) -> subprocess.Popen[str]:
    """Start a long command whose two outputs come as one stream of lines.

    It runs in a session of its own, so a Ctrl-C reaches this process alone, which then ends the
    whole session with `end`; and the kernel ends it should this process be killed.
    """
    return subprocess.Popen(
        ["setpriv", "--pdeathsig", "KILL", *map(str, command)],
        cwd=cwd,
        env=None if env is None else dict(env),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    )


def end(process: subprocess.Popen[str]) -> None:
    """End a process that `start` started, with all its children; does nothing to an ended one."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    if process.stdout is not None:
        process.stdout.close()
