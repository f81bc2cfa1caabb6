"""The pods that a Kubernetes object makes, and their containers."""

from collections.abc import Iterator, Mapping
from typing import Any

from slipway_policy.rule import Resource, at, items, mapping

# Where an object keeps what its pods are made of.
_POD: Mapping[str, tuple[str, ...]] = {
    "kubernetes:core/v1:Pod": (),
    "kubernetes:core/v1:ReplicationController": ("spec", "template"),
    "kubernetes:apps/v1:DaemonSet": ("spec", "template"),
    "kubernetes:apps/v1:Deployment": ("spec", "template"),
    "kubernetes:apps/v1:ReplicaSet": ("spec", "template"),
    "kubernetes:apps/v1:StatefulSet": ("spec", "template"),
    "kubernetes:batch/v1:CronJob": ("spec", "jobTemplate", "spec", "template"),
    "kubernetes:batch/v1:Job": ("spec", "template"),
}
# KServe's own: pods without a template.
_PREDICTOR = "kubernetes:serving.kserve.io/v1beta1:InferenceService"
# Pods that run to their end: nobody waits for them to be ready.
_ONE_OFF = ("kubernetes:batch/v1:CronJob", "kubernetes:batch/v1:Job")

CHART = "kubernetes:helm.sh/v4:Chart"


def runs_to_its_end(resource: Resource) -> bool:
    """Return whether the pods of an object end by themselves."""
    return resource.type in _ONE_OFF


def pod_spec(resource: Resource) -> Mapping[str, Any]:
    """Return the specification of an object's pods, empty where it makes none."""
    if resource.type == _PREDICTOR:
        return mapping(at(resource.properties, "spec", "predictor"))
    if resource.type not in _POD:
        return {}
    return mapping(at(resource.properties, *_POD[resource.type], "spec"))


def pod_labels(resource: Resource) -> Mapping[str, Any]:
    """Return the labels of an object's pods, empty where it makes none."""
    if resource.type == _PREDICTOR:
        return mapping(at(resource.properties, "spec", "predictor", "labels"))
    if resource.type not in _POD:
        return {}
    return mapping(at(resource.properties, *_POD[resource.type], "metadata", "labels"))


def makes_pods(resource: Resource) -> bool:
    """Return whether an object is one that pods come from."""
    return resource.type == _PREDICTOR or resource.type in _POD


def containers(resource: Resource) -> Iterator[Mapping[str, Any]]:
    """Yield the containers that serve, without those that prepare the pod."""
    yield from map(mapping, items(pod_spec(resource).get("containers")))


def all_containers(resource: Resource) -> Iterator[Mapping[str, Any]]:
    """Yield every container, those that prepare the pod first."""
    yield from map(mapping, items(pod_spec(resource).get("initContainers")))
    yield from containers(resource)


def chart_parts(resource: Resource) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield each part of a chart's values that has an image, with its path.

    What a chart makes is resources of their own where the plug-in has rendered it; its values are
    there before.
    """
    if resource.type == CHART:
        yield from _with_image("values", mapping(resource.properties.get("values")))


def _with_image(path: str, part: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    if "repository" in mapping(part.get("image")):
        yield path, part
    for key, value in part.items():
        if isinstance(value, Mapping):
            yield from _with_image(f"{path}.{key}", value)
