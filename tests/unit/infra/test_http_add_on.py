"""What holds requests is there exactly where a model may have no pods."""

from pathlib import Path
from typing import Any

import pytest

from tests.unit import mocked_program
from tests.unit.mocked_program import Program

DEPLOYMENT = "kubernetes:apps/v1:Deployment"
STACK = """
config:
  slipway:cluster: {{kind: local}}
  slipway:platform: {{gateway: {{replicas: 2, timeoutSeconds: 90}}}}
  slipway:teams: {{vision: {{}}, text: {{}}}}
  slipway:models:
    digits: {{team: vision, format: onnx, uri: file:build/digits.onnx, scaling: {scaling}}}
"""


def _run(folder: Path, monkeypatch: pytest.MonkeyPatch, scaling: str) -> Program:
    return mocked_program.run_stack(STACK.format(scaling=scaling), folder, monkeypatch)


@pytest.fixture(name="program", scope="module")
def _program(tmp_path_factory: pytest.TempPathFactory) -> Program:
    with pytest.MonkeyPatch.context() as monkeypatch:
        return _run(tmp_path_factory.mktemp("stack"), monkeypatch, "{min: 0, max: 3}")


def _inputs(program: Program, type_: str, name: str) -> Any:
    [found] = [item for item in program.of_type(type_) if item.name == name]
    return found.inputs


def _container(program: Program, name: str) -> Any:
    [container] = _inputs(program, DEPLOYMENT, name)["spec"]["template"]["spec"]["containers"]
    return container


def _variables(program: Program, name: str) -> dict[str, str]:
    return {item["name"]: item["value"] for item in _container(program, name)["env"]}


