"""Programs that the machine already has, at exactly the pinned version."""

from dataclasses import dataclass
from pathlib import Path

from toolchain import cache, host
from toolchain.sources.base import How, Program, Session, require


@dataclass(frozen=True)
class Machine:
    """The machine's own PATH.

    The folder in the cache then holds links, and a program that is upgraded later is noticed,
    since a link's target no longer has the recorded size and time.
    """

    how: How = "machine"

    def unavailable(self, program: Program) -> str | None:
        """See `Source.unavailable`."""
        found = _find(program)
        missing = [name for name, path in found.items() if path is None]
        if missing:
            return f"no {missing[0]} on PATH"
        first = found[program.binaries[0]]
        if program.probe is None or first is None or not program.probe.passes(first):
            return f"{first} is not version {program.version}"
        return None

    def install(self, program: Program, into: Path, session: Session) -> str:
        """See `Source.install`."""
        del session
        reason = self.unavailable(program)
        require(reason is None, reason or "")
        found = _find(program)
        for name, path in found.items():
            if path is not None:
                (into / name).symlink_to(path.resolve())
        return f"already on this machine ({found[program.binaries[0]]})"


def _find(program: Program) -> dict[str, Path | None]:
    """Return where PATH has each binary; what this cache put on PATH does not count."""
    return {name: host.which(name, without=[cache.root()]) for name in program.binaries}
