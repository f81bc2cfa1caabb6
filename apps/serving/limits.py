"""What a pod of a model may use, and on which nodes it runs."""

from typing import Any, Final

import pulumi
from pulumi_kubernetes.core import v1 as core

from apps.serving.protocols import PROTOCOLS
from infra.contract import ClusterTraits, Placement
from infra.settings import ModelSettings, ResourceSettings

_STREAM_SECONDS: Final = 600
"""What an answer in parts has until it ends, though its pod is to go: as long as Cluster Autoscaler
waits for the pods of a node that it removes (`--max-graceful-termination-sec`)."""


def placement(name: str, settings: ModelSettings, traits: ClusterTraits) -> Placement:
    """Return where a model's pods may run: on GPU nodes exactly where it asks for a GPU.

    Args:
        name: Name of the model.
        settings: Its settings.
        traits: The cluster's.

    Raises:
        pulumi.RunError: It asks for a GPU and the cluster has none.
    """
    if settings.resources.gpu is None:
        return traits.cpu.on(settings.node_selector)
    if traits.gpu is None:
        raise pulumi.RunError(
            f"slipway:models.{name}.resources.gpu: the cluster has no pool of GPU nodes; add one "
            "to slipway:cluster, or remove `gpu`"
        )
    return traits.gpu.on(settings.node_selector)


def requirements(settings: ResourceSettings, gpu_resource: str) -> core.ResourceRequirementsArgs:
    """Return the requests and limits of a model's container.

    Args:
        settings: What a pod may use.
        gpu_resource: Resource name under which whole GPUs are requested.
    """
    limits = {"cpu": settings.cpu_limit, "memory": settings.memory}
    if settings.gpu is not None:
        # An extended resource is only limited: its request is the same, and the API server sets it.
        limits[settings.gpu.resource(gpu_resource)] = str(settings.gpu.count)
    return core.ResourceRequirementsArgs(
        requests={"cpu": settings.cpu, "memory": settings.memory}, limits=limits
    )


def arguments(settings: ModelSettings) -> list[str]:
    """Return the server's arguments that bound what a pod takes at once, and for how long."""
    return [*_concurrency(settings), *_timeout(settings)]


def _concurrency(settings: ModelSettings) -> list[str]:
    bound, threads = settings.concurrency, settings.threads
    take = settings.runtime.concurrency
    if bound is None or take is None:
        return []
    active = min(bound, threads)
    return take(active, bound - active)


def _timeout(settings: ModelSettings) -> list[str]:
    seconds, take = settings.timeout_seconds, settings.runtime.timeout
    return [] if seconds is None or take is None else take(seconds)


def answer_seconds(settings: ModelSettings, gateway_seconds: int) -> int:
    """Return how long a pod that is to go has for the answers that it owes, at most.

    Args:
        settings: The model's settings.
        gateway_seconds: Longest time until an answer begins behind the gateway.
    """
    seconds = settings.timeout_seconds or gateway_seconds
    streams = PROTOCOLS[settings.runtime.protocol].streams
    return max(seconds, _STREAM_SECONDS) if streams else seconds


def timed_route(spec: dict[str, Any], seconds: int | None) -> dict[str, Any]:
    """Return the spec of an HTTPRoute that waits no longer than a request may take.

    Traefik does not look at it: behind that, the server alone keeps the time.

    Args:
        spec: The spec of the HTTPRoute.
        seconds: How long; as long as the gateway waits where the model does not say.
    """
    if seconds is None:
        return spec
    timeouts = {"request": f"{seconds}s"}
    return {**spec, "rules": [{**rule, "timeouts": timeouts} for rule in spec["rules"]]}
