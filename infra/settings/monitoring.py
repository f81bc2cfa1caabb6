"""Settings of monitoring: Prometheus, its alerts, and what may stand in for it."""

import re
from typing import Annotated, Final, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, model_validator

from infra.settings.charts import UPSTREAM, ChartSource
from infra.settings.errors import suggest
from infra.settings.types import Flag, Memory, StrictModel

# The alerts of infra/platform/monitoring/rules; a test holds that these are all of them.
ALERTS: Final = frozenset(
    {
        "AlertsNotDelivered",
        "CertificateExpiring",
        "CertificateNotReady",
        "ModelAtMaximumScale",
        "ModelCpuSaturated",
        "ModelDegraded",
        "ModelErrors",
        "ModelErrorsPersist",
        "ModelMemoryNearLimit",
        "ModelNotStarting",
        "ModelOutOfMemory",
        "ModelRestarts",
        "ModelSlow",
        "ModelUnavailable",
        "NodeNotReady",
        "NodePressure",
        "PlatformRestarts",
        "PlatformUnavailable",
        "QuotaNearFull",
        "RuleFailing",
        "StorageFailing",
        "TargetDown",
        "TargetMissing",
        "VolumeNearFull",
        "Watchdog",
    }
)

_DURATION: Final = re.compile(r"[1-9]\d*[smhdw]")


def _duration(value: str) -> str:
    if not _DURATION.fullmatch(value):
        raise ValueError(f"`{value}` is not a duration; write it like `30s`, `5m`, `24h` or `15d`")
    return value


def _url(value: str) -> str:
    try:
        parts = urlsplit(value)
        sound = parts.scheme in ("http", "https") and parts.hostname and (parts.port or 1)
    except ValueError:
        sound = False
    if not sound or parts.query or parts.fragment:
        raise ValueError(
            f"`{value}` is not a URL; write it like `https://alerts.example:9093/path`"
        )
    if parts.username is not None or parts.password is not None:
        # Not quoted: it may hold a password.
        raise ValueError("holds a user name; remove it, since a stack file holds no secret")
    return value


def _alert(value: str) -> str:
    if value not in ALERTS:
        raise ValueError(f"no such alert; {suggest(value, ALERTS)}")
    return value


def _fetched(value: str) -> str:
    if value == UPSTREAM:
        raise ValueError(
            f"`{value}` has no kube-prometheus-stack; choose `file:<folder>`, "
            "`https://<host>/<path>` or `oci://<host>/<path>`"
        )
    return value


Duration = Annotated[str, AfterValidator(_duration)]
Url = Annotated[str, AfterValidator(_url)]
AlertName = Annotated[str, AfterValidator(_alert)]
# An alert compares with 14.4 times of it, which has to stay below all requests.
ErrorRatio = Annotated[float, Field(ge=0.0001, le=0.05)]
# What the gateway's histogram can tell apart.
LatencySeconds = Annotated[float, Field(ge=0.001, le=30)]
IntervalSeconds = Annotated[int, Field(strict=True, ge=1, le=30)]
SAMPLE_SECONDS: Final = 15
"""How often Prometheus reads its targets where the settings say nothing."""


class AlertSettings(StrictModel):
    """What a stack changes of one alert.

    Attributes:
        enabled: Whether it exists.
        after: How long its condition has to hold before it fires; by default what its rule says.
    """

    enabled: Flag = True
    after: Duration | None = None


class ObjectiveSettings(StrictModel):
    """What models promise; alerts compare with it.

    Attributes:
        error_ratio: Share of requests that may end with a status of 500 or above, 0.0001 to 0.05;
            0.01 by default.
        latency_seconds: What 99 of 100 requests stay below, 0.001 to 30 s; 2.5 by default.
    """

    error_ratio: ErrorRatio = 0.01
    latency_seconds: LatencySeconds = 2.5


class MonitoringStackSettings(StrictModel):
    """A kube-prometheus-stack chart that takes the place of the builtin Prometheus.

    Attributes:
        charts: Where it is, as in `platform.charts`, but not `upstream`: no module has this chart.
            None by default, which is the builtin Prometheus.
        version: Version of the chart; needed wherever it is not in a folder.
    """

    charts: Annotated[ChartSource, AfterValidator(_fetched)] | None = None
    version: str | None = None

    @model_validator(mode="after")
    def _pinned(self) -> Self:
        if self.charts is None and self.version is not None:
            raise ValueError("`version` is given without `charts`; add `charts`")
        if self.charts is not None and not self.charts.startswith("file:") and not self.version:
            raise ValueError("`charts` is a mirror, and the chart is not pinned; add `version`")
        return self


class MonitoringSettings(StrictModel):
    """Prometheus with rules, alerts and dashboards for what is served.

    Attributes:
        enabled: Off by default: it takes about 100 MiB of memory.
        retention: How long samples are kept.
        storage: Room for samples; the oldest go when it is full.
        interval_seconds: How often targets are read and rules are evaluated, 1 to 30 s, since rates
            over a minute need two values; 15 by default.
        alertmanager: URL of the Alertmanager that alerts are sent to; none by default, and alerts
            are then only seen in Prometheus.
        objectives: What models promise.
        alerts: Changes of single alerts, by name.
        stack: A kube-prometheus-stack instead.
    """

    enabled: Flag = False
    retention: Duration = "24h"
    storage: Memory = "2Gi"
    interval_seconds: IntervalSeconds = SAMPLE_SECONDS
    alertmanager: Url | None = None
    objectives: ObjectiveSettings = Field(default_factory=ObjectiveSettings)
    alerts: dict[AlertName, AlertSettings] = Field(default_factory=dict)
    stack: MonitoringStackSettings = Field(default_factory=MonitoringStackSettings)

    @property
    def is_builtin(self) -> bool:
        """Whether the stack has a Prometheus of this project's own."""
        return self.enabled and self.stack.charts is None
