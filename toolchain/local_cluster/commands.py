"""Runs the short commands of the machine that the node sandbox is made with."""

import os
import shlex
import subprocess
from collections.abc import Sequence
from pathlib import Path

from toolchain import host
from toolchain.local_cluster.errors import LocalClusterError

TIMEOUT = 60.0
"""Seconds after which a command that takes milliseconds is given up."""


def search_path(*folders: Path) -> str:
    """Return a PATH with these folders first, then where Debian keeps every system program."""
    fixed = [*map(Path, host.ADMIN_PATH), Path("/usr/local/bin"), Path("/usr/bin"), Path("/bin")]
    return os.pathsep.join(map(str, dict.fromkeys([*folders, *fixed])))


def clean_environment(**variables: str) -> str:
    """Return the start of a shell command whose program sees nothing of the caller's environment.

    What outlives a run must not carry its secrets, which come in environment variables.

    Args:
        variables: What the program sees.
    """
    settings = {"HOME": "/root", "LANG": "C.UTF-8", "PATH": search_path(), **variables}
    words = ["env", "-i", *(f"{key}={value}" for key, value in settings.items())]
    return " ".join(map(shlex.quote, words))


def attempt(
    command: Sequence[str | Path], *, timeout: float = TIMEOUT, cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command and return what it did, whatever its exit code.

    Args:
        command: Program and arguments; no shell.
        timeout: Seconds to wait for it.
        cwd: Folder to run in; the caller's by default.

    Raises:
        LocalClusterError: The program is missing, or did not end in time.
    """
    arguments = [str(part) for part in command]
    try:
        return subprocess.run(
            arguments,
            cwd=cwd,
            env={**os.environ, "PATH": search_path(), "LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout,
            check=False,
        )
    except FileNotFoundError as error:
        raise LocalClusterError(
            f"{arguments[0]} is missing on this machine: install it, or run `make up`, which does"
        ) from error
    except subprocess.TimeoutExpired as error:
        raise LocalClusterError(
            f"`{' '.join(arguments)}` did not end within {timeout:.0f} s"
        ) from error


def run(command: Sequence[str | Path], *, timeout: float = TIMEOUT, cwd: Path | None = None) -> str:
    """Run a command that must succeed and return its standard output.

    Args:
        command: Program and arguments; no shell.
        timeout: Seconds to wait for it.
        cwd: Folder to run in; the caller's by default.

    Raises:
        LocalClusterError: It failed; the message has the command and its last line.
    """
    done = attempt(command, timeout=timeout, cwd=cwd)
    if done.returncode != 0:
        said = [line for line in (done.stderr or done.stdout).splitlines() if line.strip()]
        reason = said[-1].strip() if said else f"exit code {done.returncode}"
        raise LocalClusterError(f"`{' '.join(map(str, command))}` failed: {reason}")
    return done.stdout
