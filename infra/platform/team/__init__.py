"""A team: where its workloads run, as whom, and what keeps them apart from those of others."""

from dataclasses import dataclass
from typing import Final

import pulumi
import pulumi_kubernetes as kubernetes
from pulumi_kubernetes.meta import v1 as meta

from infra.contract import ClusterTraits, TeamReference, Workload
from infra.naming import TEAM_LABEL, labels
from infra.platform.namespace import RESTRICTED
from infra.platform.team.limits import TeamLimits, TeamLimitsArgs
from infra.platform.team.members import TeamMembers, TeamMembersArgs
from infra.platform.team.network import TeamNetwork, TeamNetworkArgs
from infra.settings import TeamSettings

# The service account of a team's models.
SERVICE_ACCOUNT: Final = "models"


@dataclass(frozen=True)
class TeamArgs:
    """What a team is made of.

    Attributes:
        settings: Its members and its quota.
        traits: What the cluster calls GPUs, and what gives a workload its cloud rights.
        gateway_namespace: Where the gateway's pods run, which lead requests to the team's models;
            `None` where it is one of the cluster's own.
    """

    settings: TeamSettings
    traits: ClusterTraits
    gateway_namespace: pulumi.Input[str] | None


class Team(pulumi.ComponentResource):
    """A namespace that enforces the `restricted` Pod Security Standard, and a service account.

    Type token: `slipway:platform:Team`. Resources: `Namespace` `<team>` and `ServiceAccount`
    `models`. Components: `TeamLimits`, `TeamNetwork` and, where groups are named, `TeamMembers`.

    Args:
        resource_name: Name of the team; also its namespace.
        args: What it is made of.
        opts: Resource options.

    Attributes:
        reference: Where the team's workloads run.
    """

    reference: TeamReference

    def __init__(
        self, resource_name: str, args: TeamArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("slipway:platform:Team", resource_name, None, opts)
        children = pulumi.ResourceOptions(parent=self)
        team_labels = {**labels("team", resource_name, "team"), TEAM_LABEL: resource_name}
        namespace = kubernetes.core.v1.Namespace(
            resource_name,
            metadata=meta.ObjectMetaArgs(name=resource_name, labels={**team_labels, **RESTRICTED}),
            opts=children,
        ).metadata.name
        limits = TeamLimits(
            resource_name,
            TeamLimitsArgs(args.settings.quota, args.traits.gpu_resource, namespace, team_labels),
            children,
        )
        network = TeamNetwork(
            resource_name,
            TeamNetworkArgs(namespace, args.gateway_namespace, team_labels),
            children,
        )
        if args.settings.members:
            TeamMembers(
                resource_name,
                TeamMembersArgs(args.settings.members, namespace, team_labels),
                children,
            )
        identity = args.traits.identity(Workload(resource_name, SERVICE_ACCOUNT))
        account = kubernetes.core.v1.ServiceAccount(
            f"{resource_name}-{SERVICE_ACCOUNT}",
            metadata=meta.ObjectMetaArgs(
                name=SERVICE_ACCOUNT,
                namespace=namespace,
                labels=team_labels,
                annotations=identity.annotations,
            ),
            # Models do not speak to the Kubernetes API.
            automount_service_account_token=False,
            # Whoever runs as it finds the limits and the policies in force, and its rights.
            opts=pulumi.ResourceOptions(parent=self, depends_on=[limits, network, *identity.ready]),
        )
        self.reference = TeamReference(
            namespace=namespace,
            service_account=account.metadata.name,
            pod_labels=identity.pod_labels,
            token_servers=identity.token_servers,
        )
        self.register_outputs({"namespace": namespace})
