"""Who may do what: accounts, and the parts that roles and their bindings are made of."""

from collections.abc import Mapping, Sequence
from typing import Final, Literal

import pulumi
from pulumi_kubernetes.core import v1 as core
from pulumi_kubernetes.meta import v1 as meta
from pulumi_kubernetes.rbac import v1 as rbac

GROUP: Final = "rbac.authorization.k8s.io"
READ: Final = ("get", "list", "watch")


def rule(group: str, resources: Sequence[str], verbs: Sequence[str]) -> rbac.PolicyRuleArgs:
    """Return a rule of a role.

    Args:
        group: API group; empty for the core.
        resources: Kinds, in the plural.
        verbs: What may be done.
    """
    return rbac.PolicyRuleArgs(api_groups=[group], resources=list(resources), verbs=list(verbs))


def reference(kind: Literal["ClusterRole", "Role"], name: pulumi.Input[str]) -> rbac.RoleRefArgs:
    """Return what a binding grants: a role by its kind and name."""
    return rbac.RoleRefArgs(api_group=GROUP, kind=kind, name=name)


def account(name: pulumi.Input[str], namespace: pulumi.Input[str]) -> rbac.SubjectArgs:
    """Return whom a binding grants it: a service account by its name and namespace."""
    return rbac.SubjectArgs(kind="ServiceAccount", name=name, namespace=namespace)


class Account:
    """A service account and its bindings, all labelled alike.

    Args:
        name: Its name, and the beginning of its roles' names.
        namespace: Where it is.
        labels: Labels of its objects.
        opts: Options of each resource.

    Attributes:
        name: Its name; using it waits for the account.
        bindings: What a pod that uses it has to wait for.
    """

    def __init__(
        self,
        name: str,
        namespace: pulumi.Input[str],
        labels: Mapping[str, str],
        opts: pulumi.ResourceOptions,
    ) -> None:
        self._label = name
        self._namespace = namespace
        self._labels = labels
        self._opts = opts
        self.name = core.ServiceAccount(
            name, metadata=self._metadata(name, namespace), opts=opts
        ).metadata.name
        self.bindings: list[pulumi.Resource] = []

    def may(self, rules: Sequence[rbac.PolicyRuleArgs]) -> None:
        """Grant rules in the whole cluster."""
        name = f"slipway-{self._label}"
        role = rbac.ClusterRole(
            self._label, metadata=self._metadata(name), rules=list(rules), opts=self._opts
        )
        self._bind_cluster(self._label, name, role.metadata.name)

    def may_in(self, namespace: pulumi.Input[str], rules: Sequence[rbac.PolicyRuleArgs]) -> None:
        """Grant rules in one namespace."""
        role = rbac.Role(
            self._label,
            metadata=self._metadata(self._label, namespace),
            rules=list(rules),
            opts=self._opts,
        )
        self._bind(self._label, self._label, namespace, role.metadata.name)

    def serves_an_api(self) -> None:
        """Let it ask the API server who calls the API that it serves, and what they may do."""
        self._bind_cluster(
            f"{self._label}-delegator",
            f"slipway-{self._label}-delegator",
            pulumi.Output.from_input("system:auth-delegator"),
        )
        self._bind(
            f"{self._label}-reader",
            f"slipway-{self._label}-reader",
            "kube-system",
            pulumi.Output.from_input("extension-apiserver-authentication-reader"),
        )

    def _metadata(
        self, name: str, namespace: pulumi.Input[str] | None = None
    ) -> meta.ObjectMetaArgs:
        return meta.ObjectMetaArgs(name=name, namespace=namespace, labels=self._labels)

    def _subjects(self) -> list[rbac.SubjectArgs]:
        return [account(self.name, self._namespace)]

    def _bind_cluster(self, label: str, name: str, role: pulumi.Output[str]) -> None:
        self.bindings.append(
            rbac.ClusterRoleBinding(
                label,
                metadata=self._metadata(name),
                role_ref=reference("ClusterRole", role),
                subjects=self._subjects(),
                opts=self._opts,
            )
        )

    def _bind(
        self, label: str, name: str, namespace: pulumi.Input[str], role: pulumi.Output[str]
    ) -> None:
        self.bindings.append(
            rbac.RoleBinding(
                label,
                metadata=self._metadata(name, namespace),
                role_ref=reference("Role", role),
                subjects=self._subjects(),
                opts=self._opts,
            )
        )
