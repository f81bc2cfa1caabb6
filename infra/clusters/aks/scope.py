"""What every part of the cluster is made in, and the rights that parts give each other."""

import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

import pulumi
import pulumi_azure_native.authorization as authorization
import pulumi_azure_native.managedidentity as managedidentity
from pulumi_azure_native.provider import Provider

from infra.clusters.protection import Protection
from infra.naming import fit
from infra.settings import AksClusterSettings
from infra.settings.cluster import azure as limits

# Built-in roles (learn.microsoft.com, "Azure built-in roles"): the least that each part needs.
ROLES: Final[Mapping[str, str]] = {
    "AcrPull": "7f951dda-4ed3-4680-a7ca-43fe172d538d",
    "Key Vault Secrets User": "4633458b-17de-408a-b874-0445c86b69e6",
    "Managed Identity Operator": "f1a07417-d97a-45cb-824c-7a7467783830",
    "Network Contributor": "4d97b98b-1d4f-4787-a291-c67834d212e7",
    "Storage Blob Data Reader": "2a2b9908-6ea1-4ae2-8e65-a410df84e7d1",
}
# Names of role assignments are GUIDs; those of version 5 follow from a name (RFC 9562).
_NAMESPACE: Final = uuid.UUID("8f0c1c1e-7f5b-5d0b-9a55-6f2f0d3c6a11")


@dataclass(frozen=True)
class Names:
    """Names that Azure holds unique in the world, made of the settings alone.

    Attributes:
        settings: The cluster.
    """

    settings: AksClusterSettings

    @property
    def registry(self) -> str:
        """Name of the registry: letters and digits."""
        own = self.settings.registry.name
        return own or _plain(self._beginning, limits.REGISTRY_NAME_LIMIT)

    @property
    def storage_account(self) -> str:
        """Name of the storage account: lower-case letters and digits."""
        own = self.settings.storage.name
        return own or _plain(self._beginning, limits.STORAGE_ACCOUNT_LIMIT)

    def key_vault(self, team: str) -> str:
        """Return the name of a team's key vault: letters, digits and single hyphens.

        Args:
            team: The team.
        """
        name = fit(f"{self._beginning}-{team}", limits.KEY_VAULT_LIMIT)
        return name if "--" not in name else _plain(name, limits.KEY_VAULT_LIMIT)

    @property
    def _beginning(self) -> str:
        return f"{self.settings.prefix}-{self.settings.name}"


def container(team: str) -> str:
    """Return the name of the blob container of a team's models.

    Args:
        team: The team.
    """
    single = re.sub("-{2,}", "-", team)
    # Two teams that differ in hyphens alone have two containers.
    told_apart = "" if single == team else f"-{uuid.uuid5(_NAMESPACE, team).hex[:8]}"
    return fit(f"models-{single}{told_apart}")


def _plain(name: str, limit: int) -> str:
    return fit(name, limit).replace("-", "")


@dataclass(frozen=True)
class Scope:
    """What every part of the cluster is made in.

    Attributes:
        settings: The cluster.
        protection: Which resources are protected.
        provider: The explicit provider of Azure's resources.
        group: Name of the resource group; using it waits for the group.
        parent: The component that the parts belong to.
    """

    settings: AksClusterSettings
    protection: Protection
    provider: Provider
    group: pulumi.Input[str]
    parent: pulumi.Resource

    @property
    def names(self) -> Names:
        """Names that Azure holds unique in the world."""
        return Names(self.settings)

    def within(self, parent: pulumi.Resource) -> "Scope":
        """Return the scope of the children of a component.

        Args:
            parent: The component.
        """
        return replace(self, parent=parent)

    @property
    def tags(self) -> dict[str, str]:
        """Tags of every resource that takes some."""
        return {"part-of": "slipway", "cluster": self.settings.name, "managed-by": "pulumi"}

    def options(
        self,
        resource_name: str = "",
        *,
        depends_on: tuple[pulumi.Resource, ...] = (),
        ignore_changes: tuple[str, ...] = (),
    ) -> pulumi.ResourceOptions:
        """Return the options of a resource.

        Args:
            resource_name: Logical name of a resource that may be protected; none of any other.
            depends_on: What has to be there before.
            ignore_changes: Properties that something else moves.
        """
        return pulumi.ResourceOptions(
            parent=self.parent,
            provider=self.provider,
            protect=self.protection.of(resource_name) if resource_name else None,
            # Names are fixed, so that the old one has to go first.
            delete_before_replace=True,
            depends_on=list(depends_on),
            ignore_changes=list(ignore_changes),
        )

    def identity(self, resource_name: str, name: str) -> managedidentity.UserAssignedIdentity:
        """Return a managed identity, which has no rights yet.

        Args:
            resource_name: Logical name.
            name: Its name in the resource group.
        """
        return managedidentity.UserAssignedIdentity(
            resource_name,
            resource_name_=name,
            resource_group_name=self.group,
            location=self.settings.location,
            tags=self.tags,
            opts=self.options(),
        )

    def grant(
        self,
        resource_name: str,
        role: str,
        principal: pulumi.Input[str],
        on: pulumi.Input[str],
    ) -> authorization.RoleAssignment:
        """Return the assignment of a built-in role to a managed identity.

        Its name follows from its logical name, so that a run that was interrupted after Azure made
        it finds it again (learn.microsoft.com, "Troubleshoot Azure RBAC", role assignments whose
        name is not unique).

        Args:
            resource_name: Logical name.
            role: Name of the role, a key of `ROLES`.
            principal: Principal id of the identity.
            on: Id of the one resource that it holds for.
        """
        subscription = f"/subscriptions/{self.settings.subscription_id}"
        seed = f"{subscription}/{self.settings.group}/{self.settings.name}/{resource_name}"
        return authorization.RoleAssignment(
            resource_name,
            role_assignment_name=str(uuid.uuid5(_NAMESPACE, seed)),
            role_definition_id=(
                f"{subscription}/providers/Microsoft.Authorization/roleDefinitions/{ROLES[role]}"
            ),
            principal_id=principal,
            # Without it Azure looks the new identity up, and may not know it yet.
            principal_type="ServicePrincipal",
            scope=on,
            opts=self.options(),
        )
