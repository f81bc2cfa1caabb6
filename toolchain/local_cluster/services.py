"""Service folders of s6: one per component, each with a log of its own."""

import hashlib
import shlex
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

KUBERNETES = "kubernetes"
"""The component that has a cluster's Kubernetes in it, of whatever distribution."""

LOG_FILES = 3
LOG_BYTES = 5_000_000
"""s6-log keeps `LOG_FILES` old files of this size beside `current`."""

KILL_AFTER = 2.0
"""Seconds between asking a component to end and killing it. The API server would wait a minute for
its watchers; what has to last is in etcd, which syncs every write."""

EXITS = "exits"
"""File beside a component's log with one line per exit since the start of the node."""


@dataclass(frozen=True)
class Service:
    """One supervised component.

    Attributes:
        name: Its name, also that of its log folder.
        command: Program and arguments.
        environment: Variables beside PATH.
        after: Shell conditions that are awaited in turn before it starts. They keep a component
            from failing, and being logged as failed, while what it needs is still starting.
    """

    name: str
    command: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    after: Sequence[str] = ()


def socket_exists(path: Path) -> str:
    """Return the condition that a Unix socket is there."""
    return f"[ -S {shlex.quote(str(path))} ]"


def run_script(service: Service, path: str) -> str:
    """Return the script that starts a component.

    Args:
        service: The component.
        path: Value of PATH for it.
    """
    lines = ["#!/bin/sh", "exec 2>&1", f"export PATH={shlex.quote(path)}"]
    lines += [f"export {key}={shlex.quote(value)}" for key, value in service.environment.items()]
    lines += [f"until {condition}; do sleep 0.2; done" for condition in service.after]
    lines.append("exec " + " \\\n  ".join(map(shlex.quote, service.command)))
    return "\n".join(lines) + "\n"


def finish_script(logs: Path) -> str:
    """Return the script that s6 runs after a component ended: it counts how often it did.

    Args:
        logs: Log folder of the component.
    """
    return f'#!/bin/sh\necho "exit code $1, signal $2" >>{shlex.quote(str(logs / EXITS))}\n'


def log_script(logs: Path, s6_log: Path) -> str:
    """Return the script that keeps a component's log.

    Args:
        logs: Log folder of the component.
        s6_log: The program.
    """
    return (
        f"#!/bin/sh\nexec {shlex.quote(str(s6_log))} "
        f"n{LOG_FILES} s{LOG_BYTES} {shlex.quote(str(logs))}\n"
    )


def write(folder: Path, services: Iterable[Service], logs: Path, path: str, s6_log: Path) -> None:
    """Write the service folders anew; nothing may supervise them while this runs.

    Args:
        folder: What s6-svscan scans.
        services: The components.
        logs: Folder with a log folder per component.
        path: Value of PATH for the components.
        s6_log: The program that keeps the logs.
    """
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(mode=0o700)
    for service in services:
        own_logs = logs / service.name
        own_logs.mkdir(parents=True, exist_ok=True)
        (own_logs / EXITS).unlink(missing_ok=True)
        _write_script(folder / service.name / "run", run_script(service, path))
        _write_script(folder / service.name / "finish", finish_script(own_logs))
        (folder / service.name / "timeout-kill").write_text(f"{KILL_AFTER * 1000:.0f}\n")
        _write_script(folder / service.name / "log" / "run", log_script(own_logs, s6_log))


def _write_script(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o700)


def exits(logs: Path, name: str) -> int:
    """Return how often a component ended since the node was started."""
    try:
        return len((logs / name / EXITS).read_text().splitlines())
    except FileNotFoundError:
        return 0


def digest(services: Iterable[Service], files: Mapping[Path, str]) -> str:
    """Return a digest that changes when a running node has to be restarted.

    Args:
        services: The components.
        files: Their configuration, by path.
    """
    document = [
        *(
            repr((s.name, list(s.command), dict(s.environment), list(s.after)))
            for s in sorted(services, key=lambda service: service.name)
        ),
        *(f"{path}\n{text}" for path, text in sorted(files.items())),
    ]
    return hashlib.sha256("\0".join(document).encode()).hexdigest()
