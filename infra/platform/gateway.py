"""The gateway: one entry point for every model, and the controller behind it."""

from dataclasses import dataclass
from typing import Final

import pulumi
import pulumi_kubernetes as kubernetes
from pulumi_kubernetes.core.v1.outputs import ServiceStatus
from pulumi_kubernetes.meta import v1 as meta

from infra.contract import GATEWAY_API, ClusterTraits, GatewayReference
from infra.naming import TEAM_LABEL, labels
from infra.platform.gateway_api import GatewayApi
from infra.platform.team import RESTRICTED
from infra.platform.traefik import CONTROLLER_NAME, HTTP_PORT, LISTENER, Traefik, TraefikArgs
from infra.settings import GatewaySettings

NAMESPACE: Final = "slipway-system"
_NAME: Final = "slipway"


@dataclass(frozen=True)
class GatewayArgs:
    """What the gateway is made of.

    Attributes:
        settings: Settings of the gateway.
        traits: How the cluster is asked for an entry point.
        api: The Gateway API's types, which the gateway waits for.
    """

    settings: GatewaySettings
    traits: ClusterTraits
    api: GatewayApi


class Gateway(pulumi.ComponentResource):
    """A Gateway that takes routes from every team, and its controller.

    Type token: `slipway:platform:Gateway`. Resources: `Namespace` `slipway-system`, a `Traefik`
    component, a `GatewayClass` and a `Gateway`, both called `slipway`.

    Args:
        resource_name: Logical name.
        args: What it is made of.
        opts: Resource options.

    Attributes:
        reference: The Gateway that routes attach to.
        address: URL at which it answers, without a trailing slash.
    """

    reference: GatewayReference
    address: pulumi.Output[str]

    def __init__(
        self, resource_name: str, args: GatewayArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("slipway:platform:Gateway", resource_name, None, opts)
        children = pulumi.ResourceOptions(parent=self)
        gateway_labels = labels("gateway", resource_name, "gateway")
        namespace = kubernetes.core.v1.Namespace(
            NAMESPACE,
            metadata=meta.ObjectMetaArgs(name=NAMESPACE, labels={**gateway_labels, **RESTRICTED}),
            opts=children,
        )
        traefik = Traefik(
            "traefik",
            TraefikArgs(
                settings=args.settings,
                traits=args.traits,
                namespace=namespace.metadata.name,
                api=args.api,
            ),
            opts=children,
        )
        gateway_class = kubernetes.apiextensions.CustomResource(
            f"{resource_name}-class",
            api_version=GATEWAY_API,
            kind="GatewayClass",
            metadata=meta.ObjectMetaArgs(name=_NAME, labels=gateway_labels),
            spec={"controllerName": CONTROLLER_NAME},
            opts=pulumi.ResourceOptions(parent=self, depends_on=[args.api]),
        )
        gateway = kubernetes.apiextensions.CustomResource(
            resource_name,
            api_version=GATEWAY_API,
            kind="Gateway",
            metadata=meta.ObjectMetaArgs(
                name=_NAME,
                namespace=namespace.metadata.name,
                labels=gateway_labels,
                annotations={"pulumi.com/waitFor": "condition=Programmed"},
            ),
            spec={
                "gatewayClassName": _NAME,
                "listeners": [
                    {
                        "name": LISTENER,
                        "protocol": "HTTP",
                        "port": HTTP_PORT,
                        "allowedRoutes": {
                            "namespaces": {
                                "from": "Selector",
                                "selector": {
                                    "matchExpressions": [{"key": TEAM_LABEL, "operator": "Exists"}]
                                },
                            }
                        },
                    }
                ],
            },
            # Nothing programs it before its class and the controller are there.
            opts=pulumi.ResourceOptions(parent=self, depends_on=[gateway_class, traefik]),
        )
        self.reference = GatewayReference(
            # The id is `<namespace>/<name>`: whoever uses it waits for the Gateway.
            name=gateway.id.apply(lambda identifier: identifier.rpartition("/")[2]),
            namespace=namespace.metadata.name,
            section=LISTENER,
        )
        self.address = _address(args.traits.load_balancer.address, traefik)
        self.register_outputs({"address": self.address})


def _address(known: str | None, traefik: Traefik) -> pulumi.Output[str]:
    """Return the gateway's URL: known beforehand, else what the load balancer was given."""
    if known is not None:
        return pulumi.Output.from_input(known)
    return traefik.service.status.apply(load_balancer_url)


def load_balancer_url(status: ServiceStatus | None) -> str:
    """Return the URL of the address that a Service's load balancer was given.

    Args:
        status: Status of the Service.

    Raises:
        pulumi.RunError: It has none.
    """
    given = (status.load_balancer.ingress if status and status.load_balancer else None) or []
    hosts = [host for address in given for host in (address.hostname, address.ip) if host]
    if not hosts:
        raise pulumi.RunError(
            "the gateway's Service has no address; see `kubectl describe service -n "
            f"{NAMESPACE} traefik` for what keeps the load balancer from giving one"
        )
    return f"http://{hosts[0]}"
