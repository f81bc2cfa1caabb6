"""Gets pinned programs onto this machine.

A program in the cache is found without a lock or a process; whatever is missing is obtained by one
run at a time.
"""

from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from toolchain import cache, catalog, host, installation
from toolchain.errors import ToolchainError
from toolchain.progress import Report, silent
from toolchain.sources import debian, gobuild
from toolchain.sources.base import Program, Session
from toolchain.sources.gobuild import GoBuild
from toolchain.sources.wheel import Wheel

SYSTEM: Final = {
    "conntrack": "conntrack",
    "ip": "iproute2",
    "ipset": "ipset",
    "iptables": "iptables",
    "mmdebstrap": "mmdebstrap",
    "nsenter": "util-linux",
    "s6-log": "s6",
    "s6-supervise": "s6",
    "s6-svc": "s6",
    "s6-svscan": "s6",
    "s6-svscanctl": "s6",
    "s6-svstat": "s6",
    "socat": "socat",
    "unshare": "util-linux",
}
"""Programs that are the system's own, and Debian's packages that have them."""

UPSTREAM: Final = (
    "containerd",
    "runc",
    "cni",
    "kubernetes",
    "pause",
    "coredns",
    "s6-svscan",
    "ip",
    "iptables",
    "conntrack",
    "socat",
    "nsenter",
)
"""What a local cluster of the distribution `upstream` needs."""

PEERS: Final = ("kube-router", "ipset", "versitygw", "kserve-crds")
"""What tests alone need: what makes such a cluster enforce NetworkPolicies (docs/adr/0008), a store
that speaks S3 (docs/adr/0014), and a type of KServe (docs/adr/0016)."""

_LOCK = "programs"


@dataclass(frozen=True)
class Obtainable:
    """Whether this machine can get a program.

    Attributes:
        ok: Whether it can.
        how: From where; `none` when it cannot.
        reason: Why not, in one line; where it comes from when it can.
    """

    ok: bool
    how: Literal["cached", "machine", "release", "package", "build", "none"]
    reason: str


def path(name: str, report: Report = silent) -> Path:
    """Return the absolute path of a program, which is obtained when it is missing.

    Args:
        name: A binary (`containerd`, `kubernetes`, `s6-svscan`), or a program that is a set of
            binaries without one of its own name (`cni`): its folder then.
        report: Takes progress lines.

    Raises:
        ToolchainError: It cannot be had on this machine.
    """
    ensure([name], report)
    if name in SYSTEM:
        return _system(name)
    program = _program(name)
    folder = installation.folder_of(program)
    return folder / name if name in program.binaries else folder


def ensure(names: Iterable[str], report: Report = silent) -> None:
    """Obtain the programs that are missing; with all of them there it does nothing.

    Args:
        names: As in `path`.
        report: Takes progress lines.

    Raises:
        ToolchainError: One of them cannot be had on this machine.
    """
    wanted = list(dict.fromkeys(names))
    pinned = _pinned(wanted)
    absent = [name for name in wanted if name in SYSTEM and _find(name) is None]
    if absent:
        debian.install(dict.fromkeys(SYSTEM[name] for name in absent), report)
        for name in absent:
            _system(name)
    missing = [program for program in pinned if installation.installed(program) is None]
    if not missing:
        return
    with ExitStack() as stack:
        session = Session(report, stack)
        for program in missing:
            # Given back in between, so that a small program does not wait for all of a long list.
            with cache.lock(_LOCK, report):
                installation.obtain(program, session)
    gobuild.drop_stale()


def folders(names: Iterable[str]) -> list[Path]:
    """Return the folders of programs, for PATH; they need not exist yet."""
    return [installation.folder_of(program) for program in _pinned(names)]


def obtainable(name: str) -> Obtainable:
    """Tell whether this machine can get a program, without getting it.

    A publisher that does not answer is asked once in ten minutes.

    Args:
        name: As in `path`.
    """
    if name in SYSTEM:
        found = _find(name)
        if found is not None:
            return Obtainable(True, "machine", str(found))
        return Obtainable(True, "package", f"Debian package {SYSTEM[name]}")
    program = _program(name)
    record = installation.installed(program)
    if record is not None:
        return Obtainable(True, "cached", record.origin)
    reasons = []
    for source in program.sources:
        reason = source.unavailable(program)
        if reason is None:
            return Obtainable(True, source.how, f"from its {source.how} source")
        reasons.append(f"{source.how}: {reason}")
    return Obtainable(False, "none", f"{program.title}: {'; '.join(reasons)}")


def disk_needed(names: Iterable[str]) -> int:
    """Return the bytes that the largest step needs to obtain what is missing.

    Args:
        names: As in `path`.
    """
    steps = [
        source.disk
        for program in _pinned(names)
        if installation.installed(program) is None
        for source in program.sources
        if isinstance(source, GoBuild | Wheel)
    ]
    return max(steps, default=0)


def names() -> list[str]:
    """Return the names of all pinned programs, without the system's own."""
    return [program.name for program in catalog.ALL]


def version(name: str) -> str:
    """Return the pinned version of a program, without a leading `v`."""
    return _program(name).version


def describe(name: str) -> str | None:
    """Return where an installed program came from; `None` when it is not installed."""
    record = installation.installed(_program(name))
    return record.origin if record else None


def _program(name: str) -> Program:
    for program in catalog.ALL:
        if name == program.name or name in program.binaries:
            return program
    raise ToolchainError(f"no program is called {name!r}: toolchain/catalog has the table")


def _pinned(names: Iterable[str]) -> list[Program]:
    """Return the pinned programs among the names, each once, in their order."""
    found = [_program(name) for name in names if name not in SYSTEM]
    return list({program.name: program for program in found}.values())


def _find(name: str) -> Path | None:
    return host.which(name, without=[cache.root()])


def _system(name: str) -> Path:
    found = _find(name)
    if found is None:
        raise ToolchainError(f"Debian's package {SYSTEM[name]} is installed but has no {name}")
    return found
