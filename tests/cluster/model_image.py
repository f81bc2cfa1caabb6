"""An image that holds a model and nothing else, as a file that containerd imports."""

import hashlib
import io
import json
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from toolchain import host
from toolchain.images.archive import LayerFile, write_layer

_OCI = "application/vnd.oci.image"


def write(target: Path, repository: str, files: Mapping[str, Path]) -> str:
    """Write an OCI image layout (image-spec 1.1, `image-layout.md`) and return its reference.

    Args:
        target: The archive.
        repository: What the image is called, with its registry.
        files: The image's files by their paths in it, without the leading slash.
    """
    layer_file = target.with_suffix(".layer")
    write_layer(layer_file, {path: LayerFile(file) for path, file in files.items()})
    layer = layer_file.read_bytes()
    config = _json(
        {
            "architecture": host.architecture(),
            "os": "linux",
            "rootfs": {"type": "layers", "diff_ids": [_digest(layer)]},
        }
    )
    manifest = _json(
        {
            "schemaVersion": 2,
            "mediaType": f"{_OCI}.manifest.v1+json",
            "config": _descriptor("config.v1+json", config),
            "layers": [_descriptor("layer.v1.tar", layer)],
        }
    )
    reference = f"{repository}@{_digest(manifest)}"
    # By that name, the kubelet finds it on the node and asks no registry.
    named = {"annotations": {"io.containerd.image.name": reference}}
    index = {
        "schemaVersion": 2,
        "manifests": [{**_descriptor("manifest.v1+json", manifest), **named}],
    }
    with tarfile.open(target, "w") as archive:
        for blob in (layer, config, manifest):
            _add(archive, f"blobs/{_digest(blob).replace(':', '/')}", blob)
        _add(archive, "index.json", _json(index))
        _add(archive, "oci-layout", _json({"imageLayoutVersion": "1.0.0"}))
    return reference


def _descriptor(kind: str, content: bytes) -> dict[str, Any]:
    return {"mediaType": f"{_OCI}.{kind}", "digest": _digest(content), "size": len(content)}


def _add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = len(content)
    archive.addfile(entry, io.BytesIO(content))


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def _json(document: object) -> bytes:
    return json.dumps(document).encode()
