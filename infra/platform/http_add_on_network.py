"""Who may connect to KEDA's HTTP add-on, and whom it may connect to."""

from collections.abc import Callable
from dataclasses import dataclass

import pulumi
from pulumi_kubernetes.meta import v1 as meta

from infra import naming
from infra.platform import network


@dataclass(frozen=True)
class HttpAddOnNetworkArgs:
    """Whose network it is.

    Attributes:
        metadata: From the name of one of the two programs to the metadata of its policy.
        gateway: Name of the gateway's pods, which are beside; `None` where the gateway is one of
            the cluster's own, which may be no pods at all.
        operator: Name of KEDA's operator.
        interceptor: Name of the interceptor's pods.
        proxy_port: Where it takes requests.
        admin_port: Where it tells how many it has.
        scaler: Name of the scaler's pods.
        scaler_port: Where it tells KEDA.
    """

    metadata: Callable[[str], meta.ObjectMetaArgs]
    gateway: str | None
    operator: str
    interceptor: str
    proxy_port: int
    admin_port: int
    scaler: str
    scaler_port: int


class HttpAddOnNetwork(pulumi.ComponentResource):
    """Nothing in and nothing out, but for what holding requests needs.

    The gateway leads requests to the interceptor, which passes them on to models by the names of
    their Services. The scaler asks the interceptors at their addresses, and KEDA's operator the
    scaler. Both programs read from the API server. Behind a gateway of the cluster's own everybody
    reaches the interceptor, as everybody then reaches models.

    Type token: `slipway:platform:HttpAddOnNetwork`. Resources: two `NetworkPolicy`s, called like
    the programs. Other programs of the namespace have policies of their own or none.

    Args:
        resource_name: Logical name.
        args: Whose network it is.
        opts: Resource options.
    """

    def __init__(
        self,
        resource_name: str,
        args: HttpAddOnNetworkArgs,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("slipway:platform:HttpAddOnNetwork", resource_name, None, opts)
        children = pulumi.ResourceOptions(parent=self)
        interceptor, scaler = network.app(args.interceptor), network.app(args.scaler)
        api_server = network.to_ports(*network.API_SERVER_PORTS)
        gateway = [network.beside(network.app(args.gateway))] if args.gateway else []
        operator = network.in_namespace(naming.AUTOSCALING_NAMESPACE, network.app(args.operator))
        models = meta.LabelSelectorArgs(
            match_labels={"app.kubernetes.io/component": naming.MODEL},
        )
        network.allow_only(
            args.interceptor,
            args.metadata(args.interceptor),
            interceptor,
            children,
            ingress=[
                network.from_peers(gateway, args.proxy_port),
                network.from_peers([network.beside(scaler)], args.admin_port),
            ],
            egress=[network.to_peers([network.in_teams(models)]), api_server, network.to_dns()],
        )
        network.allow_only(
            args.scaler,
            args.metadata(args.scaler),
            scaler,
            children,
            ingress=[network.from_peers([operator], args.scaler_port)],
            egress=[network.to_peers([network.beside(interceptor)], args.admin_port), api_server],
        )
        self.register_outputs({})
