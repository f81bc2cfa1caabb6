"""What a team's namespace allows, limits and refuses, as the program registers it."""

from dataclasses import replace
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest

from infra.clusters import local
from infra.contract import ClusterTraits, IdentityMetadata, Workload
from infra.platform.team.limits import hard
from infra.settings import QuotaSettings
from tests.unit import mocked_program
from tests.unit.mocked_program import Program, Registered
from toolchain.local_cluster import coredns

STACK = """
config:
  slipway:cluster: {kind: local}
  slipway:teams:
    vision: {members: [vision-members, ml], quota: {cpu: 4, memory: 4Gi, pods: 12, storage: 1Gi}}
    text: {}
    tiny: {quota: {cpu: 50m, memory: 64Mi}}
  slipway:models:
    digits: {team: vision, format: onnx, uri: file:build/digits.onnx}
"""


def _run(folder: Path, monkeypatch: pytest.MonkeyPatch, **more: Any) -> Program:
    return mocked_program.run_stack(STACK, folder, monkeypatch, **more)


@pytest.fixture(name="program", scope="module")
def _program(tmp_path_factory: pytest.TempPathFactory) -> Program:
    with pytest.MonkeyPatch.context() as monkeypatch:
        return _run(tmp_path_factory.mktemp("stack"), monkeypatch)


def _found(program: Program, kind: str, namespace: str) -> list[Registered]:
    return [
        resource
        for resource in program.kubernetes()
        if resource.type.endswith(f":{kind}")
        and resource.inputs["metadata"].get("namespace") == namespace
    ]


def _spec(program: Program, kind: str, namespace: str) -> Any:
    (found,) = _found(program, kind, namespace)
    return found.inputs["spec"]


def test_a_quota_limits_what_the_settings_name_and_nothing_else(program: Program) -> None:
    assert _spec(program, "ResourceQuota", "vision")["hard"] == {
        "requests.cpu": "4",
        "requests.memory": "4Gi",
        "limits.memory": "4Gi",
        "pods": "12",
        "requests.storage": "1Gi",
        "services.nodeports": "0",
        "services.loadbalancers": "0",
    }


def test_no_team_leads_past_the_gateway(program: Program) -> None:
    assert _spec(program, "ResourceQuota", "text")["hard"] == {
        "services.nodeports": "0",
        "services.loadbalancers": "0",
    }


def test_gpus_are_limited_under_the_name_that_the_cluster_has_for_them() -> None:
    limits = hard(QuotaSettings(gpu=0), "amd.com/gpu")
    assert limits["requests.amd.com/gpu"] == "0"


def test_a_container_that_says_nothing_gets_defaults_that_fit_into_the_quota(
    program: Program,
) -> None:
    (limits,) = _spec(program, "LimitRange", "vision")["limits"]
    assert limits == {
        "type": "Container",
        "defaultRequest": {"cpu": "100m", "memory": "256Mi"},
        "default": {"memory": "256Mi"},
        "max": {"memory": "4Gi"},
    }
    (limits,) = _spec(program, "LimitRange", "tiny")["limits"]
    assert limits["defaultRequest"] == {"cpu": "50m", "memory": "64Mi"}
    assert limits["default"] == {"memory": "64Mi"}
    (limits,) = _spec(program, "LimitRange", "text")["limits"]
    assert "max" not in limits


def test_nothing_gets_in_or_out_but_requests_metrics_and_names(program: Program) -> None:
    policies = {
        item.inputs["metadata"]["name"]: item.inputs["spec"]
        for item in _found(program, "NetworkPolicy", "vision")
    }
    assert set(policies) == {"deny-all", "allow-dns", "allow-serving"}
    assert policies["deny-all"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    (rule,) = policies["allow-dns"]["egress"]
    assert rule["to"] == [
        {
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}},
            "podSelector": {
                "matchExpressions": [
                    {"key": "k8s-app", "operator": "In", "values": ["kube-dns", "node-local-dns"]}
                ]
            },
        },
        # Caches on the nodes, and Cloud DNS on Google's.
        {"ipBlock": {"cidr": "169.254.20.10/32"}},
        {"ipBlock": {"cidr": "169.254.169.254/32"}},
    ]
    assert {(port["protocol"], port["port"]) for port in rule["ports"]} == {
        ("UDP", 53),
        ("TCP", 53),
    }
    (rule,) = policies["allow-serving"]["ingress"]
    assert [
        peer["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"]
        for peer in rule["from"]
    ] == ["slipway-system", "slipway-monitoring"]


