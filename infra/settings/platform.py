"""Settings of the shared components."""

from pydantic import Field

from infra.settings.charts import UPSTREAM, ChartSource
from infra.settings.gateway import GatewaySettings
from infra.settings.monitoring import MonitoringSettings
from infra.settings.stores import SecretsSettings
from infra.settings.types import StrictModel


class PlatformSettings(StrictModel):
    """The shared components.

    Attributes:
        charts: Where the charts of third-party controllers come from.
        gateway: The gateway.
        secrets: External stores of secrets.
        monitoring: Prometheus, its alerts and dashboards.
    """

    charts: ChartSource = UPSTREAM
    gateway: GatewaySettings = Field(default_factory=GatewaySettings)
    secrets: SecretsSettings = Field(default_factory=SecretsSettings)
    monitoring: MonitoringSettings = Field(default_factory=MonitoringSettings)
