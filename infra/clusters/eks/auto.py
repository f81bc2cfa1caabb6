"""Nodes that EKS Auto Mode runs: NodePools, of Karpenter's API, over one NodeClass.

https://docs.aws.amazon.com/eks/latest/userguide/automode.html
"""

from typing import Final

import pulumi
import pulumi_aws.eks as eks
import pulumi_kubernetes as kubernetes
from pulumi_kubernetes.meta import v1 as meta

from infra.clusters.eks.policies import ServiceRole
from infra.clusters.eks.pools import Nodes, nodes
from infra.naming import labels
from infra.settings.cluster.eks import EksClusterSettings

PROVISIONER: Final = "ebs.csi.eks.amazonaws.com"
"""https://docs.aws.amazon.com/eks/latest/userguide/create-storage-class.html"""

# https://docs.aws.amazon.com/eks/latest/userguide/auto-configure-nlb.html
BALANCER: Final = "service.beta.kubernetes.io/aws-load-balancer-"

CLUSTER_POLICIES: Final = (
    "AmazonEKSBlockStoragePolicy",
    "AmazonEKSClusterPolicy",
    "AmazonEKSComputePolicy",
    "AmazonEKSLoadBalancingPolicy",
    "AmazonEKSNetworkingPolicy",
)
"""https://docs.aws.amazon.com/eks/latest/userguide/auto-cluster-iam-role.html"""

NODE_POLICIES: Final = ("AmazonEC2ContainerRegistryPullOnly", "AmazonEKSWorkerNodeMinimalPolicy")
"""https://docs.aws.amazon.com/eks/latest/userguide/auto-create-node-role.html"""

_NODE_CLASS: Final = "slipway"
# Before capacity on demand, which has the least weight there is.
_SPOT_WEIGHT: Final = 10
_ON_DEMAND_WEIGHT: Final = 1


def load_balancer_annotations(*, internet_facing: bool) -> dict[str, str]:
    """Return the annotations of a Service that ask for a network load balancer."""
    return {
        f"{BALANCER}scheme": "internet-facing" if internet_facing else "internal",
        f"{BALANCER}nlb-target-type": "ip",
    }


def auto_nodes(
    cluster: eks.Cluster,
    settings: EksClusterSettings,
    role: ServiceRole,
    subnets: list[pulumi.Output[str]],
    opts: pulumi.ResourceOptions,
    in_cluster: pulumi.ResourceOptions,
) -> list[pulumi.Resource]:
    """Register the nodes of a cluster, and return what makes them.

    Args:
        cluster: The cluster.
        settings: Its settings.
        role: The role of its nodes.
        subnets: Ids of their subnets.
        opts: Options of resources of AWS.
        in_cluster: Options of objects of the cluster.
    """
    # Nodes of a class with a role of its own are let in by an entry for it.
    # https://docs.aws.amazon.com/eks/latest/userguide/create-node-class.html
    entry = eks.AccessEntry(
        "nodes",
        cluster_name=cluster.name,
        principal_arn=role.role.arn,
        type="EC2",
        opts=opts,
    )
    admitted = eks.AccessPolicyAssociation(
        "nodes",
        cluster_name=cluster.name,
        principal_arn=entry.principal_arn,
        policy_arn="arn:aws:eks::aws:cluster-access-policy/AmazonEKSAutoNodePolicy",
        access_scope=eks.AccessPolicyAssociationAccessScopeArgs(type="cluster"),
        opts=opts,
    )
    # https://docs.aws.amazon.com/eks/latest/userguide/auto-net-pol.html
    policies = kubernetes.core.v1.ConfigMap(
        "network-policies",
        metadata=meta.ObjectMetaArgs(
            name="amazon-vpc-cni",
            namespace="kube-system",
            labels=labels("amazon-vpc-cni", "amazon-vpc-cni", "network"),
        ),
        data={"enable-network-policy-controller": "true"},
        opts=in_cluster,
    )
    node_class = kubernetes.apiextensions.CustomResource(
        "node-class",
        api_version="eks.amazonaws.com/v1",
        kind="NodeClass",
        metadata=meta.ObjectMetaArgs(
            name=_NODE_CLASS, labels=labels("node-class", _NODE_CLASS, "nodes")
        ),
        spec={
            "role": role.role.name,
            "subnetSelectorTerms": [{"id": subnet} for subnet in subnets],
            "securityGroupSelectorTerms": [{"id": cluster.vpc_config.cluster_security_group_id}],
            "networkPolicy": "DefaultAllow",
            "networkPolicyEventLogs": "Disabled",
        },
        opts=pulumi.ResourceOptions.merge(
            in_cluster, pulumi.ResourceOptions(depends_on=[admitted, policies, *role.ready])
        ),
    )
    return [_node_pool(one, settings, node_class, in_cluster) for one in nodes(settings.pools)]


def _node_pool(
    one: Nodes,
    settings: EksClusterSettings,
    node_class: kubernetes.apiextensions.CustomResource,
    opts: pulumi.ResourceOptions,
) -> kubernetes.apiextensions.CustomResource:
    """Register a NodePool (https://docs.aws.amazon.com/eks/latest/userguide/create-node-pool.html).

    Karpenter limits a pool by what its nodes have: it has at most the vCPUs of `max` nodes of its
    largest type.
    """
    requirements = {
        "node.kubernetes.io/instance-type": list(one.pool.instance_types),
        "karpenter.sh/capacity-type": ["spot" if one.spot else "on-demand"],
        "topology.kubernetes.io/zone": list(settings.zone_names),
        "kubernetes.io/arch": ["amd64"],
    }
    return kubernetes.apiextensions.CustomResource(
        f"pool-{one.name}",
        api_version="karpenter.sh/v1",
        kind="NodePool",
        metadata=meta.ObjectMetaArgs(name=one.name, labels=labels("node-pool", one.name, "nodes")),
        spec={
            "weight": _SPOT_WEIGHT if one.spot else _ON_DEMAND_WEIGHT,
            "limits": {"cpu": str(one.max * one.pool.largest)},
            "disruption": {
                # A node with a GPU is emptied by nobody but its pods: they take minutes to load.
                "consolidationPolicy": "WhenEmpty" if one.pool.gpu else "WhenEmptyOrUnderutilized",
                "consolidateAfter": "5m",
            },
            "template": {
                "metadata": {"labels": dict(one.labels)},
                "spec": {
                    "nodeClassRef": {
                        "group": "eks.amazonaws.com",
                        "kind": "NodeClass",
                        "name": _NODE_CLASS,
                    },
                    "requirements": [
                        {"key": key, "operator": "In", "values": values}
                        for key, values in requirements.items()
                    ],
                    "taints": [
                        {"key": key, "value": value, "effect": "NoSchedule"}
                        for key, value in one.taints.items()
                    ],
                },
            },
        },
        opts=pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(depends_on=[node_class])),
    )
