"""The shared platform: what every team needs on a cluster, whichever cluster it is."""

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi

from infra.contract import ClusterHandle, PlatformHandle
from infra.platform.gateway import Gateway, GatewayArgs
from infra.platform.gateway_api import GatewayApi
from infra.platform.team import Team
from infra.settings import PlatformSettings, TeamSettings


@dataclass(frozen=True)
class PlatformArgs:
    """What the platform is made of.

    Attributes:
        cluster: The cluster it stands on.
        settings: The shared components.
        teams: Teams by name.
    """

    cluster: ClusterHandle
    settings: PlatformSettings
    teams: Mapping[str, TeamSettings]


class Platform(pulumi.ComponentResource):
    """The Gateway API, a gateway and the teams' namespaces.

    Type token: `slipway:platform:Platform`. Components: `GatewayApi`, `Gateway` and one `Team` for
    each team.

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
        gateway_api = GatewayApi("gateway-api", opts=children)
        gateway = Gateway(
            "gateway",
            GatewayArgs(
                settings=args.settings.gateway,
                traits=args.cluster.traits,
                api=gateway_api,
            ),
            opts=children,
        )
        self.handle = PlatformHandle(
            gateway=gateway.reference,
            address=gateway.address,
            teams={name: Team(name, opts=children).reference for name in args.teams},
        )
        self.register_outputs({"address": gateway.address})
