"""The cache folder: pinned programs, images and downloads, outside the repository.

Everything in it can be deleted at any time; the next run makes it again.
"""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from toolchain.errors import DiskSpaceError, ToolchainError
from toolchain.progress import Report, silent, size

VARIABLE = "SLIPWAY_CACHE"


def root() -> Path:
    """Return the cache folder, which need not exist.

    It is `$SLIPWAY_CACHE`, else `$XDG_CACHE_HOME/slipway`, else `~/.cache/slipway`.

    Raises:
        ToolchainError: The environment names a relative folder, or there is no home folder.
    """
    named = os.environ.get(VARIABLE)
    if named:
        folder = Path(named)
        if not folder.is_absolute():
            raise ToolchainError(f"{VARIABLE} is {named!r}: it must be an absolute path")
        return folder
    base = os.environ.get("XDG_CACHE_HOME")
    # The XDG specification says that a relative path is ignored.
    if base and Path(base).is_absolute():
        return Path(base) / "slipway"
    try:
        return Path.home() / ".cache" / "slipway"
    except RuntimeError as error:
        raise ToolchainError(f"there is no home folder for the cache: set {VARIABLE}") from error


def folder(*parts: str) -> Path:
    """Return a folder inside the cache, created when it is missing.

    Raises:
        ToolchainError: The folder cannot be created.
    """
    path = root().joinpath(*parts)
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ToolchainError(
            f"cannot create {path} ({error.strerror}): set {VARIABLE} to a folder you can write to"
        ) from error
    return path


@contextmanager
def lock(name: str, report: Report = silent) -> Iterator[None]:
    """Hold the cache's lock of that name; another process waits for it.

    The kernel drops the lock with the process, however it ends, so none is ever stale.

    Args:
        name: What is locked: a program, or a shared folder.
        report: Told when another process holds the lock.
    """
    path = folder("locks") / f"{name}.lock"
    with path.open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            report(f"waiting for another run that works on {name}")
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield


@contextmanager
def staging(name: str) -> Iterator[Path]:
    """Give a folder that is filled first and then renamed into place by the caller.

    The caller holds `lock(name)`: what an interrupted run left under that name is removed here.
    """
    base = folder("staging")
    for stale in base.glob(f"{name}.*"):
        shutil.rmtree(stale, ignore_errors=True)
    path = Path(tempfile.mkdtemp(prefix=f"{name}.", dir=base))
    path.chmod(0o755)
    try:
        yield path
    finally:
        # Nothing is there any more when it was published.
        shutil.rmtree(path, ignore_errors=True)


def publish(made: Path, target: Path) -> None:
    """Rename a finished folder into place, replacing what was there."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.exists():
        # A folder that is not empty cannot be renamed over: move it aside within the same file
        # system first, so that the target is missing for an instant only.
        aside = Path(tempfile.mkdtemp(prefix="replaced.", dir=folder("staging")))
        target.rename(aside / target.name)
        made.rename(target)
        shutil.rmtree(aside, ignore_errors=True)
    else:
        made.rename(target)


def free(path: Path) -> int:
    """Return the bytes free for this user where `path` is, or will be created."""
    existing = path
    while not existing.exists():
        existing = existing.parent
    return shutil.disk_usage(existing).free


def require_free(path: Path, needed: int, purpose: str) -> None:
    """Check the room for the next step before it starts.

    Args:
        path: Folder that the step writes to.
        needed: Bytes that the step needs at its peak.
        purpose: What the step does, for the message.

    Raises:
        DiskSpaceError: There is less than that.
    """
    available = free(path)
    if available < needed:
        raise DiskSpaceError(
            f"{purpose} needs {size(needed)} of disk and {path} has {size(available)}: "
            f"make room there, or set {VARIABLE} to a folder on a larger disk"
        )
