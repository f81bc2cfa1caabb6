"""Settings of how a canary is promoted by itself."""

from collections.abc import Mapping
from typing import Annotated, Any, Final, Self

from pydantic import BeforeValidator, Field, model_validator

from infra.settings.errors import key
from infra.settings.monitoring import SAMPLE_SECONDS, ErrorRatio, LatencySeconds
from infra.settings.plain import at, entries
from infra.settings.types import StrictModel

AUTO: Final = "auto"

Step = Annotated[int, Field(strict=True, ge=1, le=100)]
Interval = Annotated[int, Field(strict=True, ge=5, le=86_400)]
Requests = Annotated[int, Field(strict=True, ge=1, le=1_000_000)]


class PromotionSettings(StrictModel):
    """How a canary gets more of the requests by itself, and loses them when it does not hold.

    Attributes:
        steps: Percents of the requests, one after the other; `[5, 25, 50, 100]` by default.
        interval_seconds: How long each lasts at least, 5 to 86400 s, and two samples of monitoring;
            300 by default.
        requests: Requests that the canary must have answered in a step before the next one; 100 by
            default.
        error_ratio: Share of its requests that may end with a status of 500 or above, 0.0001 to
            0.05; 0.01 by default, the objective of monitoring.
        latency_seconds: What 99 of 100 of its requests stay below, 0.001 to 30 s; 2.5 by default,
            likewise.
    """

    steps: tuple[Step, ...] = Field(default=(5, 25, 50, 100), min_length=1)
    interval_seconds: Interval = 300
    requests: Requests = 100
    error_ratio: ErrorRatio = 0.01
    latency_seconds: LatencySeconds = 2.5

    @model_validator(mode="after")
    def _rises_to_all(self) -> Self:
        shown = ", ".join(map(str, self.steps))
        if list(self.steps) != sorted(set(self.steps)):
            raise ValueError(f"`steps: [{shown}]` does not rise; list each percent once, in order")
        if self.steps[-1] != 100:
            raise ValueError(f"`steps: [{shown}]` does not end at all requests; add `100`")
        return self


def _auto(value: object) -> object:
    if value == AUTO:
        return {}
    if isinstance(value, str):
        raise ValueError(f"`{value}` is not known; write `{AUTO}`, or a mapping with `steps`")
    return value


Promotion = Annotated[PromotionSettings, BeforeValidator(_auto)]


def errors(raw: Mapping[str, Any]) -> list[str]:
    """Return an error for each canary that promotes itself where its requests are not counted.

    It looks at the plain data, so that these errors come together with those of the fields.

    Args:
        raw: The settings as plain data.
    """
    platform = raw.get("platform")
    gateway = at(platform, "gateway", "class")
    if gateway is not None:
        problem = (
            f"the gateway of class `{gateway}` counts no requests by version; set `weight` instead"
        )
    elif at(platform, "monitoring", "enabled") is not True:
        problem = (
            "Prometheus counts a canary's requests, and the stack has none; add `monitoring: "
            "{enabled: true}` to slipway:platform, or set `weight` instead"
        )
    else:
        return _too_short(raw, at(platform, "monitoring", "intervalSeconds"))
    return [
        f"{key('models', name, 'canary', 'promote')}: {problem}"
        for name, model in entries(raw.get("models"))
        if at(model, "canary", "promote") is not None
    ]


def _too_short(raw: Mapping[str, Any], sample: object) -> list[str]:
    """Return an error for each promotion whose steps have less than two samples."""
    seconds = sample if isinstance(sample, int) else SAMPLE_SECONDS
    intervals = {
        name: at(model, "canary", "promote", "intervalSeconds")
        for name, model in entries(raw.get("models"))
    }
    return [
        f"{key('models', name, 'canary', 'promote', 'intervalSeconds')}: Prometheus looks every "
        f"{seconds} s, and a step takes two looks; raise it to {2 * seconds}, or lower "
        "slipway:platform.monitoring.intervalSeconds"
        for name, interval in intervals.items()
        if isinstance(interval, int) and 5 <= interval < 2 * seconds
    ]
