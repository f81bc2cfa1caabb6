"""KEDA is there exactly where a model scales on requests, and may do no more than that takes."""

from pathlib import Path
from typing import Any

import pytest

from infra.naming import AUTOSCALING_NAMESPACE as NAMESPACE
from infra.platform.keda import ADAPTER, OPERATOR
from infra.platform.keda_rights import operator_rules
from tests.unit import mocked_program
from tests.unit.mocked_program import Program, Registered

STACK = """
config:
  slipway:cluster: {{kind: local}}
  slipway:platform: {{monitoring: {{enabled: true}}}}
  slipway:teams: {{vision: {{}}}}
  slipway:models:
    digits: {{team: vision, format: onnx, uri: file:build/digits.onnx, scaling: {scaling}}}
"""
ON_REQUESTS = "{max: 3, requestsPerSecond: 20}"


def _run(folder: Path, monkeypatch: pytest.MonkeyPatch, scaling: str) -> Program:
    return mocked_program.run_stack(STACK.format(scaling=scaling), folder, monkeypatch)


@pytest.fixture(name="program", scope="module")
def _program(tmp_path_factory: pytest.TempPathFactory) -> Program:
    with pytest.MonkeyPatch.context() as monkeypatch:
        return _run(tmp_path_factory.mktemp("stack"), monkeypatch, ON_REQUESTS)


def _named(program: Program, kind: str, name: str) -> Registered:
    [found] = [
        item
        for item in program.kubernetes()
        if item.type.endswith(f":{kind}") and item.inputs["metadata"]["name"] == name
    ]
    return found


def test_a_stack_without_scaling_on_requests_has_no_keda(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = _run(tmp_path, monkeypatch, "{max: 3, cpu: 70}")
    assert program.of_type("slipway:platform:Keda") == []


def test_the_operator_may_write_nothing_but_numbers_of_pods_and_their_autoscalers() -> None:
    written = {
        resource
        for rule in _plain(operator_rules())
        if set(rule["verbs"]) & {"create", "update", "patch", "delete"}
        for resource in rule["resources"]
    }
    assert written == {
        "deployments/scale",
        "events",
        "horizontalpodautoscalers",
        "scaledobjects",
        "scaledobjects/finalizers",
        "scaledobjects/status",
    }


def test_the_operator_reads_no_secrets_of_teams() -> None:
    for rule in _plain(operator_rules()):
        assert not {"*", "secrets", "configmaps"} & set(rule["resources"])
        assert "*" not in rule["api_groups"]


def test_the_api_server_verifies_whom_it_asks_for_metrics(program: Program) -> None:
    service = _named(program, "APIService", "v1beta1.external.metrics.k8s.io")
    annotations = service.inputs["metadata"]["annotations"]
    assert annotations["cert-manager.io/inject-ca-from"] == f"{NAMESPACE}/keda"
    assert "insecureSkipTLSVerify" not in service.inputs["spec"]
    certificate = _named(program, "Certificate", "keda")
    names = certificate.inputs["spec"]["dnsNames"]
    assert f"{service.inputs['spec']['service']['name']}.{NAMESPACE}.svc" in names


def test_a_model_scales_on_requests_once_there_are_metrics_of_them(program: Program) -> None:
    service = _named(program, "APIService", "v1beta1.external.metrics.k8s.io")
    assert service.inputs["metadata"]["annotations"]["pulumi.com/waitFor"] == "condition=Available"
    assert service.urn in _named(program, "ScaledObject", "digits").dependencies


def _plain(rules: list[Any]) -> list[dict[str, Any]]:
    return [
        {
            "api_groups": list(rule.api_groups),
            "resources": list(rule.resources),
            "verbs": list(rule.verbs),
        }
        for rule in rules
    ]


def test_keda_connects_to_what_it_asks_and_nothing_else_is_open(program: Program) -> None:
    policies = {
        item.inputs["metadata"]["name"]: item.inputs["spec"]
        for item in program.of_type("kubernetes:networking.k8s.io/v1:NetworkPolicy")
        if item.inputs["metadata"]["namespace"] == NAMESPACE
    }
    assert policies.pop("deny-all") == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    selected = {name: spec["podSelector"]["matchLabels"] for name, spec in policies.items()}
    for name, deployment in (("operator", OPERATOR), ("adapter", ADAPTER)):
        pods = _named(program, "Deployment", deployment).inputs["spec"]["selector"]["matchLabels"]
        assert selected[name] == pods
    [asked] = policies["operator"]["ingress"]
    assert asked["from"] == [{"podSelector": {"matchLabels": selected["adapter"]}}]
    assert _ports(policies["adapter"]["ingress"]) == [6443]
    assert _ports(policies["operator"]["egress"]) == [9090, 9090, 443, 6443, 53, 53]
    assert _ports(policies["adapter"]["egress"]) == [9666, 443, 6443, 53, 53]


def _ports(rules: list[dict[str, Any]]) -> list[int]:
    return [port["port"] for rule in rules for port in rule["ports"]]
