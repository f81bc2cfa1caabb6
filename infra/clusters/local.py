"""A single-node cluster on the machine that runs Pulumi."""

from typing import Final

import pulumi
import pulumi_kubernetes as kubernetes

from infra import machine
from infra.contract import ClusterHandle, ClusterTraits, LoadBalancerTraits
from infra.settings import LocalClusterSettings
from toolchain import local_cluster
from toolchain.errors import SlipwayError

# The node ports of the gateway's listeners: inside the default range 30000-32767, and fixed,
# because the machine's ports are forwarded to them before the Service exists.
NODE_PORTS: Final = {"http": 30080, "https": 30443}
_LOOPBACK: Final = "127.0.0.1"
# A local cluster gives an address within seconds, on a busy machine within a minute.
_PATIENCE_SECONDS: Final = 120


class LocalCluster(pulumi.ComponentResource):
    """The cluster, and the provider that speaks to it.

    Type token: `slipway:infra:LocalCluster`. Resources: a `slipway` provider, a
    `slipway:machine:LocalCluster`, a `kubernetes` provider.

    Args:
        resource_name: Logical name.
        settings: What is built.
        opts: Resource options.

    Attributes:
        handle: The cluster, as everything above it sees it.
    """

    handle: ClusterHandle

    def __init__(
        self,
        resource_name: str,
        settings: LocalClusterSettings,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("slipway:infra:LocalCluster", resource_name, None, opts)
        distribution = choose(settings)
        machine_provider = machine.Provider("machine", pulumi.ResourceOptions(parent=self))
        cluster = machine.LocalCluster(
            resource_name,
            name=settings.name,
            # One, so that the plug-in cannot choose another than the traits speak of.
            distributions=[distribution],
            ports=[
                machine.PortForward(host=settings.http_port, node=NODE_PORTS["http"]),
                machine.PortForward(host=settings.https_port, node=NODE_PORTS["https"]),
            ],
            opts=pulumi.ResourceOptions(parent=self, provider=machine_provider),
        )
        # The plug-in marks it too; a secret does not hang on one mark.
        kubeconfig: pulumi.Output[str] = pulumi.Output.secret(cluster.kubeconfig)
        kubernetes_provider = kubernetes.Provider(
            resource_name,
            kubeconfig=kubeconfig,
            # Without it a kubeconfig that a preview cannot know would replace every object.
            cluster_identifier=cluster.identity,
            enable_server_side_apply=True,
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.handle = ClusterHandle(
            name=settings.name,
            identity=cluster.identity,
            kubeconfig=kubeconfig,
            provider=kubernetes_provider,
            machine=machine_provider,
            traits=_traits(settings, local_cluster.brings(distribution), cluster),
            exports={
                "kind": settings.kind,
                "distribution": cluster.distribution,
                "version": cluster.version,
            },
            # Nothing in the cluster owns anything outside it.
            deleted_with=cluster,
        )
        self.register_outputs({"identity": cluster.identity})


def choose(settings: LocalClusterSettings) -> local_cluster.Distribution:
    """Return the distribution that the cluster is, or will be.

    The program decides by it which components exist, so an output of the cluster comes too late.

    Args:
        settings: The cluster.

    Raises:
        pulumi.RunError: None can be had; Pulumi prints why without a traceback.
    """
    try:
        choice = local_cluster.distribution_of(settings.name, settings.distributions)
    except SlipwayError as error:
        raise pulumi.RunError(str(error)) from error
    for name, reason in choice.skipped:
        pulumi.log.info(f"{name} cannot be had here ({reason}): the next distribution is taken")
    return choice.distribution


def _traits(
    settings: LocalClusterSettings, brings: local_cluster.Brings, cluster: machine.LocalCluster
) -> ClusterTraits:
    return ClusterTraits(
        store=machine.local_store(settings.name, cluster.identity),
        load_balancer=LoadBalancerTraits(
            service_type="LoadBalancer",
            node_ports=NODE_PORTS,
            host=_LOOPBACK,
            https_port=settings.https_port,
            patience_seconds=_PATIENCE_SECONDS,
        ),
        network_policies=brings.network_policies,
        # Both distributions are of Kubernetes 1.35 or later.
        image_volumes=True,
        metrics_server=brings.metrics_server,
        address_pool=None if brings.load_balancer else cluster.address_pool,
        storage_class=brings.storage_class,
    )


def build_local(settings: LocalClusterSettings) -> ClusterHandle:
    """Return a local cluster.

    Args:
        settings: What is built.
    """
    return LocalCluster("cluster", settings).handle
