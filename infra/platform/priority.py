"""Which pods give way when a node is full."""

from collections.abc import Mapping
from typing import Final

import pulumi
import pulumi_kubernetes as kubernetes

from infra.naming import (
    HIGH_MODEL_PRIORITY,
    LOW_MODEL_PRIORITY,
    MODEL_PRIORITY,
    PLATFORM_PRIORITY,
    labels,
)
from infra.settings import ModelPriority

# Above every model, and far below what Kubernetes keeps for itself (from 1,000,000,000 on).
_PLATFORM: Final = 1_000_000
# Above pods without a class, which have 0: name, value, and whether its pods end others.
_MODELS: Final[Mapping[ModelPriority, tuple[str, int, str, str]]] = {
    "low": (LOW_MODEL_PRIORITY, 50_000, "Never", "Models that give way to other models."),
    "normal": (MODEL_PRIORITY, 100_000, "Never", "Models that are served."),
    "high": (
        HIGH_MODEL_PRIORITY,
        500_000,
        "PreemptLowerPriority",
        "Models that take the place of other models.",
    ),
}


class PriorityClasses(pulumi.ComponentResource):
    """The platform before the models, the models before everything without a class.

    Type token: `slipway:platform:PriorityClasses`. Resources: the `PriorityClass`es
    `slipway-platform`, `slipway-models`, `slipway-models-low` and `slipway-models-high`. A model
    waits for room instead of evicting another, unless its priority is high.
    https://kubernetes.io/docs/concepts/scheduling-eviction/pod-priority-preemption/

    Args:
        resource_name: Logical name.
        opts: Resource options.

    Attributes:
        platform: Name of the platform's class; using it waits for the class.
        models: Names of the models' classes, by priority; using one waits for the class.
    """

    platform: pulumi.Output[str]
    models: Mapping[str, pulumi.Output[str]]

    def __init__(self, resource_name: str, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("slipway:platform:PriorityClasses", resource_name, None, opts)
        self.platform = self._class(
            PLATFORM_PRIORITY, _PLATFORM, "PreemptLowerPriority", "What every team needs."
        )
        self.models = {priority: self._class(*row) for priority, row in _MODELS.items()}
        self.register_outputs({})

    def _class(
        self, name: str, value: int, preemption: str, description: str
    ) -> pulumi.Output[str]:
        return kubernetes.scheduling.v1.PriorityClass(
            name,
            metadata=kubernetes.meta.v1.ObjectMetaArgs(
                name=name, labels=labels("priority", name, "scheduling")
            ),
            value=value,
            preemption_policy=preemption,
            description=description,
            opts=pulumi.ResourceOptions(parent=self),
        ).metadata.name
