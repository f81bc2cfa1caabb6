"""Settings of how many pods a model has when its load changes."""

from collections.abc import Mapping
from typing import Annotated, Any, Final, Self

from pydantic import Field, model_validator

from infra.settings.errors import key
from infra.settings.plain import at, entries
from infra.settings.types import Replicas, StrictModel

# Leaves room for what arrives while a new pod starts.
_CPU_PERCENT: Final = 70

# None at all, or what `Replicas` has.
_Fewest = Annotated[int, Field(strict=True, ge=0, le=100)]
Percent = Annotated[int, Field(strict=True, ge=1, le=10_000)]
# The API's own bounds of a stabilization window.
Cooldown = Annotated[int, Field(strict=True, ge=0, le=3600)]
# A large generative model answers less than one request in a second.
Rate = Annotated[float, Field(strict=True, ge=0.01, le=100_000)]


class ScalingSettings(StrictModel):
    """Between how many pods a model moves, and by what.

    With two targets, the one that asks for more pods counts.

    Attributes:
        min: Fewest pods; 1 by default. With 0 the last pod goes too, and the next request waits
            until there is one.
        max: Most pods.
        cpu: CPU that a pod should use on average, in percent of `resources.cpu`. Not looked at by
            default where `requests_per_second` is given, else 70: see `cpu_percent`.
        requests_per_second: Requests that a pod should get in a second on average; needs
            monitoring.
        cooldown_seconds: Pods go when none of them was needed for so long; 300 by default, as
            Kubernetes has it. New pods come without delay.
    """

    min: _Fewest = 1
    max: Replicas
    cpu: Percent | None = None
    requests_per_second: Rate | None = None
    cooldown_seconds: Cooldown = 300

    @model_validator(mode="after")
    def _can_move(self) -> Self:
        if self.max <= self.min:
            raise ValueError(
                f"`max: {self.max}` is not above `min: {self.min}`; raise it, or set `replicas` "
                "instead of `scaling`"
            )
        return self

    @property
    def to_zero(self) -> bool:
        """Whether its last pod goes when nobody asks the model."""
        return self.min == 0

    @property
    def needs_keda(self) -> bool:
        """Whether more than CPU moves it, which Kubernetes' own autoscaler does not follow."""
        return self.to_zero or self.requests_per_second is not None

    @property
    def cpu_percent(self) -> int | None:
        """The CPU target in percent of the request; `None` where requests alone count."""
        if self.cpu is None and self.requests_per_second is None:
            return _CPU_PERCENT
        return self.cpu


def errors(raw: Mapping[str, Any]) -> list[str]:
    """Return an error for each model that scales on requests which nothing counts.

    It looks at the plain data, so that these errors come together with those of the fields.

    Args:
        raw: The settings as plain data.
    """
    if at(raw, "platform", "monitoring", "enabled") is True:
        return []
    return [
        f"{key('models', name, 'scaling', 'requestsPerSecond')}: Prometheus counts requests, and "
        "the stack has none; add `monitoring: {enabled: true}` to slipway:platform, or scale on "
        "`cpu`"
        for name, model in entries(raw.get("models"))
        if at(model, "scaling", "requestsPerSecond") is not None
    ]
