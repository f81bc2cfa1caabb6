"""A cluster of Google Kubernetes Engine, and what belongs to it."""

from typing import Final

import pulumi
import pulumi_gcp.provider as google
import pulumi_gcp.storage as gcs
import pulumi_kubernetes as kubernetes

from infra import machine
from infra.clusters.gke.cluster import ClusterArgs, dns_endpoint, gke_cluster, gke_kubeconfig
from infra.clusters.gke.identity import NodeAccount, WorkloadRights
from infra.clusters.gke.network import Network, NetworkArgs
from infra.clusters.gke.pools import compute_classes, gpu_placement, node_pools
from infra.clusters.gke.services import Apis
from infra.clusters.gke.storage import (
    Registry,
    RegistryArgs,
    SecretsKey,
    SecretsKeyArgs,
    models_bucket,
)
from infra.clusters.protection import Protection
from infra.contract import ClusterHandle, ClusterTraits, LoadBalancerTraits
from infra.settings.cluster.gke import GkeClusterSettings

# https://cloud.google.com/kubernetes-engine/docs/how-to/internal-load-balancing
_INTERNAL: Final = {"networking.gke.io/load-balancer-type": "Internal"}
# https://cloud.google.com/kubernetes-engine/docs/how-to/backend-service-based-external-load-balancer
_PUBLIC: Final = {"cloud.google.com/l4-rbs": "enabled"}
# https://cloud.google.com/kubernetes-engine/docs/concepts/gateway-api#gatewayclass
_INTERNAL_CLASS: Final = "gke-l7-rilb"
_PUBLIC_CLASS: Final = "gke-l7-regional-external-managed"


class GkeCluster(pulumi.ComponentResource):
    """A regional cluster with its network, registry, bucket for models and key.

    Type token: `slipway:infra:GkeCluster`. Resources: a `gcp` provider, a `Cluster`, a `Bucket`, a
    `kubernetes` and a `slipway` provider; of a Standard cluster its `NodePool`s, of an Autopilot
    one its `ComputeClass`es; for each workload with rights a `ManagedFolder` and the bindings.
    Components: its `Apis`, `NodeAccount`, `Network`, `SecretsKey` and `Registry`.

    What owns something in the cloud goes in this order: objects of the cluster, with which go their
    load balancers and disks; node pools; the cluster; the network.

    Args:
        resource_name: Logical name.
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
        settings: GkeClusterSettings,
        protection: Protection,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("slipway:infra:GkeCluster", resource_name, None, opts)
        children = pulumi.ResourceOptions(parent=self, provider=self._google(settings))
        account = NodeAccount("nodes", settings, children)
        network = Network("network", NetworkArgs(settings, account.email, protection), children)
        key = SecretsKey("secrets-key", SecretsKeyArgs(settings, protection), children)
        registry = Registry("images", RegistryArgs(settings, account.member, protection), children)
        bucket = models_bucket("models", settings, protection, children)
        ready = (*network.ready, account.ready, registry.ready)
        cluster = gke_cluster(
            resource_name,
            ClusterArgs(
                settings,
                network.network,
                network.subnetwork,
                account.email,
                key.id,
                protection.of(resource_name),
            ),
            pulumi.ResourceOptions.merge(
                children, pulumi.ResourceOptions(depends_on=[key.ready, *ready])
            ),
        )
        pools = node_pools(settings, cluster, account.email, children)
        config = gke_kubeconfig(settings, cluster)
        # Objects go before what they need: nodes, on which finalizers take load balancers and disks
        # away, and the way out of the network.
        provider = kubernetes.Provider(
            resource_name,
            kubeconfig=config,
            # Without it a kubeconfig that a preview cannot know would replace every object.
            cluster_identifier=dns_endpoint(cluster),
            enable_server_side_apply=True,
            opts=pulumi.ResourceOptions(parent=self, depends_on=[cluster, *pools, *ready]),
        )
        compute_classes(settings, pulumi.ResourceOptions(parent=self, provider=provider))
        rights = WorkloadRights(settings, bucket, cluster, children)
        self.handle = ClusterHandle(
            name=settings.name,
            identity=dns_endpoint(cluster),
            kubeconfig=config,
            provider=provider,
            machine=machine.Provider("machine", pulumi.ResourceOptions(parent=self)),
            traits=_traits(settings, registry, bucket, rights),
            exports={
                "kind": settings.kind,
                "mode": settings.mode,
                "region": settings.region,
                "version": cluster.master_version,
                "registry": registry.uri,
                "models": bucket.url,
            },
        )
        self.register_outputs({"identity": self.handle.identity})

    def _google(self, settings: GkeClusterSettings) -> google.Provider:
        """Return a provider that speaks to no API before it is on: all that it makes waits."""
        labels = {"slipway-cluster": settings.name}
        project, region = settings.project, settings.region
        first = google.Provider(
            "google-apis", project=project, region=region, opts=pulumi.ResourceOptions(parent=self)
        )
        apis = Apis("apis", project, pulumi.ResourceOptions(parent=self, provider=first))
        return google.Provider(
            "google",
            project=project,
            region=region,
            default_labels=labels,
            opts=pulumi.ResourceOptions(parent=self, depends_on=[apis]),
        )


def _traits(
    settings: GkeClusterSettings,
    registry: Registry,
    bucket: gcs.Bucket,
    rights: WorkloadRights,
) -> ClusterTraits:
    public = settings.load_balancer.public
    return ClusterTraits(
        store=machine.registry_store(registry.uri),
        load_balancer=LoadBalancerTraits(
            service_type="LoadBalancer", annotations=_PUBLIC if public else _INTERNAL
        ),
        # Of Dataplane V2, which is Cilium.
        network_policies=True,
        metrics_server=True,
        image_volumes=settings.image_volumes,
        storage_class=settings.storage_class,
        gateway_api=True,
        gateway_class=_PUBLIC_CLASS if public else _INTERNAL_CLASS,
        gpu=gpu_placement(settings),
        registry=registry.uri,
        models=bucket.url,
        identity=rights.give,
    )


def build_gke(settings: GkeClusterSettings, protection: Protection) -> ClusterHandle:
    """Return a cluster of Google Kubernetes Engine.

    Args:
        settings: What is built.
        protection: What may be replaced or deleted.
    """
    return GkeCluster("cluster", settings, protection).handle
