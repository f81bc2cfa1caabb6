"""How a model gets into its pods, by where it is stored."""

from dataclasses import dataclass
from typing import Final

import pulumi
from pulumi_kubernetes.core import v1 as core

from apps.serving.volumes import MODELS
from infra.contract import ClusterTraits
from infra.settings import Artifact, sources

_VOLUME: Final = "model"


@dataclass(frozen=True)
class Mount:
    """A model in its pods.

    Attributes:
        volume: The volume that holds it.
        mount: Where the server has it.
    """

    volume: core.VolumeArgs
    mount: core.VolumeMountArgs


def claim(name: pulumi.Input[str]) -> Mount:
    """Return what lies on the volume of a claim.

    It is mounted as a whole: of a part that is not there, the kubelet would make a folder.

    Args:
        name: Name of the claim.
    """
    source = core.PersistentVolumeClaimVolumeSourceArgs(claim_name=name, read_only=True)
    volume = core.VolumeArgs(name=_VOLUME, persistent_volume_claim=source)
    return Mount(volume, _read_only())


def image(model: str, artifact: Artifact, traits: ClusterTraits) -> Mount:
    """Return a model in an image.

    Args:
        model: Name of the model.
        artifact: The model.
        traits: The cluster's.

    Raises:
        pulumi.RunError: The cluster cannot mount images.
    """
    if not traits.image_volumes:
        raise pulumi.RunError(
            f"slipway:models.{model}.uri: the cluster does not mount images as volumes (Kubernetes "
            "1.35 and later do); store the model elsewhere, or update the cluster"
        )
    source = core.ImageVolumeSourceArgs(
        reference=sources.image(artifact.uri), pull_policy="IfNotPresent"
    )
    volume = core.VolumeArgs(name=_VOLUME, image=source)
    return Mount(volume, _read_only())


def room(artifact: Artifact) -> Mount:
    """Return room for a model that an init step downloads."""
    source = core.EmptyDirVolumeSourceArgs(size_limit=artifact.volume_size)
    volume = core.VolumeArgs(name=_VOLUME, empty_dir=source)
    return Mount(volume, _read_only())


def writable() -> core.VolumeMountArgs:
    """Return how an init step sees the volume."""
    return core.VolumeMountArgs(name=_VOLUME, mount_path=MODELS)


def _read_only() -> core.VolumeMountArgs:
    return core.VolumeMountArgs(name=_VOLUME, mount_path=MODELS, read_only=True)
