"""What the `restricted` Pod Security Standard asks of every pod, and a little more.

https://kubernetes.io/docs/concepts/security/pod-security-standards/
"""

from collections.abc import Sequence
from typing import Final

import pulumi
import pulumi_kubernetes as kubernetes

from infra.contract import Placement

# The user of every image that Slipway builds; it has no name and no rights.
USER: Final = 65532


def pod(
    account: pulumi.Input[str],
    priority: pulumi.Input[str],
    placement: Placement,
    containers: Sequence[kubernetes.core.v1.ContainerArgs],
    volumes: Sequence[kubernetes.core.v1.VolumeArgs] | None = None,
    init_containers: Sequence[kubernetes.core.v1.ContainerArgs] | None = None,
    *,
    token: bool | None = None,
    grace_seconds: int | None = None,
    volume_group: int | None = None,
    spread: Sequence[kubernetes.core.v1.TopologySpreadConstraintArgs] | None = None,
) -> kubernetes.core.v1.PodSpecArgs:
    """Return what every pod of ours is made of.

    Args:
        account: Name of its service account.
        priority: Name of its PriorityClass.
        placement: Where it may run.
        containers: Its containers, with `security_context`.
        volumes: Its volumes, if any.
        init_containers: What runs before its containers, if anything; likewise.
        token: Whether it gets its account's token; what the account says by default.
        grace_seconds: How long it may take to end, once it is told to; 30 by default.
        volume_group: Group that volumes of a provisioner are given to, which else are root's.
        spread: How far apart it stays from its like; see `infra.disruption`.
    """
    return kubernetes.core.v1.PodSpecArgs(
        service_account_name=account,
        priority_class_name=priority,
        automount_service_account_token=token,
        termination_grace_period_seconds=grace_seconds,
        enable_service_links=False,
        node_selector=placement.node_selector,
        tolerations=placement.toleration_args(),
        topology_spread_constraints=spread,
        security_context=pod_security_context(volume_group),
        init_containers=list(init_containers) if init_containers else None,
        containers=list(containers),
        volumes=list(volumes) if volumes else None,
    )


def pod_security_context(
    volume_group: int | None = None,
) -> kubernetes.core.v1.PodSecurityContextArgs:
    """Return the context of a pod: an unprivileged user, and the runtime's system call filter.

    Args:
        volume_group: As for `pod`.
    """
    return kubernetes.core.v1.PodSecurityContextArgs(
        run_as_non_root=True,
        run_as_user=USER,
        run_as_group=USER,
        fs_group=volume_group,
        seccomp_profile=kubernetes.core.v1.SeccompProfileArgs(type="RuntimeDefault"),
    )


def security_context() -> kubernetes.core.v1.SecurityContextArgs:
    """Return the context of a container: no rights, none to gain, nothing to write to."""
    return kubernetes.core.v1.SecurityContextArgs(
        allow_privilege_escalation=False,
        read_only_root_filesystem=True,
        capabilities=kubernetes.core.v1.CapabilitiesArgs(drop=["ALL"]),
    )
