"""Whether services and ingresses lead somewhere."""

from collections.abc import Iterator

from toolchain.kubernetes_plugin.readiness.fields import (
    Document,
    documents,
    name,
    pluck,
    text,
)
from toolchain.kubernetes_plugin.readiness.verdict import Pending, Ready, Related, Verdict

# Label of an EndpointSlice that names its Service.
SERVICE_NAME = "kubernetes.io/service-name"

# How long the official plug-in lets endpoints settle before it believes what it sees, and how
# long it waits for endpoints of an ingress of which it saw none. Seconds.
_SETTLE = 10.0
_SETTLE_INGRESS = 60.0


def service(obj: Document, related: Related) -> Verdict:
    """Ready when the service has an address and no pod behind it is still starting.

    Services that name no pods (headless, external, without a selector) only need their address. A
    service that selects no pod at all counts as ready once that has not changed for 10 s: its pods
    may belong to a later step.
    """
    kind = text(obj, "spec", "type") or "ClusterIP"
    if kind == "LoadBalancer" and not documents(obj, "status", "loadBalancer", "ingress"):
        return Pending(
            "Waiting for an address of the load balancer; where a cluster has none, "
            "no Service of type LoadBalancer gets one"
        )
    names_no_pods = (
        kind == "ExternalName"
        or text(obj, "spec", "clusterIP") == "None"
        or not pluck(obj, "spec", "selector")
    )
    if names_no_pods:
        return Ready("The Service is defined")
    return _endpoints([s for s in related.endpoint_slices if belongs_to_service(s, obj)])


def belongs_to_service(slice_: Document, service: Document) -> bool:
    """Whether an EndpointSlice holds endpoints of a service of its namespace."""
    return text(slice_, "metadata", "labels", SERVICE_NAME) == name(service)


def _endpoints(slices: list[Document]) -> Verdict:
    endpoints = [endpoint for slice_ in slices for endpoint in documents(slice_, "endpoints")]
    # An unset condition means ready (discovery.k8s.io/v1, EndpointConditions).
    starting = [
        endpoint
        for endpoint in endpoints
        if pluck(endpoint, "conditions", "ready") is False
        and pluck(endpoint, "conditions", "terminating") is not True
    ]
    if starting:
        return Pending(f"Waiting for {_pods(len(starting))} behind the Service to be ready")
    if any(pluck(endpoint, "conditions", "ready") is not False for endpoint in endpoints):
        return Ready("The Service leads to ready pods")
    return Pending(
        "Waiting for pods to direct traffic to; '.spec.selector' may match no pod's labels",
        settles_after=_SETTLE,
    )


def ingress(obj: Document, related: Related) -> Verdict:
    """Ready when the ingress has an address and every service it names is there.

    A service that stays missing for a minute no longer holds it back, as with the official plug-in.
    """
    if not documents(obj, "status", "loadBalancer", "ingress"):
        return Pending("Waiting for .status.loadBalancer to hold an address")
    known = {name(service) for service in related.services}
    missing = sorted({backend for backend in _backends(obj) if backend not in known})
    if missing:
        return Pending(
            f"Waiting for the services behind the Ingress: {', '.join(missing)}",
            settles_after=_SETTLE_INGRESS,
        )
    return Ready("The Ingress has an address")


def _backends(obj: Document) -> Iterator[str]:
    for rule in documents(obj, "spec", "rules"):
        for path in documents(rule, "http", "paths"):
            backend = text(path, "backend", "service", "name")
            if backend:
                yield backend


def _pods(count: int) -> str:
    return "1 pod" if count == 1 else f"{count} pods"
