"""Who may connect to monitoring, and whom it may connect to."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

import pulumi
from pulumi_kubernetes.meta import v1 as meta
from pulumi_kubernetes.networking import v1 as networking

from infra.naming import AUTOSCALING_NAMESPACE, PROMOTER
from infra.platform import network
from infra.platform.monitoring.prometheus import NAME as PROMETHEUS
from infra.platform.monitoring.prometheus_config import port_of
from infra.platform.monitoring.scraping import CERT_MANAGER, KUBE_STATE_METRICS, METRICS_PORT
from infra.platform.namespace import SYSTEM

_KUBELET_PORT: Final = 10250


@dataclass(frozen=True)
class MonitoringNetworkArgs:
    """Whose network it is.

    Attributes:
        namespace: The namespace.
        labels: Labels of the objects.
        alertmanager: URL of the Alertmanager outside, if any.
    """

    namespace: pulumi.Input[str]
    labels: Mapping[str, str]
    alertmanager: str | None


class MonitoringNetwork(pulumi.ComponentResource):
    """Nothing in and nothing out, but for what reading and alerting need.

    KEDA and the promoter of canaries reach Prometheus, and Prometheus reaches what it reads. A
    person comes through the API server's port forward, which policies do not keep out.

    Type token: `slipway:platform:MonitoringNetwork`. Resources: the `NetworkPolicy`s `deny-all`,
    `prometheus` and `kube-state-metrics`.
    https://kubernetes.io/docs/concepts/services-networking/network-policies/

    Args:
        resource_name: Logical name.
        args: Whose network it is.
        opts: Resource options.
    """

    def __init__(
        self,
        resource_name: str,
        args: MonitoringNetworkArgs,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("slipway:platform:MonitoringNetwork", resource_name, None, opts)
        self._args = args
        self._policy(resource_name, "deny-all", meta.LabelSelectorArgs())
        self._policy(
            resource_name,
            PROMETHEUS,
            network.app(PROMETHEUS),
            ingress=[
                network.from_peers(
                    [
                        network.in_namespace(AUTOSCALING_NAMESPACE),
                        network.in_namespace(SYSTEM, network.app(PROMOTER)),
                    ],
                    "http",
                )
            ],
            egress=[
                network.to_ports(*network.API_SERVER_PORTS, _KUBELET_PORT),
                network.to_peers(
                    [
                        network.in_namespace(SYSTEM),
                        network.in_namespace(CERT_MANAGER),
                        network.in_teams(),
                        network.beside(network.app(KUBE_STATE_METRICS)),
                    ]
                ),
                *_alerting(args.alertmanager),
            ],
        )
        self._policy(
            resource_name,
            KUBE_STATE_METRICS,
            network.app(KUBE_STATE_METRICS),
            ingress=[network.from_peers([network.beside(network.app(PROMETHEUS))], METRICS_PORT)],
            egress=[network.to_ports(*network.API_SERVER_PORTS)],
        )
        self.register_outputs({})

    def _policy(
        self,
        resource_name: str,
        name: str,
        pods: meta.LabelSelectorArgs,
        ingress: Sequence[networking.NetworkPolicyIngressRuleArgs] = (),
        egress: Sequence[networking.NetworkPolicyEgressRuleArgs] = (),
    ) -> None:
        network.allow_only(
            f"{resource_name}-{name}",
            meta.ObjectMetaArgs(
                name=name, namespace=self._args.namespace, labels=self._args.labels
            ),
            pods,
            pulumi.ResourceOptions(parent=self),
            ingress=ingress,
            egress=egress,
        )


def _alerting(alertmanager: str | None) -> list[networking.NetworkPolicyEgressRuleArgs]:
    """Return the way to an Alertmanager, and to the DNS that knows its name."""
    if alertmanager is None:
        return []
    return [network.to_ports(port_of(urlsplit(alertmanager))), network.to_dns()]
