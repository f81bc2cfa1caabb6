"""The environment in which the engine and its plug-ins run."""

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from toolchain import cache, programs, project
from toolchain.local_cluster import network

DEVELOPMENT_PASSPHRASE: Final = "slipway-local-development"
"""Encrypts the state of the stack `local`, for whoever sets no passphrase.

It is public on purpose: the encryption salt in `Pulumi.local.yaml` belongs to it, so that a fresh
clone needs no secret. What it protects is the kubeconfig of a cluster on the same machine, which
lies next to the state anyway. No other stack has a default.
"""

TOOLS: Final = ("pulumi", "kubectl", "helm")
"""Pinned programs that every stack needs; the stand-in for the `kubernetes` plug-in renders charts
with `helm`."""

GOGC: Final = "400"
"""By how many percent the engine's memory may grow before it collects garbage. It writes its whole
state at every step and leaves that much garbage each time: this saves a fifth of its CPU
(docs/adr/0018)."""

_DIRECT: Final = ("127.0.0.1", "localhost", *map(str, network.LINK_POOLS))
"""What is on this machine: no proxy leads to it."""


def pulumi_home() -> Path:
    """Return the engine's folder: apart from the user's, so no plug-in here shadows theirs."""
    return cache.root() / "pulumi-home"


def prepare_home() -> Path:
    """Make the engine's folder and return it."""
    home = pulumi_home()
    home.mkdir(parents=True, exist_ok=True)
    # The engine keeps an encrypted trace of every run in this folder, at several times the price
    # of a run with large objects (8 s of CPU with the Gateway API's types). No option turns it
    # off; where it cannot make the folder it does without.
    trace = home / "logs"
    if trace.is_dir():
        shutil.rmtree(trace)
    trace.touch()
    return home


def state_folder() -> Path:
    """Return the folder of the default backend."""
    return project.ROOT / ".state"


def variables(
    stack: str, base: Mapping[str, str], *, stand_in: bool, home: Path | None = None
) -> dict[str, str]:
    """Return the whole environment for the engine.

    Args:
        stack: Name of the stack; only `local` has a default passphrase.
        base: What is built upon, usually the process's own environment: what it sets stays.
        stand_in: Whether the stand-in for the `kubernetes` plug-in is in use.
        home: The engine's folder; `pulumi_home()` by default.
    """
    home = home or pulumi_home()
    env = dict(base)
    env["PATH"] = search_path(base.get("PATH", os.defpath), TOOLS)
    env["SLIPWAY_ROOT"] = str(project.ROOT)
    env["PULUMI_HOME"] = str(home)
    env["PULUMI_SKIP_UPDATE_CHECK"] = "1"
    env.setdefault("GOGC", GOGC)
    # What the program prints is seen when it prints it.
    env["PYTHONUNBUFFERED"] = "1"
    _bypass_proxies(env)
    if stand_in:
        # Else the engine looks for the plug-ins of the installed SDKs at every run, in vain.
        env.setdefault("PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION", "true")
    # A workflow hands over as empty what it was not given.
    if not env.get("PULUMI_BACKEND_URL"):
        env.pop("PULUMI_BACKEND_URL", None)
    if "PULUMI_BACKEND_URL" not in env and not _logged_in(home):
        env["PULUMI_BACKEND_URL"] = f"file://{state_folder()}"
    unset = not {"PULUMI_CONFIG_PASSPHRASE", "PULUMI_CONFIG_PASSPHRASE_FILE"} & env.keys()
    if stack == project.LOCAL_STACK and unset:
        env["PULUMI_CONFIG_PASSPHRASE"] = DEVELOPMENT_PASSPHRASE
    return env


def search_path(path: str, names: Sequence[str]) -> str:
    """Return a PATH with the project's Python and its pinned programs first.

    Args:
        path: The PATH that follows.
        names: Pinned programs.
    """
    first = [project.ROOT / ".venv" / "bin", *programs.folders(names)]
    kept = [part for part in path.split(os.pathsep) if part not in map(str, first)]
    return os.pathsep.join([*map(str, first), *kept])


def _bypass_proxies(env: dict[str, str]) -> None:
    """Keep calls to a local cluster away from the machine's proxies, if it has any."""
    for proxies, exceptions in (("HTTPS_PROXY", "NO_PROXY"), ("https_proxy", "no_proxy")):
        if proxies in env:
            kept = [part for part in env.get(exceptions, "").split(",") if part]
            env[exceptions] = ",".join(dict.fromkeys([*kept, *_DIRECT]))


def _logged_in(home: Path) -> bool:
    """Tell whether `pulumi login` has chosen a backend in the engine's folder."""
    try:
        raw = json.loads((home / "credentials.json").read_text())
    except (OSError, ValueError):
        # Nobody logged in, or the engine itself will complain about its own file.
        return False
    return isinstance(raw, dict) and bool(raw.get("current"))
