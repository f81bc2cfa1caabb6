"""The model files of a cluster: one folder per digest, which pods mount read-only."""

import fcntl
import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from toolchain.local_cluster.errors import LocalClusterError
from toolchain.local_cluster.state import Layout

_PART = 1 << 20


def put(where: Layout, file: Path, digest: str) -> Path:
    """Copy a model file to where the node sees it; does nothing when it is there.

    Args:
        where: Folders of the cluster.
        file: The file on this machine.
        digest: SHA-256 of the file, 64 hex digits.

    Returns:
        Its path on the node: `<models>/<digest>/<file name>`.

    Raises:
        LocalClusterError: The file cannot be read, or its content is another.
    """
    target = where.models / digest / file.name
    if target.exists() and _sha256(target) == digest:
        return target
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o755)
    with _locked(target.parent):
        _copy(file, target, digest)
    return target


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Let one run at a time copy to a folder; the kernel drops the lock with the process."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _copy(file: Path, target: Path, digest: str) -> None:
    # A fixed name, so that what a killed run left is written over.
    copy = target.with_name(f".{target.name}.copy")
    try:
        with copy.open("wb") as written, file.open("rb") as source:
            shutil.copyfileobj(source, written, _PART)
            # Pods run as users of their own.
            os.fchmod(written.fileno(), 0o644)
            written.flush()
            os.fsync(written.fileno())
        # The copy is what is checked: the source may change while it is read.
        found = _sha256(copy)
        if found != digest:
            raise LocalClusterError(
                f"{file} changed: its SHA-256 is {found}, not {digest}; run the command again"
            )
        copy.replace(target)
    except OSError as error:
        raise LocalClusterError(
            f"{error.filename or file} cannot be copied to the cluster: {error.strerror}"
        ) from error
    finally:
        copy.unlink(missing_ok=True)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
