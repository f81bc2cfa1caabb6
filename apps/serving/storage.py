"""How a model's file gets into its pods: as a volume, never baked into the image."""

from dataclasses import dataclass
from typing import Final

import pulumi
from pulumi_kubernetes.core import v1 as core
from pulumi_kubernetes.meta import v1 as meta

from infra import machine, naming

_DIGEST_LENGTH: Final = 12


@dataclass(frozen=True)
class ModelVolumeArgs:
    """What a volume holds.

    Attributes:
        team: The team the model belongs to.
        namespace: The team's namespace.
        source: Path of the file or folder, relative to the project's folder.
        digest: Its SHA-256, see `infra.digests.of`.
        size: Size of the volume, a Kubernetes quantity.
        store: Where model files are brought for this cluster.
        labels: Labels of the model's objects.
    """

    team: str
    namespace: pulumi.Input[str]
    source: str
    digest: str
    size: str
    store: pulumi.Input[str]
    labels: dict[str, str]


class ModelVolume(pulumi.ComponentResource):
    """A read-only volume with one model file.

    Type token: `slipway:serving:ModelVolume`. Resources: a `ModelFile`, a `PersistentVolume` over
    the folder that it fills, and the `PersistentVolumeClaim` bound to it: the `restricted` Pod
    Security Standard keeps pods from mounting a folder of the node themselves.

    Their names carry the file's digest. A changed model so gets new ones beside the old ones, which
    the running pods keep until the last of them is replaced.

    Args:
        resource_name: Name of the model.
        args: What it holds.
        opts: Resource options.

    Attributes:
        claim_name: Name of the claim, in the team's namespace.
    """

    claim_name: pulumi.Output[str]

    def __init__(
        self,
        resource_name: str,
        args: ModelVolumeArgs,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("slipway:serving:ModelVolume", resource_name, None, opts)
        children = pulumi.ResourceOptions(parent=self)
        version = short_digest(args.digest)
        capacity = {"storage": args.size}
        access_modes = ["ReadOnlyMany"]
        # With dots, which no part may hold: hyphens alone could make the names of two models meet.
        claim = naming.fit(f"{resource_name}.{version}")
        file = machine.ModelFile(
            f"{resource_name}-file",
            source=args.source,
            digest=args.digest,
            store=args.store,
            opts=children,
        )
        volume = core.PersistentVolume(
            f"{resource_name}-volume",
            metadata=meta.ObjectMetaArgs(
                name=naming.fit(f"{args.team}.{resource_name}.{version}"), labels=args.labels
            ),
            spec=core.PersistentVolumeSpecArgs(
                capacity=capacity,
                access_modes=access_modes,
                # No provisioner made it, so none may delete it.
                persistent_volume_reclaim_policy="Retain",
                storage_class_name="",
                host_path=core.HostPathVolumeSourceArgs(path=file.node_path, type="Directory"),
                # Reserved, so that no other claim takes it.
                claim_ref=core.ObjectReferenceArgs(
                    api_version="v1",
                    kind="PersistentVolumeClaim",
                    name=claim,
                    namespace=args.namespace,
                ),
            ),
            opts=children,
        )
        self.claim_name = core.PersistentVolumeClaim(
            f"{resource_name}-claim",
            metadata=meta.ObjectMetaArgs(name=claim, namespace=args.namespace, labels=args.labels),
            spec=core.PersistentVolumeClaimSpecArgs(
                access_modes=access_modes,
                # An empty class: the claim waits for its volume, not for a provisioner.
                storage_class_name="",
                volume_name=volume.metadata.name,
                resources=core.VolumeResourceRequirementsArgs(requests=capacity),
            ),
            opts=children,
        ).metadata.name
        self.register_outputs({"claim_name": self.claim_name})


def short_digest(digest: str) -> str:
    """Return the part of a digest that names a version of a model: 12 hex digits."""
    return digest[:_DIGEST_LENGTH]
