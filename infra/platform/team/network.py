"""Who may connect to a team's pods, and whom they may connect to."""

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
from pulumi_kubernetes.meta import v1 as meta
from pulumi_kubernetes.networking import v1 as networking

from infra.naming import GRPC_PORT, MODEL, MONITORING_NAMESPACE, SERVING_PORT
from infra.platform import network


@dataclass(frozen=True)
class TeamNetworkArgs:
    """Whose network it is.

    Attributes:
        namespace: The team's namespace.
        gateway_namespace: Where the gateway's pods run; `None` where it is the cluster's own, which
            may be no pods at all.
        labels: Labels of the team's objects.
    """

    namespace: pulumi.Input[str]
    gateway_namespace: pulumi.Input[str] | None
    labels: Mapping[str, str]


class TeamNetwork(pulumi.ComponentResource):
    """Nothing in and nothing out, but for what serving a model needs.

    The gateway and Prometheus reach the serving ports of models, and every pod reaches the
    cluster's DNS. Behind a gateway of the cluster's own everybody reaches those ports: a cloud's
    load balancer connects from addresses that are not known here, some of them nodes'. The
    kubelet's probes come from the node, which policies do not keep out.

    Type token: `slipway:platform:TeamNetwork`. Resources: the `NetworkPolicy`s `deny-all`,
    `allow-dns` and `allow-serving` in the team's namespace.
    https://kubernetes.io/docs/concepts/services-networking/network-policies/

    Args:
        resource_name: Name of the team.
        args: Whose network it is.
        opts: Resource options.
    """

    def __init__(
        self, resource_name: str, args: TeamNetworkArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("slipway:platform:TeamNetwork", resource_name, None, opts)
        self._args = args
        everything = meta.LabelSelectorArgs()
        self._policy(
            resource_name,
            "deny-all",
            networking.NetworkPolicySpecArgs(
                pod_selector=everything, policy_types=["Ingress", "Egress"]
            ),
        )
        self._policy(
            resource_name,
            "allow-dns",
            networking.NetworkPolicySpecArgs(
                pod_selector=everything, policy_types=["Egress"], egress=[network.to_dns()]
            ),
        )
        self._policy(
            resource_name,
            "allow-serving",
            networking.NetworkPolicySpecArgs(
                pod_selector=meta.LabelSelectorArgs(
                    match_labels={"app.kubernetes.io/component": MODEL}
                ),
                policy_types=["Ingress"],
                ingress=[
                    network.from_peers(_askers(args.gateway_namespace), SERVING_PORT, GRPC_PORT)
                ],
            ),
        )
        self.register_outputs({})

    def _policy(self, team: str, name: str, spec: networking.NetworkPolicySpecArgs) -> None:
        networking.NetworkPolicy(
            f"{team}-{name}",
            metadata=meta.ObjectMetaArgs(
                name=name, namespace=self._args.namespace, labels=self._args.labels
            ),
            spec=spec,
            opts=pulumi.ResourceOptions(parent=self),
        )


def _askers(
    gateway_namespace: pulumi.Input[str] | None,
) -> list[networking.NetworkPolicyPeerArgs]:
    """Return who may ask models; nobody named is everybody."""
    if gateway_namespace is None:
        return []
    return [
        network.in_namespace(namespace) for namespace in (gateway_namespace, MONITORING_NAMESPACE)
    ]
