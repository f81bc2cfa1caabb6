"""Node pools of a cluster on AKS, each a scale set that the cluster autoscaler moves."""

from typing import Final

import pulumi
import pulumi_azure_native.containerservice as containerservice
import pulumi_kubernetes as kubernetes

from infra.clusters.aks.scope import Scope
from infra.clusters.placement import GPU_TAINT
from infra.contract import Toleration
from infra.naming import labels
from infra.settings.cluster.aks import FALLBACK_SUFFIX, SYSTEM_POOL, AksPoolSettings
from infra.settings.cluster.pools import POOL_LABEL

SPOT_TAINT: Final = Toleration("kubernetes.azure.com/scalesetpriority", value="spot")
"""What AKS itself has on spot nodes (learn.microsoft.com, "Add a Spot node pool", limitations)."""

# The autoscaler reads it by this name, in this namespace (kubernetes/autoscaler, "Priority based
# expander for cluster-autoscaler").
_PRIORITIES: Final = "cluster-autoscaler-priority-expander"
_SPOT_FIRST: Final = 20
_OTHERS: Final = 10

# Nodes that an upgrade has more, of a pool's.
_SURGE: Final = "10%"
_PRIORITY: Final = {
    True: containerservice.ScaleSetPriority.SPOT,
    False: containerservice.ScaleSetPriority.REGULAR,
}
_DELETE: Final = containerservice.ScaleSetEvictionPolicy.DELETE


def taints(name: str, pool: AksPoolSettings) -> list[tuple[str, str]]:
    """Return keys and values of the taints `NoSchedule` that nodes of a pool carry.

    Args:
        name: Name of the pool.
        pool: The pool.
    """
    return [
        *([(GPU_TAINT, "present")] if pool.gpu else []),
        *([(POOL_LABEL, name)] if pool.spot else []),
    ]


def system_pool(
    scope: Scope, subnet: pulumi.Input[str]
) -> containerservice.ManagedClusterAgentPoolProfileArgs:
    """Return the system's pool, the only one that a cluster is made with.

    Follows learn.microsoft.com, "Manage system node pools in AKS": its taint keeps others away.

    Args:
        scope: What the cluster is made in.
        subnet: Id of the nodes' subnet.
    """
    settings = scope.settings
    pool = settings.system_pool
    # Node auto-provisioning and the autoscaler exclude each other.
    moved = settings.node_provisioning == "pools"
    return containerservice.ManagedClusterAgentPoolProfileArgs(
        name=SYSTEM_POOL,
        mode=containerservice.AgentPoolMode.SYSTEM,
        vm_size=pool.vm_size,
        vnet_subnet_id=subnet,
        orchestrator_version=settings.version,
        type=containerservice.AgentPoolType.VIRTUAL_MACHINE_SCALE_SETS,
        os_type=containerservice.OSType.LINUX,
        availability_zones=list(settings.zones),
        enable_node_public_ip=False,
        enable_encryption_at_host=settings.encryption_at_host,
        count=pool.min,
        enable_auto_scaling=moved,
        min_count=pool.min if moved else None,
        max_count=pool.max if moved else None,
        node_taints=["CriticalAddonsOnly=true:NoSchedule"],
        upgrade_settings=containerservice.AgentPoolUpgradeSettingsArgs(max_surge=_SURGE),
        tags=scope.tags,
    )


