"""What a cluster keeps outside of itself: the key, the registry and the bucket of models."""

import json
from typing import Final

import pulumi
import pulumi_aws.ecr as ecr
import pulumi_aws.kms as kms
import pulumi_aws.s3 as s3

from infra.clusters.eks.policies import Statement
from infra.clusters.protection import Protection
from infra.settings.cluster.eks import EksClusterSettings

_UNTAGGED_DAYS: Final = 30
_OLD_VERSION_DAYS: Final = 90


class EksStores(pulumi.ComponentResource):
    """The key, the registry and the bucket.

    Type token: `slipway:infra:EksStores`. Resources: a KMS key that is renewed every year and its
    alias; an ECR repository with immutable tags, scanned and encrypted
    (https://docs.aws.amazon.com/AmazonECR/latest/userguide/infrastructure-security.html); an S3
    bucket with versions, without access from outside, that takes TLS alone
    (https://docs.aws.amazon.com/AmazonS3/latest/userguide/security-best-practices.html).

    Args:
        resource_name: Beginning of their logical names; `-key`, `-registry`, `-models` follow.
        settings: The cluster.
        protection: What may be replaced.
        opts: Resource options.

    Attributes:
        key: The key of everything that is encrypted.
        repository: The registry.
        bucket: The bucket of models.
    """

    key: kms.Key
    repository: ecr.Repository
    bucket: s3.Bucket

    def __init__(
        self,
        resource_name: str,
        settings: EksClusterSettings,
        protection: Protection,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("slipway:infra:EksStores", resource_name, None, opts)
        self._protection = protection
        self._children = pulumi.ResourceOptions(parent=self)
        self.key = self._key(f"{resource_name}-key", settings)
        self.repository = self._repository(f"{resource_name}-registry", settings)
        self.bucket = self._bucket(f"{resource_name}-models", settings)
        self.register_outputs({"registry": self.repository.arn, "models": self.bucket.arn})

    def _protected(self, name: str) -> pulumi.ResourceOptions:
        return pulumi.ResourceOptions(parent=self, protect=self._protection.of(name))

    def _key(self, name: str, settings: EksClusterSettings) -> kms.Key:
        key = kms.Key(
            name,
            description=f"Secrets, images and models of the cluster {settings.name}",
            enable_key_rotation=True,
            deletion_window_in_days=30,
            opts=self._protected(name),
        )
        kms.Alias(
            name, name=f"alias/{settings.name}", target_key_id=key.key_id, opts=self._children
        )
        return key

    def _repository(self, name: str, settings: EksClusterSettings) -> ecr.Repository:
        repository = ecr.Repository(
            name,
            name=settings.name,
            image_tag_mutability="IMMUTABLE",
            image_scanning_configuration=ecr.RepositoryImageScanningConfigurationArgs(
                scan_on_push=True
            ),
            encryption_configurations=[
                ecr.RepositoryEncryptionConfigurationArgs(
                    encryption_type="KMS", kms_key=self.key.arn
                )
            ],
            opts=self._protected(name),
        )
        untagged = {
            "rulePriority": 1,
            "description": "What no tag names was pushed halfway",
            "selection": {
                "tagStatus": "untagged",
                "countType": "sinceImagePushed",
                "countUnit": "days",
                "countNumber": _UNTAGGED_DAYS,
            },
            "action": {"type": "expire"},
        }
        ecr.LifecyclePolicy(
            name,
            repository=repository.name,
            policy=json.dumps({"rules": [untagged]}),
            opts=self._children,
        )
        return repository

    def _bucket(self, name: str, settings: EksClusterSettings) -> s3.Bucket:
        bucket = s3.Bucket(name, bucket=settings.bucket, opts=self._protected(name))
        s3.BucketPublicAccessBlock(
            name,
            bucket=bucket.id,
            block_public_acls=True,
            block_public_policy=True,
            ignore_public_acls=True,
            restrict_public_buckets=True,
            opts=self._children,
        )
        s3.BucketOwnershipControls(
            name,
            bucket=bucket.id,
            rule=s3.BucketOwnershipControlsRuleArgs(object_ownership="BucketOwnerEnforced"),
            opts=self._children,
        )
        s3.BucketVersioning(
            name,
            bucket=bucket.id,
            versioning_configuration=s3.BucketVersioningVersioningConfigurationArgs(
                status="Enabled"
            ),
            opts=self._children,
        )
        by_default = (
            s3.BucketServerSideEncryptionConfigurationRuleApplyServerSideEncryptionByDefaultArgs(
                sse_algorithm="aws:kms", kms_master_key_id=self.key.arn
            )
        )
        s3.BucketServerSideEncryptionConfiguration(
            name,
            bucket=bucket.id,
            rules=[
                s3.BucketServerSideEncryptionConfigurationRuleArgs(
                    apply_server_side_encryption_by_default=by_default, bucket_key_enabled=True
                )
            ],
            opts=self._children,
        )
        s3.BucketLifecycleConfiguration(
            name,
            bucket=bucket.id,
            rules=[
                s3.BucketLifecycleConfigurationRuleArgs(
                    id="old-versions",
                    status="Enabled",
                    filter=s3.BucketLifecycleConfigurationRuleFilterArgs(prefix=""),
                    noncurrent_version_expiration=s3.BucketLifecycleConfigurationRuleNoncurrentVersionExpirationArgs(
                        noncurrent_days=_OLD_VERSION_DAYS
                    ),
                    abort_incomplete_multipart_upload=s3.BucketLifecycleConfigurationRuleAbortIncompleteMultipartUploadArgs(
                        days_after_initiation=7
                    ),
                )
            ],
            opts=self._children,
        )
        everything = [bucket.arn, pulumi.Output.concat(bucket.arn, "/*")]
        refused = {
            **Statement(["s3:*"], everything).document(),
            "Effect": "Deny",
            "Principal": "*",
            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
        }
        s3.BucketPolicy(
            name,
            bucket=bucket.id,
            policy=pulumi.Output.json_dumps({"Version": "2012-10-17", "Statement": [refused]}),
            opts=self._children,
        )
        return bucket
