"""Puts a program into the cache: a folder per version, complete or not there at all."""

import json
from dataclasses import dataclass
from pathlib import Path

from toolchain import cache
from toolchain.errors import SourceUnavailableError, ToolchainError
from toolchain.sources.base import Program, Session

_RECORD = ".slipway.json"


@dataclass(frozen=True)
class Record:
    """What was written down when a program was installed.

    Attributes:
        origin: Where it came from, for a person.
        files: Size and modification time (ns) by binary, or by file where the program is a folder
            of data; a link counts as its target.
    """

    origin: str
    files: dict[str, tuple[int, int]]


def folder_of(program: Program) -> Path:
    """Return the folder of a program in the cache, whether it is there or not."""
    return cache.root() / "programs" / program.name / program.version


def installed(program: Program) -> Record | None:
    """Return the record of a program whose files are all as they were installed, else `None`."""
    folder = folder_of(program)
    try:
        raw = json.loads((folder / _RECORD).read_text())
        record = Record(raw["origin"], {name: (s, t) for name, (s, t) in raw["files"].items()})
        found = _measure(folder, program)
    except (OSError, ValueError, KeyError, TypeError):
        # Not installed, half removed by hand, or written by another version: it is made again.
        return None
    return record if found == record.files else None


def obtain(program: Program, session: Session) -> Path:
    """Return the folder of a program, after getting it from the first source that has it.

    The caller holds the lock of the cache.

    Raises:
        ToolchainError: No source has it; the message names every reason.
    """
    if installed(program) is not None:
        return folder_of(program)
    reasons: list[str] = []
    for source in program.sources:
        reason = source.unavailable(program) if source.how == "machine" else None
        if reason is None:
            try:
                return _install_from(program, program.sources.index(source), session)
            except SourceUnavailableError as error:
                reason = str(error)
                session.report(f"{program.title}: not from its {source.how} source: {reason}")
        reasons.append(f"{source.how}: {reason}")
    raise ToolchainError(
        f"{program.title} cannot be had on this machine ({'; '.join(reasons)}); "
        "`make doctor` shows what is reachable"
    )


def _install_from(program: Program, index: int, session: Session) -> Path:
    source = program.sources[index]
    with cache.staging(f"{program.name}-{program.version}") as staged:
        origin = source.install(program, staged, session)
        probe = program.probe
        if probe is not None and not probe.passes(staged / program.binaries[0]):
            raise SourceUnavailableError(
                f"what it gave does not run here as version {program.version}"
            )
        record = {"origin": origin, "files": _measure(staged, program)}
        (staged / _RECORD).write_text(json.dumps(record, indent=1))
        cache.publish(staged, folder_of(program))
    session.report(f"{program.title}: {origin}")
    return folder_of(program)


def _measure(folder: Path, program: Program) -> dict[str, tuple[int, int]]:
    measured = {}
    for name in program.binaries or _content(folder):
        status = (folder / name).stat()
        measured[name] = (status.st_size, status.st_mtime_ns)
    return measured


def _content(folder: Path) -> list[str]:
    """Return the files of a folder, without the record of its installation."""
    files = [path.relative_to(folder) for path in folder.rglob("*") if path.is_file()]
    return sorted(str(path) for path in files if path.name != _RECORD)
