"""What this machine has, what it can get, and what of it stands in the way."""

import os
import shutil
import sys
from collections.abc import Iterable
from importlib import metadata
from typing import Final

from infra import versions
from infra.settings import LocalClusterSettings
from toolchain import cache, download, env, host, plugins, programs
from toolchain.doctor.finding import Finding
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


def machine(names: Iterable[str], *, local: bool) -> list[Finding]:
    """Judge the machine itself.

    Args:
        names: The programs that it has to have room for.
        local: Whether the cluster is to run on it.
    """
    version = ".".join(map(str, sys.version_info[:3]))
    wanted = ".".join(map(str, versions.PYTHON_MINIMUM))
    found = [
        Finding("ok", f"Python {version}")
        if sys.version_info >= versions.PYTHON_MINIMUM
        else Finding("missing", f"Python {version}: install {wanted} or newer"),
        Finding("ok", f"{os.cpu_count()} processors, {host.architecture()}"),
    ]
    root = cache.root()
    free = cache.free(root)
    needed = programs.disk_needed(names)
    found.append(
        Finding("ok", f"{size(free)} free in {root}, {size(needed)} needed for what is missing")
        if free >= needed
        else Finding(
            "missing",
            f"{size(free)} free in {root}, {size(needed)} needed: make room there, or set "
            f"{cache.VARIABLE} to a folder on a larger disk",
        )
    )
    return [*found, *_cluster_room()] if local else found


def _cluster_room() -> list[Finding]:
    memory = host.memory()
    return [
        Finding("ok", f"{size(memory)} of memory")
        if memory >= _MEMORY
        else Finding("missing", f"{size(memory)} of memory: a local stack needs {size(_MEMORY)}"),
        Finding("ok", "root")
        if host.is_root()
        else Finding("missing", "root: a local cluster needs it, run `sudo make up`"),
    ]


def pinned(names: Iterable[str], *, every: bool) -> list[Finding]:
    """Judge the programs that the project obtains by itself.

    Args:
        names: The programs.
        every: Whether the stack needs each of them; which ones a local stack needs is up to its
            distribution.
    """
    found = []
    wanted = list(names)
    for name in wanted:
        if name in programs.SYSTEM:
            continue
        title = f"{name} {programs.version(name)}"
        origin = programs.describe(name)
        answer = programs.obtainable(name)
        if origin is not None:
            found.append(Finding("ok", f"{title}: {origin}"))
        elif answer.ok:
            found.append(Finding("note", f"{title}: not there yet; {answer.reason}"))
        else:
            found.append(Finding("missing" if every else "note", answer.reason))
    system = [name for name in wanted if name in programs.SYSTEM]
    absent = [name for name in system if programs.obtainable(name).how == "package"]
    if absent:
        packages = " ".join(sorted({programs.SYSTEM[name] for name in absent}))
        found.append(Finding("note", f"not there yet, from Debian: {packages}"))
    return found


def plugin(report: Report) -> list[Finding]:
    """Judge the engine's plug-in, and install the official one where it has become reachable.

    Args:
        report: Takes progress lines of that.
    """
    name = f"kubernetes plug-in {versions.PULUMI_KUBERNETES}"
    if programs.describe("pulumi") is not None:
        plugins.ensure_kubernetes(report, ask_again=True)
    which = plugins.which_kubernetes()
    return [Finding("ok", f"{name}: {which}") if which else Finding("note", f"{name}: not yet")]


def provider(package: str) -> Finding:
    """Judge the engine's plug-in for a cloud, whose version is that of the Python package.

    Args:
        package: What Pulumi calls the cloud.
    """
    try:
        version = metadata.version(f"pulumi-{package}")
    except metadata.PackageNotFoundError:
        return Finding(
            "missing",
            f"the Python package pulumi-{package} is not installed: run `make doctor` with the "
            "stack's name in STACK, or install requirements-clouds.lock",
        )
    title = f"{package} plug-in {version}"
    folder = env.pulumi_home() / "plugins" / f"resource-{package}-v{version}"
    # The engine keeps `<folder>.partial` until an installation is complete.
    if folder.is_dir() and not folder.with_name(f"{folder.name}.partial").exists():
        return Finding("ok", f"{title}: {folder}")
    on_path = shutil.which(f"pulumi-resource-{package}")
    if on_path is not None:
        return Finding("note", f"{title}: the engine takes {on_path}, whatever its version")
    if os.environ.get("PULUMI_PLUGIN_DOWNLOAD_URL_OVERRIDES"):
        return Finding("note", f"{title}: not yet; the engine takes it from where that is set")
    name = f"pulumi-resource-{package}-v{version}-linux-{host.architecture()}.tar.gz"
    refused = download.refusal(f"https://get.pulumi.com/releases/plugins/{name}")
    if refused is None:
        return Finding("note", f"{title}: not yet; the engine takes it from its publisher")
    return Finding(
        "missing",
        f"{title}: {refused}; set PULUMI_PLUGIN_DOWNLOAD_URL_OVERRIDES, or run `pulumi plugin "
        f"install resource {package} {version} --file <archive>` in `make shell`",
    )


def local_cluster(settings: LocalClusterSettings) -> list[Finding]:
    """Judge what a local cluster needs of the machine: a distribution, and its ports.

    Args:
        settings: The cluster.
    """
    try:
        choice = choose_distribution(settings.distributions)
    except SlipwayError as error:
        return [Finding("missing", line) for line in str(error).splitlines()]
    found = [
        Finding("note", f"distribution {name} cannot be had: {reason}")
        for name, reason in choice.skipped
    ]
    found.append(Finding("ok", f"distribution {choice.distribution} {choice.version}"))
    cluster = read(settings.name)
    if cluster is not None:
        return [*found, Finding("ok", f"cluster {cluster.name} is on this machine")]
    ports = tuple(PortForward(port, port) for port in settings.ports)
    problems = preflight(ClusterSpec(settings.name, choice.distribution, ports))
    return [*found, *(Finding("missing", problem) for problem in problems)]
