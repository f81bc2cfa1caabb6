"""The shared platform: what every team needs on a cluster, whichever cluster it is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi

from infra.contract import ClusterHandle, MonitoringReference, PlatformHandle, TeamReference
from infra.platform.autoscaling import Autoscaling, AutoscalingArgs, HoldingArgs
from infra.platform.cert_manager import CertManager, CertManagerArgs
from infra.platform.definitions import Definitions
from infra.platform.gateway import Gateway, GatewayArgs
from infra.platform.gateway.traefik_config import SERVICE as TRAEFIK
from infra.platform.load_balancer import LoadBalancer, LoadBalancerArgs
from infra.platform.monitoring import Monitoring, MonitoringArgs
from infra.platform.namespace import SYSTEM, restricted_namespace
from infra.platform.priority import PriorityClasses
from infra.platform.promotion import CanaryPromoter, CanaryPromoterArgs
from infra.platform.secrets import SecretsArgs, secrets
from infra.platform.team import Team, TeamArgs
from infra.settings import PlatformSettings, TeamSettings

# As available as the gateway, of which one pod more would not make it.
_CERT_MANAGER_REPLICAS = 2


@dataclass(frozen=True)
class PlatformArgs:
    """What the platform is made of.

    Attributes:
        cluster: The cluster it stands on.
        settings: The shared components.
        teams: Teams by name.
        secrets: Secret values by their flat key in the configuration.
        model_hosts: Host names that are a model's alone; the gateway's certificate is for them too.
        scales_on_requests: Whether the number of some model's pods follows its requests.
        scales_to_zero: Whether some model may have no pods.
        promotes: Whether some canary promotes itself.
        mirrors: Whether some model's requests are copied to another version of it.
    """

    cluster: ClusterHandle
    settings: PlatformSettings
    teams: Mapping[str, TeamSettings]
    secrets: Mapping[str, pulumi.Output[str]]
    model_hosts: Sequence[str] = ()
    scales_on_requests: bool = False
    scales_to_zero: bool = False
    promotes: bool = False
    mirrors: bool = False


class Platform(pulumi.ComponentResource):
    """The Gateway API, a gateway, priorities and the teams' namespaces.

    Type token: `slipway:platform:Platform`. Resources: `Namespace` `slipway-system`. Components:
    `Definitions`, `PriorityClasses`, `Gateway`, with `CertManager` and `LoadBalancer` where the
    cluster has none, `Autoscaling`, one `Team` for each team, with `TeamSecrets` where it has
    some, `Monitoring` where the settings ask for it, and `CanaryPromoter` where a canary promotes
    itself.

    Args:
        resource_name: Logical name.
        args: What it is made of.
        opts: Resource options.

    Attributes:
        handle: The platform, as the apps see it.
    """

    handle: PlatformHandle

    def __init__(
        self, resource_name: str, args: PlatformArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("slipway:platform:Platform", resource_name, None, opts)
        children = pulumi.ResourceOptions(parent=self)
        gateway_api = Definitions(
            "gateway-api",
            "gateway-api-crds",
            # None where the cluster brings them: two owners of a type would undo each other's.
            plurals=frozenset() if args.cluster.traits.gateway_api else None,
            opts=pulumi.ResourceOptions(
                parent=self, aliases=[pulumi.Alias(type_="slipway:platform:GatewayApi")]
            ),
        )
        system = restricted_namespace(
            SYSTEM,
            pulumi.ResourceOptions(
                parent=self,
                # It was the gateway's before other components joined it there.
                aliases=[
                    pulumi.Alias(
                        parent=pulumi.create_urn("gateway", "slipway:platform:Gateway", parent=self)
                    )
                ],
            ),
        )
        priorities = PriorityClasses("priorities", opts=children)
        teams = {
            name: Team(
                name,
                TeamArgs(
                    settings,
                    args.cluster.traits,
                    None if args.settings.gateway.class_name else system.metadata.name,
                ),
                children,
            ).reference
            for name, settings in args.teams.items()
        }
        gateway = Gateway(
            "gateway",
            GatewayArgs(
                settings=args.settings.gateway,
                traits=args.cluster.traits,
                namespace=system.metadata.name,
                teams={name: team.namespace for name, team in teams.items()},
                model_hosts=args.model_hosts,
                priority=priorities.platform,
                api=gateway_api,
                cert_manager=_cert_manager(args, priorities, gateway_api, children),
                balancer=_balancer(args, priorities, children),
                metrics=args.settings.monitoring.enabled,
                counts_versions=args.promotes,
                mirrors=args.mirrors,
            ),
            opts=children,
        )
        monitoring = _monitoring(args, priorities, children)
        if monitoring is not None and args.promotes:
            CanaryPromoter(
                "canary-promoter",
                CanaryPromoterArgs(
                    traits=args.cluster.traits,
                    namespace=system.metadata.name,
                    priority=priorities.platform,
                    monitoring=monitoring,
                    sample_seconds=args.settings.monitoring.interval_seconds,
                    teams={name: team.namespace for name, team in teams.items()},
                ),
                children,
            )
        self.handle = PlatformHandle(
            gateway=gateway.reference,
            address=gateway.address,
            https_port=gateway.https_port,
            request_seconds=args.settings.gateway.timeout_seconds,
            ca=gateway.ca,
            model_priorities=priorities.models,
            teams=teams,
            secrets=secrets(
                SecretsArgs(
                    settings=args.settings,
                    teams=args.teams,
                    references=teams,
                    values=args.secrets,
                    traits=args.cluster.traits,
                    priority=priorities.platform,
                ),
                children,
            ),
            scaling=Autoscaling(
                "autoscaling",
                AutoscalingArgs(
                    traits=args.cluster.traits,
                    namespace=system.metadata.name,
                    priority=priorities.platform,
                    charts=args.settings.charts,
                    signing=gateway.signing,
                    prometheus=monitoring.url if monitoring and args.scales_on_requests else None,
                    holding=_holding(args, teams),
                ),
                opts=children,
            ).sources,
            monitoring=monitoring,
        )
        _warn_of_open_network(args)
        self.register_outputs({"address": gateway.address})


def _holding(args: PlatformArgs, teams: Mapping[str, TeamReference]) -> HoldingArgs | None:
    """Hold requests where models need it: as available as the gateway, and as patient."""
    if not args.scales_to_zero:
        return None
    gateway = args.settings.gateway
    return HoldingArgs(
        gateway.replicas,
        gateway.timeout_seconds,
        {name: team.namespace for name, team in teams.items()},
        None if gateway.class_name else TRAEFIK,
    )


def _monitoring(
    args: PlatformArgs, priorities: PriorityClasses, opts: pulumi.ResourceOptions
) -> MonitoringReference | None:
    """Bring Prometheus, where the settings ask for it."""
    settings = args.settings.monitoring
    if not settings.enabled:
        return None
    return Monitoring(
        "monitoring",
        MonitoringArgs(settings, args.cluster.name, args.cluster.traits, priorities.platform),
        opts,
    ).reference


def _cert_manager(
    args: PlatformArgs,
    priorities: PriorityClasses,
    gateway_api: Definitions,
    opts: pulumi.ResourceOptions,
) -> CertManager | None:
    """Bring cert-manager, unless the gateway's certificate is signed by what the cluster has."""
    gateway = args.settings.gateway
    if not gateway.tls.issuer.installs_cert_manager:
        return None
    return CertManager(
        "cert-manager",
        CertManagerArgs(
            traits=args.cluster.traits,
            priority=priorities.platform,
            replicas=min(gateway.replicas, _CERT_MANAGER_REPLICAS),
            gateway_api=gateway_api if gateway.tls.issuer.acme else None,
            charts=args.settings.charts,
        ),
        opts,
    )


def _balancer(
    args: PlatformArgs, priorities: PriorityClasses, opts: pulumi.ResourceOptions
) -> LoadBalancer | None:
    """Bring a load balancer where the cluster has none of its own."""
    traits = args.cluster.traits
    if traits.address_pool is None:
        return None
    return LoadBalancer(
        "metallb",
        LoadBalancerArgs(traits, traits.address_pool, priorities.platform, args.settings.charts),
        opts,
    )


def _warn_of_open_network(args: PlatformArgs) -> None:
    """Say, once, where teams are not kept apart: the policies are there and have no effect."""
    if args.teams and not args.cluster.traits.network_policies:
        pulumi.log.warn(
            "the network of this cluster does not enforce NetworkPolicies: any pod can connect to "
            "the pods of any team; see docs/teams.md"
        )
