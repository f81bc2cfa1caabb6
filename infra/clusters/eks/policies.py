"""Policy documents of IAM, and roles of AWS's own services.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements.html
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pulumi
import pulumi_aws.iam as iam

_VERSION = "2012-10-17"


@dataclass(frozen=True)
class Statement:
    """What a policy allows.

    Attributes:
        actions: Actions.
        resources: ARNs of what they are allowed on; none in a trust policy.
        conditions: Conditions, as IAM has them.
        principal: Who may, in a trust policy.
    """

    actions: Sequence[str]
    resources: Sequence[pulumi.Input[str]] = ()
    conditions: Mapping[str, Mapping[str, pulumi.Input[Any]]] = field(default_factory=dict)
    principal: Mapping[str, pulumi.Input[str]] = field(default_factory=dict)

    def document(self) -> dict[str, Any]:
        """Return the statement as IAM has it."""
        parts = {
            "Principal": dict(self.principal),
            "Resource": list(self.resources),
            "Condition": {name: dict(values) for name, values in self.conditions.items()},
        }
        return {
            "Effect": "Allow",
            "Action": list(self.actions),
            **{name: value for name, value in parts.items() if value},
        }


def policy(*statements: Statement) -> pulumi.Output[str]:
    """Return a policy document of statements."""
    document = {"Version": _VERSION, "Statement": [one.document() for one in statements]}
    return pulumi.Output.json_dumps(document)


def service_trust(service: str, *actions: str) -> str:
    """Return the trust policy of a role that a service of AWS takes.

    Args:
        service: Its principal (`eks.amazonaws.com`).
        actions: What it does with the role; to take it, by default.
    """
    trust = Statement(actions or ("sts:AssumeRole",), principal={"Service": service})
    return json.dumps({"Version": _VERSION, "Statement": [trust.document()]})


@dataclass(frozen=True)
class ServiceRole:
    """A role that a service of AWS takes, with the rights that AWS's own policies give it.

    Attributes:
        role: The role.
        ready: Its rights: whatever uses the role waits for them, and goes before them.
    """

    role: iam.Role
    ready: list[pulumi.Resource]


def service_role(
    resource_name: str,
    trust: str,
    managed: Sequence[str],
    opts: pulumi.ResourceOptions,
) -> ServiceRole:
    """Register a role that a service of AWS takes.

    Args:
        resource_name: Logical name, which is the beginning of its name.
        trust: Its trust policy.
        managed: Names of AWS's own policies.
        opts: Resource options.
    """
    role = iam.Role(resource_name, assume_role_policy=trust, opts=opts)
    attachments = [
        iam.RolePolicyAttachment(
            f"{resource_name}-{name.rpartition('/')[2]}",
            role=role.name,
            policy_arn=f"arn:aws:iam::aws:policy/{name}",
            opts=opts,
        )
        for name in managed
    ]
    return ServiceRole(role, [*attachments])
