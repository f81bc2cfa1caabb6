"""The virtual network of a cluster on AKS."""

import pulumi
import pulumi_azure_native.network as network

from infra.clusters.aks.scope import Scope


class AksNetwork(pulumi.ComponentResource):
    """A virtual network with the subnet of the nodes.

    Follows learn.microsoft.com, "Azure CNI Overlay networking": pods are in an overlay, so that the
    subnet holds nodes and internal load balancers alone. Nodes have no public address; they go out
    through the cluster's load balancer. AKS keeps the security group of the nodes itself.

    Type token: `slipway:infra:AksNetwork`. Resources: a `VirtualNetwork`, a `Subnet`.

    Args:
        resource_name: Logical name.
        scope: What it is made in.
        opts: Resource options.

    Attributes:
        nodes: Id of the nodes' subnet.
    """

    nodes: pulumi.Output[str]

    def __init__(
        self, resource_name: str, scope: Scope, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("slipway:infra:AksNetwork", resource_name, None, opts)
        inside = scope.within(self)
        settings = scope.settings.network
        virtual = network.VirtualNetwork(
            resource_name,
            virtual_network_name=scope.settings.name,
            resource_group_name=scope.group,
            location=scope.settings.location,
            address_space=network.AddressSpaceArgs(address_prefixes=[settings.cidr]),
            tags=scope.tags,
            opts=inside.options(resource_name),
        )
        subnet_name = f"{resource_name}-nodes"
        subnet = network.Subnet(
            subnet_name,
            subnet_name="nodes",
            resource_group_name=scope.group,
            virtual_network_name=virtual.name,
            address_prefix=settings.nodes,
            # Nothing goes out but by the load balancer.
            default_outbound_access=False,
            # The firewalls of the stores know the subnet by these.
            service_endpoints=[
                network.ServiceEndpointPropertiesFormatArgs(service=service)
                for service in ("Microsoft.KeyVault", "Microsoft.Storage")
            ],
            opts=inside.options(subnet_name),
        )
        self.nodes = subnet.id
        self.register_outputs({"nodes": self.nodes})
