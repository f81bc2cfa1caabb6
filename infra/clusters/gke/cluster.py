"""The GKE cluster itself, in either mode, and how it is reached."""

from dataclasses import dataclass
from typing import Any, Final

import pulumi
import pulumi_gcp.container as container

from infra.clusters.gke.identity import workload_pool
from infra.clusters.gke.network import PODS, SERVICES
from infra.clusters.gke.pools import SCOPES
from infra.clusters.kubeconfig import Exec, kubeconfig
from infra.settings.cluster.gke import GkeClusterSettings

# https://cloud.google.com/kubernetes-engine/docs/concepts/about-logs
_LOGS: Final = ("SYSTEM_COMPONENTS", "WORKLOADS", "APISERVER", "CONTROLLER_MANAGER", "SCHEDULER")


@dataclass(frozen=True)
class ClusterArgs:
    """What the cluster is made of.

    Attributes:
        settings: Its settings.
        network: Id of the VPC.
        subnetwork: Id of the nodes' subnet.
        node_account: Email of the nodes' service account.
        secrets_key: Id of the key that encrypts Secrets.
        protected: Whether nothing may delete or replace it.
    """

    settings: GkeClusterSettings
    network: pulumi.Input[str]
    subnetwork: pulumi.Input[str]
    node_account: pulumi.Input[str]
    secrets_key: pulumi.Input[str]
    protected: bool


def gke_cluster(
    resource_name: str, args: ClusterArgs, opts: pulumi.ResourceOptions
) -> container.Cluster:
    """Return a regional cluster with private nodes.

    It follows https://cloud.google.com/kubernetes-engine/docs/how-to/hardening-your-cluster: no
    basic authentication or client certificates (Google's default), Secrets encrypted with a key of
    the project, workload identity, Dataplane V2, which enforces NetworkPolicies, and anonymous
    requests that reach health checks alone.

    Args:
        resource_name: Logical name.
        args: What it is made of.
        opts: Resource options.
    """
    settings = args.settings
    return container.Cluster(
        resource_name,
        name=settings.name,
        project=settings.project,
        location=settings.region,
        node_locations=list(settings.zones) or None,
        # Google refuses the deletion too, also one that does not come from Pulumi's state.
        deletion_protection=args.protected,
        release_channel=container.ClusterReleaseChannelArgs(channel=settings.channel.upper()),
        min_master_version=settings.version,
        network=args.network,
        subnetwork=args.subnetwork,
        networking_mode="VPC_NATIVE",
        ip_allocation_policy=container.ClusterIpAllocationPolicyArgs(
            cluster_secondary_range_name=PODS, services_secondary_range_name=SERVICES
        ),
        private_cluster_config=container.ClusterPrivateClusterConfigArgs(
            enable_private_nodes=True,
            enable_private_endpoint=settings.control_plane.endpoint != "public",
            master_ipv4_cidr_block=(
                None if settings.control_plane.by_name else settings.network.control_plane
            ),
        ),
        master_authorized_networks_config=_authorized_networks(settings),
        control_plane_endpoints_config=_endpoints(settings),
        database_encryption=container.ClusterDatabaseEncryptionArgs(
            state="ENCRYPTED", key_name=args.secrets_key
        ),
        # https://cloud.google.com/kubernetes-engine/docs/how-to/deploying-gateways
        gateway_api_config=container.ClusterGatewayApiConfigArgs(channel="CHANNEL_STANDARD"),
        logging_config=container.ClusterLoggingConfigArgs(enable_components=list(_LOGS)),
        anonymous_authentication_config=container.ClusterAnonymousAuthenticationConfigArgs(
            mode="LIMITED"
        ),
        rbac_binding_config=container.ClusterRbacBindingConfigArgs(
            enable_insecure_binding_system_authenticated=False,
            enable_insecure_binding_system_unauthenticated=False,
        ),
        authenticator_groups_config=(
            container.ClusterAuthenticatorGroupsConfigArgs(security_group=settings.security_group)
            if settings.security_group
            else None
        ),
        **(_autopilot(args) if settings.is_autopilot else _standard(args)),
        opts=pulumi.ResourceOptions.merge(
            opts,
            pulumi.ResourceOptions(
                protect=args.protected,
                # Its name is fixed, so two cannot be there at a time.
                delete_before_replace=True,
                # Of the pool that is removed as soon as the cluster is there.
                ignore_changes=["nodeConfig"],
            ),
        ),
    )


def _authorized_networks(
    settings: GkeClusterSettings,
) -> container.ClusterMasterAuthorizedNetworksConfigArgs | None:
    """Return who reaches the control plane's addresses; without any network, only its nodes do."""
    if settings.control_plane.by_name:
        return None
    return container.ClusterMasterAuthorizedNetworksConfigArgs(
        cidr_blocks=[
            container.ClusterMasterAuthorizedNetworksConfigCidrBlockArgs(cidr_block=cidr)
            for cidr in settings.control_plane.authorized_networks
        ],
        # Machines of other customers have such addresses.
        gcp_public_cidrs_access_enabled=False,
        private_endpoint_enforcement_enabled=True,
    )


def _endpoints(settings: GkeClusterSettings) -> container.ClusterControlPlaneEndpointsConfigArgs:
    """Return by what the control plane is reached.

    https://cloud.google.com/kubernetes-engine/docs/concepts/network-isolation#dns-based_endpoint
    """
    by_name = settings.control_plane.by_name
    return container.ClusterControlPlaneEndpointsConfigArgs(
        dns_endpoint_config=container.ClusterControlPlaneEndpointsConfigDnsEndpointConfigArgs(
            allow_external_traffic=by_name
        ),
        ip_endpoints_config=container.ClusterControlPlaneEndpointsConfigIpEndpointsConfigArgs(
            enabled=not by_name
        ),
    )


