"""The kinds that close a team's namespace, under the real engine."""

import pytest

from tests.engine.workspace import Workspace
from toolchain.kubernetes_plugin.cluster import Cluster

pytestmark = pytest.mark.engine

CLOSED = """
def metadata(name):
    return {{"name": name, "namespace": "{namespace}"}}

k8s.core.v1.ResourceQuota("quota", metadata=metadata("quota"),
    spec={{"hard": {{"requests.cpu": "{cpu}", "requests.memory": "0.5Gi", "pods": "5",
        "services.nodeports": "0"}}}}, opts=opts)
k8s.core.v1.LimitRange("limits", metadata=metadata("limits"),
    spec={{"limits": [{{"type": "Container", "default_request": {{"cpu": "0.1", "memory": "64Mi"}},
        "default": {{"memory": "64Mi"}}}}]}}, opts=opts)
k8s.networking.v1.NetworkPolicy("deny", metadata=metadata("deny"),
    spec={{"pod_selector": {{}}, "policy_types": ["Ingress", "Egress"]}}, opts=opts)
k8s.networking.v1.NetworkPolicy("allow", metadata=metadata("allow"),
    spec={{"pod_selector": {{"match_labels": {{"app": "web"}}}}, "policy_types": ["Ingress"],
        "ingress": [{{"from_": [{{"namespace_selector": {{}}}}], "ports": [{{"port": "http"}}]}}]}},
    opts=opts)
k8s.rbac.v1.Role("role", metadata=metadata("{role}"),
    rules=[{{"api_groups": [""], "resources": ["pods"], "verbs": ["get"]}}], opts=opts)
k8s.rbac.v1.RoleBinding("binding", metadata=metadata("binding"),
    role_ref={{"api_group": "rbac.authorization.k8s.io", "kind": "Role", "name": "{role}"}},
    subjects=[{{"kind": "Group", "name": "{group}", "api_group": "rbac.authorization.k8s.io"}}],
    opts=opts)
k8s.policy.v1.PodDisruptionBudget("budget", metadata=metadata("budget"),
    spec={{"max_unavailable": {spare}, "selector": {{"match_labels": {{"app": "web"}}}}}},
    opts=opts)
"""


def closed(
    namespace: str, cpu: str = "2", role: str = "member", group: str = "a", spare: int = 1
) -> str:
    return CLOSED.format(namespace=namespace, cpu=cpu, role=role, group=group, spare=spare)


def test_the_kinds_of_a_team_have_nothing_to_change_once_they_are_there(
    workspace: Workspace, namespace: str
) -> None:
    workspace.program(closed(namespace))
    assert {step["op"] for step in workspace.plan().values()} == {"create"}
    workspace.up()
    assert workspace.plan() == {}
    workspace.refresh("--expect-no-changes")


def test_a_changed_limit_member_or_budget_is_an_update_in_place(
    workspace: Workspace, cluster: Cluster, namespace: str
) -> None:
    workspace.program(closed(namespace))
    workspace.up()
    workspace.program(closed(namespace, cpu="3", group="b", spare=2))
    steps = workspace.plan()
    assert {name: step["op"] for name, step in steps.items()} == {
        "quota": "update",
        "binding": "update",
        "budget": "update",
    }
    assert list(steps["quota"]["detailedDiff"]) == ['spec.hard["requests.cpu"]']
    workspace.up()
    quota = cluster.get("v1", "ResourceQuota", "quota", namespace)
    assert quota is not None
    assert quota["spec"]["hard"]["requests.cpu"] == "3"


def test_a_binding_to_another_role_is_made_anew(workspace: Workspace, namespace: str) -> None:
    workspace.program(closed(namespace))
    workspace.up()
    workspace.program(closed(namespace, role="reader"))
    assert workspace.plan()["binding"]["op"] == "replace"
    workspace.up()
    assert workspace.plan() == {}
