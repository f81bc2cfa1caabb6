"""The models that the settings name: whether they are there and are what they should be."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

from apps.serving.runtimes import RUNTIMES, Runtime
from infra import digests
from infra.settings import quota, sources, storage
from infra.settings.errors import SettingsError, key
from infra.settings.models import ModelSettings, workloads
from infra.settings.storage import StorageSettings
from infra.settings.teams import TeamSettings

_HEAD: Final = 16
_VERSION_DIGITS: Final = 12
# What `kserve-storage` unpacks: a folder, but one file in its store.
_ARCHIVES: Final = (".zip", ".tar", ".tar.gz", ".tgz")


@dataclass(frozen=True)
class Artifact:
    """A model as its pods get it: a file, or a folder of files.

    Attributes:
        uri: Where it is stored.
        digest: SHA-256 of its content, see `infra.digests.of`; of an image, the image's. `None`
            where nothing but its version tells it from others.
        version: What it is called: by its owner, else the first 12 digits of what pins it.
        volume_size: Size of a volume that holds it, a Kubernetes quantity.
        is_folder: Whether it is a folder.
        storage: How it is downloaded, as far as its URI does not say it.
    """

    uri: str
    digest: str | None
    version: str
    volume_size: str
    is_folder: bool = False
    storage: StorageSettings | None = None

    @property
    def source(self) -> sources.Source:
        """The kind of place where it is stored."""
        return sources.of(self.uri)

    @property
    def path(self) -> str:
        """Its place there: for `file:`, relative to the project's folder."""
        return self.source.path(self.uri)

    @property
    def name(self) -> str:
        """The name of the file or folder itself, which it has in the pods too."""
        return self.source.name(self.uri)

    @property
    def place(self) -> str:
        """Where a pod has it, below the folder of its models: claims and images are there whole."""
        whole = (sources.SOURCES["oci"], sources.SOURCES["pvc"])
        return self.path if self.source in whole else self.name

    @property
    def download_uri(self) -> str:
        """Its URI, of a folder such that nothing is downloaded whose name only begins alike."""
        lists = self.source in (sources.SOURCES[name] for name in ("s3", "gs", "azure"))
        slashed = self.is_folder and lists and not self.uri.endswith(_ARCHIVES)
        return f"{self.uri}/" if slashed else self.uri

    @property
    def download_port(self) -> int:
        """TCP port of the store that it is downloaded from."""
        return storage.port(self.uri, self.storage)


def check(
    models: Mapping[str, ModelSettings], teams: Mapping[str, TeamSettings], root: Path
) -> None:
    """Look at the size of every model of this machine, and at the beginning of a file.

    Args:
        models: The models by name.
        teams: The teams by name.
        root: The project's folder.

    Raises:
        SettingsError: Names every model that is missing or does not match its format, and every
            quota of storage that the models can exceed.
    """
    errors = [
        error
        for name, model in models.items()
        for role, version in model.versions.items()
        if version.uri is not None
        for error in _errors((name, role) if role else (name,), version, root)
    ]
    stored = _stored(models)
    here = {name: root / model.path for name, model in stored.items() if model.path is not None}
    sizes = {name: _mebibytes(_size(path)) for name, path in here.items() if path.exists()}
    errors += quota.storage_errors(teams, stored, sizes)
    if errors:
        raise SettingsError(errors)


def read(
    models: Mapping[str, ModelSettings], teams: Mapping[str, TeamSettings], root: Path
) -> dict[str, Artifact]:
    """Return the artifact of each version of a model that has one.

    What is of this machine is read as a whole. They are by the name of what runs them, see
    `workloads`.

    Args:
        models: The models by name.
        teams: The teams by name.
        root: The project's folder.

    Raises:
        SettingsError: See `check`.
    """
    check(models, teams, root)
    stored = _stored(models)
    return {name: _artifact(model, teams[model.team], root) for name, model in stored.items()}


def _stored(models: Mapping[str, ModelSettings]) -> dict[str, ModelSettings]:
    return {name: model for name, model in workloads(models).items() if model.uri is not None}


