"""In what a cluster on AKS differs from others."""

from typing import Final

import pulumi

from infra import machine
from infra.clusters.aks.pools import SPOT_TAINT
from infra.clusters.aks.stores import AksStores
from infra.clusters.aks.workloads import AksWorkloads
from infra.clusters.placement import GPU
from infra.contract import ClusterTraits, LoadBalancerTraits, Placement
from infra.settings import AksClusterSettings

# learn.microsoft.com, "Use an internal load balancer with AKS".
_INTERNAL: Final = {"service.beta.kubernetes.io/azure-load-balancer-internal": "true"}
# The repository of the project's images in the registry.
_REPOSITORY: Final = "slipway"
# Since these Kubernetes mounts images by itself, and AKS's nodes have a containerd that can (2.1;
# learn.microsoft.com, "Supported Kubernetes versions in AKS", components by version).
_IMAGE_VOLUMES_SINCE: Final = (1, 36)


def traits(
    settings: AksClusterSettings, stores: AksStores, workloads: AksWorkloads
) -> ClusterTraits:
    """Return the traits of a cluster.

    Args:
        settings: The cluster.
        stores: Its stores.
        workloads: What gives its workloads their rights.
    """
    # Karpenter's spot nodes carry no taint of AKS's.
    spot = any(pool.spot for pool in settings.pools.values())
    tolerations = (SPOT_TAINT,) if spot and settings.node_provisioning == "pools" else ()
    registry = pulumi.Output.concat(stores.registry.login_server, "/", _REPOSITORY)
    return ClusterTraits(
        store=machine.registry_store(registry),
        load_balancer=LoadBalancerTraits(
            service_type="LoadBalancer",
            annotations={} if settings.public_gateway else _INTERNAL,
        ),
        network_policies=True,
        metrics_server=True,
        image_volumes=mounts_images(settings.version),
        storage_class=settings.storage_class,
        # What is set apart by the pool's own taint stays so.
        cpu=Placement(tolerations=tolerations),
        gpu=(
            Placement(GPU.node_selector, (*GPU.tolerations, *tolerations))
            if any(pool.gpu for pool in settings.pools.values())
            else None
        ),
        registry=registry,
        models=stores.blobs,
        identity=workloads.identity,
    )


def mounts_images(version: str) -> bool:
    """Return whether pods can mount images as volumes.

    Args:
        version: Minor version of Kubernetes.
    """
    return tuple(int(part) for part in version.split(".")) >= _IMAGE_VOLUMES_SINCE
