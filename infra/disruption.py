"""What keeps pods of one workload from being away at once: budgets for drains, and distance."""

from collections.abc import Mapping
from typing import Final

import pulumi
from pulumi_kubernetes import policy
from pulumi_kubernetes.core import v1 as core
from pulumi_kubernetes.meta import v1 as meta

# What pods are spread over: a zone that fails takes its nodes along.
_DOMAINS: Final = ("topology.kubernetes.io/zone", "kubernetes.io/hostname")


def spread(selector: Mapping[str, str]) -> list[core.TopologySpreadConstraintArgs]:
    """Return how pods are spread over zones and nodes.

    Where there is only one node, or the others are full, they share it: better than not to run. A
    single pod has it too, so that another number of pods is no change of the pods themselves.

    Args:
        selector: Labels of the pods.
    """
    return [
        core.TopologySpreadConstraintArgs(
            topology_key=domain,
            max_skew=1,
            when_unsatisfiable="ScheduleAnyway",
            label_selector=meta.LabelSelectorArgs(match_labels=selector),
            # Pods that are about to be replaced do not count.
            match_label_keys=["pod-template-hash"],
        )
        for domain in _DOMAINS
    ]


def protect(
    parent: pulumi.Resource,
    name: str,
    metadata: meta.ObjectMetaArgs,
    selector: Mapping[str, str],
    pods: int,
) -> None:
    """Let a drain take one pod at a time; what never has two has nothing to keep apart.

    A budget keeps no node from being drained, also while there is a single pod: it may go.

    Args:
        parent: The component that the budget belongs to.
        name: Logical name.
        metadata: Metadata of the budget.
        selector: Labels of the pods.
        pods: Pods that there may be.
    """
    if pods < 2:
        return
    policy.v1.PodDisruptionBudget(
        name,
        metadata=metadata,
        spec=policy.v1.PodDisruptionBudgetSpecArgs(
            max_unavailable=1,
            selector=meta.LabelSelectorArgs(match_labels=selector),
            # Pods that do not answer are of no use to keep.
            unhealthy_pod_eviction_policy="AlwaysAllow",
        ),
        opts=pulumi.ResourceOptions(parent=parent),
    )
