"""The engine's `kubernetes` plug-in: the official one, or the stand-in where that cannot be had."""

import hashlib
import io
import json
import os
import tarfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from infra import versions
from toolchain import cache, download, env, host, programs
from toolchain.errors import ToolchainError
from toolchain.progress import Report, ticking
from toolchain.sources.base import tail

_BINARY: Final = "pulumi-resource-kubernetes"
_ASK_AGAIN_SECONDS: Final = 24 * 3600.0
"""How long the stand-in is used before the official plug-in is asked for again."""

# The engine does not say where the project is, so `make` does.
_WRAPPER: Final = """\
#!/bin/sh
if [ -z "$SLIPWAY_ROOT" ] || [ ! -x "$SLIPWAY_ROOT/.venv/bin/python" ]; then
    echo "error: the stand-in for the kubernetes plug-in runs inside 'make up' or 'make shell'" \\
        "of a Slipway project: SLIPWAY_ROOT names none" >&2
    exit 1
fi
PYTHONPATH=$SLIPWAY_ROOT exec "$SLIPWAY_ROOT/.venv/bin/python" -m toolchain.kubernetes_plugin "$@"
"""


@dataclass(frozen=True)
class _Marker:
    """What is noted beside the engine's plug-ins while the stand-in is one of them.

    Attributes:
        digest: Of the wrapper that is installed.
        asked: When the official plug-in was last asked for (seconds since 1970).
        reason: Why it could not be had.
    """

    digest: str
    asked: float
    reason: str


def ensure_kubernetes(report: Report, *, ask_again: bool = False) -> bool:
    """Install the plug-in at its pinned version, and tell which one it is.

    Args:
        report: Takes progress lines, and at every run one that says when the stand-in is in use.
        ask_again: Ask for the official plug-in though that was done within a day.

    Returns:
        Whether it is the stand-in.

    Raises:
        ToolchainError: The engine refuses the plug-in.
    """
    env.prepare_home()
    marker = _read_marker()
    if _is_installed() and marker is None:
        return False
    fresh = marker is not None and 0 <= time.time() - marker.asked < _ASK_AGAIN_SECONDS
    if (
        marker is None
        or not (fresh and _is_installed() and marker.digest == _digest())
        or ask_again
    ):
        with cache.lock("plugins", report):
            marker = _obtain(report)
    if marker is None:
        return False
    report(
        f"the stand-in for the official kubernetes plug-in {versions.PULUMI_KUBERNETES} is in use "
        f"({marker.reason})"
    )
    return True


def which_kubernetes() -> str | None:
    """Return what is installed, for a person; `None` when nothing is."""
    if not _is_installed():
        return None
    marker = _read_marker()
    return "official" if marker is None else f"stand-in ({marker.reason})"


def _obtain(report: Report) -> _Marker | None:
    """Install the official plug-in, else the stand-in, whose marker is returned."""
    reason = _refusal()
    if reason is None:
        report(f"kubernetes plug-in {versions.PULUMI_KUBERNETES}: taking the official one")
        _remove()
        reason = _install([], report)
        if reason is None:
            return None
    marker = _Marker(_digest(), time.time(), reason)
    # Before the plug-in itself: one without a marker would count as the official one.
    _write_marker(marker)
    archive = cache.folder("downloads") / f"{_BINARY}-stand-in-{os.getpid()}.tar.gz"
    try:
        archive.write_bytes(_packed())
        refused = _install(["--reinstall", "--file", str(archive)], report)
    finally:
        archive.unlink(missing_ok=True)
    if refused is not None:
        raise ToolchainError(f"the engine refuses the kubernetes plug-in: {refused}")
    return marker


def _refusal() -> str | None:
    """Return why the official plug-in cannot be had; `None` when the engine may try."""
    if os.environ.get("PULUMI_PLUGIN_DOWNLOAD_URL_OVERRIDES"):
        return None
    name = f"{_BINARY}-v{versions.PULUMI_KUBERNETES}-linux-{host.architecture()}.tar.gz"
    return download.refusal(f"https://get.pulumi.com/releases/plugins/{name}")


def _install(arguments: list[str], report: Report) -> str | None:
    """Run `pulumi plugin install` and return the reason when it fails."""
    plugin = ["resource", "kubernetes", versions.PULUMI_KUBERNETES]
    pulumi = str(programs.path("pulumi", report))
    command = [pulumi, "plugin", "install", *plugin, *arguments]
    process = host.start(command, env=_environment())
    try:
        with ticking(report, lambda s: f"kubernetes plug-in: {s:.0f} s"):
            output, _ = process.communicate()
    finally:
        host.end(process)
    if process.returncode == 0 and _is_installed():
        return None
    return tail(output.splitlines(), 1) or f"exit code {process.returncode}"


def _remove() -> None:
    """Take a stand-in away, its marker last."""
    folder = _folder()
    if folder.exists():
        with cache.staging("plugin") as staged:
            folder.rename(staged / folder.name)
        folder.with_suffix(folder.suffix + ".lock").unlink(missing_ok=True)
    _marker_path().unlink(missing_ok=True)


def _environment() -> Mapping[str, str]:
    return {**os.environ, "PULUMI_HOME": str(env.pulumi_home()), "PULUMI_SKIP_UPDATE_CHECK": "1"}


def _packed() -> bytes:
    content = _WRAPPER.encode()
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        member = tarfile.TarInfo(_BINARY)
        member.size = len(content)
        member.mode = 0o755
        tar.addfile(member, io.BytesIO(content))
    return packed.getvalue()


def _digest() -> str:
    return hashlib.sha256(_WRAPPER.encode()).hexdigest()


def _folder() -> Path:
    return env.pulumi_home() / "plugins" / f"resource-kubernetes-v{versions.PULUMI_KUBERNETES}"


def _is_installed() -> bool:
    # The engine keeps `<folder>.partial` until an installation is complete.
    folder = _folder()
    return (folder / _BINARY).is_file() and not folder.with_name(f"{folder.name}.partial").exists()


def _marker_path() -> Path:
    return env.pulumi_home() / f"slipway-stand-in-{versions.PULUMI_KUBERNETES}.json"


def _read_marker() -> _Marker | None:
    try:
        raw = json.loads(_marker_path().read_text())
        return _Marker(str(raw["digest"]), float(raw["asked"]), str(raw["reason"]))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError):
        # Damaged: still a stand-in, to be installed anew.
        return _Marker("", 0.0, "unknown")


def _write_marker(marker: _Marker) -> None:
    path = _marker_path()
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".new")
    temporary.write_text(json.dumps(vars(marker)))
    temporary.replace(path)
