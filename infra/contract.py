"""What clusters, the platform and the apps know of each other.

A cluster builder returns a `ClusterHandle`, the platform takes one and returns a `PlatformHandle`,
and an app takes both. This module imports no cloud SDK, and the handle has no `kind`: a consumer
cannot branch on what it cannot see. Where clusters differ, `ClusterTraits` says so as plain data.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import pulumi
import pulumi_kubernetes as kubernetes

GATEWAY_API: Final = "gateway.networking.k8s.io/v1"
"""API version of the Gateway and of the routes that attach to it."""


@dataclass(frozen=True)
class Toleration:
    """A taint that pods of a pool tolerate (Kubernetes `Toleration`, operator `Exists`)."""

    key: str
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] = "NoSchedule"


@dataclass(frozen=True)
class Placement:
    """Where pods of one pool may run.

    Attributes:
        node_selector: Labels a node must carry; empty means any node.
        tolerations: Taints the pods accept.
    """

    node_selector: Mapping[str, str] = field(default_factory=dict)
    tolerations: tuple[Toleration, ...] = ()

    def toleration_args(self) -> list[kubernetes.core.v1.TolerationArgs]:
        """Return the tolerations as a pod takes them."""
        return [
            kubernetes.core.v1.TolerationArgs(
                key=toleration.key, operator="Exists", effect=toleration.effect
            )
            for toleration in self.tolerations
        ]


@dataclass(frozen=True)
class LoadBalancerTraits:
    """How a cluster is asked for an entry point, and where that entry point answers.

    Attributes:
        service_type: Type of the gateway's Service.
        annotations: Annotations the cluster wants on that Service.
        node_ports: Node port by listener name; only for `NodePort`.
        address: URL at which the gateway answers, where it is known before the Service exists;
            `None` where it has to be read from the Service's status.
    """

    service_type: Literal["LoadBalancer", "NodePort", "ClusterIP"]
    annotations: Mapping[str, str] = field(default_factory=dict)
    node_ports: Mapping[str, int] = field(default_factory=dict)
    address: str | None = None


@dataclass(frozen=True)
class Workload:
    """The identity of a workload that asks for cloud rights: its namespace and service account."""

    namespace: str
    service_account: str


@dataclass(frozen=True)
class IdentityMetadata:
    """Annotations and labels that give a workload its cloud rights."""

    annotations: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)


def no_cloud_identity(workload: Workload) -> IdentityMetadata:
    """Return no metadata: the answer of every cluster that has no cloud behind it."""
    del workload
    return IdentityMetadata()


@dataclass(frozen=True)
class ClusterTraits:
    """Plain data in which clusters differ.

    Attributes:
        store: Where images and model files are brought for this cluster, in the form that the
            `store` argument of the resources in `infra.machine` takes. It changes with the
            cluster's identity, so whatever takes it waits for the cluster.
        load_balancer: How the gateway is reached.
        storage_class: Default StorageClass; `None` where the cluster has no provisioner.
        gateway_class: A GatewayClass that the cluster brings itself, if any.
        cpu: Placement of CPU pods.
        gpu: Placement of GPU pods; `None` where the cluster has no GPU pool.
        gpu_resource: Resource name under which GPUs are requested.
        identity: From a workload's identity to the metadata that gives it cloud rights.
    """

    store: pulumi.Input[str]
    load_balancer: LoadBalancerTraits
    storage_class: str | None = None
    gateway_class: str | None = None
    cpu: Placement = field(default_factory=Placement)
    gpu: Placement | None = None
    gpu_resource: str = "nvidia.com/gpu"
    identity: Callable[[Workload], IdentityMetadata] = no_cloud_identity


@dataclass(frozen=True)
class ClusterHandle:
    """A cluster, as everything above it sees it.

    Attributes:
        name: Name of the cluster in the settings.
        identity: Changes exactly when the cluster is another one.
        kubeconfig: Secret output.
        provider: The explicit provider that every Kubernetes resource takes.
        machine: The explicit provider of the resources in `infra.machine`.
        traits: In what this cluster differs from others.
        exports: What the stack shows as its `cluster` output.
        deleted_with: The resource whose deletion takes everything in the cluster with it; `None`
            where objects of the cluster own something outside it, such as a load balancer.
    """

    name: str
    identity: pulumi.Output[str]
    kubeconfig: pulumi.Output[str]
    provider: kubernetes.Provider
    machine: pulumi.ProviderResource
    traits: ClusterTraits
    exports: Mapping[str, pulumi.Input[Any]]
    deleted_with: pulumi.Resource | None = None

    @property
    def options(self) -> pulumi.ResourceOptions:
        """The options of a component on this cluster; its children inherit them."""
        return pulumi.ResourceOptions(
            providers=[self.provider, self.machine], deleted_with=self.deleted_with
        )


@dataclass(frozen=True)
class GatewayReference:
    """The Gateway that routes attach to (Gateway API `ParentReference`).

    Attributes:
        name: Name of the Gateway; using it waits for the Gateway.
        namespace: Its namespace.
        section: Name of the listener.
    """

    name: pulumi.Input[str]
    namespace: pulumi.Input[str]
    section: str


@dataclass(frozen=True)
class TeamReference:
    """Where a team's workloads run.

    Attributes:
        namespace: The team's namespace.
        service_account: The service account of the team's workloads, in that namespace.
    """

    namespace: pulumi.Output[str]
    service_account: pulumi.Output[str]


@dataclass(frozen=True)
class PlatformHandle:
    """The shared platform, as the apps see it.

    Attributes:
        gateway: The Gateway that routes attach to.
        address: URL at which that gateway answers, without a trailing slash.
        teams: Teams by name.
    """

    gateway: GatewayReference
    address: pulumi.Output[str]
    teams: Mapping[str, TeamReference]
