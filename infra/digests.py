"""SHA-256 of a model: of a file, or of a folder of files.

The step that brings a model from where it is stored computes the same inside its pod, see
`apps/serving/storage_initializer`.
"""

import hashlib
from collections.abc import Iterator
from pathlib import Path


def of(path: Path) -> str:
    r"""Return the digest of a file's content, or of a folder's files: 64 hex digits.

    A folder's is the digest of what `sha256sum` prints for its files, in the order of their paths
    (byte by byte), the paths relative to the folder. Empty files do not count, because stores of
    objects leave them out when a folder is downloaded. In a shell:

        find . -type f -size +0 -printf '%P\0' | LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum
    """
    if not path.is_dir():
        return _of_file(path)
    lines = (f"{_of_file(file)}  {file.relative_to(path).as_posix()}\n" for file in files(path))
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def files(folder: Path) -> Iterator[Path]:
    """Yield the files of a folder that its digest is made of, in their order."""
    found = (path for path in folder.rglob("*") if path.is_file() and path.stat().st_size)
    yield from sorted(found, key=lambda path: path.relative_to(folder).as_posix().encode())


def _of_file(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
