"""Says in seconds what this machine has, what it can get, and what stands in the way."""

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

from infra import versions
from infra.settings import LocalClusterSettings, SettingsError, read_stack_file
from toolchain import cache, download, host, plugins, programs, project
from toolchain.errors import SlipwayError
from toolchain.local_cluster import (
    ClusterSpec,
    PortForward,
    choose_distribution,
    preflight,
    read,
)
from toolchain.progress import Report, size

_MEMORY: Final = 4_000_000_000
"""Bytes that a local cluster with the platform and a model needs, with room for a build."""

_Level = Literal["ok", "note", "missing"]


@dataclass(frozen=True)
class Finding:
    """One line of the doctor.

    Attributes:
        level: `missing` is what stops `make up`; `note` is worth knowing.
        text: What was found, with the way out where something is missing.
    """

    level: _Level
    text: str


def run(print_line: Callable[[str], None], report: Report) -> int:
    """Print every finding and return 1 when something needed is missing, else 0.

    Args:
        print_line: Takes a line of the result.
        report: Takes progress lines of what is installed on the way: the engine's plug-in, when
            the official one has become reachable.
    """
    download.Unreachable().forget()
    findings = [*_machine(), *_programs(), *_plugin(report), *_stack()]
    for finding in findings:
        print_line(f"{finding.level:8}{finding.text}")
    missing = sum(finding.level == "missing" for finding in findings)
    print_line(f"{missing} missing" if missing else "nothing is missing")
    return 1 if missing else 0


def _machine() -> list[Finding]:
    version = ".".join(map(str, sys.version_info[:3]))
    wanted = ".".join(map(str, versions.PYTHON_MINIMUM))
    found = [
        Finding("ok", f"Python {version}")
        if sys.version_info >= versions.PYTHON_MINIMUM
        else Finding("missing", f"Python {version}: install {wanted} or newer"),
        Finding("ok", f"{os.cpu_count()} processors, {host.architecture()}"),
    ]
    memory = host.memory()
    found.append(
        Finding("ok", f"{size(memory)} of memory")
        if memory >= _MEMORY
        else Finding("missing", f"{size(memory)} of memory: a local stack needs {size(_MEMORY)}")
    )
    root = cache.root()
    free = cache.free(root)
    needed = programs.disk_needed(programs.names())
    found.append(
        Finding("ok", f"{size(free)} free in {root}, {size(needed)} needed for what is missing")
        if free >= needed
        else Finding(
            "missing",
            f"{size(free)} free in {root}, {size(needed)} needed: make room there, or set "
            f"{cache.VARIABLE} to a folder on a larger disk",
        )
    )
    found.append(
        Finding("ok", "root")
        if host.is_root()
        else Finding("missing", "root: a local cluster needs it, run `sudo make up`")
    )
    return found


def _programs() -> list[Finding]:
    found = []
    for name in programs.names():
        title = f"{name} {programs.version(name)}"
        origin = programs.describe(name)
        answer = programs.obtainable(name)
        if origin is not None:
            found.append(Finding("ok", f"{title}: {origin}"))
        elif answer.ok:
            found.append(Finding("note", f"{title}: not there yet; {answer.reason}"))
        else:
            # Which programs a stack needs is up to its distribution, judged below.
            found.append(Finding("note", answer.reason))
    absent = [name for name in programs.SYSTEM if programs.obtainable(name).how == "package"]
    if absent:
        packages = " ".join(sorted({programs.SYSTEM[name] for name in absent}))
        found.append(Finding("note", f"not there yet, from Debian: {packages}"))
    return found


def _plugin(report: Report) -> list[Finding]:
    name = f"kubernetes plug-in {versions.PULUMI_KUBERNETES}"
    if programs.describe("pulumi") is not None:
        plugins.ensure_kubernetes(report, ask_again=True)
    which = plugins.which_kubernetes()
    return [Finding("ok", f"{name}: {which}") if which else Finding("note", f"{name}: not yet")]


def _stack() -> list[Finding]:
    """Judge the local stack: its settings, a distribution for it, its ports."""
    try:
        settings = read_stack_file(project.stack_file(project.LOCAL_STACK), check_files=False)
        if not isinstance(settings.cluster, LocalClusterSettings):
            return []
        choice = choose_distribution(settings.cluster.distributions)
    except (SlipwayError, SettingsError) as error:
        return [Finding("missing", line) for line in str(error).splitlines()]
    found = [
        Finding("note", f"distribution {name} cannot be had: {reason}")
        for name, reason in choice.skipped
    ]
    found.append(Finding("ok", f"distribution {choice.distribution} {choice.version}"))
    cluster = read(settings.cluster.name)
    if cluster is not None:
        return [*found, Finding("ok", f"cluster {cluster.name} is on this machine")]
    ports = tuple(PortForward(port, port) for port in settings.cluster.ports)
    problems = preflight(ClusterSpec(settings.cluster.name, choice.distribution, ports))
    return [*found, *(Finding("missing", problem) for problem in problems)]
