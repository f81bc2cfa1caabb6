"""Who may connect to KEDA, and whom it may connect to."""

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
from pulumi_kubernetes.meta import v1 as meta

from infra.naming import MONITORING_NAMESPACE
from infra.platform import network
from infra.platform.http_add_on import SCALER, SCALER_PORT
from infra.platform.monitoring.prometheus_config import PORT as PROMETHEUS_PORT
from infra.platform.namespace import SYSTEM


@dataclass(frozen=True)
class KedaNetworkArgs:
    """Whose network it is.

    Attributes:
        namespace: Where KEDA runs.
        labels: Labels of the policies.
        operator: What the operator's pods are selected by.
        operator_port: Port at which the adapter asks the operator.
        adapter: What the adapter's pods are selected by.
        adapter_port: Port at which the API server asks the adapter.
    """

    namespace: pulumi.Input[str]
    labels: Mapping[str, str]
    operator: Mapping[str, str]
    operator_port: int
    adapter: Mapping[str, str]
    adapter_port: int


class KedaNetwork(pulumi.ComponentResource):
    """Nothing in and nothing out, but for what following requests needs.

    The API server asks the adapter, the adapter the operator, and the operator Prometheus and the
    scaler of the HTTP add-on; both ask the API server and the DNS. The API server is at an address
    that no selector names, so the adapter's port is open to all: it answers whom the API server
    vouches for.

    Type token: `slipway:platform:KedaNetwork`. Resources: the `NetworkPolicy`s `deny-all`,
    `operator` and `adapter`.

    Args:
        resource_name: Logical name.
        args: Whose network it is.
        opts: Resource options.
    """

    def __init__(
        self, resource_name: str, args: KedaNetworkArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("slipway:platform:KedaNetwork", resource_name, None, opts)
        children = pulumi.ResourceOptions(parent=self)
        operator = meta.LabelSelectorArgs(match_labels=args.operator)
        adapter = meta.LabelSelectorArgs(match_labels=args.adapter)
        both = [network.to_ports(*network.API_SERVER_PORTS), network.to_dns()]

        def metadata(name: str) -> meta.ObjectMetaArgs:
            return meta.ObjectMetaArgs(name=name, namespace=args.namespace, labels=args.labels)

        network.allow_only(
            f"{resource_name}-deny-all", metadata("deny-all"), meta.LabelSelectorArgs(), children
        )
        network.allow_only(
            f"{resource_name}-operator",
            metadata("operator"),
            operator,
            children,
            ingress=[network.from_peers([network.beside(adapter)], args.operator_port)],
            egress=[
                network.to_peers([network.in_namespace(MONITORING_NAMESPACE)], PROMETHEUS_PORT),
                network.to_peers([network.in_namespace(SYSTEM, network.app(SCALER))], SCALER_PORT),
                *both,
            ],
        )
        network.allow_only(
            f"{resource_name}-adapter",
            metadata("adapter"),
            adapter,
            children,
            ingress=[network.from_peers([], args.adapter_port)],
            egress=[network.to_peers([network.beside(operator)], args.operator_port), *both],
        )
        self.register_outputs({})
