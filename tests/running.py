"""Runs a command to its end and holds how it ended."""

import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

LIMIT_SECONDS = 1200
"""Longest run of a command: a first `make up` whose images have to be made, on a busy machine."""


@dataclass(frozen=True)
class Run:
    """A command that has ended.

    Attributes:
        code: Exit code.
        text: What it printed, both streams.
    """

    code: int
    text: str


def run(
    command: Sequence[str],
    *,
    folder: Path,
    variables: Mapping[str, str],
    expect: int | None = 0,
    limit: float = LIMIT_SECONDS,
) -> Run:
    """Run a command without a terminal and return how it ended.

    Args:
        command: The program and its arguments.
        folder: Where it runs.
        variables: Its whole environment.
        expect: The exit code that it has to have; `None` for any.
        limit: Longest run in seconds.
    """
    done = subprocess.run(
        command,
        cwd=folder,
        env=dict(variables),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=limit,
        check=False,
    )
    assert expect is None or done.returncode == expect, done.stdout
    return Run(done.returncode, done.stdout)
