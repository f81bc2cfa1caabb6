"""Where a cluster on AKS has its images, its models and its teams' secrets."""

import pulumi
import pulumi_azure_native.containerregistry as containerregistry
import pulumi_azure_native.keyvault as keyvault
import pulumi_azure_native.storage as storage

from infra.clusters.aks.scope import Scope, container
from infra.settings.cluster.azure import firewall_rules

# A model or a secret that was deleted by mistake can be brought back for so long.
_RECOVERY_DAYS = 30
# Of key vaults; the longest that Azure has, since nobody can purge one earlier.
_VAULT_RECOVERY_DAYS = 90


class AksStores(pulumi.ComponentResource):
    """The registry of images and the storage account of models.

    Nobody reads either without a token of Microsoft Entra: the registry has no administrator and no
    anonymous pulls (learn.microsoft.com, "Authenticate with Azure Container Registry"), the account
    no shared key, no public blobs, and TLS 1.2 at least ("Prevent authorization with Shared Key",
    "Remediate anonymous read access to blob data"). The account answers the nodes' subnet and
    `authorizedIpRanges` alone ("Azure Storage firewall rules").

    Type token: `slipway:infra:AksStores`. Resources: a `Registry`, a `StorageAccount`, a
    `BlobServiceProperties`.

    Args:
        resource_name: Logical name.
        scope: What they are made in.
        subnet: Id of the nodes' subnet.
        opts: Resource options.

    Attributes:
        registry: The registry.
        account: The storage account.
        blobs: URL of its containers, without a trailing slash.
    """

    registry: containerregistry.Registry
    account: storage.StorageAccount
    blobs: pulumi.Output[str]

    def __init__(
        self,
        resource_name: str,
        scope: Scope,
        subnet: pulumi.Input[str],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("slipway:infra:AksStores", resource_name, None, opts)
        inside = scope.within(self)
        self.registry = containerregistry.Registry(
            "registry",
            registry_name=scope.names.registry,
            resource_group_name=scope.group,
            location=scope.settings.location,
            sku=containerregistry.SkuArgs(
                name=containerregistry.SkuName(scope.settings.registry.tier)
            ),
            admin_user_enabled=False,
            anonymous_pull_enabled=False,
            tags=scope.tags,
            opts=inside.options("registry"),
        )
        self.account = storage.StorageAccount(
            "models",
            account_name=scope.names.storage_account,
            resource_group_name=scope.group,
            location=scope.settings.location,
            kind=storage.Kind.STORAGE_V2,
            sku=storage.SkuArgs(
                name=storage.SkuName(f"Standard_{scope.settings.storage.redundancy}")
            ),
            access_tier=storage.AccessTier.HOT,
            allow_blob_public_access=False,
            allow_shared_key_access=False,
            allow_cross_tenant_replication=False,
            default_to_o_auth_authentication=True,
            enable_https_traffic_only=True,
            minimum_tls_version=storage.MinimumTlsVersion.TLS1_2,
            network_rule_set=storage.NetworkRuleSetArgs(
                default_action=storage.DefaultAction.DENY,
                bypass=storage.Bypass.NONE,
                ip_rules=[
                    storage.IPRuleArgs(i_p_address_or_range=rule, action=storage.Action.ALLOW)
                    for rule in firewall_rules(scope.settings.authorized_ip_ranges)
                ],
                virtual_network_rules=[
                    storage.VirtualNetworkRuleArgs(
                        virtual_network_resource_id=subnet, action=storage.Action.ALLOW
                    )
                ],
            ),
            tags=scope.tags,
            opts=inside.options("models"),
        )
        self.blobs = pulumi.Output.concat("https://", self.account.name, ".blob.core.windows.net")
        kept = storage.DeleteRetentionPolicyArgs(enabled=True, days=_RECOVERY_DAYS)
        storage.BlobServiceProperties(
            "models-recovery",
            account_name=self.account.name,
            # The only one that an account has.
            blob_services_name="default",
            resource_group_name=scope.group,
            delete_retention_policy=kept,
            container_delete_retention_policy=kept,
            is_versioning_enabled=True,
            opts=inside.options(),
        )
        self.register_outputs({})


def models_container(
    team: str, scope: Scope, account: storage.StorageAccount
) -> storage.BlobContainer:
    """Return the blob container of a team's models.

    Args:
        team: The team.
        scope: What it is made in.
        account: The storage account.
    """
    name = f"{team}-models"
    return storage.BlobContainer(
        name,
        container_name=container(team),
        account_name=account.name,
        resource_group_name=scope.group,
        public_access=storage.PublicAccess.NONE,
        opts=scope.options(name),
    )


def key_vault(team: str, scope: Scope, subnet: pulumi.Input[str]) -> keyvault.Vault:
    """Return the key vault of a team's secrets.

    One for each team, since whoever may read one secret of a vault by its role may read all
    (learn.microsoft.com, "Azure RBAC for Key Vault data plane access", best practices). What is
    deleted can be brought back and not be purged for 90 days ("Key Vault soft-delete overview").

    Args:
        team: The team.
        scope: What it is made in.
        subnet: Id of the nodes' subnet.
    """
    name = f"{team}-secrets"
    return keyvault.Vault(
        name,
        vault_name=scope.names.key_vault(team),
        resource_group_name=scope.group,
        location=scope.settings.location,
        properties=keyvault.VaultPropertiesArgs(
            tenant_id=scope.settings.tenant_id,
            sku=keyvault.SkuArgs(family=keyvault.SkuFamily.A, name=keyvault.SkuName.STANDARD),
            enable_rbac_authorization=True,
            enable_soft_delete=True,
            soft_delete_retention_in_days=_VAULT_RECOVERY_DAYS,
            enable_purge_protection=True,
            network_acls=keyvault.NetworkRuleSetArgs(
                default_action=keyvault.NetworkRuleAction.DENY,
                bypass=keyvault.NetworkRuleBypassOptions.NONE,
                ip_rules=[
                    keyvault.IPRuleArgs(value=value)
                    for value in scope.settings.authorized_ip_ranges
                ],
                virtual_network_rules=[keyvault.VirtualNetworkRuleArgs(id=subnet)],
            ),
        ),
        tags=scope.tags,
        opts=scope.options(name),
    )
