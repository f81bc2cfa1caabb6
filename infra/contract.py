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

AddressFamily = Literal["IPv4", "IPv6"]


@dataclass(frozen=True)
class Toleration:
    """A taint that pods of a pool tolerate (Kubernetes `Toleration`).

    Attributes:
        key: Its key.
        effect: Its effect.
        value: Its value; any by default.
    """

    key: str
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] = "NoSchedule"
    value: str | None = None


@dataclass(frozen=True)
class Placement:
    """Where pods of one pool may run.

    Attributes:
        node_selector: Labels a node must carry; empty means any node.
        tolerations: Taints the pods accept.
    """

    node_selector: Mapping[str, str] = field(default_factory=dict)
    tolerations: tuple[Toleration, ...] = ()

    def on(self, node_selector: Mapping[str, str]) -> "Placement":
        """Return the placement on those of the nodes that carry more labels.

        Nodes that are set apart carry a taint like their label; it is accepted.

        Args:
            node_selector: The labels.
        """
        return Placement(
            {**self.node_selector, **node_selector},
            (
                *self.tolerations,
                *(Toleration(name, value=value) for name, value in node_selector.items()),
            ),
        )

    def toleration_args(self) -> list[kubernetes.core.v1.TolerationArgs]:
        """Return the tolerations as a pod takes them."""
        return [
            kubernetes.core.v1.TolerationArgs(
                key=toleration.key,
                operator="Exists" if toleration.value is None else "Equal",
                value=toleration.value,
                effect=toleration.effect,
            )
            for toleration in self.tolerations
        ]


@dataclass(frozen=True)
class LoadBalancerTraits:
    """How a cluster is asked for an entry point, and where that entry point answers.

    Attributes:
        service_type: Type of the gateway's Service.
        annotations: Annotations the cluster wants on that Service.
        node_ports: Node port by listener name (`http`, `https`), where something outside the
            cluster already leads there; otherwise the cluster chooses them.
        host: Address at which clients reach the gateway, where it is known before the Service
            exists; `None` where it has to be read from the Service's status.
        https_port: Port at which clients reach the `https` listener, there and at the Service.
        patience_seconds: Longest wait for the Service to have its address. Clouds take minutes.
    """

    service_type: Literal["LoadBalancer", "NodePort", "ClusterIP"]
    annotations: Mapping[str, str] = field(default_factory=dict)
    node_ports: Mapping[str, int] = field(default_factory=dict)
    host: str | None = None
    https_port: int = 443
    patience_seconds: int = 600


@dataclass(frozen=True)
class Workload:
    """The identity of a workload that asks for cloud rights: its namespace and service account."""

    namespace: str
    service_account: str


@dataclass(frozen=True)
class TokenServer:
    """Where pods get the tokens of their cloud identity, at an address that their node answers.

    Attributes:
        address: IP address, of a family that pods have.
        port: TCP port, as network policies see it.
    """

    address: str
    port: int


