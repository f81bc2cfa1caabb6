"""Which resources use a file or folder in the model store of a node.

They lie under their digest, so two models made from one file share it, and a stack may bring a
file twice under two names. The file goes with the last resource that uses it. Each use is an empty
file beside the store's digest folders, where no pod mounts it.
"""

import hashlib
from pathlib import Path

FOLDER = ".claims"


def claim(models: Path, file: Path, urn: str) -> None:
    """Note that a resource uses a file; noting it again changes nothing.

    Args:
        models: Model store of the node.
        file: The file, inside the store.
        urn: The resource.
    """
    mark = _mark(models, file, urn)
    mark.parent.mkdir(parents=True, exist_ok=True)
    mark.touch()


def release(models: Path, file: Path, urn: str) -> bool:
    """Note that a resource no longer uses a file, and tell whether none does now."""
    mark = _mark(models, file, urn)
    mark.unlink(missing_ok=True)
    return remove_if_empty(mark.parent)


def remove_if_empty(folder: Path) -> bool:
    """Remove a folder unless something is in it; tell whether it is gone."""
    if not folder.is_dir():
        return True
    if any(folder.iterdir()):
        return False
    folder.rmdir()
    return True


def _mark(models: Path, file: Path, urn: str) -> Path:
    users = models / FOLDER / file.relative_to(models)
    return users / hashlib.sha256(urn.encode()).hexdigest()
