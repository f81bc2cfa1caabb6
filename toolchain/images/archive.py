"""Writes an image as one file, in the format of `docker save`.

That is a tar archive with a tar archive per layer, a JSON document that says how a container is
started, and one that lists them (https://github.com/moby/docker-image-spec, `v1.2`). containerd,
k3s, Docker and Podman all load it. Layers stay as they are, so an image over a large base is
written as fast as its base can be copied.
"""

import hashlib
import io
import json
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

SEARCH_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True)
class Start:
    """How a container of an image is started, unless its pod says otherwise.

    Attributes:
        entrypoint: Program and arguments.
        user: Number of the user, and of its group.
        environment: Variables beside `PATH`.
    """

    entrypoint: tuple[str, ...]
    user: int
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class LayerFile:
    """A file of a layer.

    Attributes:
        source: The file on this machine.
        executable: Whether it is a program.
    """

    source: Path
    executable: bool = False


def write_layer(target: Path, files: Mapping[str, LayerFile]) -> None:
    """Write a layer; the same files make the same bytes, whatever their times and owners are.

    Args:
        target: The archive.
        files: File by its path in the image, without the leading slash.
    """
    folders = {parent for path in files for parent in PurePosixPath(path).parents}
    with tarfile.open(target, "w", format=tarfile.PAX_FORMAT) as layer:
        for folder in sorted(str(folder) for folder in folders - {PurePosixPath(".")}):
            layer.addfile(_entry(folder, mode=0o755, kind=tarfile.DIRTYPE))
        for path, file in sorted(files.items()):
            entry = _entry(path, mode=0o755 if file.executable else 0o644)
            entry.size = file.source.stat().st_size
            with file.source.open("rb") as content:
                layer.addfile(entry, content)


def write(
    target: Path, reference: str, layers: Sequence[Path], start: Start, architecture: str
) -> None:
    """Write an image.

    Args:
        target: The archive.
        reference: `<repository>:<tag>`, under which the image is loaded.
        layers: Archives of the layers, the lowest first.
        start: How its containers are started.
        architecture: As Go names it.
    """
    digests = [_digest(layer) for layer in layers]
    config = _json(
        {
            "architecture": architecture,
            "os": "linux",
            "config": {
                "Entrypoint": list(start.entrypoint),
                "User": f"{start.user}:{start.user}",
                "WorkingDir": "/",
                "Env": [
                    f"{name}={value}"
                    for name, value in sorted({"PATH": SEARCH_PATH, **start.environment}.items())
                ],
            },
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}" for digest in digests]},
        }
    )
    config_name = f"{hashlib.sha256(config).hexdigest()}.json"
    names = [f"{digest}.tar" for digest in digests]
    manifest = _json([{"Config": config_name, "RepoTags": [reference], "Layers": names}])
    with tarfile.open(target, "w", format=tarfile.PAX_FORMAT) as image:
        for name, layer in zip(names, layers, strict=True):
            entry = _entry(name, mode=0o644)
            entry.size = layer.stat().st_size
            with layer.open("rb") as content:
                image.addfile(entry, content)
        for name, document in ((config_name, config), ("manifest.json", manifest)):
            entry = _entry(name, mode=0o644)
            entry.size = len(document)
            image.addfile(entry, io.BytesIO(document))


def _entry(name: str, *, mode: int, kind: bytes = tarfile.REGTYPE) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.mode, entry.type = mode, kind
    return entry


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _json(document: object) -> bytes:
    return json.dumps(document, sort_keys=True).encode()
