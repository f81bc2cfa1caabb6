"""What gives a team's workloads on AKS their rights."""

from dataclasses import dataclass
from typing import Final

import pulumi
import pulumi_azure_native.managedidentity as managedidentity

from infra.clusters.aks.logs import AksLogs
from infra.clusters.aks.scope import Scope
from infra.clusters.aks.stores import AksStores, key_vault, models_container
from infra.contract import IdentityMetadata, Workload

# The audience of tokens that Microsoft Entra exchanges, of the public cloud.
_AUDIENCE: Final = "api://AzureADTokenExchange"
_CLIENT_ID: Final = "azure.workload.identity/client-id"
_USE: Final = "azure.workload.identity/use"


@dataclass(frozen=True)
class AksWorkloads:
    """Where the identities of workloads are made.

    Attributes:
        scope: What they are made in.
        stores: The cluster's stores.
        logs: Where logs go.
        subnet: Id of the nodes' subnet.
        issuer: URL of the cluster's token issuer.
    """

    scope: Scope
    stores: AksStores
    logs: AksLogs
    subnet: pulumi.Input[str]
    issuer: pulumi.Input[str]

    def identity(self, workload: Workload) -> IdentityMetadata:
        """Return what gives a service account an identity of its own.

        Args:
            workload: The service account, of a team's namespace.
        """
        opts = pulumi.ResourceOptions(parent=self.scope.parent)
        return AksWorkload(f"{workload.namespace}-workloads", self, workload, opts).metadata


class AksWorkload(pulumi.ComponentResource):
    """The identity of a team's service account, and the stores that it may read.

    Follows learn.microsoft.com, "Microsoft Entra Workload ID with AKS": Entra trusts tokens of the
    cluster's issuer for exactly one service account. The identity reads one blob container and one
    key vault, its team's.

    Type token: `slipway:infra:AksWorkload`. Resources: a `UserAssignedIdentity`, a
    `FederatedIdentityCredential`, a `BlobContainer`, a `Vault` with its `DiagnosticSetting`, two
    `RoleAssignment`.

    Args:
        resource_name: Logical name.
        args: Where it is made.
        workload: The service account.
        opts: Resource options.

    Attributes:
        metadata: What gives the service account's pods the identity.
    """

    metadata: IdentityMetadata

    def __init__(
        self,
        resource_name: str,
        args: AksWorkloads,
        workload: Workload,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("slipway:infra:AksWorkload", resource_name, None, opts)
        team = workload.namespace
        inside = args.scope.within(self)
        identity = inside.identity(f"{team}-workloads", f"{args.scope.settings.name}-{team}")
        trust = managedidentity.FederatedIdentityCredential(
            f"{team}-workloads",
            federated_identity_credential_resource_name=workload.service_account,
            resource_name_=identity.name,
            resource_group_name=args.scope.group,
            issuer=args.issuer,
            subject=f"system:serviceaccount:{team}:{workload.service_account}",
            audiences=[_AUDIENCE],
            opts=inside.options(),
        )
        vault = key_vault(team, inside, args.subnet)
        args.logs.of_key_vault(f"{team}-secrets", vault.id, inside)
        principal = identity.principal_id
        rights = (
            inside.grant(
                f"{team}-models",
                "Storage Blob Data Reader",
                principal,
                models_container(team, inside, args.stores.account).id,
            ),
            inside.grant(f"{team}-secrets", "Key Vault Secrets User", principal, vault.id),
        )
        self.metadata = IdentityMetadata(
            annotations={_CLIENT_ID: identity.client_id},
            pod_labels={_USE: "true"},
            ready=(trust, *rights),
        )
        self.register_outputs({"vault": vault.properties.vault_uri})
