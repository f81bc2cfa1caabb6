"""What a pod of a model mounts: the model, read-only, and where its server may write."""

from collections.abc import Mapping
from typing import Final

from pulumi_kubernetes.core import v1 as core

from apps.serving.runtimes import Writable

MODELS: Final = "/models"
"""Folder of a pod in which its model is."""


def volumes(
    model: core.VolumeArgs | None, writable: Mapping[str, Writable]
) -> list[core.VolumeArgs]:
    """Return the volumes of a pod.

    Args:
        model: The volume that holds the model, if it has one.
        writable: Where its server may write, by path.
    """
    found = [
        core.VolumeArgs(
            name=_name(path),
            empty_dir=core.EmptyDirVolumeSourceArgs(
                size_limit=room.size, medium=room.medium or None
            ),
        )
        for path, room in writable.items()
    ]
    return found if model is None else [model, *found]


def mounts(
    model: core.VolumeMountArgs | None, writable: Mapping[str, Writable]
) -> list[core.VolumeMountArgs]:
    """Return where a container has the volumes of its pod.

    Args:
        model: Where the container has the model, if the pod has one.
        writable: As for `volumes`.
    """
    found = [core.VolumeMountArgs(name=_name(path), mount_path=path) for path in writable]
    return found if model is None else [model, *found]


def _name(path: str) -> str:
    return path.strip("/").replace("/", "-")
