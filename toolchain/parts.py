"""Which programs the parts of a platform need, as settings and cluster ask for those parts."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from infra.settings import Settings
from toolchain.local_cluster import Brings


@dataclass(frozen=True)
class Part:
    """A part of the platform.

    Attributes:
        wanted: Whether a stack has it on a cluster that brings certain things itself.
        manifests: Programs that the Pulumi program reads: resource types and charts.
        images: Programs that its images are made of.
    """

    wanted: Callable[[Settings, Brings], bool]
    manifests: tuple[str, ...] = ()
    images: tuple[str, ...] = ()


PARTS: Final = (
    Part(
        lambda settings, brings: True,
        ("gateway-api-crds",),
        ("mmdebstrap",),
    ),
    Part(
        lambda settings, brings: settings.platform.gateway.class_name is None,
        images=("traefik",),
    ),
    Part(
        lambda settings, brings: settings.mirrors and settings.platform.gateway.class_name is None,
        ("traefik-crds",),
    ),
    Part(
        lambda settings, brings: settings.platform.gateway.tls.issuer.installs_cert_manager,
        ("cert-manager-crds", "cert-manager-chart"),
        ("cert-manager",),
    ),
    Part(
        lambda settings, brings: not brings.load_balancer,
        ("metallb-crds", "metallb-chart"),
        ("metallb",),
    ),
    Part(
        lambda settings, brings: not brings.metrics_server,
        ("metrics-server-chart",),
        ("metrics-server",),
    ),
    Part(
        lambda settings, brings: settings.platform.monitoring.is_builtin,
        images=("prometheus", "kube-state-metrics"),
    ),
    Part(
        lambda settings, brings: settings.scales_on_requests or settings.scales_to_zero,
        ("keda-crds",),
        ("keda",),
    ),
    Part(
        lambda settings, brings: settings.scales_to_zero,
        ("keda-http-crds",),
        ("keda-http-add-on",),
    ),
    Part(
        lambda settings, brings: bool(settings.platform.secrets.stores),
        ("external-secrets-crds", "external-secrets-chart"),
        ("external-secrets",),
    ),
)


def manifests(settings: Settings, brings: Brings) -> list[str]:
    """Return the programs that the Pulumi program of a stack reads.

    Args:
        settings: The stack.
        brings: What its cluster has by itself.
    """
    return [name for part in _wanted(settings, brings) for name in part.manifests]


def images(settings: Settings, brings: Brings) -> list[str]:
    """Return the programs that the images of a stack are made with and of.

    Args:
        settings: The stack.
        brings: What its cluster has by itself.
    """
    return [name for part in _wanted(settings, brings) for name in part.images]


def every() -> list[str]:
    """Return the programs of all parts, whether a stack has them or not: what the tests run."""
    return [name for part in PARTS for name in (*part.manifests, *part.images)]


def _wanted(settings: Settings, brings: Brings) -> Iterator[Part]:
    return (part for part in PARTS if part.wanted(settings, brings))
