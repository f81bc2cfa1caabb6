"""Libraries of peers that clash with the project's own, each lock file's in a folder of its own."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

from toolchain import cache


def libraries(name: str, lock: Path) -> Path:
    """Return the folder of the libraries of a lock file, for `PYTHONPATH`; it is made once.

    Args:
        name: Name of the peer.
        lock: Requirements with hashes.
    """
    digest = hashlib.sha256(lock.read_bytes() + sys.version.encode()).hexdigest()[:12]
    folder = cache.root() / "test-peers" / f"{name}-{digest}"
    if not folder.exists():
        made = folder.with_name(f"{folder.name}.{os.getpid()}")
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps"]
        what = ["--require-hashes", "--target", str(made), "--requirement", str(lock)]
        subprocess.run([*pip, *what], check=True)
        made.rename(folder)
    return folder
