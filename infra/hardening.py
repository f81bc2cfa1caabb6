"""What the `restricted` Pod Security Standard asks of every pod, and a little more.

https://kubernetes.io/docs/concepts/security/pod-security-standards/
"""

from typing import Final

import pulumi_kubernetes as kubernetes

# The user of every image that Slipway builds; it has no name and no rights.
USER: Final = 65532


def pod_security_context() -> kubernetes.core.v1.PodSecurityContextArgs:
    """Return the context of a pod: an unprivileged user, and the runtime's system call filter."""
    return kubernetes.core.v1.PodSecurityContextArgs(
        run_as_non_root=True,
        run_as_user=USER,
        run_as_group=USER,
        seccomp_profile=kubernetes.core.v1.SeccompProfileArgs(type="RuntimeDefault"),
    )


def security_context() -> kubernetes.core.v1.SecurityContextArgs:
    """Return the context of a container: no rights, none to gain, nothing to write to."""
    return kubernetes.core.v1.SecurityContextArgs(
        allow_privilege_escalation=False,
        read_only_root_filesystem=True,
        capabilities=kubernetes.core.v1.CapabilitiesArgs(drop=["ALL"]),
    )
