"""Nodes in managed node groups, with the add-ons that Auto Mode has built in.

https://docs.aws.amazon.com/eks/latest/userguide/managed-node-groups.html
"""

import json
from typing import Final

import pulumi
import pulumi_aws.ec2 as ec2
import pulumi_aws.eks as eks

from infra.clusters.eks.policies import ServiceRole, service_role, service_trust
from infra.clusters.eks.pools import Nodes, nodes
from infra.settings.cluster.eks import EksClusterSettings

PROVISIONER: Final = "ebs.csi.aws.com"
"""https://docs.aws.amazon.com/eks/latest/userguide/ebs-csi.html"""

BALANCER: Final = "service.beta.kubernetes.io/aws-load-balancer-"

CLUSTER_POLICIES: Final = ("AmazonEKSClusterPolicy",)
"""https://docs.aws.amazon.com/eks/latest/userguide/cluster-iam-role.html"""

NODE_POLICIES: Final = (
    "AmazonEC2ContainerRegistryPullOnly",
    "AmazonEKSWorkerNodePolicy",
    "AmazonEKS_CNI_Policy",
)
"""https://docs.aws.amazon.com/eks/latest/userguide/create-node-role.html"""

# Bottlerocket brings the drivers of GPUs and what tells Kubernetes of them.
# https://docs.aws.amazon.com/eks/latest/userguide/eks-optimized-ami-bottlerocket.html
_IMAGE: Final = "BOTTLEROCKET_x86_64"
_GPU_IMAGE: Final = "BOTTLEROCKET_x86_64_NVIDIA"
# Where Bottlerocket keeps images and the containers' files.
_DATA_VOLUME: Final = "/dev/xvdb"
_DATA_GIB: Final = 100


def load_balancer_annotations(*, internet_facing: bool) -> dict[str, str]:
    """Return the annotations of a Service that ask for a network load balancer.

    Without Auto Mode the cluster's own controller makes it:
    https://docs.aws.amazon.com/eks/latest/userguide/network-load-balancing.html
    """
    return {
        f"{BALANCER}type": "nlb",
        **({} if internet_facing else {f"{BALANCER}internal": "true"}),
    }


def group_nodes(
    cluster: eks.Cluster,
    settings: EksClusterSettings,
    role: ServiceRole,
    subnets: list[pulumi.Output[str]],
    opts: pulumi.ResourceOptions,
) -> list[pulumi.Resource]:
    """Register the nodes of a cluster and its add-ons, and return what pods need.

    Args:
        cluster: The cluster.
        settings: Its settings.
        role: The role of its nodes.
        subnets: Ids of their subnets.
        opts: Options of resources of AWS.
    """
    # Before the first node: it is not ready without a network.
    before = [
        _addon(cluster, "vpc-cni", {"enableNetworkPolicy": "true"}, opts),
        _addon(cluster, "kube-proxy", None, opts),
        _addon(cluster, "eks-pod-identity-agent", None, opts),
    ]
    template = ec2.LaunchTemplate(
        "nodes",
        metadata_options=ec2.LaunchTemplateMetadataOptionsArgs(
            # Pods do not reach the rights of their node.
            # https://docs.aws.amazon.com/eks/latest/best-practices/identity-and-access-management.html
            http_tokens="required",
            http_put_response_hop_limit=1,
        ),
        block_device_mappings=[
            ec2.LaunchTemplateBlockDeviceMappingArgs(
                device_name=_DATA_VOLUME,
                ebs=ec2.LaunchTemplateBlockDeviceMappingEbsArgs(
                    encrypted="true",
                    volume_size=_DATA_GIB,
                    volume_type="gp3",
                    delete_on_termination="true",
                ),
            )
        ],
        opts=opts,
    )
    ready = pulumi.ResourceOptions.merge(
        opts,
        pulumi.ResourceOptions(
            depends_on=[*before, *role.ready],
            # An autoscaler's affair once they are there.
            ignore_changes=["scalingConfig.desiredSize"],
        ),
    )
    groups: list[pulumi.Resource] = [
        _group(one, cluster, role, template, subnets, ready) for one in nodes(settings.pools)
    ]
    disks = service_role(
        "disks",
        service_trust("pods.eks.amazonaws.com", "sts:AssumeRole", "sts:TagSession"),
        ["service-role/AmazonEBSCSIDriverPolicy"],
        opts,
    )
    after = pulumi.ResourceOptions.merge(
        opts, pulumi.ResourceOptions(depends_on=[*groups, *disks.ready])
    )
    driver = eks.Addon(
        "aws-ebs-csi-driver",
        cluster_name=cluster.name,
        addon_name="aws-ebs-csi-driver",
        pod_identity_associations=[
            eks.AddonPodIdentityAssociationArgs(
                role_arn=disks.role.arn, service_account="ebs-csi-controller-sa"
            )
        ],
        opts=after,
    )
    return [*groups, driver, _addon(cluster, "coredns", None, after)]


def _addon(
    cluster: eks.Cluster,
    name: str,
    configuration: dict[str, str] | None,
    opts: pulumi.ResourceOptions,
) -> eks.Addon:
    return eks.Addon(
        name,
        cluster_name=cluster.name,
        addon_name=name,
        configuration_values=json.dumps(configuration) if configuration else None,
        resolve_conflicts_on_create="OVERWRITE",
        resolve_conflicts_on_update="OVERWRITE",
        opts=opts,
    )


def _group(
    one: Nodes,
    cluster: eks.Cluster,
    role: ServiceRole,
    template: ec2.LaunchTemplate,
    subnets: list[pulumi.Output[str]],
    opts: pulumi.ResourceOptions,
) -> eks.NodeGroup:
    return eks.NodeGroup(
        f"pool-{one.name}",
        cluster_name=cluster.name,
        node_role_arn=role.role.arn,
        # After the control plane: unnamed, nodes would stay at what they began with.
        version=cluster.version,
        subnet_ids=subnets,
        ami_type=_GPU_IMAGE if one.pool.gpu else _IMAGE,
        capacity_type="SPOT" if one.spot else "ON_DEMAND",
        instance_types=list(one.pool.instance_types),
        launch_template=eks.NodeGroupLaunchTemplateArgs(
            id=template.id, version=template.latest_version.apply(str)
        ),
        scaling_config=eks.NodeGroupScalingConfigArgs(
            min_size=one.min, max_size=one.max, desired_size=one.min
        ),
        update_config=eks.NodeGroupUpdateConfigArgs(max_unavailable=1),
        labels=dict(one.labels),
        taints=[
            eks.NodeGroupTaintArgs(key=key, value=value, effect="NO_SCHEDULE")
            for key, value in one.taints.items()
        ],
        opts=opts,
    )
