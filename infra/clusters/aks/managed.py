"""The managed cluster itself."""

from typing import Final

import pulumi
import pulumi_azure_native.containerservice as containerservice

from infra.clusters.aks.identities import AksIdentities
from infra.clusters.aks.pools import system_pool
from infra.clusters.aks.scope import Scope
from infra.settings.cluster.aks import AksClusterSettings

# Upgrades of Kubernetes, of the nodes' images, and AKS's own weekly releases.
_WINDOWS: Final = ("aksManagedAutoUpgradeSchedule", "aksManagedNodeOSUpgradeSchedule", "default")


def managed_cluster(
    resource_name: str, scope: Scope, identities: AksIdentities, subnet: pulumi.Input[str]
) -> containerservice.ManagedCluster:
    """Return the control plane, with the system's pool.

    Follows learn.microsoft.com: "Configure Azure CNI Powered by Cilium in AKS" for the network,
    "Disable local accounts" and "AKS-managed Microsoft Entra integration" for who comes in,
    "Microsoft Entra Workload ID with AKS" for what pods may do, and "Secure access to the API
    server" and "Create a private AKS cluster" for where it answers.

    Args:
        resource_name: Logical name.
        scope: What it is made in.
        identities: What it and its nodes act as.
        subnet: Id of the nodes' subnet.
    """
    settings = scope.settings
    return containerservice.ManagedCluster(
        resource_name,
        resource_name_=settings.name,
        resource_group_name=scope.group,
        location=settings.location,
        dns_prefix=settings.name,
        node_resource_group=f"{settings.group}-nodes",
        kubernetes_version=settings.version,
        sku=containerservice.ManagedClusterSKUArgs(
            name=containerservice.ManagedClusterSKUName.BASE,
            tier=containerservice.ManagedClusterSKUTier(settings.tier),
        ),
        support_plan=(
            containerservice.KubernetesSupportPlan.AKS_LONG_TERM_SUPPORT
            if settings.long_term_support
            else containerservice.KubernetesSupportPlan.KUBERNETES_OFFICIAL
        ),
        identity=containerservice.ManagedClusterIdentityArgs(
            type=containerservice.ResourceIdentityType.USER_ASSIGNED,
            user_assigned_identities=[identities.control_plane.id],
        ),
        identity_profile={
            "kubeletidentity": containerservice.UserAssignedIdentityArgs(
                resource_id=identities.kubelet.id,
                client_id=identities.kubelet.client_id,
                object_id=identities.kubelet.principal_id,
            )
        },
        enable_rbac=True,
        disable_local_accounts=True,
        aad_profile=containerservice.ManagedClusterAADProfileArgs(
            managed=True,
            # Who may do what is said by the stack's own RoleBindings.
            enable_azure_rbac=False,
            admin_group_object_ids=list(settings.admin_groups),
            tenant_id=settings.tenant_id,
        ),
        api_server_access_profile=_access(settings),
        network_profile=_network(settings),
        oidc_issuer_profile=containerservice.ManagedClusterOIDCIssuerProfileArgs(enabled=True),
        security_profile=containerservice.ManagedClusterSecurityProfileArgs(
            workload_identity=containerservice.ManagedClusterSecurityProfileWorkloadIdentityArgs(
                enabled=True
            ),
            image_cleaner=containerservice.ManagedClusterSecurityProfileImageCleanerArgs(
                enabled=True, interval_hours=7 * 24
            ),
        ),
        node_provisioning_profile=_provisioning(settings),
        auto_scaler_profile=_autoscaler(settings),
        auto_upgrade_profile=containerservice.ManagedClusterAutoUpgradeProfileArgs(
            upgrade_channel=containerservice.UpgradeChannel(settings.upgrade_channel),
            node_os_upgrade_channel=containerservice.NodeOSUpgradeChannel.NODE_IMAGE,
        ),
        agent_pool_profiles=[system_pool(scope, subnet)],
        tags=scope.tags,
        opts=scope.options(
            resource_name,
            depends_on=identities.rights,
            # The autoscaler moves it.
            ignore_changes=("agentPoolProfiles[0].count",),
        ),
    )


def maintenance_windows(scope: Scope, cluster: containerservice.ManagedCluster) -> None:
    """Restrict all upgrades to the window of the settings.

    Follows learn.microsoft.com, "Use planned maintenance to schedule and control upgrades".

    Args:
        scope: What the cluster is made in.
        cluster: The cluster.
    """
    window = scope.settings.maintenance
    for name in _WINDOWS:
        containerservice.MaintenanceConfiguration(
            f"maintenance-{name}",
            config_name=name,
            resource_group_name=scope.group,
            resource_name_=cluster.name,
            maintenance_window=containerservice.MaintenanceWindowArgs(
                duration_hours=window.hours,
                start_time=window.start,
                utc_offset=window.utc_offset,
                schedule=containerservice.ScheduleArgs(
                    weekly=containerservice.WeeklyScheduleArgs(
                        day_of_week=containerservice.WeekDay(window.day), interval_weeks=1
                    )
                ),
            ),
            opts=scope.options(),
        )


def _access(
    settings: AksClusterSettings,
) -> containerservice.ManagedClusterAPIServerAccessProfileArgs:
    return containerservice.ManagedClusterAPIServerAccessProfileArgs(
        # A way in past the network, with the rights of the cluster's own administrator.
        disable_run_command=True,
        enable_private_cluster=settings.private,
        enable_private_cluster_public_fqdn=False if settings.private else None,
        private_dns_zone="system" if settings.private else None,
        authorized_ip_ranges=None if settings.private else list(settings.authorized_ip_ranges),
    )


def _network(settings: AksClusterSettings) -> containerservice.ContainerServiceNetworkProfileArgs:
    return containerservice.ContainerServiceNetworkProfileArgs(
        network_plugin=containerservice.NetworkPlugin.AZURE,
        network_plugin_mode=containerservice.NetworkPluginMode.OVERLAY,
        network_dataplane=containerservice.NetworkDataplane.CILIUM,
        network_policy=containerservice.NetworkPolicy.CILIUM,
        pod_cidr=settings.network.pods,
        service_cidr=settings.network.services,
        dns_service_ip=settings.network.dns,
        load_balancer_sku=containerservice.LoadBalancerSku.STANDARD,
        outbound_type=containerservice.OutboundType.LOAD_BALANCER,
    )


def _provisioning(
    settings: AksClusterSettings,
) -> containerservice.ManagedClusterNodeProvisioningProfileArgs:
    if settings.node_provisioning == "pools":
        return containerservice.ManagedClusterNodeProvisioningProfileArgs(
            mode=containerservice.NodeProvisioningMode.MANUAL
        )
    return containerservice.ManagedClusterNodeProvisioningProfileArgs(
        mode=containerservice.NodeProvisioningMode.AUTO,
        # Those of the settings take their place.
        default_node_pools=containerservice.NodeProvisioningDefaultNodePools.NONE,
    )


def _autoscaler(
    settings: AksClusterSettings,
) -> containerservice.ManagedClusterPropertiesAutoScalerProfileArgs | None:
    if settings.node_provisioning == "auto":
        return None
    spot = any(pool.spot for pool in settings.pools.values())
    return containerservice.ManagedClusterPropertiesAutoScalerProfileArgs(
        expander=(
            containerservice.Expander.PRIORITY if spot else containerservice.Expander.LEAST_WASTE
        ),
    )
