"""The nodes of a GKE cluster: pools of a Standard one, and of Autopilot classes of spot nodes."""

from dataclasses import dataclass, replace
from typing import Any, Final

import pulumi
import pulumi_gcp.container as container
import pulumi_kubernetes as kubernetes
from pulumi_kubernetes.meta import v1 as meta

from infra.clusters.placement import GPU_TAINT
from infra.contract import Placement, Toleration
from infra.naming import fit, labels
from infra.settings.cluster.gke import GkeClusterSettings
from infra.settings.cluster.gke.nodes import (
    FALLBACK_SUFFIX,
    POOL_NAME_LIMIT,
    GkePool,
    GkeSpotClass,
)
from infra.settings.cluster.pools import POOL_LABEL

ACCELERATOR: Final = "cloud.google.com/gke-accelerator"

# What a node may ask Google's APIs for is decided by its account's roles alone.
# https://cloud.google.com/compute/docs/access/service-accounts#scopes_best_practice
SCOPES: Final = ("https://www.googleapis.com/auth/cloud-platform",)
# Only what GKE itself runs tolerates it.
# https://cloud.google.com/kubernetes-engine/docs/how-to/isolate-workloads-dedicated-nodes
_SYSTEM_TAINT: Final = "components.gke.io/gke-managed-components"


@dataclass(frozen=True)
class PoolArgs:
    """What a node pool is made of.

    Attributes:
        settings: The cluster's.
        pool: The pool's.
        name: Name of the pool in the settings.
        cluster: Id of the cluster.
        node_account: Email of the nodes' service account.
        spot: Whether its nodes are spot ones.
        fewest: Fewest nodes, over all zones.
        most: Most nodes, over all zones.
    """

    settings: GkeClusterSettings
    pool: GkePool
    name: str
    cluster: pulumi.Input[str]
    node_account: pulumi.Input[str]
    spot: bool
    fewest: int
    most: int


def gpu_placement(settings: GkeClusterSettings) -> Placement | None:
    """Return where pods with a GPU run; `None` where the cluster has no such nodes.

    By Google's own label, which chooses a type of GPU in both modes and makes GKE add such a node
    in Autopilot. A model chooses another type with that label in its `nodeSelector`.
    https://cloud.google.com/kubernetes-engine/docs/how-to/autopilot-gpus

    Args:
        settings: The cluster's.
    """
    if settings.gpu_type is None:
        return None
    return Placement({ACCELERATOR: settings.gpu_type}, (Toleration(GPU_TAINT),))


def node_pools(
    settings: GkeClusterSettings,
    cluster: container.Cluster,
    node_account: pulumi.Input[str],
    opts: pulumi.ResourceOptions,
) -> list[container.NodePool]:
    """Return the node pools of a Standard cluster: a second one for each pool of spot nodes.

    Both then carry the same label and taint. The autoscaler adds nodes to the cheaper pool, and to
    the other while Google has no spot nodes to give.
    https://cloud.google.com/kubernetes-engine/docs/concepts/cluster-autoscaler#operating_criteria

    Args:
        settings: The cluster's.
        cluster: The cluster.
        node_account: Email of the nodes' service account.
        opts: Resource options.
    """
    made = []
    for name, pool in settings.pools.items():
        args = PoolArgs(
            settings, pool, name, cluster.id, node_account, pool.spot, pool.min, pool.max
        )
        made.append(_node_pool(name, args, opts))
        if pool.fallback is not None:
            stand_in = replace(args, spot=False, fewest=0, most=pool.fallback)
            logical = fit(f"{name}{FALLBACK_SUFFIX}", POOL_NAME_LIMIT)
            made.append(_node_pool(logical, stand_in, opts))
    return made


def compute_classes(settings: GkeClusterSettings, opts: pulumi.ResourceOptions) -> None:
    """Make a ComputeClass of each class of spot nodes of an Autopilot cluster.

    https://cloud.google.com/kubernetes-engine/docs/reference/crds/computeclass

    Args:
        settings: The cluster's.
        opts: Resource options, with the cluster's Kubernetes provider.
    """
    for name, spot_class in settings.spot_classes.items():
        kubernetes.apiextensions.CustomResource(
            name,
            api_version="cloud.google.com/v1",
            kind="ComputeClass",
            metadata=meta.ObjectMetaArgs(
                name=name, labels=labels("compute-class", name, "node-pool")
            ),
            spec={
                # In this order: on demand while there are no spot nodes.
                "priorities": [{**_rule(spot_class), "spot": spot} for spot in (True, False)],
                # Pods go back to spot nodes once there are some.
                "activeMigration": {"optimizeRulePriority": True},
                "nodePoolAutoCreation": {"enabled": True},
                "whenUnsatisfiable": "DoNotScaleUp",
            },
            opts=opts,
        )


