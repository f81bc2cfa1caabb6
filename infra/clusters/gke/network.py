"""The network of a GKE cluster: private nodes that reach the internet, and are not reached."""

from dataclasses import dataclass
from typing import Final

import pulumi
import pulumi_gcp.compute as compute

from infra.clusters.protection import Protection
from infra.naming import fit
from infra.settings.cluster.gke import GkeClusterSettings

PODS: Final = "pods"
SERVICES: Final = "services"

# https://cloud.google.com/compute/docs/naming-resources
_NAME_LIMIT: Final = 63
# A connection takes a port of a NAT address: a node that downloads much takes more of them.
_MOST_NAT_PORTS: Final = 4096
# Of admission webhooks and aggregated APIs that the platform brings. Google's own firewall rule
# lets the control plane to 443 and 10250 alone.
# https://cloud.google.com/kubernetes-engine/docs/how-to/private-clusters#add_firewall_rules
_WEBHOOK_PORTS: Final = ("6443", "8443", "9443")


@dataclass(frozen=True)
class NetworkArgs:
    """What the network is made of.

    Attributes:
        settings: The cluster's.
        node_account: Email of the nodes' service account.
        protection: What may be replaced or deleted.
    """

    settings: GkeClusterSettings
    node_account: pulumi.Input[str]
    protection: Protection


class Network(pulumi.ComponentResource):
    """A VPC in custom mode with the ranges of a VPC-native cluster, and a way out for its nodes.

    Type token: `slipway:infra:GkeNetwork`. Resources: a `Network`, a `Subnetwork` for nodes with
    secondary ranges `pods` and `services`, one for Google's proxies, a `Router` with a `RouterNat`,
    and where the control plane has addresses a `Firewall` that lets it call webhooks.
    https://cloud.google.com/kubernetes-engine/docs/best-practices/networking

    Args:
        resource_name: Logical name.
        args: What it is made of.
        opts: Resource options.

    Attributes:
        network: Id of the VPC.
        subnetwork: Id of the nodes' subnet.
        ready: What nodes need before they start, and must not lose before they stop.
    """

    network: pulumi.Output[str]
    subnetwork: pulumi.Output[str]
    ready: tuple[pulumi.Resource, ...]

    def __init__(
        self, resource_name: str, args: NetworkArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("slipway:infra:GkeNetwork", resource_name, None, opts)
        self._args = args
        settings = args.settings
        network = compute.Network(
            resource_name,
            name=self._called("network"),
            project=settings.project,
            auto_create_subnetworks=False,
            routing_mode="REGIONAL",
            opts=self._kept(resource_name),
        )
        nodes = compute.Subnetwork(
            f"{resource_name}-nodes",
            name=self._called("nodes"),
            project=settings.project,
            region=settings.region,
            network=network.id,
            ip_cidr_range=settings.network.nodes,
            # Google's APIs, the registry among them, without a public address and without NAT.
            private_ip_google_access=True,
            secondary_ip_ranges=[
                compute.SubnetworkSecondaryIpRangeArgs(
                    range_name=PODS, ip_cidr_range=settings.network.pods
                ),
                compute.SubnetworkSecondaryIpRangeArgs(
                    range_name=SERVICES, ip_cidr_range=settings.network.services
                ),
            ],
            opts=self._kept(f"{resource_name}-nodes"),
        )
        # https://cloud.google.com/load-balancing/docs/proxy-only-subnets
        compute.Subnetwork(
            f"{resource_name}-proxies",
            name=self._called("proxies"),
            project=settings.project,
            region=settings.region,
            network=network.id,
            ip_cidr_range=settings.network.proxies,
            purpose="REGIONAL_MANAGED_PROXY",
            role="ACTIVE",
            opts=self._kept(f"{resource_name}-proxies"),
        )
        self.network = network.id
        self.subnetwork = nodes.id
        self.ready = (
            self._way_out(resource_name, network, nodes),
            *([] if settings.control_plane.by_name else [self._webhooks(resource_name, network)]),
        )
        self.register_outputs({"network": network.id})

    def _kept(self, resource_name: str) -> pulumi.ResourceOptions:
        return pulumi.ResourceOptions(
            parent=self,
            protect=self._args.protection.of(resource_name),
            # Its name is fixed, so two cannot be there at a time.
            delete_before_replace=True,
        )

    def _way_out(
        self, resource_name: str, network: compute.Network, nodes: compute.Subnetwork
    ) -> compute.RouterNat:
        """Let nodes and pods reach the internet; nobody there reaches them."""
        settings, children = self._args.settings, pulumi.ResourceOptions(parent=self)
        router = compute.Router(
            f"{resource_name}-router",
            name=self._called("router"),
            project=settings.project,
            region=settings.region,
            network=network.id,
            opts=children,
        )
        return compute.RouterNat(
            f"{resource_name}-nat",
            name=self._called("nat"),
            project=settings.project,
            region=settings.region,
            router=router.name,
            nat_ip_allocate_option="AUTO_ONLY",
            source_subnetwork_ip_ranges_to_nat="LIST_OF_SUBNETWORKS",
            subnetworks=[
                compute.RouterNatSubnetworkArgs(
                    name=nodes.id, source_ip_ranges_to_nats=["ALL_IP_RANGES"]
                )
            ],
            # https://cloud.google.com/nat/docs/ports-and-addresses
            enable_dynamic_port_allocation=True,
            enable_endpoint_independent_mapping=False,
            max_ports_per_vm=_MOST_NAT_PORTS,
            log_config=compute.RouterNatLogConfigArgs(enable=True, filter="ERRORS_ONLY"),
            opts=children,
        )

    def _webhooks(self, resource_name: str, network: compute.Network) -> compute.Firewall:
        """Let the control plane call the webhooks of the platform's pods."""
        settings = self._args.settings
        return compute.Firewall(
            f"{resource_name}-webhooks",
            name=self._called("webhooks"),
            project=settings.project,
            network=network.id,
            direction="INGRESS",
            source_ranges=[settings.network.control_plane],
            target_service_accounts=[self._args.node_account],
            allows=[compute.FirewallAllowArgs(protocol="tcp", ports=list(_WEBHOOK_PORTS))],
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _called(self, role: str) -> str:
        return fit(f"{self._args.settings.name}-{role}", _NAME_LIMIT)
