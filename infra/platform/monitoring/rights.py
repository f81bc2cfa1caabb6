"""Who a component of monitoring is for the cluster, and what it may read."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
from pulumi_kubernetes.rbac import v1 as rbac

from infra.platform.access import Account


@dataclass(frozen=True)
class RightsArgs:
    """Who may read what.

    Attributes:
        name: Name of the account; with `slipway-` before it, of the role.
        namespace: Where the account is.
        labels: Labels of the objects.
        rules: What it may read in the whole cluster.
    """

    name: str
    namespace: pulumi.Input[str]
    labels: Mapping[str, str]
    rules: Sequence[rbac.PolicyRuleArgs]


class Rights(pulumi.ComponentResource):
    """An account and the one role that it has.

    Type token: `slipway:platform:Rights`. Resources: `ServiceAccount`, `ClusterRole`,
    `ClusterRoleBinding`.

    Args:
        resource_name: Logical name.
        args: Who may read what.
        opts: Resource options.

    Attributes:
        account: Name of the account.
    """

    account: pulumi.Output[str]

    def __init__(
        self, resource_name: str, args: RightsArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("slipway:platform:Rights", resource_name, None, opts)
        account = Account(
            args.name, args.namespace, args.labels, pulumi.ResourceOptions(parent=self)
        )
        account.may(args.rules)
        self.account = account.name
        self.register_outputs({})
