"""SHA-256 of a model, as `infra/digests.py` of the project computes it and its docs say."""

import hashlib
from pathlib import Path


def of(path: Path) -> str:
    """Return the digest of a file's content, or of a folder's files that are not empty."""
    if not path.is_dir():
        return _of_file(path)
    files = [file for file in path.rglob("*") if file.is_file() and file.stat().st_size]
    files.sort(key=lambda file: file.relative_to(path).as_posix().encode())
    lines = (f"{_of_file(file)}  {file.relative_to(path).as_posix()}\n" for file in files)
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _of_file(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
