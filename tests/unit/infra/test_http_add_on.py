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
