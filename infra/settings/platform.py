"""Settings of the shared platform and of its teams."""

from pydantic import Field

from infra.settings.types import Flag, Replicas, StrictModel


class GatewaySettings(StrictModel):
    """The gateway that every model answers behind.

    Attributes:
        replicas: Pods of the gateway controller; 1 by default, which is what a laptop needs.
        access_log: One log line per request; off by default, it costs CPU per request.
    """

    replicas: Replicas = 1
    access_log: Flag = False


class PlatformSettings(StrictModel):
    """The shared components.

    Attributes:
        gateway: The gateway.
    """

    gateway: GatewaySettings = Field(default_factory=GatewaySettings)


class TeamSettings(StrictModel):
    """A team; its name is its namespace. It has no settings of its own yet."""
