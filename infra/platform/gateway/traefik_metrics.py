"""How Traefik counts requests for Prometheus."""

from typing import Final

from pulumi_kubernetes.core import v1 as core

PORT_NAME: Final = "metrics"
_PORT: Final = 9100
# Seconds. A model answers within a millisecond or within half a minute, and every step costs a
# series per route and status.
BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


def arguments(*, by_service: bool) -> list[str]:
    """Return what is added to Traefik's command line.

    Requests are counted by router. A service's counters know nothing of the requests that no pod
    could answer, since Traefik counts them where it calls a pod; but they tell versions apart.
    https://doc.traefik.io/traefik/reference/install-configuration/observability/metrics/

    Args:
        by_service: Whether requests are counted by service too.
    """
    return [
        f"--entrypoints.{PORT_NAME}.address=:{_PORT}",
        "--metrics.prometheus=true",
        f"--metrics.prometheus.entrypoint={PORT_NAME}",
        f"--metrics.prometheus.buckets={','.join(f'{bound:g}' for bound in BUCKETS)}",
        "--metrics.prometheus.addrouterslabels=true",
        f"--metrics.prometheus.addserviceslabels={str(by_service).lower()}",
    ]


def ports() -> list[core.ContainerPortArgs]:
    """Return the port at which Prometheus reads; no Service leads to it."""
    return [core.ContainerPortArgs(name=PORT_NAME, container_port=_PORT)]