def _autopilot(args: ClusterArgs) -> dict[str, Any]:
    """Return what an Autopilot cluster takes besides; the rest Google decides.

    https://cloud.google.com/kubernetes-engine/docs/resources/autopilot-standard-feature-comparison
    """
    return {
        "enable_autopilot": True,
        "cluster_autoscaling": container.ClusterClusterAutoscalingArgs(
            auto_provisioning_defaults=(
                container.ClusterClusterAutoscalingAutoProvisioningDefaultsArgs(
                    service_account=args.node_account, oauth_scopes=list(SCOPES)
                )
            )
        ),
    }


def _standard(args: ClusterArgs) -> dict[str, Any]:
    """Return what a Standard cluster takes besides: what Autopilot always has, said."""
    settings = args.settings
    return {
        "datapath_provider": "ADVANCED_DATAPATH",
        "enable_shielded_nodes": True,
        "workload_identity_config": container.ClusterWorkloadIdentityConfigArgs(
            workload_pool=workload_pool(settings.project)
        ),
        # A cluster is not made without a pool: it goes at once, and the pools of the settings come.
        "remove_default_node_pool": True,
        "initial_node_count": 1,
        "node_config": container.ClusterNodeConfigArgs(
            # Else it would have Compute Engine's own account, which many organisations disable.
            service_account=args.node_account,
            oauth_scopes=list(SCOPES),
            shielded_instance_config=container.ClusterNodeConfigShieldedInstanceConfigArgs(
                enable_secure_boot=True, enable_integrity_monitoring=True
            ),
        ),
        "addons_config": container.ClusterAddonsConfigArgs(
            gce_persistent_disk_csi_driver_config=(
                container.ClusterAddonsConfigGcePersistentDiskCsiDriverConfigArgs(enabled=True)
            ),
            # Google's own GatewayClasses are a part of it.
            http_load_balancing=container.ClusterAddonsConfigHttpLoadBalancingArgs(disabled=False),
        ),
        "monitoring_config": container.ClusterMonitoringConfigArgs(
            enable_components=["SYSTEM_COMPONENTS"],
            # Paid for by the sample; the platform has a Prometheus of its own.
            managed_prometheus=container.ClusterMonitoringConfigManagedPrometheusArgs(
                enabled=False
            ),
        ),
        "cluster_autoscaling": _auto_provisioning(args),
    }


def _auto_provisioning(args: ClusterArgs) -> container.ClusterClusterAutoscalingArgs:
    """Return how pools are scaled, and whether GKE adds some by itself.

    https://cloud.google.com/kubernetes-engine/docs/how-to/node-auto-provisioning
    """
    limits = args.settings.auto_provisioning
    if limits is None:
        return container.ClusterClusterAutoscalingArgs(
            enabled=False, autoscaling_profile="OPTIMIZE_UTILIZATION"
        )
    gpus = {str(gpu): count for gpu, count in limits.gpus.items()}
    most = {"cpu": limits.cpu, "memory": limits.memory, **gpus}
    return container.ClusterClusterAutoscalingArgs(
        enabled=True,
        # Nodes that are hardly used go sooner: what Autopilot does too.
        autoscaling_profile="OPTIMIZE_UTILIZATION",
        resource_limits=[
            container.ClusterClusterAutoscalingResourceLimitArgs(
                resource_type=resource, maximum=maximum
            )
            for resource, maximum in most.items()
        ],
        auto_provisioning_defaults=container.ClusterClusterAutoscalingAutoProvisioningDefaultsArgs(
            service_account=args.node_account,
            oauth_scopes=list(SCOPES),
            management=container.ClusterClusterAutoscalingAutoProvisioningDefaultsManagementArgs(
                auto_repair=True, auto_upgrade=True
            ),
            shielded_instance_config=(
                container.ClusterClusterAutoscalingAutoProvisioningDefaultsShieldedInstanceConfigArgs(
                    enable_secure_boot=True, enable_integrity_monitoring=True
                )
            ),
        ),
    )


def dns_endpoint(cluster: container.Cluster) -> pulumi.Output[str]:
    """Return the cluster's DNS name, which Google gives no other cluster.

    Args:
        cluster: The cluster.
    """
    return cluster.control_plane_endpoints_config.apply(
        lambda config: (
            (config.dns_endpoint_config.endpoint if config.dns_endpoint_config else "") or ""
        )
    )


def gke_kubeconfig(settings: GkeClusterSettings, cluster: container.Cluster) -> pulumi.Output[str]:
    """Return a kubeconfig without a token: Google's plug-in gets one for who runs it.

    Whoever that is for Pulumi: the application default credentials.
    https://cloud.google.com/kubernetes-engine/docs/how-to/cluster-access-for-kubectl

    Args:
        settings: The cluster's.
        cluster: The cluster.
    """
    user = Exec(
        "client.authentication.k8s.io/v1beta1",
        "gke-gcloud-auth-plugin",
        ("--use_application_default_credentials",),
        install_hint="gcloud components install gke-gcloud-auth-plugin, see docs/gke.md",
        provide_cluster_info=True,
    )
    if settings.control_plane.by_name:
        # Its certificate is signed by a public authority.
        server = pulumi.Output.concat("https://", dns_endpoint(cluster))
        return kubeconfig(settings.name, server, None, user)
    server = pulumi.Output.concat("https://", cluster.endpoint)
    authority = cluster.master_auth.apply(lambda auth: auth.cluster_ca_certificate or "")
    return kubeconfig(settings.name, server, authority, user)
