"""Whether a quota keeps a Deployment from its pods.

A ReplicaSet that was refused tries again ever more rarely, and its condition keeps the words of the
first refusal. So the words alone do not tell that there is no room now.
"""

import re
from collections.abc import Iterable
from decimal import Decimal

from kubernetes.utils.quantity import parse_quantity

from toolchain.kubernetes_plugin.readiness.fields import Document, condition, name, pluck, text

# What the API server says (`plugin/pkg/admission/resourcequota` of kubernetes/kubernetes); the
# amounts are those of the first refusal.
_EXCEEDED = re.compile(r"exceeded quota: (?P<quota>[^,\s]+), requested: (?P<requested>\S+), used:")
REPLICA_FAILURE = "ReplicaFailure"


def refuse(obj: Document, quotas: Iterable[Document]) -> bool:
    """Whether a Deployment's pods were refused by a quota that has no room for them now either.

    Args:
        obj: The Deployment.
        quotas: The ResourceQuotas of its namespace.
    """
    said = _EXCEEDED.search(text(condition(obj, REPLICA_FAILURE), "message"))
    if said is None:
        return False
    requested = dict(pair.partition("=")[::2] for pair in said["requested"].split(","))
    return any(
        _lacks_room(quota, resource, amount)
        for quota in quotas
        if name(quota) == said["quota"]
        for resource, amount in requested.items()
    )


def _lacks_room(quota: Document, resource: str, amount: str) -> bool:
    hard = pluck(quota, "status", "hard", resource)
    used = pluck(quota, "status", "used", resource)
    if hard is None or used is None:
        return False
    return _value(used) + _value(amount) > _value(hard)


def _value(quantity: str) -> Decimal:
    # The client library has no annotations there.
    return Decimal(parse_quantity(quantity))  # type: ignore[no-untyped-call]
