"""What the members of a team may see and do with the cluster's own tools."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import pulumi
from pulumi_kubernetes.meta import v1 as meta
from pulumi_kubernetes.rbac import v1 as rbac

from infra.platform.access import GROUP, READ, reference, rule

_NAME: Final = "member"
# By API group. No Secrets, no `pods/exec` (a shell would run with the model's rights and could read
# what is mounted), and nothing to write: what runs is what the stack file says.
_READABLE: Final[Mapping[str, list[str]]] = {
    "": [
        "events",
        "limitranges",
        "persistentvolumeclaims",
        "pods",
        "pods/log",
        "resourcequotas",
        "services",
    ],
    "apps": ["deployments", "replicasets"],
    "autoscaling": ["horizontalpodautoscalers"],
    "discovery.k8s.io": ["endpointslices"],
    "events.k8s.io": ["events"],
    "gateway.networking.k8s.io": ["httproutes"],
    "metrics.k8s.io": ["pods"],
    "networking.k8s.io": ["networkpolicies"],
    "policy": ["poddisruptionbudgets"],
}


@dataclass(frozen=True)
class TeamMembersArgs:
    """Who the members are.

    Attributes:
        groups: Groups, as the cluster's identity provider names them; at least one.
        namespace: The team's namespace.
        labels: Labels of the team's objects.
    """

    groups: Sequence[str]
    namespace: pulumi.Input[str]
    labels: Mapping[str, str]


class TeamMembers(pulumi.ComponentResource):
    """The right to look at a team's workloads and to speak to a pod through the API server.

    Type token: `slipway:platform:TeamMembers`. Resources: a `Role` and a `RoleBinding`, both called
    `member`, in the team's namespace.

    Args:
        resource_name: Name of the team.
        args: Who the members are.
        opts: Resource options.
    """

    def __init__(
        self, resource_name: str, args: TeamMembersArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("slipway:platform:TeamMembers", resource_name, None, opts)
        children = pulumi.ResourceOptions(parent=self)
        metadata = meta.ObjectMetaArgs(name=_NAME, namespace=args.namespace, labels=args.labels)
        role = rbac.Role(
            f"{resource_name}-{_NAME}",
            metadata=metadata,
            rules=[
                *(rule(group, resources, READ) for group, resources in _READABLE.items()),
                # A WebSocket begins with a GET, the older protocol with a POST.
                rule("", ["pods/portforward"], ["create", "get"]),
            ],
            opts=children,
        )
        rbac.RoleBinding(
            f"{resource_name}-{_NAME}",
            metadata=metadata,
            role_ref=reference("Role", role.metadata.name),
            subjects=[
                rbac.SubjectArgs(kind="Group", name=group, api_group=GROUP) for group in args.groups
            ],
            opts=children,
        )
        self.register_outputs({})
