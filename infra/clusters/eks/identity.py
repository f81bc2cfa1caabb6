"""What gives a workload its rights in AWS."""

from dataclasses import dataclass
from typing import Final

import pulumi
import pulumi_aws.eks as eks
import pulumi_aws.iam as iam

from infra.clusters.eks.policies import Statement, policy
from infra.clusters.eks.stores import EksStores
from infra.contract import IdentityMetadata, TokenServer, Workload
from infra.naming import fit
from infra.settings.cluster.eks import EksClusterSettings

# https://docs.aws.amazon.com/eks/latest/userguide/pod-id-how-it-works.html
_AGENT: Final = TokenServer("169.254.170.23", 80)
_AUDIENCE: Final = "sts.amazonaws.com"
# IAM's limit is 64 characters, of which the last tell a role from the one that replaces it.
# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
_ROLE_NAME_LIMIT: Final = 64 - len("-1234567")


@dataclass(frozen=True)
class Identities:
    """Gives each workload a role of its own, with the rights of its namespace.

    A workload's pods get the role by EKS Pod Identity
    (https://docs.aws.amazon.com/eks/latest/userguide/pod-identities.html). External Secrets, which
    reads a team's secrets in the name of its service account and not in its pods, gets it by that
    account's token (https://docs.aws.amazon.com/eks/latest/userguide/iam-roles-for-service-accounts.html),
    and finds the role in the account's annotation.

    Attributes:
        settings: The cluster.
        cluster: The cluster.
        provider: What IAM knows the cluster's tokens by.
        stores: What workloads may read.
        opts: Resource options.
    """

    settings: EksClusterSettings
    cluster: eks.Cluster
    provider: iam.OpenIdConnectProvider
    stores: EksStores
    opts: pulumi.ResourceOptions

    def __call__(self, workload: Workload) -> IdentityMetadata:
        """Register the rights of a workload, and return what carries them.

        Args:
            workload: The workload; logical names begin with its namespace and account.
        """
        name = fit(f"{workload.namespace}-{workload.service_account}", _ROLE_NAME_LIMIT)
        role = iam.Role(name, assume_role_policy=self._trust(workload), opts=self.opts)
        rights = iam.RolePolicy(
            name, role=role.id, policy=self._rights(workload.namespace), opts=self.opts
        )
        association = eks.PodIdentityAssociation(
            name,
            cluster_name=self.cluster.name,
            namespace=workload.namespace,
            service_account=workload.service_account,
            role_arn=role.arn,
            opts=self.opts,
        )
        return IdentityMetadata(
            annotations={"eks.amazonaws.com/role-arn": role.arn},
            token_servers=(_AGENT,),
            ready=(association, rights),
        )

    def _trust(self, workload: Workload) -> pulumi.Output[str]:
        """Return who takes a workload's role: that service account of this cluster alone."""
        issuer = self.provider.url.apply(lambda url: url.removeprefix("https://"))
        subject = f"system:serviceaccount:{workload.namespace}:{workload.service_account}"
        by_pod = Statement(
            ["sts:AssumeRole", "sts:TagSession"],
            principal={"Service": "pods.eks.amazonaws.com"},
            # The tags of https://docs.aws.amazon.com/eks/latest/userguide/pod-id-abac.html.
            conditions={
                "StringEquals": {
                    "aws:RequestTag/eks-cluster-arn": self.cluster.arn,
                    "aws:RequestTag/kubernetes-namespace": workload.namespace,
                    "aws:RequestTag/kubernetes-service-account": workload.service_account,
                }
            },
        )
        by_token = Statement(
            ["sts:AssumeRoleWithWebIdentity"], principal={"Federated": self.provider.arn}
        ).document()
        return pulumi.Output.json_dumps(
            {
                "Version": "2012-10-17",
                "Statement": [
                    by_pod.document(),
                    {
                        **by_token,
                        "Condition": {
                            "StringEquals": issuer.apply(
                                lambda host: {f"{host}:aud": _AUDIENCE, f"{host}:sub": subject}
                            )
                        },
                    },
                ],
            }
        )

    def _rights(self, namespace: str) -> pulumi.Output[str]:
        """Return what a namespace's workloads may: read its models and its secrets."""
        bucket = self.stores.bucket.arn
        settings = self.settings
        return policy(
            Statement(
                ["s3:GetObject", "s3:GetObjectVersion"],
                [pulumi.Output.concat(bucket, f"/{namespace}/*")],
            ),
            Statement(
                ["s3:ListBucket", "s3:ListBucketVersions"],
                [bucket],
                {"StringLike": {"s3:prefix": [f"{namespace}/*"]}},
            ),
            Statement(
                ["kms:Decrypt"],
                [self.stores.key.arn],
                {"StringEquals": {"kms:ViaService": f"s3.{settings.region}.amazonaws.com"}},
            ),
            Statement(
                ["secretsmanager:DescribeSecret", "secretsmanager:GetSecretValue"],
                [
                    f"arn:aws:secretsmanager:{settings.region}:{settings.account}:secret:"
                    f"{settings.name}/{namespace}/*"
                ],
            ),
        )
