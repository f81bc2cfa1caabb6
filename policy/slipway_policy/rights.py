"""Rights that name what they are for."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from slipway_policy.rule import Resource, items, mapping

_AWS_POLICIES = (
    "aws:iam/groupPolicy:GroupPolicy",
    "aws:iam/policy:Policy",
    "aws:iam/rolePolicy:RolePolicy",
    "aws:iam/userPolicy:UserPolicy",
)
_AWS_ATTACHMENTS = (
    "aws:iam/groupPolicyAttachment:GroupPolicyAttachment",
    "aws:iam/policyAttachment:PolicyAttachment",
    "aws:iam/rolePolicyAttachment:RolePolicyAttachment",
    "aws:iam/userPolicyAttachment:UserPolicyAttachment",
)
_AWS_ADMINISTRATORS = (":policy/AdministratorAccess", ":policy/IAMFullAccess")
# https://learn.microsoft.com/azure/role-based-access-control/built-in-roles
_AZURE_ROLES = {
    "8e3af657-a8ff-443c-a75c-2fe8c4bcb635": "Owner",
    "b24988ac-6180-42a0-ab88-20f7382dd24c": "Contributor",
    "18d7d88d-d35e-4fb5-a5c3-7773c20a72d9": "User Access Administrator",
}
_GOOGLE_ROLES = ("roles/owner", "roles/editor")
_ANYBODY = ("allUsers", "allAuthenticatedUsers")
_KUBERNETES_ROLES = tuple(
    f"kubernetes:rbac.authorization.k8s.io/v1:{kind}" for kind in ("ClusterRole", "Role")
)


def rights_are_named(resource: Resource) -> Iterator[str]:
    """Refuse rights to everything, in clouds and in the cluster."""
    properties = resource.properties
    if resource.type in _AWS_POLICIES:
        yield from _aws_policy(properties.get("policy"))
    elif resource.type in _AWS_ATTACHMENTS:
        if str(properties.get("policyArn")).endswith(_AWS_ADMINISTRATORS):
            yield f"{properties['policyArn']} is the right to everything"
    elif resource.type == "azure-native:authorization:RoleAssignment":
        role = str(properties.get("roleDefinitionId")).rpartition("/")[2]
        if role in _AZURE_ROLES:
            yield f"the role {_AZURE_ROLES[role]} is the right to everything in its scope"
    elif resource.type.startswith("gcp:") and "role" in properties:
        yield from _google(properties)
    elif resource.type in _KUBERNETES_ROLES:
        yield from _kubernetes(properties)


def _aws_policy(policy: Any) -> Iterator[str]:
    document = json.loads(policy) if isinstance(policy, str) else policy
    for statement in map(mapping, items(mapping(document).get("Statement"))):
        if statement.get("Effect") == "Allow":
            yield from _aws_statement(statement)


def _aws_statement(statement: Mapping[str, Any]) -> Iterator[str]:
    for key in ("NotAction", "NotResource"):
        if key in statement:
            yield f"{key} allows everything else: name what is allowed"
    actions = items(statement.get("Action"))
    if "*" in actions:
        yield "the action * is the right to everything"
    elif "*" in items(statement.get("Resource")):
        for action in actions:
            if str(action).endswith(":*"):
                yield f"the action {action} on the resource *: name the actions, or the resources"


def _google(properties: Mapping[str, Any]) -> Iterator[str]:
    if properties["role"] in _GOOGLE_ROLES:
        yield f"{properties['role']} is the right to everything: name a role of the service"
    for member in (*items(properties.get("members")), *items(properties.get("member"))):
        if member in _ANYBODY:
            yield f"{member} is everybody on the internet"


def _kubernetes(properties: Mapping[str, Any]) -> Iterator[str]:
    for rule in map(mapping, items(properties.get("rules"))):
        if all("*" in items(rule.get(key)) for key in ("verbs", "resources")):
            yield "verbs * on resources *: name them"