class AksPools(pulumi.ComponentResource):
    """Every pool but the system's.

    Follows learn.microsoft.com, "Add a Spot node pool", "Use the cluster autoscaler in AKS" and
    "Use GPUs for compute-intensive workloads on AKS". A spot pool has a second one of the same
    nodes on demand, which the autoscaler turns to when there is no spot capacity. Pools with GPUs
    are upgraded a node at a time, without a further one: the quota for it is hardly ever there.

    Type token: `slipway:infra:AksPools`. Resources: an `AgentPool` for each.

    Args:
        resource_name: Logical name.
        scope: What they are made in.
        cluster: The cluster.
        subnet: Id of the nodes' subnet.
        opts: Resource options.

    Attributes:
        pools: Them all.
    """

    pools: tuple[containerservice.AgentPool, ...]

    def __init__(
        self,
        resource_name: str,
        scope: Scope,
        cluster: containerservice.ManagedCluster,
        subnet: pulumi.Input[str],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("slipway:infra:AksPools", resource_name, None, opts)
        self._scope, self._cluster, self._subnet = scope.within(self), cluster, subnet
        pools = []
        for name, pool in scope.settings.pools.items():
            pools.append(self._pool(name, name, pool, pool.min, pool.max, spot=pool.spot))
            if pool.fallback is not None:
                fallback = f"{name}{FALLBACK_SUFFIX}"
                pools.append(self._pool(fallback, name, pool, 0, pool.fallback, spot=False))
        self.pools = tuple(pools)
        self.register_outputs({})

    def _pool(
        self,
        pool_name: str,
        name: str,
        pool: AksPoolSettings,
        fewest: int,
        most: int,
        *,
        spot: bool,
    ) -> containerservice.AgentPool:
        settings = self._scope.settings
        own = {SPOT_TAINT.key: SPOT_TAINT.value or ""} if spot else {}
        return containerservice.AgentPool(
            f"pool-{pool_name}",
            agent_pool_name=pool_name,
            resource_group_name=self._scope.group,
            resource_name_=self._cluster.name,
            mode=containerservice.AgentPoolMode.USER,
            vm_size=pool.vm_size,
            vnet_subnet_id=self._subnet,
            # Of the control plane; else an upgrade of that would be one of all pools at once, which
            # AKS refuses where one is a spot pool.
            orchestrator_version=settings.version,
            type=containerservice.AgentPoolType.VIRTUAL_MACHINE_SCALE_SETS,
            os_type=containerservice.OSType.LINUX,
            availability_zones=list(settings.zones),
            enable_node_public_ip=False,
            enable_encryption_at_host=settings.encryption_at_host,
            enable_auto_scaling=True,
            count=fewest,
            min_count=fewest,
            max_count=most,
            node_labels={**pool.labels(name), **own},
            node_taints=[
                f"{key}={value}:NoSchedule" for key, value in (*taints(name, pool), *own.items())
            ],
            scale_set_priority=_PRIORITY[spot],
            scale_set_eviction_policy=_DELETE if spot else None,
            # Up to the price on demand.
            spot_max_price=-1 if spot else None,
            upgrade_settings=None if spot else _upgrade(pool),
            tags=self._scope.tags,
            # The autoscaler moves it.
            opts=self._scope.options(ignore_changes=("count",)),
        )


def prefer_spot(
    resource_name: str, scope: Scope, opts: pulumi.ResourceOptions
) -> kubernetes.core.v1.ConfigMap | None:
    """Return what makes the autoscaler try spot pools before those on demand, if there are any.

    Args:
        resource_name: Logical name.
        scope: What the cluster is made in.
        opts: Resource options.
    """
    spot = [name for name, pool in scope.settings.pools.items() if pool.spot]
    if not spot:
        return None
    lines = [f"{_OTHERS}:", "  - .*", f"{_SPOT_FIRST}:", *(f"  - aks-{name}-.*" for name in spot)]
    return kubernetes.core.v1.ConfigMap(
        resource_name,
        metadata=kubernetes.meta.v1.ObjectMetaArgs(
            name=_PRIORITIES,
            namespace="kube-system",
            labels=labels("cluster-autoscaler", resource_name, "cluster"),
        ),
        data={"priorities": "\n".join([*lines, ""])},
        opts=opts,
    )


def _upgrade(pool: AksPoolSettings) -> containerservice.AgentPoolUpgradeSettingsArgs:
    if pool.gpu:
        return containerservice.AgentPoolUpgradeSettingsArgs(max_surge="0", max_unavailable="1")
    return containerservice.AgentPoolUpgradeSettingsArgs(max_surge=_SURGE)
