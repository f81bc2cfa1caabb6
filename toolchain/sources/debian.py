"""Debian packages: whole programs of the system, and what some builds need."""

import os
import shutil
import subprocess
from collections.abc import Iterable, Sequence

from toolchain import cache, host
from toolchain.errors import ToolchainError
from toolchain.progress import Report, ticking
from toolchain.sources.base import tail

# Another apt, such as unattended upgrades, is waited for this long (seconds).
_LOCK_SECONDS = 300


def missing(packages: Iterable[str]) -> list[str]:
    """Return those of the packages that are not installed, in their order."""
    wanted = list(packages)
    if not wanted or shutil.which("dpkg-query") is None:
        return wanted
    done = subprocess.run(
        [
            "dpkg-query",
            "--show",
            "--showformat",
            "${binary:Package} ${db:Status-Status}\\n",
            *wanted,
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    installed = {
        line.split()[0].split(":")[0]
        for line in done.stdout.splitlines()
        if line.endswith(" installed")
    }
    return [package for package in wanted if package not in installed]


def install(packages: Iterable[str], report: Report) -> None:
    """Install the packages that are missing; without one it does nothing.

    Args:
        packages: Names of packages, without versions: Debian's own point releases carry fixes.
        report: Takes progress lines.

    Raises:
        ToolchainError: apt is missing, refuses, or this is not root.
    """
    wanted = missing(packages)
    if not wanted:
        return
    names = " ".join(wanted)
    if shutil.which("apt-get") is None:
        raise ToolchainError(
            f"this machine lacks {names} and has no apt-get: install them yourself"
        )
    if not host.is_root():
        raise ToolchainError(f"this machine lacks {names}: run `sudo apt-get install {names}`")
    with cache.lock("apt", report):
        wanted = missing(wanted)
        if not wanted:
            return
        report(f"installing Debian's {' '.join(wanted)}")
        command = ["apt-get", "install", "--yes", "--no-install-recommends", *wanted]
        code, output = _apt(command, report)
        if code != 0:
            # The package lists are missing (a fresh machine) or too old for what they name.
            report("apt-get: updating the package lists")
            _apt(["apt-get", "update"], report)
            code, output = _apt(command, report)
        if code != 0:
            raise ToolchainError(f"apt-get cannot install {names}: {tail(output, 2)}")


def _apt(command: Sequence[str], report: Report) -> tuple[int, list[str]]:
    started = host.start(
        [*command, "--quiet", "-o", f"DPkg::Lock::Timeout={_LOCK_SECONDS}"],
        env={**os.environ, "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8"},
    )
    lines: list[str] = []
    try:
        with ticking(report, lambda s: f"apt-get: {s:.0f} s, {lines[-1] if lines else '...'}"):
            assert started.stdout is not None
            lines.extend(line.rstrip() for line in started.stdout)
            code = started.wait()
    finally:
        host.end(started)
    log = cache.folder("logs") / "apt-get.log"
    with log.open("a") as out:
        out.write(f"$ {' '.join(command)}\n" + "\n".join(lines) + "\n")
    return code, [line for line in lines if line.startswith(("E:", "W:"))] or lines
