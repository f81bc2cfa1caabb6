"""Where the logs of a cluster on AKS go."""

from typing import Final

import pulumi
import pulumi_azure_native.monitor as monitor
import pulumi_azure_native.operationalinsights as operationalinsights

from infra.clusters.aks.scope import Scope

# Who changed what, who came in, and why nodes came and went. Without `kube-audit`, which has every
# read beside that and is most of the bill (learn.microsoft.com, "Monitor AKS", resource logs).
_CLUSTER_LOGS: Final = (
    "kube-audit-admin",
    "guard",
    "kube-apiserver",
    "kube-controller-manager",
    "cluster-autoscaler",
    "cloud-controller-manager",
)
_VAULT_LOGS: Final = ("AuditEvent",)


class AksLogs(pulumi.ComponentResource):
    """A Log Analytics workspace, which only tokens of Microsoft Entra write to and read.

    Type token: `slipway:infra:AksLogs`. Resources: a `Workspace`, and a `DiagnosticSetting` of each
    resource whose logs it takes.

    Args:
        resource_name: Logical name.
        scope: What it is made in.
        opts: Resource options.
    """

    def __init__(
        self, resource_name: str, scope: Scope, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("slipway:infra:AksLogs", resource_name, None, opts)
        settings = scope.settings.logs
        workspace = operationalinsights.Workspace(
            resource_name,
            workspace_name=scope.settings.name,
            resource_group_name=scope.group,
            location=scope.settings.location,
            sku=operationalinsights.WorkspaceSkuArgs(
                name=operationalinsights.WorkspaceSkuNameEnum.PER_GB2018
            ),
            retention_in_days=settings.retention_days,
            workspace_capping=operationalinsights.WorkspaceCappingArgs(
                # Azure's word for no bound.
                daily_quota_gb=-1 if settings.daily_gb is None else settings.daily_gb
            ),
            features=operationalinsights.WorkspaceFeaturesArgs(
                disable_local_auth=True,
                enable_log_access_using_only_resource_permissions=True,
            ),
            tags=scope.tags,
            opts=scope.within(self).options(resource_name),
        )
        self._workspace = workspace.id
        self.register_outputs({})

    def of_cluster(self, resource_name: str, cluster: pulumi.Input[str], scope: Scope) -> None:
        """Take the logs of a managed cluster, in tables of their own.

        Args:
            resource_name: Logical name.
            cluster: Id of the cluster.
            scope: What that is made in.
        """
        self._take(resource_name, cluster, _CLUSTER_LOGS, scope)

    def of_key_vault(self, resource_name: str, vault: pulumi.Input[str], scope: Scope) -> None:
        """Take the log of who read which secret.

        Args:
            resource_name: Logical name.
            vault: Id of the key vault.
            scope: What that is made in.
        """
        self._take(resource_name, vault, _VAULT_LOGS, scope)

    def _take(
        self,
        resource_name: str,
        source: pulumi.Input[str],
        categories: tuple[str, ...],
        scope: Scope,
    ) -> None:
        monitor.DiagnosticSetting(
            resource_name,
            name="slipway",
            resource_uri=source,
            workspace_id=self._workspace,
            log_analytics_destination_type="Dedicated",
            logs=[
                monitor.DiagnosticsLogSettingsArgs(category=category, enabled=True)
                for category in categories
            ],
            opts=scope.options(),
        )
