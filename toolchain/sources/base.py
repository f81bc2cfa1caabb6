"""What a program is, and what every source of programs does."""

import os
import subprocess
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

from toolchain.errors import SourceUnavailableError
from toolchain.progress import Report

How = Literal["machine", "release", "package", "build"]

PROBE_SECONDS = 60
"""A version probe that takes longer hangs; a cold start of a 100 MB binary takes under 1 s."""


@dataclass(frozen=True)
class Probe:
    """How a program is asked for its version.

    Attributes:
        arguments: Given to the first binary.
        expected: What its output contains when it is the pinned version.
    """

    arguments: tuple[str, ...]
    expected: str

    def passes(self, binary: Path) -> bool:
        """Tell whether a binary runs here and calls itself the pinned version."""
        try:
            done = subprocess.run(
                [binary, *self.arguments],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                timeout=PROBE_SECONDS,
                check=False,
                env={**os.environ, "PULUMI_SKIP_UPDATE_CHECK": "1"},
            )
        except (OSError, subprocess.TimeoutExpired):
            return False
        # Versions end where the next character is not part of one: 1.4.2 is not 1.4.20.
        words = done.stdout.decode(errors="replace").replace(",", " ").replace('"', " ").split()
        return self.expected in words


@dataclass(frozen=True)
class Program:
    """One or more binaries that share a version and a folder of the cache.

    Attributes:
        name: Name of the folder.
        version: Pinned version, without a leading `v`.
        binaries: Paths inside the folder; the first is the one that `probe` runs. Empty where the
            program is a folder of data, such as a chart.
        probe: How the version is asked for; `None` where there is no way.
        sources: In the order in which they are tried.
    """

    name: str
    version: str
    binaries: tuple[str, ...]
    probe: Probe | None
    sources: tuple["Source", ...]

    @property
    def title(self) -> str:
        """Name and version, for a person."""
        return f"{self.name} {self.version}"


@dataclass
class Session:
    """One run that obtains programs.

    Attributes:
        report: Takes progress lines.
        stack: What lasts until the end of the run: a build's caches above all.
        shared: What sources of one kind share during the run, by a key of their own.
    """

    report: Report
    stack: ExitStack
    shared: dict[str, Path] = field(default_factory=dict)


class Source(Protocol):
    """One way to get a program."""

    @property
    def how(self) -> How:
        """Kind of the source."""
        ...

    def unavailable(self, program: Program) -> str | None:
        """Return why this source cannot give the program, in a few words; `None` if it may."""
        ...

    def install(self, program: Program, into: Path, session: Session) -> str:
        """Put the program's binaries into an empty folder.

        Returns:
            Where they came from, for `make doctor`.

        Raises:
            SourceUnavailableError: Not from here; the next source is tried.
            ToolchainError: Something no other source may paper over.
        """
        ...


def require(done: bool, reason: str) -> None:
    """Give the source up unless a condition holds.

    Raises:
        SourceUnavailableError: With that reason.
    """
    if not done:
        raise SourceUnavailableError(reason)


def tail(lines: Sequence[str], count: int = 3) -> str:
    """Return the last lines of a command's output as one line."""
    return "; ".join(line.strip() for line in lines[-count:] if line.strip())