def _rule(spot_class: GkeSpotClass) -> dict[str, Any]:
    if spot_class.accelerator is None:
        return {"machineFamily": spot_class.series}
    return {"gpu": {"type": spot_class.accelerator, "count": spot_class.gpus}}


def _node_pool(
    resource_name: str, args: PoolArgs, opts: pulumi.ResourceOptions
) -> container.NodePool:
    """Return a node pool. It has a new name each time, so that its successor is there first."""
    settings, pool = args.settings, args.pool
    return container.NodePool(
        resource_name,
        cluster=args.cluster,
        project=settings.project,
        location=settings.region,
        autoscaling=container.NodePoolAutoscalingArgs(
            total_min_node_count=args.fewest,
            total_max_node_count=args.most,
            # A zone that has none left does not hold the others back.
            location_policy="ANY" if args.spot or pool.gpu else "BALANCED",
        ),
        management=container.NodePoolManagementArgs(auto_repair=True, auto_upgrade=True),
        upgrade_settings=container.NodePoolUpgradeSettingsArgs(
            strategy="SURGE",
            # There is rarely another GPU to be had for an update: nodes go one by one.
            max_surge=0 if pool.gpu else 1,
            max_unavailable=1 if pool.gpu else 0,
        ),
        network_config=container.NodePoolNetworkConfigArgs(enable_private_nodes=True),
        node_config=container.NodePoolNodeConfigArgs(
            machine_type=pool.machine,
            image_type="COS_CONTAINERD",
            spot=args.spot,
            service_account=args.node_account,
            oauth_scopes=list(SCOPES),
            guest_accelerators=_accelerators(pool),
            labels=pool.labels(args.name),
            taints=_taints(args),
            metadata={"disable-legacy-endpoints": "true"},
            workload_metadata_config=container.NodePoolNodeConfigWorkloadMetadataConfigArgs(
                # Pods get their own tokens there, and never the node's.
                mode="GKE_METADATA"
            ),
            shielded_instance_config=container.NodePoolNodeConfigShieldedInstanceConfigArgs(
                enable_secure_boot=True, enable_integrity_monitoring=True
            ),
            kubelet_config=container.NodePoolNodeConfigKubeletConfigArgs(
                insecure_kubelet_readonly_port_enabled="FALSE"
            ),
        ),
        opts=opts,
    )


def _accelerators(pool: GkePool) -> list[container.NodePoolNodeConfigGuestAcceleratorArgs] | None:
    if pool.gpu_type is None:
        return None
    return [
        container.NodePoolNodeConfigGuestAcceleratorArgs(
            type=pool.gpu_type,
            count=pool.gpu_count,
            # https://cloud.google.com/kubernetes-engine/docs/how-to/gpus#create
            gpu_driver_installation_config=(
                container.NodePoolNodeConfigGuestAcceleratorGpuDriverInstallationConfigArgs(
                    gpu_driver_version=pool.driver.upper()
                )
            ),
        )
    ]


def _taints(args: PoolArgs) -> list[container.NodePoolNodeConfigTaintArgs]:
    """Return the taints of a pool.

    That of GPU nodes GKE adds itself, but only where another pool is there before, and the first
    pools are made at once (https://cloud.google.com/kubernetes-engine/docs/how-to/gpus#create).
    """
    kept_for = {
        **({GPU_TAINT: "present"} if args.pool.gpu else {}),
        **({POOL_LABEL: args.name} if args.pool.spot else {}),
    }
    if args.pool.system:
        kept_for[_SYSTEM_TAINT] = "true"
    return [
        container.NodePoolNodeConfigTaintArgs(key=key, value=value, effect="NO_SCHEDULE")
        for key, value in kept_for.items()
    ]
