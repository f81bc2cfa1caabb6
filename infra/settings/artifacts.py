"""The model files that the settings name: whether they are there and are what they should be."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from apps.serving.runtimes import RUNTIMES
from infra.settings.errors import SettingsError, key
from infra.settings.models import ModelSettings

_HEAD = 16


@dataclass(frozen=True)
class Artifact:
    """A model file of this machine.

    Attributes:
        source: Path relative to the project's folder.
        digest: SHA-256 of the file, 64 hex digits.
        size: Bytes.
    """

    source: str
    digest: str
    size: int

    @property
    def filename(self) -> str:
        """The file's own name."""
        return Path(self.source).name


def check(models: Mapping[str, ModelSettings], root: Path) -> None:
    """Look at the beginning of every model's file.

    Args:
        models: The models by name.
        root: The project's folder.

    Raises:
        SettingsError: Names every file that is missing or does not match its format.
    """
    errors = [error for name, model in models.items() for error in _errors(name, model, root)]
    if errors:
        raise SettingsError(errors)


def read(models: Mapping[str, ModelSettings], root: Path) -> dict[str, Artifact]:
    """Return the artifact of each model, whose file is read as a whole.

    Args:
        models: The models by name.
        root: The project's folder.

    Raises:
        SettingsError: See `check`.
    """
    check(models, root)
    return {name: _artifact(model.path, root) for name, model in models.items()}


def _artifact(source: str, root: Path) -> Artifact:
    path = root / source
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return Artifact(source=source, digest=digest, size=path.stat().st_size)


def _errors(name: str, model: ModelSettings, root: Path) -> list[str]:
    errors = []
    if not (root / model.path).is_file():
        errors.append(f"{key('models', name, 'uri')}: {_missing(model.path)}")
    elif not RUNTIMES[model.format].recognises(_head(root / model.path)):
        errors.append(
            f"{key('models', name, 'format')}: {_mismatch(model, _head(root / model.path))}"
        )
    if model.holdout is not None and not (root / model.holdout).is_file():
        errors.append(f"{key('models', name, 'holdout')}: {_missing(model.holdout)}")
    return errors


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_HEAD)


def _missing(path: str) -> str:
    return f"there is no file `{path}`; correct the path, or let `make up` build the examples"


def _mismatch(model: ModelSettings, head: bytes) -> str:
    runtime = RUNTIMES[model.format]
    what = f"`{model.path}` is not {runtime.content}"
    others = [name for name, other in RUNTIMES.items() if other.recognises(head)]
    if others:
        return f"{what}; it looks like {RUNTIMES[others[0]].content}, so set `format: {others[0]}`"
    return f"{what}; it looks like no format that is served ({', '.join(RUNTIMES)})"
