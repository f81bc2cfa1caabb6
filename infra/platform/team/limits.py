"""What a team may use, and what a container of it gets that says nothing."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import pulumi
from pulumi_kubernetes.core import v1 as core
from pulumi_kubernetes.meta import v1 as meta

from infra.settings import QuotaSettings
from infra.settings.types import parse_quantity

# The name stands in what the server says of a pod that is refused.
QUOTA: Final = "team"

# Of a container that says nothing. Enough for a shell or a small job; whatever needs more says so.
_DEFAULT_CPU: Final = "100m"
_DEFAULT_MEMORY: Final = "256Mi"


@dataclass(frozen=True)
class TeamLimitsArgs:
    """What a team may use.

    Attributes:
        quota: The settings.
        gpu_resource: Resource name under which GPUs are requested.
        namespace: The team's namespace.
        labels: Labels of the team's objects.
    """

    quota: QuotaSettings
    gpu_resource: str
    namespace: pulumi.Input[str]
    labels: Mapping[str, str]


class TeamLimits(pulumi.ComponentResource):
    """A quota for all of a team, and defaults for each container.

    Type token: `slipway:platform:TeamLimits`. Resources: a `ResourceQuota` `team` and a
    `LimitRange` `containers` in the team's namespace.
    https://kubernetes.io/docs/concepts/policy/resource-quotas/

    Args:
        resource_name: Name of the team.
        args: What the team may use.
        opts: Resource options.
    """

    def __init__(
        self, resource_name: str, args: TeamLimitsArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("slipway:platform:TeamLimits", resource_name, None, opts)
        children = pulumi.ResourceOptions(parent=self)
        core.ResourceQuota(
            f"{resource_name}-quota",
            metadata=meta.ObjectMetaArgs(name=QUOTA, namespace=args.namespace, labels=args.labels),
            spec=core.ResourceQuotaSpecArgs(hard=hard(args.quota, args.gpu_resource)),
            opts=children,
        )
        core.LimitRange(
            f"{resource_name}-containers",
            metadata=meta.ObjectMetaArgs(
                name="containers", namespace=args.namespace, labels=args.labels
            ),
            spec=core.LimitRangeSpecArgs(limits=[_container(args.quota)]),
            opts=children,
        )
        self.register_outputs({})


def hard(quota: QuotaSettings, gpu_resource: str) -> dict[str, str]:
    """Return the hard limits of a ResourceQuota.

    A Service of type NodePort or LoadBalancer would lead past the gateway, and the second costs
    money: no team has any.

    Args:
        quota: The settings; what they leave out is not limited.
        gpu_resource: Resource name under which GPUs are requested.
    """
    limited = {
        "requests.cpu": quota.cpu,
        "requests.memory": quota.memory,
        "limits.memory": quota.memory,
        f"requests.{gpu_resource}": quota.gpu,
        "pods": quota.pods,
        "requests.storage": quota.storage,
        "services.nodeports": 0,
        "services.loadbalancers": 0,
    }
    return {name: str(value) for name, value in limited.items() if value is not None}


def _container(quota: QuotaSettings) -> core.LimitRangeItemArgs:
    """Return what a container gets that says nothing, never more than the whole team has.

    Memory is limited to what is promised, as that of models is. CPU has no limit by default: what
    nobody uses is lent, and a default below what a pod asks for would refuse the pod.
    """
    memory = _smaller(_DEFAULT_MEMORY, quota.memory)
    return core.LimitRangeItemArgs(
        type="Container",
        default_request={"cpu": _smaller(_DEFAULT_CPU, quota.cpu), "memory": memory},
        default={"memory": memory},
        # What could never fit is refused with the container's name, whatever else is running.
        max={"memory": quota.memory} if quota.memory else None,
    )


def _smaller(amount: str, limit: str | None) -> str:
    return amount if limit is None else min(amount, limit, key=parse_quantity)
