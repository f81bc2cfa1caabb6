"""Names and labels: pure functions, so that the same settings always give the same names."""

import hashlib
import ipaddress
from typing import Final

PART_OF: Final = "slipway"
# On every namespace of a team; the gateway accepts routes from the namespaces that carry it.
TEAM_LABEL: Final = "slipway.local/team"

# Where KEDA runs, which asks Prometheus how many requests a model gets.
AUTOSCALING_NAMESPACE: Final = "slipway-autoscaling"
# Where Prometheus runs, which reads the metrics of models.
MONITORING_NAMESPACE: Final = "slipway-monitoring"
# What promotes canaries, which asks Prometheus how they do.
PROMOTER: Final = "canary-promoter"
# Where External Secrets runs, which copies values out of external stores.
EXTERNAL_SECRETS_NAMESPACE: Final = "external-secrets"

# The component label of a model's pods, and the names of the ports that they serve on.
MODEL: Final = "model"
SERVING_PORT: Final = "http"
GRPC_PORT: Final = "grpc"

# Header by which gRPC clients name a model, `<team>/<model>`, where it has no name of its own.
MODEL_HEADER: Final = "slipway-model"

# PriorityClasses, which infra/platform/priority.py makes.
PLATFORM_PRIORITY: Final = "slipway-platform"
MODEL_PRIORITY: Final = "slipway-models"
LOW_MODEL_PRIORITY: Final = "slipway-models-low"
HIGH_MODEL_PRIORITY: Final = "slipway-models-high"

# What a URL over HTTPS means without a port.
HTTPS_PORT: Final = 443

# Kubernetes' limit of a DNS label, and of a label's value.
LABEL_LIMIT: Final = 63
_HASH_LENGTH = 8


def fit(name: str, limit: int = LABEL_LIMIT) -> str:
    """Return a name of at most `limit` characters that differs wherever `name` does.

    Args:
        name: Any name.
        limit: Characters that the result may have; at least 10, so that something of the name
            stays in front of the hash.

    Returns:
        The name itself where it fits, else its beginning and 8 hex digits of its SHA-256.
    """
    if limit < _HASH_LENGTH + 2:
        raise ValueError(f"a name cannot be cut to {limit} characters and stay distinct")
    if len(name) <= limit:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:_HASH_LENGTH]
    return f"{name[: limit - _HASH_LENGTH - 1].rstrip('-.')}-{digest}"


def labels(name: str, instance: str, component: str) -> dict[str, str]:
    """Return the recommended labels of an object (kubernetes.io "Recommended Labels").

    Args:
        name: The application, e.g. `traefik`.
        instance: Which one of it.
        component: Its role in the platform, e.g. `gateway`.
    """
    return {
        **selector(name, instance),
        "app.kubernetes.io/component": component,
        "app.kubernetes.io/part-of": PART_OF,
        "app.kubernetes.io/managed-by": "pulumi",
    }


def selector(name: str, instance: str) -> dict[str, str]:
    """Return the labels to select by: a selector cannot change, so it holds only what never does.

    Args:
        name: As given to `labels`.
        instance: As given to `labels`.
    """
    return {
        "app.kubernetes.io/name": fit(name),
        "app.kubernetes.io/instance": fit(instance),
    }


def https_url(host: str, port: int) -> str:
    """Return the URL of a host over HTTPS, without the port where it is the standard one.

    Args:
        host: A name or an address.
        port: The port.
    """
    shown = f"[{host}]" if is_address(host) and ":" in host else host
    return f"https://{shown}" if port == HTTPS_PORT else f"https://{shown}:{port}"


def is_address(host: str) -> bool:
    """Return whether a host is an IP address, and not a name."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
