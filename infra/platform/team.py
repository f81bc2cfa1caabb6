"""A team: where its workloads run, and as whom."""

from typing import Final

import pulumi
import pulumi_kubernetes as kubernetes

from infra.contract import TeamReference
from infra.naming import TEAM_LABEL, labels

# The service account of a team's models.
SERVICE_ACCOUNT: Final = "models"
# Pod Security Standards: https://kubernetes.io/docs/concepts/security/pod-security-standards/
RESTRICTED: Final = {
    "pod-security.kubernetes.io/enforce": "restricted",
    "pod-security.kubernetes.io/warn": "restricted",
}


class Team(pulumi.ComponentResource):
    """A namespace that enforces the `restricted` Pod Security Standard, and a service account.

    Type token: `slipway:platform:Team`. Resources: `Namespace` `<team>`, `ServiceAccount` `models`.

    Args:
        resource_name: Name of the team; also its namespace.
        opts: Resource options.

    Attributes:
        reference: Where the team's workloads run.
    """

    reference: TeamReference

    def __init__(self, resource_name: str, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("slipway:platform:Team", resource_name, None, opts)
        children = pulumi.ResourceOptions(parent=self)
        team_labels = {**labels("team", resource_name, "team"), TEAM_LABEL: resource_name}
        namespace = kubernetes.core.v1.Namespace(
            resource_name,
            metadata=kubernetes.meta.v1.ObjectMetaArgs(
                name=resource_name, labels={**team_labels, **RESTRICTED}
            ),
            opts=children,
        )
        account = kubernetes.core.v1.ServiceAccount(
            f"{resource_name}-{SERVICE_ACCOUNT}",
            metadata=kubernetes.meta.v1.ObjectMetaArgs(
                name=SERVICE_ACCOUNT, namespace=namespace.metadata.name, labels=team_labels
            ),
            # Models do not speak to the Kubernetes API.
            automount_service_account_token=False,
            opts=children,
        )
        self.reference = TeamReference(
            namespace=namespace.metadata.name, service_account=account.metadata.name
        )
        self.register_outputs({"namespace": namespace.metadata.name})
