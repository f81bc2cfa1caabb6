"""Node auto-provisioning on AKS: what Karpenter may make nodes of."""

from collections.abc import Mapping
from typing import Any, Final

import pulumi
import pulumi_kubernetes as kubernetes
from pulumi_kubernetes.apiextensions import CustomResource

from infra.clusters.aks.pools import taints
from infra.clusters.aks.scope import Scope
from infra.naming import labels
from infra.settings.cluster.aks import FALLBACK_SUFFIX, AksPoolSettings

# AKS makes it, with the cluster's own subnet and image.
_NODE_CLASS: Final = {"group": "karpenter.azure.com", "kind": "AKSNodeClass", "name": "default"}
# Karpenter takes the pool of the greatest weight that has room.
_WEIGHT: Final = {True: 50, False: 10}


class AksNodePools(pulumi.ComponentResource):
    """The pools of the settings, as Karpenter's `NodePool` objects.

    Follows learn.microsoft.com, "Configure node pools for node auto-provisioning in AKS". A pool
    takes sizes of its family, or with GPUs its size alone, and as many CPUs as its nodes would have
    at `max`. A spot pool has a second one on demand of less weight, for when there is no spot
    capacity.

    Type token: `slipway:infra:AksNodePools`. Resources: a `NodePool` for each.

    Args:
        resource_name: Logical name.
        scope: What the cluster is made in.
        opts: Resource options, with the provider of the cluster's objects.

    Attributes:
        pools: Them all.
    """

    pools: tuple[CustomResource, ...]

    def __init__(
        self, resource_name: str, scope: Scope, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("slipway:infra:AksNodePools", resource_name, None, opts)
        self._scope = scope
        pools = []
        for name, pool in scope.settings.pools.items():
            pools.append(self._pool(name, name, pool, pool.max, spot=pool.spot))
            if pool.fallback is not None:
                fallback = f"{name}{FALLBACK_SUFFIX}"
                pools.append(self._pool(fallback, name, pool, pool.fallback, spot=False))
        self.pools = tuple(pools)
        self.register_outputs({})

    def _pool(
        self, pool_name: str, name: str, pool: AksPoolSettings, most: int, *, spot: bool
    ) -> CustomResource:
        return CustomResource(
            f"pool-{pool_name}",
            api_version="karpenter.sh/v1",
            kind="NodePool",
            metadata=kubernetes.meta.v1.ObjectMetaArgs(
                name=pool_name, labels=labels("karpenter", pool_name, "cluster")
            ),
            spec=_spec(self._scope, name, pool, most, spot=spot),
            opts=pulumi.ResourceOptions(parent=self),
        )


def _spec(
    scope: Scope, name: str, pool: AksPoolSettings, most: int, *, spot: bool
) -> Mapping[str, Any]:
    # Its first letter: what Azure calls a series.
    series = pool.size.family[0]
    sizes = (
        _requirement("karpenter.azure.com/sku-name", pool.vm_size)
        if pool.gpu
        else _requirement("karpenter.azure.com/sku-family", series)
    )
    zones = [f"{scope.settings.location}-{zone}" for zone in scope.settings.zones]
    return {
        "weight": _WEIGHT[spot],
        "limits": {"cpu": most * pool.size.vcpus},
        "disruption": {"consolidationPolicy": "WhenEmptyOrUnderutilized", "consolidateAfter": "5m"},
        "template": {
            "metadata": {"labels": pool.labels(name)},
            "spec": {
                "nodeClassRef": _NODE_CLASS,
                # A node lives so long at most, and then has a new image.
                "expireAfter": "720h",
                "taints": [
                    {"key": key, "value": value, "effect": "NoSchedule"}
                    for key, value in taints(name, pool)
                ],
                "requirements": [
                    _requirement("kubernetes.io/arch", "amd64"),
                    _requirement("kubernetes.io/os", "linux"),
                    _requirement("karpenter.sh/capacity-type", "spot" if spot else "on-demand"),
                    sizes,
                    *([_requirement("topology.kubernetes.io/zone", *zones)] if zones else []),
                ],
            },
        },
    }


def _requirement(key: str, *values: str) -> Mapping[str, Any]:
    return {"key": key, "operator": "In", "values": list(values)}
