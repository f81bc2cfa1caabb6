"""The parts that network policies are made of.

https://kubernetes.io/docs/concepts/services-networking/network-policies/
"""

from collections.abc import Sequence
from typing import Final

import pulumi
from pulumi_kubernetes.meta import v1 as meta
from pulumi_kubernetes.networking import v1 as networking

from infra.naming import TEAM_LABEL

API_SERVER_PORTS: Final = (443, 6443)
"""The API server is behind its Service or at an address of its own, and policies see the latter."""

# Set by Kubernetes on every namespace.
_NAMESPACE_NAME: Final = "kubernetes.io/metadata.name"
_APP: Final = "app.kubernetes.io/name"
# The labels of the cluster's DNS, by whichever program it is served, and of its cache on each node.
_DNS_NAMESPACE: Final = "kube-system"
_DNS_PODS: Final = ("kube-dns", "node-local-dns")
# Where nodes answer themselves: that cache, and Google's metadata server, which is Cloud DNS there.
# https://kubernetes.io/docs/tasks/administer-cluster/nodelocaldns/
# https://cloud.google.com/kubernetes-engine/docs/how-to/cloud-dns
_DNS_ADDRESSES: Final = ("169.254.20.10/32", "169.254.169.254/32")
_DNS_PORT: Final = 53


def allow_only(
    resource_name: str,
    metadata: meta.ObjectMetaArgs,
    pods: meta.LabelSelectorArgs,
    opts: pulumi.ResourceOptions,
    *,
    ingress: Sequence[networking.NetworkPolicyIngressRuleArgs] = (),
    egress: Sequence[networking.NetworkPolicyEgressRuleArgs] = (),
) -> networking.NetworkPolicy:
    """Allow pods nothing, in and out, but what is listed here or by another policy.

    Args:
        resource_name: Logical name.
        metadata: Of the policy.
        pods: Which pods of its namespace; those of an empty selector are all.
        opts: Resource options.
        ingress: Who may connect to them, and where.
        egress: Where they may connect to.
    """
    return networking.NetworkPolicy(
        resource_name,
        metadata=metadata,
        spec=networking.NetworkPolicySpecArgs(
            pod_selector=pods,
            policy_types=["Ingress", "Egress"],
            ingress=list(ingress) or None,
            egress=list(egress) or None,
        ),
        opts=opts,
    )


def app(name: str) -> meta.LabelSelectorArgs:
    """Return a selector of the pods of a program, by the recommended label."""
    return meta.LabelSelectorArgs(match_labels={_APP: name})


def in_namespace(
    name: pulumi.Input[str], pods: meta.LabelSelectorArgs | None = None
) -> networking.NetworkPolicyPeerArgs:
    """Return pods of a namespace as a policy names them.

    Args:
        name: The namespace.
        pods: Which of its pods; by default every one.
    """
    return networking.NetworkPolicyPeerArgs(
        namespace_selector=meta.LabelSelectorArgs(match_labels={_NAMESPACE_NAME: name}),
        pod_selector=pods,
    )


def in_teams(
    pods: meta.LabelSelectorArgs | None = None,
) -> networking.NetworkPolicyPeerArgs:
    """Return pods of all teams.

    Args:
        pods: Which of their pods; by default every one.
    """
    return networking.NetworkPolicyPeerArgs(
        namespace_selector=meta.LabelSelectorArgs(
            match_expressions=[meta.LabelSelectorRequirementArgs(key=TEAM_LABEL, operator="Exists")]
        ),
        pod_selector=pods,
    )


def beside(pods: meta.LabelSelectorArgs) -> networking.NetworkPolicyPeerArgs:
    """Return pods of the policy's own namespace."""
    return networking.NetworkPolicyPeerArgs(pod_selector=pods)


def from_peers(
    peers: Sequence[networking.NetworkPolicyPeerArgs], *ports: int | str
) -> networking.NetworkPolicyIngressRuleArgs:
    """Let peers, or with none everybody, connect to ports."""
    return networking.NetworkPolicyIngressRuleArgs(
        from_=list(peers) or None, ports=[_tcp(port) for port in ports]
    )


def to_peers(
    peers: Sequence[networking.NetworkPolicyPeerArgs], *ports: int
) -> networking.NetworkPolicyEgressRuleArgs:
    """Let pods connect to peers: to the ports that are named, or with none to every port."""
    return networking.NetworkPolicyEgressRuleArgs(
        to=list(peers), ports=[_tcp(port) for port in ports] or None
    )


def to_ports(*ports: int) -> networking.NetworkPolicyEgressRuleArgs:
    """Allow ports of any address: those of nodes and of the API server are not known here."""
    return networking.NetworkPolicyEgressRuleArgs(ports=[_tcp(port) for port in ports])


def to_dns() -> networking.NetworkPolicyEgressRuleArgs:
    """Allow the cluster's DNS: its pods, and at its port also the nodes' own answers."""
    pods = meta.LabelSelectorArgs(
        match_expressions=[
            meta.LabelSelectorRequirementArgs(key="k8s-app", operator="In", values=list(_DNS_PODS))
        ]
    )
    return networking.NetworkPolicyEgressRuleArgs(
        to=[
            in_namespace(_DNS_NAMESPACE, pods),
            *(
                networking.NetworkPolicyPeerArgs(ip_block=networking.IPBlockArgs(cidr=cidr))
                for cidr in _DNS_ADDRESSES
            ),
        ],
        ports=[
            networking.NetworkPolicyPortArgs(protocol=protocol, port=_DNS_PORT)
            for protocol in ("UDP", "TCP")
        ],
    )


def _tcp(port: int | str) -> networking.NetworkPolicyPortArgs:
    return networking.NetworkPolicyPortArgs(protocol="TCP", port=port)
