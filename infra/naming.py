"""Names and labels: pure functions, so that the same settings always give the same names."""

import hashlib
from typing import Final

PART_OF: Final = "slipway"
# On every namespace of a team; the gateway accepts routes from the namespaces that carry it.
TEAM_LABEL: Final = "slipway.local/team"

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
