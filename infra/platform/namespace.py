"""Namespaces of the platform itself; a team's is in `team`."""

from collections.abc import Mapping
from typing import Final

import pulumi
import pulumi_kubernetes as kubernetes

from infra.naming import labels

SYSTEM: Final = "slipway-system"
"""Where the platform's own components run, unless they have a reason for one of their own."""

_MODES: Final = tuple(f"pod-security.kubernetes.io/{mode}" for mode in ("enforce", "audit", "warn"))
# Pod Security Standards: https://kubernetes.io/docs/concepts/security/pod-security-standards/
# `latest` is the server's own version: a cluster that is upgraded holds its pods to what its
# Kubernetes calls restricted.
RESTRICTED: Final[Mapping[str, str]] = {
    f"{mode}{suffix}": value
    for mode in _MODES
    for suffix, value in (("", "restricted"), ("-version", "latest"))
}


def restricted_namespace(
    name: str, opts: pulumi.ResourceOptions, more_labels: Mapping[str, str] | None = None
) -> kubernetes.core.v1.Namespace:
    """Make a namespace that enforces the `restricted` Pod Security Standard.

    Args:
        name: Its name, one of `RESERVED_NAMESPACES` in `infra/settings/types.py`.
        opts: Resource options.
        more_labels: Labels that it has besides; they go before ours.
    """
    return kubernetes.core.v1.Namespace(
        name,
        metadata=kubernetes.meta.v1.ObjectMetaArgs(
            name=name,
            labels={**labels("namespace", name, "platform"), **RESTRICTED, **(more_labels or {})},
        ),
        opts=opts,
    )


def privileged_namespace(name: str, opts: pulumi.ResourceOptions) -> kubernetes.core.v1.Namespace:
    """Make a namespace whose pods may have what the node has; the exception, and a documented one.

    Args:
        name: Its name, one of `RESERVED_NAMESPACES` in `infra/settings/types.py`.
        opts: Resource options.
    """
    return restricted_namespace(name, opts, dict.fromkeys(_MODES, "privileged"))
