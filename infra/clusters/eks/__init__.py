"""A cluster of Amazon EKS."""

from collections.abc import Sequence
from typing import Final

import pulumi
import pulumi_aws.cloudwatch as cloudwatch
import pulumi_aws.eks as eks
import pulumi_aws.iam as iam
import pulumi_kubernetes as kubernetes
from pulumi_aws.provider import Provider, ProviderDefaultTagsArgs
from pulumi_kubernetes.meta import v1 as meta

from infra import machine
from infra.clusters.eks import auto, groups
from infra.clusters.eks.identity import Identities
from infra.clusters.eks.network import EksNetwork
from infra.clusters.eks.policies import ServiceRole, Statement, policy, service_role, service_trust
from infra.clusters.eks.stores import EksStores
from infra.clusters.kubeconfig import Exec, kubeconfig
from infra.clusters.placement import GPU
from infra.clusters.protection import Protection
from infra.contract import ClusterHandle, ClusterTraits, LoadBalancerTraits
from infra.naming import labels
from infra.settings.cluster.eks import EksClusterSettings

STORAGE_CLASS: Final = "gp3"
# https://docs.aws.amazon.com/eks/latest/userguide/control-plane-logs.html
_LOGS: Final = ("api", "audit", "authenticator", "controllerManager", "scheduler")
# Kubernetes mounts images as volumes by default since this version.
_IMAGE_VOLUMES: Final = (1, 35)
# Making a network load balancer and its name takes AWS minutes.
_PATIENCE_SECONDS: Final = 900