@dataclass(frozen=True)
class IdentityMetadata:
    """What gives a workload its cloud rights.

    Attributes:
        annotations: On its service account: `iam.gke.io/gcp-service-account`,
            `azure.workload.identity/client-id`.
        pod_labels: On each of its pods: Azure's webhook looks at no pod without
            `azure.workload.identity/use: "true"`.
        token_servers: What its pods that download have to reach besides: the agent of EKS Pod
            Identity at 169.254.170.23:80, GKE's metadata server at 169.254.169.252:988, and with
            Dataplane V2 at 169.254.169.254:80. None where tokens come over HTTPS from the outside.
        ready: What has to be there before one of its pods starts: EKS gives rights to a pod as it
            is made.
    """

    annotations: Mapping[str, pulumi.Input[str]] = field(default_factory=dict)
    pod_labels: Mapping[str, str] = field(default_factory=dict)
    token_servers: tuple[TokenServer, ...] = ()
    ready: tuple[pulumi.Resource, ...] = ()


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
        network_policies: Whether the cluster's network enforces NetworkPolicy objects; where it
            does not, they are accepted and have no effect.
        address_families: Of the addresses that pods have. Policies name no others: not every
            network takes rules for addresses that it does not have.
        metrics_server: Whether the cluster brings a metrics-server, which serves the API group
            `metrics.k8s.io`.
        address_pool: A CIDR or a range (`<first>-<last>`) from which MetalLB gives out addresses;
            `None` where the cluster has a load balancer of its own.
        image_volumes: Whether pods can mount images as volumes.
        storage_class: Default StorageClass; `None` where the cluster has no provisioner.
        gateway_api: Whether the cluster brings the Gateway API's types, and keeps them up to date.
        gateway_class: A GatewayClass that the cluster brings itself, if any.
        cpu: Placement of CPU pods.
        gpu: Placement of GPU pods; `None` where the cluster has no GPU pool.
        gpu_resource: Resource name under which GPUs are requested.
        registry: Repository to which images for this cluster are pushed, without a tag; `None`
            where they are loaded into its nodes.
        models: URI under which models are stored for this cluster (`s3://<bucket>`), which its
            workloads may read; `None` where there is no such place.
        identity: From a workload's identity to the metadata that gives it cloud rights. It may
            register the resources of that right, so it is called once for each workload, and not in
            `apply`.
    """

    store: pulumi.Input[str]
    load_balancer: LoadBalancerTraits
    network_policies: bool
    metrics_server: bool
    address_families: tuple[AddressFamily, ...] = ("IPv4",)
    image_volumes: bool = False
    address_pool: pulumi.Input[str] | None = None
    storage_class: str | None = None
    gateway_api: bool = False
    gateway_class: str | None = None
    cpu: Placement = field(default_factory=Placement)
    gpu: Placement | None = None
    gpu_resource: str = "nvidia.com/gpu"
    registry: pulumi.Input[str] | None = None
    models: pulumi.Input[str] | None = None
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
class MirroringReference:
    """How a gateway sends copies of a route's requests to a second Service.

    Attributes:
        kind: `RequestMirror`, the Gateway API's filter; or `TraefikService`, an object that the
            route leads to, since Traefik refuses that filter.
        ready: What has to be there before such an object is made.
    """

    kind: Literal["RequestMirror", "TraefikService"] = "RequestMirror"
    ready: tuple[pulumi.Resource, ...] = ()


@dataclass(frozen=True)
class GatewayReference:
    """The Gateway that routes attach to (Gateway API `ParentReference`).

    Attributes:
        name: Name of the Gateway; using it waits for the Gateway.
        namespace: Its namespace.
        section: Name of the listener.
        mirroring: How it sends copies of requests.
    """

    name: pulumi.Input[str]
    namespace: pulumi.Input[str]
    section: str
    mirroring: MirroringReference = field(default_factory=MirroringReference)


@dataclass(frozen=True)
class TeamReference:
    """Where a team's workloads run.

    Attributes:
        namespace: The team's namespace.
        service_account: The service account of the team's workloads, in that namespace; using it
            waits for the team's quota, limits and network policies.
        pod_labels: Labels that give the account's pods its cloud rights.
        token_servers: Where those pods get the tokens for that.
    """

    namespace: pulumi.Output[str]
    service_account: pulumi.Output[str]
    pod_labels: Mapping[str, str] = field(default_factory=dict)
    token_servers: tuple[TokenServer, ...] = ()


@dataclass(frozen=True)
class SecretReference:
    """A secret of a team, as its models take it.

    Attributes:
        variables: Name of the Kubernetes Secret that holds a variable's value, by variable; the
            variable is also the key in it. Using one waits for that Secret.
    """

    variables: Mapping[str, pulumi.Input[str]]


@dataclass(frozen=True)
class InterceptorReference:
    """What takes requests for models that may have no pods, and holds them until there is one.

    Attributes:
        service: Name of its Service; using it waits for it.
        namespace: Its namespace, to which routes of teams may lead.
        port: Port of that Service.
        scaler: Address at which KEDA hears how many requests a model has, `<host>:<port>`.
    """

    service: pulumi.Output[str]
    namespace: pulumi.Input[str]
    port: int
    scaler: pulumi.Input[str]


@dataclass(frozen=True)
class ScalingSources:
    """What autoscalers work with.

    Attributes:
        ready: What has to be there before an autoscaler is made.
        prometheus: URL of Prometheus, for models that scale on requests; `None` where none does.
        interceptor: What holds requests, for models that scale to zero; `None` where none does.
    """

    ready: tuple[pulumi.Resource, ...] = ()
    prometheus: pulumi.Output[str] | None = None
    interceptor: InterceptorReference | None = None


@dataclass(frozen=True)
class MonitoringReference:
    """Prometheus, as the apps and the autoscaler see it.

    Attributes:
        url: Where it answers inside the cluster, without a trailing slash; using it waits for it.
        annotations: Annotations of a model's pods that serve metrics at `/metrics` on the port that
            they serve on; without them nothing is read.
    """

    url: pulumi.Output[str]
    annotations: Mapping[str, str]


@dataclass(frozen=True)
class PlatformHandle:
    """The shared platform, as the apps see it.

    Attributes:
        gateway: The Gateway that routes attach to.
        address: URL at which that gateway answers, without a trailing slash.
        https_port: Port of that URL.
        request_seconds: Longest time until an answer begins behind that gateway.
        ca: Certificate of the authority that signs the gateway's, as PEM; `None` where clients know
            that authority already.
        model_priorities: Names of the models' PriorityClasses, by what the settings call them;
            using one waits for the class.
        teams: Teams by name.
        secrets: Secrets by name, by team; teams without any are not in it.
        scaling: What autoscalers work with.
        monitoring: Prometheus; `None` where the stack has none.
    """

    gateway: GatewayReference
    address: pulumi.Output[str]
    https_port: int
    request_seconds: int
    ca: pulumi.Output[str | None]
    model_priorities: Mapping[str, pulumi.Output[str]]
    teams: Mapping[str, TeamReference]
    secrets: Mapping[str, Mapping[str, SecretReference]]
    scaling: ScalingSources
    monitoring: MonitoringReference | None = None