def _mebibytes(size: int) -> int:
    return math.ceil(size / quota.MEBIBYTE)


def _size(path: Path) -> int:
    found = digests.files(path) if path.is_dir() else [path]
    return sum(file.stat().st_size for file in found)


def _artifact(model: ModelSettings, team: TeamSettings, root: Path) -> Artifact:
    uri, size = model.uri or "", model.resources.storage
    if model.path is None:
        pin = sources.of(uri).pin(uri)
        digest = pin if sources.of(uri) is sources.SOURCES["oci"] else model.sha256
    else:
        digest = pin = digests.of(root / model.path)
        size = f"{_mebibytes(_size(root / model.path))}Mi"
    version = model.version or (digest or pin or "")[:_VERSION_DIGITS]
    stored = team.storage[model.storage] if model.storage is not None else None
    is_folder = bool(RUNTIMES[model.format].files) or sources.of(uri) is sources.SOURCES["hf"]
    return Artifact(uri, digest, version, size, is_folder, stored)


def _errors(place: Sequence[str], model: ModelSettings, root: Path) -> list[str]:
    errors = []
    if model.path is not None:
        errors += _errors_of_path(place, model.path, RUNTIMES[model.format], root)
    elif model.uri is not None:
        errors += _errors_of_uri(place, model.uri, RUNTIMES[model.format])
    if model.holdout is not None and not (root / model.holdout).is_file():
        errors.append(f"{key('models', *place, 'holdout')}: {_missing(model.holdout)}")
    return errors


def _errors_of_path(place: Sequence[str], path: str, runtime: Runtime, root: Path) -> list[str]:
    uri, wanted = key("models", *place, "uri"), key("models", *place, "format")
    if runtime.files and not (root / path).is_dir():
        return [
            f"{uri}: there is no folder `{path}`, and {runtime.content} is one; correct the path"
        ]
    if runtime.named and PurePosixPath(path).name != place[0]:
        return [f"{uri}: {_misnamed(path, place[0])}"]
    if runtime.files:
        return _errors_of_folder(wanted, path, runtime, root)
    if runtime.custom and (root / path).is_dir():
        return []
    if not (root / path).is_file():
        return [f"{uri}: {_missing(path)}"]
    head = _head(root / path)
    return [] if runtime.recognises(head) else [f"{wanted}: {_mismatch(path, runtime, head)}"]


def _errors_of_uri(place: Sequence[str], uri: str, runtime: Runtime) -> list[str]:
    """Return what the URI alone says of a model that is not on this machine."""
    source, where = sources.of(uri), key("models", *place, "uri")
    if runtime.named and source.name(uri) != place[0]:
        return [f"{where}: {_misnamed(uri, place[0])}"]
    if source is sources.SOURCES["hf"] and not (runtime.files or runtime.custom):
        return [
            f"{where}: `{source.form}` is a folder, and {runtime.content} is a file; name the file "
            "by its `https:` URI, or correct `format`"
        ]
    return []


def _errors_of_folder(place: str, path: str, runtime: Runtime, root: Path) -> list[str]:
    lacking = [file for file in runtime.files if not (root / path / file).is_file()]
    if not lacking:
        return []
    return [
        f"{place}: `{path}` is not {runtime.content}; "
        f"add `{'`, `'.join(lacking)}` to it, or correct `uri` or `format`"
    ]


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_HEAD)


def _misnamed(folder: str, model: str) -> str:
    return f"the folder `{folder}` has to be called `{model}`, like the model; rename one of them"


def _missing(path: str) -> str:
    return f"there is no file `{path}`; correct the path, or let `make up` build the examples"


def _mismatch(path: str, runtime: Runtime, head: bytes) -> str:
    what = f"`{path}` is not {runtime.content}"
    others = [
        name
        for name, other in RUNTIMES.items()
        if not (other.files or other.custom) and other.recognises(head)
    ]
    if others:
        return f"{what}; it looks like {RUNTIMES[others[0]].content}, so set `format: {others[0]}`"
    return f"{what}; it looks like no format that is served, see docs/runtimes.md"
