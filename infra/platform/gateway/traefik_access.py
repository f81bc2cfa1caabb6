"""What Traefik may read and write in the cluster.

Traefik watches every kind of its list in every namespace that it is told, Secrets and ConfigMaps
too, and starts only when all those watches have: with a right less it serves nothing
(docs/adr/0006). So it has them in the Gateway's namespace and in those of the teams, and nowhere
else: not where the key of the certificate authority is, nor in `kube-system`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import pulumi
from pulumi_kubernetes.meta import v1 as meta
from pulumi_kubernetes.rbac import v1 as rbac

from infra.platform.access import READ, account, reference, rule
from infra.platform.namespace import SYSTEM

_NAME: Final = "slipway-traefik"
_GROUP: Final = "gateway.networking.k8s.io"
_CLASSES: Final = "gatewayclasses"
_KINDS: Final = (
    "backendtlspolicies",
    "gateways",
    "grpcroutes",
    "httproutes",
    "referencegrants",
    "tlsroutes",
)
# Of the own ones it uses two, and watches all.
_OWN_GROUP: Final = "traefik.io"
_OWN_KINDS: Final = (
    "ingressroutes",
    "ingressroutetcps",
    "ingressrouteudps",
    "middlewares",
    "middlewaretcps",
    "serverstransports",
    "serverstransporttcps",
    "tlsoptions",
    "tlsstores",
    "traefikservices",
)


@dataclass(frozen=True)
class Grantee:
    """Who gets the rights, and where.

    Attributes:
        account: Name of the service account.
        namespace: Namespace of the service account, and of the Gateway.
        teams: Namespaces of the teams, by team.
        labels: Labels of the roles.
    """

    account: pulumi.Input[str]
    namespace: pulumi.Input[str]
    teams: Mapping[str, pulumi.Input[str]]
    labels: Mapping[str, str]


def grant(
    traefik: pulumi.Resource, name: str, grantee: Grantee, *, own_kinds: bool
) -> list[pulumi.Resource]:
    """Give Traefik its rights, and return the bindings.

    Args:
        traefik: The component that the roles belong to.
        name: Logical name of the roles.
        grantee: Who gets the rights, and where.
        own_kinds: Whether it reads objects of its own kinds too.
    """
    children = pulumi.ResourceOptions(parent=traefik)
    everywhere = _role(
        name,
        _NAME,
        [
            rule("", ["namespaces"], ["list", "watch"]),
            rule(_GROUP, [_CLASSES], READ),
            rule(_GROUP, [f"{_CLASSES}/status"], ["update"]),
        ],
        grantee,
        children,
    )
    routes = _role(
        f"{name}-routes",
        f"{_NAME}-routes",
        [
            rule("", ["services", "secrets", "configmaps"], READ),
            rule("discovery.k8s.io", ["endpointslices"], READ),
            rule(_GROUP, _KINDS, READ),
            rule(_GROUP, [f"{kind}/status" for kind in _KINDS], ["update"]),
            *([rule(_OWN_GROUP, _OWN_KINDS, READ)] if own_kinds else []),
        ],
        grantee,
        children,
    )
    binding = rbac.ClusterRoleBinding(
        name,
        metadata=meta.ObjectMetaArgs(name=_NAME, labels=grantee.labels),
        role_ref=reference("ClusterRole", everywhere.metadata.name),
        subjects=[account(grantee.account, grantee.namespace)],
        opts=children,
    )
    # No team has the name of the platform's namespace.
    namespaces = {SYSTEM: grantee.namespace, **grantee.teams}
    return [
        binding,
        *(
            rbac.RoleBinding(
                f"{name}-{key}",
                metadata=meta.ObjectMetaArgs(
                    name=_NAME, namespace=namespace, labels=grantee.labels
                ),
                role_ref=reference("ClusterRole", routes.metadata.name),
                subjects=[account(grantee.account, grantee.namespace)],
                opts=children,
            )
            for key, namespace in namespaces.items()
        ),
    ]


def _role(
    resource_name: str,
    name: str,
    rules: list[rbac.PolicyRuleArgs],
    grantee: Grantee,
    children: pulumi.ResourceOptions,
) -> rbac.ClusterRole:
    return rbac.ClusterRole(
        resource_name,
        metadata=meta.ObjectMetaArgs(name=name, labels=grantee.labels),
        rules=rules,
        opts=children,
    )