def test_a_stack_whose_models_keep_a_pod_holds_no_requests(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = _run(tmp_path, monkeypatch, "{max: 3}")
    assert program.of_type("slipway:platform:HttpAddOn") == []
    assert program.of_type("slipway:platform:Keda") == []


def test_models_that_may_have_no_pods_need_no_prometheus(program: Program) -> None:
    assert len(program.of_type("slipway:platform:HttpAddOn")) == 1
    assert len(program.of_type("slipway:platform:Keda")) == 1


def test_the_gateway_gives_a_held_request_up_first_so_that_it_does_not_wait_twice(
    program: Program,
) -> None:
    variables = _variables(program, "keda-http-interceptor")
    assert variables["KEDA_CONDITION_WAIT_TIMEOUT"] == "95s"
    assert variables["KEDA_RESPONSE_HEADER_TIMEOUT"] == "95s"


def test_what_holds_requests_is_as_available_as_the_gateway(program: Program) -> None:
    spec = _inputs(program, DEPLOYMENT, "keda-http-interceptor")["spec"]
    assert spec["replicas"] == 2
    assert spec["strategy"]["rollingUpdate"]["maxUnavailable"] == 0
    budgets = program.of_type("kubernetes:policy/v1:PodDisruptionBudget")
    assert "keda-http-interceptor" in [item.name for item in budgets]


def test_an_interceptor_that_ends_answers_what_it_holds_first(program: Program) -> None:
    hook = _container(program, "keda-http-interceptor")["lifecycle"]["preStop"]
    assert hook["sleep"]["seconds"] >= 10


def test_routes_of_teams_may_lead_to_the_interceptor_and_to_nothing_else(program: Program) -> None:
    [grant] = program.of_type("kubernetes:gateway.networking.k8s.io/v1beta1:ReferenceGrant")
    assert grant.inputs["metadata"]["namespace"] == "slipway-system"
    spec = grant.inputs["spec"]
    assert [item["namespace"] for item in spec["from"]] == ["vision", "text"]
    assert {item["kind"] for item in spec["from"]} == {"HTTPRoute"}
    assert spec["to"] == [{"group": "", "kind": "Service", "name": "keda-http-interceptor"}]


@pytest.mark.parametrize("name", ["keda-http-interceptor", "keda-http-scaler"])
def test_both_programs_only_read(program: Program, name: str) -> None:
    role = _inputs(program, "kubernetes:rbac.authorization.k8s.io/v1:ClusterRole", name)
    assert {verb for rule in role["rules"] for verb in rule["verbs"]} == {"get", "list", "watch"}
    resources = {resource for rule in role["rules"] for resource in rule["resources"]}
    assert resources == {"httpscaledobjects", "endpointslices", "services"}


POLICY = "kubernetes:networking.k8s.io/v1:NetworkPolicy"
NAMESPACE_NAME = "kubernetes.io/metadata.name"


def _rules(rules: list[Any], peers: str) -> list[tuple[list[Any], list[int]]]:
    """Return what rules of a policy let through: peers, of which none is everybody, and ports."""
    return [
        (rule.get(peers, []), [port["port"] for port in rule.get("ports", [])]) for rule in rules
    ]


def _pods(program: Program, name: str) -> Any:
    return _inputs(program, DEPLOYMENT, name)["spec"]["template"]["metadata"]["labels"]


def _beside(program: Program, name: str) -> dict[str, Any]:
    """A peer that the pods of a program in the same namespace are, and no others."""
    labels = {"app.kubernetes.io/name": _pods(program, name)["app.kubernetes.io/name"]}
    return {"podSelector": {"matchLabels": labels}}


def test_what_holds_requests_is_reached_by_the_gateway_and_counted_by_the_scaler_alone(
    program: Program,
) -> None:
    spec = _inputs(program, POLICY, "keda-http-interceptor")["spec"]
    assert spec["podSelector"] == _beside(program, "keda-http-interceptor")["podSelector"]
    assert set(spec["policyTypes"]) == {"Ingress", "Egress"}
    assert _rules(spec["ingress"], "from") == [
        ([_beside(program, "traefik")], [8080]),
        ([_beside(program, "keda-http-scaler")], [9090]),
    ]


def test_what_holds_requests_passes_them_on_to_models_and_knows_them_by_api_and_dns(
    program: Program,
) -> None:
    (models, no_ports), (anything, api), (_, dns) = _rules(
        _inputs(program, POLICY, "keda-http-interceptor")["spec"]["egress"], "to"
    )
    (peer,) = models
    (expression,) = peer["namespaceSelector"]["matchExpressions"]
    assert (expression["key"], expression["operator"]) == ("slipway.local/team", "Exists")
    # Whatever port they serve on: their own policies open no other.
    assert peer["podSelector"]["matchLabels"].items() <= _pods(program, "digits").items()
    assert no_ports == []
    assert (anything, api, set(dns)) == ([], [443, 6443], {53})


def test_the_scaler_is_asked_by_keda_alone_and_asks_what_holds_requests(program: Program) -> None:
    spec = _inputs(program, POLICY, "keda-http-scaler")["spec"]
    assert spec["podSelector"] == _beside(program, "keda-http-scaler")["podSelector"]
    keda = {
        "namespaceSelector": {"matchLabels": {NAMESPACE_NAME: "slipway-autoscaling"}},
        **_beside(program, "keda-operator"),
    }
    assert _rules(spec["ingress"], "from") == [([keda], [9090])]
    assert _rules(spec["egress"], "to") == [
        ([_beside(program, "keda-http-interceptor")], [9090]),
        ([], [443, 6443]),
    ]


def test_a_gateway_of_the_clusters_own_reaches_what_holds_requests(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stack = STACK.format(scaling="{min: 0, max: 3}").replace(
        "replicas: 2, timeoutSeconds: 90", "class: company"
    )
    program = mocked_program.run_stack(stack, tmp_path, monkeypatch)
    spec = _inputs(program, POLICY, "keda-http-interceptor")["spec"]
    assert _rules(spec["ingress"], "from") == [
        ([], [8080]),
        ([_beside(program, "keda-http-scaler")], [9090]),
    ]
