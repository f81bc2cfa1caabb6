"""Models belong to a team."""

from collections.abc import Iterator, Mapping
from typing import Any

from slipway_policy.rule import Resource, at, mapping
from slipway_policy.workloads import makes_pods, pod_labels

_COMPONENT, _MODEL = "app.kubernetes.io/component", "model"
_TEAM = "slipway.local/team"


def models_have_an_owner(resource: Resource) -> Iterator[str]:
    """Refuse objects and pods of a model without the label of its team."""
    if not resource.type.startswith("kubernetes:"):
        return
    labels = mapping(at(resource.properties, "metadata", "labels"))
    yield from _without_team("metadata.labels", labels)
    # Quotas, bills and alerts are by pod.
    if makes_pods(resource):
        yield from _without_team("the labels of its pods", pod_labels(resource))


def _without_team(where: str, labels: Mapping[str, Any]) -> Iterator[str]:
    if labels.get(_COMPONENT) == _MODEL and not labels.get(_TEAM):
        yield f"{where}: {_TEAM} is missing, so nobody owns the model"
