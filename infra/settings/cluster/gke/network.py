"""Settings of where a GKE cluster is reached, and of its addresses."""

from ipaddress import IPv4Network
from typing import Annotated, Final, Literal, Self

from pydantic import AfterValidator, model_validator

from infra.settings.cluster.network import Cidr, refuse_overlaps, refuse_prefix
from infra.settings.types import Flag, StrictModel

Endpoint = Literal["dns", "public", "private"]

# A node with at most 110 pods, the default, takes a /24 of the range of pods.
# https://cloud.google.com/kubernetes-engine/docs/concepts/alias-ips#cluster_sizing_secondary_range_pods
_NODE_PREFIX: Final = 24
_CARRIER_GRADE: Final = IPv4Network("100.64.0.0/10")


def _private(value: str) -> str:
    network = IPv4Network(value)
    if not network.is_private and not network.subnet_of(_CARRIER_GRADE):
        raise ValueError(
            f"`{value}` are public addresses; choose from 10.0.0.0/8, 172.16.0.0/12, "
            "192.168.0.0/16 or 100.64.0.0/10"
        )
    return value


def _not_everyone(value: str) -> str:
    if IPv4Network(value).prefixlen == 0:
        raise ValueError(
            f"`{value}` is everyone; list the networks that need the control plane, or write "
            "`endpoint: dns`, where Google asks who it is"
        )
    return value


PrivateCidr = Annotated[Cidr, AfterValidator(_private)]


class GkeNetworkSettings(StrictModel):
    """Ranges of addresses, all private and none over another.

    https://cloud.google.com/kubernetes-engine/docs/concepts/alias-ips

    Attributes:
        nodes: The subnet of the nodes, and of internal load balancers.
        pods: Its secondary range for pods, which limits how many nodes there can be.
        services: Its secondary range for Services.
        control_plane: The control plane's own subnet, where it has addresses.
        proxies: The subnet of Google's proxies, without which its own GatewayClasses do not work.
    """

    nodes: PrivateCidr = "10.0.0.0/20"
    pods: PrivateCidr = "10.4.0.0/14"
    services: PrivateCidr = "10.8.0.0/20"
    control_plane: PrivateCidr = "172.16.0.0/28"
    proxies: PrivateCidr = "10.0.16.0/23"

    @property
    def most_nodes(self) -> int:
        """How many nodes the range of pods has room for."""
        return int(2 ** (_NODE_PREFIX - IPv4Network(self.pods).prefixlen))

    @model_validator(mode="after")
    def _apart(self) -> Self:
        refuse_prefix("nodes", self.nodes, 29, 8, "which Google takes for a subnet")
        refuse_prefix("pods", self.pods, 21, 9, "which GKE takes for pods")
        refuse_prefix("services", self.services, 27, 16, "which GKE takes for Services")
        refuse_prefix("controlPlane", self.control_plane, 28, 28, "which GKE takes there")
        refuse_prefix("proxies", self.proxies, 26, 8, "which Google takes for its proxies")
        refuse_overlaps(
            {
                "nodes": self.nodes,
                "pods": self.pods,
                "services": self.services,
                "controlPlane": self.control_plane,
                "proxies": self.proxies,
            }
        )
        return self


class GkeControlPlaneSettings(StrictModel):
    """Who reaches the control plane, from where.

    https://cloud.google.com/kubernetes-engine/docs/concepts/network-isolation

    Attributes:
        endpoint: `dns`: by its DNS name, from anywhere, for whom Google's IAM lets connect, and at
            no address; `private`: at an address of the network; `public`: also at a public one.
        authorized_networks: The only ranges that reach the addresses of the control plane.
    """

    endpoint: Endpoint = "dns"
    authorized_networks: tuple[Annotated[Cidr, AfterValidator(_not_everyone)], ...] = ()

    @property
    def by_name(self) -> bool:
        """Whether it is reached by its DNS name alone."""
        return self.endpoint == "dns"

    @model_validator(mode="after")
    def _networks_where_there_is_an_address(self) -> Self:
        if self.by_name and self.authorized_networks:
            raise ValueError(
                "`authorizedNetworks` restricts addresses, and `endpoint: dns` has none; remove "
                "it, or write `endpoint: public`"
            )
        if self.endpoint == "public" and not self.authorized_networks:
            raise ValueError(
                "`endpoint: public` lets nobody in without `authorizedNetworks`; list the networks "
                "that need it, or write `endpoint: dns`"
            )
        return self


class GkeLoadBalancerSettings(StrictModel):
    """Where the gateway answers.

    Attributes:
        public: Whether at a public address; else at one of the nodes' subnet, which the network and
            what is connected with it reaches.
    """

    public: Flag = False
