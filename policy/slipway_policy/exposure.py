"""What the internet reaches."""

from collections.abc import Iterator
from typing import Final

from slipway_policy.rule import Resource, at, mapping

REASON: Final = "slipway.local/public-because"
"""Annotation of a Service that is public on purpose: why."""

# The annotations by which each cloud is asked for an address of the network alone.
_INTERNAL = {
    "service.beta.kubernetes.io/aws-load-balancer-scheme": "internal",
    "service.beta.kubernetes.io/aws-load-balancer-internal": "true",
    "service.beta.kubernetes.io/azure-load-balancer-internal": "true",
    "networking.gke.io/load-balancer-type": "Internal",
}


def load_balancers_are_internal(resource: Resource) -> Iterator[str]:
    """Refuse a load balancer that is or may be public, and says no reason."""
    if resource.type != "kubernetes:core/v1:Service":
        return
    if at(resource.properties, "spec", "type") != "LoadBalancer":
        return
    annotations = mapping(at(resource.properties, "metadata", "annotations"))
    if any(annotations.get(key) == value for key, value in _INTERNAL.items()):
        return
    if not str(annotations.get(REASON) or "").strip():
        yield f"its load balancer may be public: ask for an internal one, or say why in {REASON}"
