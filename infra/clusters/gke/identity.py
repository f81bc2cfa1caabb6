"""Who may do what in Google Cloud: the nodes, GKE itself, and the workloads of teams."""

from dataclasses import dataclass
from typing import Final

import pulumi
import pulumi_gcp.projects as projects
import pulumi_gcp.serviceaccount as serviceaccount
import pulumi_gcp.storage as storage

from infra.contract import IdentityMetadata, TokenServer, Workload
from infra.settings.cluster.gke import GkeClusterSettings

# The least that nodes need: logs, metrics and what the autoscaler asks.
# https://cloud.google.com/kubernetes-engine/docs/how-to/hardening-your-cluster#permissions
_NODE_ROLE: Final = "roles/container.defaultNodeServiceAccount"
_READ_OBJECTS: Final = "roles/storage.objectViewer"
_READ_SECRETS: Final = "roles/secretmanager.secretAccessor"
# GKE's metadata server, which gives out no other account's tokens, as policies see it with
# Dataplane V2: https://cloud.google.com/kubernetes-engine/docs/how-to/network-policy
_METADATA_SERVER: Final = TokenServer("169.254.169.254", 80)
# No team's name has one, so the secrets of the team `a` are never those of the team `a-b`.
SECRET_SEPARATOR: Final = "_"


class NodeAccount(pulumi.ComponentResource):
    """The service account of the nodes, with the least rights that GKE works with.

    Type token: `slipway:infra:GkeNodeAccount`. Resources: an `Account` and an `IAMMember`.
    https://cloud.google.com/kubernetes-engine/docs/how-to/service-accounts

    Args:
        resource_name: Logical name.
        settings: The cluster's.
        opts: Resource options.

    Attributes:
        email: Email of the account.
        member: The account as IAM names it.
        ready: What nodes need before they start.
    """

    email: pulumi.Output[str]
    member: pulumi.Output[str]
    ready: pulumi.Resource

    def __init__(
        self,
        resource_name: str,
        settings: GkeClusterSettings,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("slipway:infra:GkeNodeAccount", resource_name, None, opts)
        account = serviceaccount.Account(
            resource_name,
            account_id=settings.node_account,
            project=settings.project,
            display_name=f"Nodes of {settings.name}",
            opts=pulumi.ResourceOptions(parent=self, delete_before_replace=True),
        )
        self.email = account.email
        self.member = account.member
        self.ready = projects.IAMMember(
            resource_name,
            project=settings.project,
            role=_NODE_ROLE,
            member=account.member,
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.register_outputs({"email": account.email})


@dataclass(frozen=True)
class WorkloadRights:
    """The rights of teams' workloads, given to their Kubernetes service accounts directly.

    Google recommends that over a service account of its own for each, which a workload would
    impersonate; nothing has to stand on the Kubernetes service account then.
    https://cloud.google.com/kubernetes-engine/docs/how-to/workload-identity

    Attributes:
        settings: The cluster's.
        bucket: The bucket for models.
        pool: The cluster, whose project's workload identity pool exists once it does.
        opts: Options of the bindings.
    """

    settings: GkeClusterSettings
    bucket: storage.Bucket
    pool: pulumi.Resource
    opts: pulumi.ResourceOptions

    def give(self, workload: Workload) -> IdentityMetadata:
        """Let a workload read its team's models and secrets.

        Models are those below `<team>/` in the bucket for models, a managed folder with rights of
        its own (https://cloud.google.com/storage/docs/managed-folders). Secrets are those of the
        project that are called `<team>_<name>`
        (https://cloud.google.com/secret-manager/docs/access-control, IAM conditions).

        Args:
            workload: Its namespace, which is the team's name, and its service account.
        """
        team = workload.namespace
        name = f"{team}-{workload.service_account}"
        folder = storage.ManagedFolder(
            team,
            bucket=self.bucket.name,
            name=f"{team}/",
            # The rights go with the team; the models stay in the bucket.
            force_destroy=True,
            opts=self.opts,
        )
        models = storage.ManagedFolderIamMember(
            f"{name}-reads-models",
            bucket=folder.bucket,
            managed_folder=folder.name,
            role=_READ_OBJECTS,
            member=self._principal(workload),
            opts=self._after_the_pool(),
        )
        secrets = projects.IAMMember(
            f"{name}-reads-secrets",
            project=self.settings.project,
            role=_READ_SECRETS,
            member=self._principal(workload),
            condition=projects.IAMMemberConditionArgs(
                title=f"Secrets of the team {team}",
                expression=pulumi.Output.format(
                    'resource.name.startsWith("projects/{0}/secrets/{1}{2}")',
                    self.bucket.project_number,
                    team,
                    SECRET_SEPARATOR,
                ),
            ),
            opts=self._after_the_pool(),
        )
        return IdentityMetadata(token_servers=(_METADATA_SERVER,), ready=(models, secrets))

    def _principal(self, workload: Workload) -> pulumi.Output[str]:
        return pulumi.Output.format(
            "principal://iam.googleapis.com/projects/{0}/locations/global/workloadIdentityPools/"
            "{1}/subject/ns/{2}/sa/{3}",
            self.bucket.project_number,
            workload_pool(self.settings.project),
            workload.namespace,
            workload.service_account,
        )

    def _after_the_pool(self) -> pulumi.ResourceOptions:
        return pulumi.ResourceOptions.merge(
            self.opts, pulumi.ResourceOptions(depends_on=[self.pool])
        )


def workload_pool(project: str) -> str:
    """Return the name of a project's workload identity pool.

    Args:
        project: Id of the project.
    """
    return f"{project}.svc.id.goog"
