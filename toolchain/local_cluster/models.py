"""The models of a cluster: one folder per digest, which pods mount read-only."""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from infra import digests
from toolchain.local_cluster.errors import LocalClusterError
from toolchain.local_cluster.state import Layout

_PART = 1 << 20
# Pods run as users of their own; whoever runs `make up` may keep new files from others.
_FOLDER, _FILE = 0o755, 0o644


def put(where: Layout, source: Path, digest: str) -> Path:
    """Copy a model, a file or a folder, to where the node sees it; does nothing when it is there.

    Args:
        where: Folders of the cluster.
        source: The file or folder on this machine.
        digest: Its SHA-256, see `infra.digests.of`.

    Returns:
        Its path on the node: `<models>/<digest>/<its name>`.

    Raises:
        LocalClusterError: The source cannot be read, or its content is another.
    """
    target = where.models / digest / source.name
    if _holds(target, digest):
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    target.parent.chmod(_FOLDER)
    with _locked(target.parent):
        # Another run may have brought it meanwhile, and pods may have it by now.
        if not _holds(target, digest):
            _copy(source, target, digest)
    return target


def _holds(target: Path, digest: str) -> bool:
    return target.exists() and digests.of(target) == digest


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Let one run at a time copy to a folder; the kernel drops the lock with the process."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def remove(target: Path) -> None:
    """Remove a model that `put` has placed; it may be gone already."""
    if target.is_dir():
        shutil.rmtree(target)
    else:
        target.unlink(missing_ok=True)


def _copy(source: Path, target: Path, digest: str) -> None:
    # A fixed name, so that what a killed run left is written over.
    copy = target.with_name(f".{target.name}.copy")
    try:
        remove(copy)
        if source.is_dir():
            # Those too that the digest leaves out: an empty one may be a package's.
            for file in filter(Path.is_file, source.rglob("*")):
                _copy_file(file, copy / file.relative_to(source))
            for folder in (copy, *filter(Path.is_dir, copy.rglob("*"))):
                folder.chmod(_FOLDER)
        else:
            _copy_file(source, copy)
        # The copy is what is checked: the source may change while it is read.
        found = digests.of(copy)
        if found != digest:
            raise LocalClusterError(
                f"{source} changed: its SHA-256 is {found}, not {digest}; run the command again"
            )
        remove(target)
        copy.replace(target)
    except OSError as error:
        raise LocalClusterError(
            f"{error.filename or source} cannot be copied to the cluster: {error.strerror}"
        ) from error
    finally:
        remove(copy)


def _copy_file(file: Path, copy: Path) -> None:
    copy.parent.mkdir(parents=True, exist_ok=True)
    with copy.open("wb") as written, file.open("rb") as source:
        shutil.copyfileobj(source, written, _PART)
        os.fchmod(written.fileno(), _FILE)
        written.flush()
        os.fsync(written.fileno())
