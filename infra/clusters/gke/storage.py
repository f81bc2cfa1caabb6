"""What outlives a GKE cluster: its registry, its models, and the key of its secrets."""

from dataclasses import dataclass
from typing import Final

import pulumi
import pulumi_gcp.artifactregistry as artifactregistry
import pulumi_gcp.kms as kms
import pulumi_gcp.projects as projects
import pulumi_gcp.storage as gcs

from infra.clusters.protection import Protection
from infra.naming import fit
from infra.settings.cluster.gke import GkeClusterSettings

_NAME_LIMIT: Final = 63
# 90 days, as https://cloud.google.com/kms/docs/key-rotation recommends.
_ROTATION_PERIOD: Final = "7776000s"
# What was overwritten or deleted by mistake can be had back for so long, and is paid for.
_OLD_VERSION_DAYS: Final = 30


@dataclass(frozen=True)
class SecretsKeyArgs:
    """What the key is for.

    Attributes:
        settings: The cluster's.
        protection: What may be replaced or deleted.
    """

    settings: GkeClusterSettings
    protection: Protection


class SecretsKey(pulumi.ComponentResource):
    """A key with which GKE encrypts Kubernetes Secrets before they are stored.

    Type token: `slipway:infra:GkeSecretsKey`. Resources: a `KeyRing` and a `CryptoKey` with names
    of their own, since Google never deletes a key ring; the `ServiceIdentity` of GKE, and a
    `CryptoKeyIAMMember` that lets it, and nobody else, use the key.
    https://cloud.google.com/kubernetes-engine/docs/how-to/encrypting-secrets

    Args:
        resource_name: Logical name.
        args: What it is for.
        opts: Resource options.

    Attributes:
        id: Id of the key.
        ready: What the cluster needs before it can use the key.
    """

    id: pulumi.Output[str]
    ready: pulumi.Resource

    def __init__(
        self, resource_name: str, args: SecretsKeyArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("slipway:infra:GkeSecretsKey", resource_name, None, opts)
        settings, children = args.settings, pulumi.ResourceOptions(parent=self)
        ring = kms.KeyRing(
            f"{resource_name}-ring",
            project=settings.project,
            location=settings.region,
            opts=pulumi.ResourceOptions(
                parent=self, protect=args.protection.of(f"{resource_name}-ring")
            ),
        )
        key = kms.CryptoKey(
            resource_name,
            key_ring=ring.id,
            purpose="ENCRYPT_DECRYPT",
            rotation_period=_ROTATION_PERIOD,
            opts=pulumi.ResourceOptions(parent=self, protect=args.protection.of(resource_name)),
        )
        gke = projects.ServiceIdentity(
            resource_name,
            project=settings.project,
            service="container.googleapis.com",
            opts=children,
        )
        self.id = key.id
        self.ready = kms.CryptoKeyIAMMember(
            resource_name,
            crypto_key_id=key.id,
            role="roles/cloudkms.cryptoKeyEncrypterDecrypter",
            member=gke.member,
            opts=children,
        )
        self.register_outputs({"id": key.id})


@dataclass(frozen=True)
class RegistryArgs:
    """Whose images the registry holds.

    Attributes:
        settings: The cluster's.
        reader: Who pulls from it, as IAM names it: the nodes.
        protection: What may be replaced or deleted.
    """

    settings: GkeClusterSettings
    reader: pulumi.Input[str]
    protection: Protection


class Registry(pulumi.ComponentResource):
    """A repository for images in Artifact Registry, which the nodes may read.

    Type token: `slipway:infra:GkeRegistry`. Resources: a `Repository` and a
    `RepositoryIamMember`.
    https://cloud.google.com/artifact-registry/docs/integrate-gke

    Args:
        resource_name: Logical name.
        args: Whose images it holds.
        opts: Resource options.

    Attributes:
        uri: `<region>-docker.pkg.dev/<project>/<repository>`.
        ready: What nodes need before they pull.
    """

    uri: pulumi.Output[str]
    ready: pulumi.Resource

    def __init__(
        self, resource_name: str, args: RegistryArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("slipway:infra:GkeRegistry", resource_name, None, opts)
        settings = args.settings
        repository = artifactregistry.Repository(
            resource_name,
            project=settings.project,
            location=settings.region,
            repository_id=fit(f"{settings.name}-images", _NAME_LIMIT),
            format="DOCKER",
            opts=pulumi.ResourceOptions(
                parent=self, protect=args.protection.of(resource_name), delete_before_replace=True
            ),
        )
        self.uri = pulumi.Output.format(
            "{0}-docker.pkg.dev/{1}/{2}",
            settings.region,
            settings.project,
            repository.repository_id,
        )
        self.ready = artifactregistry.RepositoryIamMember(
            f"{resource_name}-nodes",
            project=settings.project,
            location=settings.region,
            repository=repository.name,
            role="roles/artifactregistry.reader",
            member=args.reader,
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.register_outputs({"uri": self.uri})


def models_bucket(
    resource_name: str,
    settings: GkeClusterSettings,
    protection: Protection,
    opts: pulumi.ResourceOptions,
) -> gcs.Bucket:
    """Return a bucket for models that is never public and keeps what is overwritten for a while.

    Google encrypts it. https://cloud.google.com/storage/docs/best-practices#security

    Args:
        resource_name: Logical name.
        settings: The cluster's.
        protection: What may be replaced or deleted.
        opts: Resource options.
    """
    return gcs.Bucket(
        resource_name,
        name=settings.bucket,
        project=settings.project,
        location=settings.region,
        uniform_bucket_level_access=True,
        public_access_prevention="enforced",
        versioning=gcs.BucketVersioningArgs(enabled=True),
        lifecycle_rules=[
            gcs.BucketLifecycleRuleArgs(
                action=gcs.BucketLifecycleRuleActionArgs(type="Delete"),
                condition=gcs.BucketLifecycleRuleConditionArgs(
                    days_since_noncurrent_time=_OLD_VERSION_DAYS, with_state="ARCHIVED"
                ),
            )
        ],
        # Not even an approved deletion takes models with it.
        force_destroy=False,
        opts=pulumi.ResourceOptions.merge(
            opts,
            pulumi.ResourceOptions(
                protect=protection.of(resource_name), delete_before_replace=True
            ),
        ),
    )
