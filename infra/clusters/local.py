"""A single-node cluster on the machine that runs Pulumi."""

from typing import Final

import pulumi
import pulumi_kubernetes as kubernetes

from infra import machine
from infra.contract import ClusterHandle, ClusterTraits, LoadBalancerTraits
from infra.settings import LocalClusterSettings

# The node port of the gateway's HTTP listener: inside the default range 30000-32767, and fixed,
# because the machine's port is forwarded to it before the Service exists.
GATEWAY_NODE_PORT: Final = 30080


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
        machine_provider = machine.Provider("machine", pulumi.ResourceOptions(parent=self))
        cluster = machine.LocalCluster(
            resource_name,
            name=settings.name,
            distributions=settings.distributions,
            ports=[machine.PortForward(host=settings.gateway_port, node=GATEWAY_NODE_PORT)],
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
            traits=ClusterTraits(
                store=machine.local_store(settings.name, cluster.identity),
                load_balancer=LoadBalancerTraits(
                    service_type="NodePort",
                    node_ports={"http": GATEWAY_NODE_PORT},
                    address=f"http://127.0.0.1:{settings.gateway_port}",
                ),
            ),
            exports={
                "kind": settings.kind,
                "distribution": cluster.distribution,
                "version": cluster.version,
            },
            # Nothing in the cluster owns anything outside it.
            deleted_with=cluster,
        )
        self.register_outputs({"identity": cluster.identity})


def build_local(settings: LocalClusterSettings) -> ClusterHandle:
    """Return a local cluster.

    Args:
        settings: What is built.
    """
    return LocalCluster("cluster", settings).handle