class EksCluster(pulumi.ComponentResource):
    """The cluster with its network, stores, nodes and rights, and the provider that speaks to it.

    Type token: `slipway:infra:EksCluster`. Resources: an `aws` provider that refuses other
    accounts, the cluster, its roles, access entries for who administrates it, the log group of its
    control plane, the OpenID Connect provider of its tokens, add-ons, nodes, a StorageClass, a
    `slipway` and a `kubernetes` provider, with Auto Mode another of the objects that make nodes.
    Components: `EksNetwork`, `EksStores`.

    Choices follow the Amazon EKS Best Practices Guide,
    https://docs.aws.amazon.com/eks/latest/best-practices/introduction.html: nodes are private,
    Kubernetes' secrets are encrypted with a key of the stack, the control plane logs everything,
    and its API answers outside of the VPC to the networks alone that the settings name. Access
    entries are the one way in
    (https://docs.aws.amazon.com/eks/latest/userguide/access-entries.html); whoever makes the
    cluster gets no right by that.

    Args:
        resource_name: Logical name of the cluster.
        settings: What is built.
        protection: What may be replaced or deleted.
        opts: Resource options.

    Attributes:
        handle: The cluster, as everything above it sees it.
    """

    handle: ClusterHandle

    def __init__(
        self,
        resource_name: str,
        settings: EksClusterSettings,
        protection: Protection,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("slipway:infra:EksCluster", resource_name, None, opts)
        self._settings = settings
        self._auto = settings.nodes == "auto"
        aws = Provider(
            "aws",
            region=settings.region,
            allowed_account_ids=[settings.account],
            default_tags=ProviderDefaultTagsArgs(
                tags={"slipway:cluster": settings.name, "slipway:managed-by": "pulumi"}
            ),
            opts=pulumi.ResourceOptions(parent=self),
        )
        self._aws = pulumi.ResourceOptions(parent=self, provider=aws)
        within = pulumi.ResourceOptions(parent=self, providers=[aws])
        network = EksNetwork("network", settings, protection, within)
        stores = EksStores("cluster", settings, protection, within)
        cluster = self._cluster(resource_name, network, stores, protection)
        self._kubeconfig = self._credentials(cluster)
        admins = self._admins(cluster)
        nodes = self._nodes(resource_name, cluster, network, admins)
        # Objects go before what they need: whoever may speak to the cluster, and nodes, on which
        # controllers take away what their objects own.
        provider = self._kubernetes_provider(resource_name, cluster, [*admins, *nodes])
        self._addons(cluster, nodes, provider)
        tokens = iam.OpenIdConnectProvider(
            "tokens",
            url=cluster.identities[0].oidcs[0].issuer,
            client_id_lists=["sts.amazonaws.com"],
            opts=self._aws,
        )
        self.handle = ClusterHandle(
            name=settings.name,
            identity=cluster.endpoint,
            kubeconfig=self._kubeconfig,
            provider=provider,
            machine=machine.Provider("machine", pulumi.ResourceOptions(parent=self)),
            traits=self._traits(stores, Identities(settings, cluster, tokens, stores, self._aws)),
            exports={
                "kind": settings.kind,
                "version": cluster.version,
                "region": settings.region,
                "registry": stores.repository.repository_url,
                "models": pulumi.Output.concat("s3://", stores.bucket.bucket),
            },
        )
        self.register_outputs({"identity": cluster.endpoint})

    def _cluster(
        self,
        resource_name: str,
        network: EksNetwork,
        stores: EksStores,
        protection: Protection,
    ) -> eks.Cluster:
        settings = self._settings
        role = service_role(
            "cluster-role",
            service_trust("eks.amazonaws.com", "sts:AssumeRole", "sts:TagSession"),
            auto.CLUSTER_POLICIES if self._auto else groups.CLUSTER_POLICIES,
            self._aws,
        )
        # https://docs.aws.amazon.com/eks/latest/userguide/enable-kms.html
        encryption = iam.RolePolicy(
            "cluster-role-encryption",
            role=role.role.id,
            policy=policy(
                Statement(
                    ["kms:Encrypt", "kms:Decrypt", "kms:ListGrants", "kms:DescribeKey"],
                    [stores.key.arn],
                )
            ),
            opts=self._aws,
        )
        # EKS would make it, and keep logs for ever.
        logs = cloudwatch.LogGroup(
            "control-plane",
            name=f"/aws/eks/{settings.name}/cluster",
            retention_in_days=settings.log_retention,
            opts=self._aws,
        )
        balancing = eks.ClusterKubernetesNetworkConfigElasticLoadBalancingArgs(enabled=self._auto)
        return eks.Cluster(
            resource_name,
            name=settings.name,
            version=settings.version,
            role_arn=role.role.arn,
            upgrade_policy=eks.ClusterUpgradePolicyArgs(
                support_type="EXTENDED" if settings.extended_support else "STANDARD"
            ),
            vpc_config=eks.ClusterVpcConfigArgs(
                subnet_ids=network.private,
                endpoint_private_access=True,
                endpoint_public_access=bool(settings.api_access),
                public_access_cidrs=list(settings.api_access) or None,
            ),
            kubernetes_network_config=eks.ClusterKubernetesNetworkConfigArgs(
                service_ipv4_cidr=settings.service_cidr, elastic_load_balancing=balancing
            ),
            access_config=eks.ClusterAccessConfigArgs(
                authentication_mode="API", bootstrap_cluster_creator_admin_permissions=False
            ),
            encryption_config=eks.ClusterEncryptionConfigArgs(
                provider=eks.ClusterEncryptionConfigProviderArgs(key_arn=stores.key.arn),
                resources=["secrets"],
            ),
            enabled_cluster_log_types=list(_LOGS),
            deletion_protection=protection.of(resource_name),
            # Auto Mode brings them, and add-ons of managed nodes are the stack's.
            bootstrap_self_managed_addons=False,
            # Auto Mode is on or off as a whole. AWS's own pools are left out: ours say what they
            # cost at most.
            compute_config=eks.ClusterComputeConfigArgs(enabled=self._auto),
            storage_config=eks.ClusterStorageConfigArgs(
                block_storage=eks.ClusterStorageConfigBlockStorageArgs(enabled=self._auto)
            ),
            opts=pulumi.ResourceOptions(
                parent=self,
                provider=self._aws.provider,
                protect=protection.of(resource_name),
                # As long as there is a node, it reaches AWS and may give back what it took.
                depends_on=[*network.ready, *role.ready, encryption, logs],
            ),
        )

    def _credentials(self, cluster: eks.Cluster) -> pulumi.Output[str]:
        """Return the kubeconfig, in which the AWS CLI gives out tokens."""
        return kubeconfig(
            self._settings.name,
            cluster.endpoint,
            cluster.certificate_authority.apply(lambda authority: authority.data or ""),
            # https://docs.aws.amazon.com/eks/latest/userguide/create-kubeconfig.html
            Exec(
                "client.authentication.k8s.io/v1beta1",
                "aws",
                (
                    *("--region", self._settings.region, "eks", "get-token"),
                    *("--cluster-name", self._settings.name, "--output", "json"),
                ),
            ),
        )

    def _kubernetes_provider(
        self, resource_name: str, cluster: eks.Cluster, after: Sequence[pulumi.Resource]
    ) -> kubernetes.Provider:
        return kubernetes.Provider(
            resource_name,
            kubeconfig=self._kubeconfig,
            cluster_identifier=cluster.endpoint,
            enable_server_side_apply=True,
            opts=pulumi.ResourceOptions(parent=self, depends_on=list(after)),
        )

    def _admins(self, cluster: eks.Cluster) -> list[pulumi.Resource]:
        """Let those in who administrate the cluster."""
        return [
            resource
            for principal in self._settings.admins
            for resource in self._admin(cluster, principal)
        ]

    def _admin(self, cluster: eks.Cluster, principal: str) -> list[pulumi.Resource]:
        """Let a role or user administrate the cluster.

        https://docs.aws.amazon.com/eks/latest/userguide/access-policy-permissions.html
        """
        # A role and a user, and roles of two accounts, may have one name.
        whose = principal.partition(":iam::")[2].removeprefix(f"{self._settings.account}:")
        name = f"admin-{whose}"
        entry = eks.AccessEntry(
            name, cluster_name=cluster.name, principal_arn=principal, opts=self._aws
        )
        rights = eks.AccessPolicyAssociation(
            name,
            cluster_name=cluster.name,
            principal_arn=entry.principal_arn,
            policy_arn="arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy",
            access_scope=eks.AccessPolicyAssociationAccessScopeArgs(type="cluster"),
            opts=self._aws,
        )
        return [entry, rights]

    def _nodes(
        self,
        resource_name: str,
        cluster: eks.Cluster,
        network: EksNetwork,
        admins: Sequence[pulumi.Resource],
    ) -> list[pulumi.Resource]:
        role: ServiceRole = service_role(
            "node-role",
            service_trust("ec2.amazonaws.com"),
            auto.NODE_POLICIES if self._auto else groups.NODE_POLICIES,
            self._aws,
        )
        if self._auto:
            # Of its own: all that the other one makes waits for the nodes, and goes before them.
            provider = self._kubernetes_provider(f"{resource_name}-nodes", cluster, admins)
            in_cluster = pulumi.ResourceOptions(parent=self, provider=provider)
            return auto.auto_nodes(
                cluster, self._settings, role, network.private, self._aws, in_cluster
            )
        return groups.group_nodes(cluster, self._settings, role, network.private, self._aws)

    def _addons(
        self, cluster: eks.Cluster, nodes: list[pulumi.Resource], provider: kubernetes.Provider
    ) -> None:
        # https://docs.aws.amazon.com/eks/latest/userguide/metrics-server.html
        eks.Addon(
            "metrics-server",
            cluster_name=cluster.name,
            addon_name="metrics-server",
            opts=pulumi.ResourceOptions.merge(self._aws, pulumi.ResourceOptions(depends_on=nodes)),
        )
        kubernetes.storage.v1.StorageClass(
            STORAGE_CLASS,
            metadata=meta.ObjectMetaArgs(
                name=STORAGE_CLASS,
                labels=labels("storage-class", STORAGE_CLASS, "storage"),
                annotations={"storageclass.kubernetes.io/is-default-class": "true"},
            ),
            provisioner=auto.PROVISIONER if self._auto else groups.PROVISIONER,
            parameters={"type": "gp3", "encrypted": "true"},
            volume_binding_mode="WaitForFirstConsumer",
            allow_volume_expansion=True,
            opts=pulumi.ResourceOptions(parent=self, provider=provider),
        )

    def _traits(self, stores: EksStores, identities: Identities) -> ClusterTraits:
        settings = self._settings
        nodes = auto if self._auto else groups
        return ClusterTraits(
            store=machine.registry_store(stores.repository.repository_url),
            load_balancer=LoadBalancerTraits(
                service_type="LoadBalancer",
                annotations=nodes.load_balancer_annotations(
                    internet_facing=settings.internet_facing
                ),
                patience_seconds=_PATIENCE_SECONDS,
            ),
            network_policies=True,
            metrics_server=True,
            image_volumes=tuple(map(int, settings.version.split("."))) >= _IMAGE_VOLUMES,
            storage_class=STORAGE_CLASS,
            gpu=GPU if settings.has_gpus else None,
            registry=stores.repository.repository_url,
            models=pulumi.Output.concat("s3://", stores.bucket.bucket),
            identity=identities,
        )


def build_eks(settings: EksClusterSettings, protection: Protection) -> ClusterHandle:
    """Return a cluster of Amazon EKS.

    Args:
        settings: What is built.
        protection: What may be replaced or deleted.
    """
    return EksCluster("cluster", settings, protection).handle
