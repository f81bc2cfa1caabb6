"""A cluster on Azure Kubernetes Service (AKS), with what it needs around it."""

from collections.abc import Sequence
from dataclasses import replace

import pulumi
import pulumi_azure_native.containerservice as containerservice
import pulumi_azure_native.resources as resources
import pulumi_kubernetes as kubernetes
from pulumi_azure_native.provider import Provider

from infra import machine
from infra.clusters.aks.identities import AksIdentities
from infra.clusters.aks.karpenter import AksNodePools
from infra.clusters.aks.kubeconfig import aks_kubeconfig
from infra.clusters.aks.logs import AksLogs
from infra.clusters.aks.managed import maintenance_windows, managed_cluster
from infra.clusters.aks.network import AksNetwork
from infra.clusters.aks.pools import AksPools, prefer_spot
from infra.clusters.aks.scope import Scope
from infra.clusters.aks.stores import AksStores
from infra.clusters.aks.traits import traits
from infra.clusters.aks.workloads import AksWorkloads
from infra.clusters.protection import Protection
from infra.contract import ClusterHandle
from infra.settings import AksClusterSettings


class AksCluster(pulumi.ComponentResource):
    """The resource group, and everything in it.

    Type token: `slipway:infra:AksCluster`. Resources: an `azure-native` provider, a
    `ResourceGroup`, the components of this folder, a `ManagedCluster`, its
    `MaintenanceConfiguration`, a `kubernetes` provider, with node auto-provisioning another of the
    objects that make nodes.

    Args:
        resource_name: Logical name.
        settings: What is built.
        protection: Which resources are protected.
        opts: Resource options.

    Attributes:
        handle: The cluster, as everything above it sees it.
    """

    handle: ClusterHandle

    def __init__(
        self,
        resource_name: str,
        settings: AksClusterSettings,
        protection: Protection,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("slipway:infra:AksCluster", resource_name, None, opts)
        scope = self._scope(settings, protection)
        children = pulumi.ResourceOptions(parent=self)
        network = AksNetwork("network", scope, children)
        stores = AksStores("stores", scope, network.nodes, children)
        identities = AksIdentities("identities", scope, network.nodes, stores.registry.id, children)
        logs = AksLogs("logs", scope, children)
        cluster = managed_cluster(resource_name, scope, identities, network.nodes)
        maintenance_windows(scope, cluster)
        logs.of_cluster(resource_name, cluster.id, scope)
        access = aks_kubeconfig(cluster, scope)
        provider = self._objects(resource_name, scope, cluster, network.nodes, access)
        workloads = AksWorkloads(
            scope, stores, logs, network.nodes, cluster.oidc_issuer_profile.issuer_url
        )
        machine_provider = machine.Provider("machine", children)
        self.handle = ClusterHandle(
            name=settings.name,
            # Another cluster of the same name has the same id, and another one of these.
            identity=cluster.resource_uid,
            kubeconfig=access,
            provider=provider,
            machine=machine_provider,
            traits=traits(settings, stores, workloads),
            exports={
                "kind": settings.kind,
                "version": cluster.current_kubernetes_version,
                "registry": stores.registry.login_server,
                "models": stores.blobs,
            },
        )
        self.register_outputs({"identity": cluster.resource_uid})

    def _scope(self, settings: AksClusterSettings, protection: Protection) -> Scope:
        provider = Provider(
            "azure",
            subscription_id=settings.subscription_id,
            tenant_id=settings.tenant_id,
            location=settings.location,
            opts=pulumi.ResourceOptions(parent=self),
        )
        scope = Scope(settings, protection, provider, settings.group, self)
        group = resources.ResourceGroup(
            "resource-group",
            resource_group_name=settings.group,
            location=settings.location,
            tags=scope.tags,
            opts=scope.options("resource-group"),
        )
        return replace(scope, group=group.name)

    def _objects(
        self,
        resource_name: str,
        scope: Scope,
        cluster: containerservice.ManagedCluster,
        subnet: pulumi.Input[str],
        access: pulumi.Input[str],
    ) -> kubernetes.Provider:
        """Return the provider of the cluster's objects, which come after its nodes and go before.

        They own load balancers and disks, which go while there is something to detach them.
        """
        if scope.settings.node_provisioning == "auto":
            # Of its own: all that the other one makes waits for the pools, and goes before them.
            first = self._kubernetes_provider(f"{resource_name}-nodes", cluster, access, ())
            inside = pulumi.ResourceOptions(parent=self, providers=[first])
            made = AksNodePools("pools", scope, inside).pools
            return self._kubernetes_provider(resource_name, cluster, access, made)
        children = pulumi.ResourceOptions(parent=self)
        pools = AksPools("pools", scope, cluster, subnet, children).pools
        provider = self._kubernetes_provider(resource_name, cluster, access, pools)
        prefer_spot("prefer-spot", scope, pulumi.ResourceOptions(parent=self, providers=[provider]))
        return provider

    def _kubernetes_provider(
        self,
        resource_name: str,
        cluster: containerservice.ManagedCluster,
        access: pulumi.Input[str],
        after: Sequence[pulumi.Resource],
    ) -> kubernetes.Provider:
        return kubernetes.Provider(
            resource_name,
            kubeconfig=access,
            # Without it a kubeconfig that a preview cannot know would replace every object.
            cluster_identifier=cluster.resource_uid,
            enable_server_side_apply=True,
            opts=pulumi.ResourceOptions(parent=self, depends_on=list(after)),
        )


def build_aks(settings: AksClusterSettings, protection: Protection) -> ClusterHandle:
    """Return a cluster on AKS.

    Args:
        settings: What is built.
        protection: Which resources are protected.
    """
    return AksCluster("cluster", settings, protection).handle