def test_behind_a_gateway_of_the_clusters_own_everybody_reaches_models_and_only_their_ports(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cloud's load balancer is in no namespace, and comes from addresses of its own."""
    own = STACK.replace("teams:", "platform: {gateway: {class: company}}\n  slipway:teams:", 1)
    for kept, stack in ((False, own), (True, STACK)):
        folder = tmp_path / str(kept)
        folder.mkdir()
        program = mocked_program.run_stack(stack, folder, monkeypatch)
        policies = {
            item.inputs["metadata"]["name"]: item.inputs["spec"]
            for item in _found(program, "NetworkPolicy", "vision")
        }
        (rule,) = policies["allow-serving"]["ingress"]
        assert ("from" in rule) is kept
        assert [port["port"] for port in rule["ports"]] == ["http", "grpc"]
        assert policies["deny-all"]["policyTypes"] == ["Ingress", "Egress"]


def test_what_serving_needs_is_allowed_to_the_pods_and_the_port_of_models(
    program: Program,
) -> None:
    (policy,) = [
        item.inputs["spec"]
        for item in _found(program, "NetworkPolicy", "vision")
        if item.inputs["metadata"]["name"] == "allow-serving"
    ]
    pod = _spec(program, "Deployment", "vision")["template"]
    selected = policy["podSelector"]["matchLabels"]
    assert selected.items() <= pod["metadata"]["labels"].items()
    allowed = [port["port"] for port in policy["ingress"][0]["ports"]]
    assert allowed == [item["name"] for item in pod["spec"]["containers"][0]["ports"]]


def test_a_model_starts_when_its_teams_limits_and_policies_are_in_force(program: Program) -> None:
    (account,) = _found(program, "ServiceAccount", "vision")
    guards = [
        item
        for kind in ("ResourceQuota", "LimitRange", "NetworkPolicy")
        for item in _found(program, kind, "vision")
    ]
    assert {item.urn for item in guards} <= account.dependencies
    (deployment,) = _found(program, "Deployment", "vision")
    assert account.urn in deployment.dependencies


def test_members_see_workloads_and_no_secret_and_get_no_shell(program: Program) -> None:
    (role,) = _found(program, "Role", "vision")
    granted = {
        (group, resource, verb)
        for rule in role.inputs["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }
    assert {("", "pods/log", "get"), ("apps", "deployments", "list")} <= granted
    writing = {item for item in granted if item[2] not in ("get", "list", "watch")}
    assert writing == {("", "pods/portforward", "create")}
    resources = {resource for _, resource, _ in granted}
    assert resources.isdisjoint({"secrets", "pods/exec", "pods/attach", "configmaps", "*"})


def test_the_role_is_bound_to_the_groups_of_the_settings(program: Program) -> None:
    (binding,) = _of_members(program, "vision")
    assert [subject["name"] for subject in binding.inputs["subjects"]] == ["vision-members", "ml"]
    assert {subject["kind"] for subject in binding.inputs["subjects"]} == {"Group"}
    assert binding.inputs["roleRef"]["name"] == "member"
    assert _of_members(program, "text") == []


def _of_members(program: Program, team: str) -> list[Registered]:
    """The bindings that the settings' groups have; the gateway's controller has one too."""
    found = _found(program, "RoleBinding", team)
    return [binding for binding in found if binding.inputs["roleRef"]["kind"] == "Role"]


@pytest.mark.parametrize("name", ["vision", "text", "tiny", "slipway-system"])
def test_every_mode_of_pod_security_is_restricted(program: Program, name: str) -> None:
    (labels,) = [
        namespace.inputs["metadata"]["labels"]
        for namespace in program.of_type("kubernetes:core/v1:Namespace")
        if namespace.name == name
    ]
    for mode in ("enforce", "audit", "warn"):
        assert labels[f"pod-security.kubernetes.io/{mode}"] == "restricted"
        assert labels[f"pod-security.kubernetes.io/{mode}-version"] == "latest"


def test_the_policies_lead_to_the_gateway_and_the_dns_that_are_there(program: Program) -> None:
    (gateway,) = [
        item for item in program.of_type("kubernetes:apps/v1:Deployment") if item.name == "traefik"
    ]
    policies = {
        item.inputs["metadata"]["name"]: item.inputs["spec"]
        for item in _found(program, "NetworkPolicy", "vision")
    }
    (ingress,), (egress,) = policies["allow-serving"]["ingress"], policies["allow-dns"]["egress"]
    assert gateway.inputs["metadata"]["namespace"] in [
        peer["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"]
        for peer in ingress["from"]
    ]
    (dns,) = [
        addon.manifest
        for addon in coredns.addons("image:1", IPv4Address("10.43.0.10"), [])
        if addon.manifest["kind"] == "Deployment"
    ]
    (peer,) = [peer for peer in egress["to"] if "podSelector" in peer]
    assert peer["namespaceSelector"]["matchLabels"] == {
        "kubernetes.io/metadata.name": dns["metadata"]["namespace"]
    }
    template = dns["spec"]["template"]
    (wanted,) = peer["podSelector"]["matchExpressions"]
    assert template["metadata"]["labels"][wanted["key"]] in wanted["values"]
    ports = template["spec"]["containers"][0]["ports"]
    assert {(port["protocol"], port["port"]) for port in egress["ports"]} <= {
        (port["protocol"], port["containerPort"]) for port in ports
    }


def test_a_team_has_the_cloud_rights_that_the_cluster_gives_its_account(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def identity(workload: Workload) -> IdentityMetadata:
        return IdentityMetadata(
            annotations={"cloud/role": f"{workload.namespace}/{workload.service_account}"},
            pod_labels={"cloud/use": "true"},
        )

    made = local._traits

    def traits(*arguments: Any) -> ClusterTraits:
        return replace(made(*arguments), identity=identity)

    monkeypatch.setattr(local, "_traits", traits)
    program = _run(tmp_path, monkeypatch)
    (account,) = _found(program, "ServiceAccount", "vision")
    assert account.inputs["metadata"]["annotations"] == {"cloud/role": "vision/models"}
    pod = _spec(program, "Deployment", "vision")["template"]
    assert pod["metadata"]["labels"]["cloud/use"] == "true"


@pytest.mark.parametrize(("distribution", "warned"), [("upstream", 1), ("k3s", 0)])
def test_a_network_that_keeps_no_team_apart_is_told_once(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    distribution: str,
    warned: int,
) -> None:
    said: list[str] = []
    monkeypatch.setattr("pulumi.log.warn", lambda text, *more: said.append(text))
    _run(tmp_path, monkeypatch, distribution=distribution)
    assert len(said) == warned
    assert all("does not enforce NetworkPolicies" in text and "\n" not in text for text in said)
