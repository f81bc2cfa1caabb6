"""Requests to a model that may have no pods."""

from typing import Any

import pytest

from tests.unit import mocked_program
from tests.unit.mocked_program import Program

SCALED = "kubernetes:keda.sh/v1alpha1:ScaledObject"
HELD = "kubernetes:http.keda.sh/v1alpha1:HTTPScaledObject"
ROUTE = "kubernetes:gateway.networking.k8s.io/v1:HTTPRoute"
DEPLOYMENT = "kubernetes:apps/v1:Deployment"
STACK = """
config:
  slipway:cluster: {kind: local}
  slipway:platform: {gateway: {replicas: 2, timeoutSeconds: 90}}
  slipway:teams: {vision: {}}
  slipway:models:
    awake: {team: vision, format: onnx, uri: file:build/digits.onnx, scaling: {max: 3}}
    idle:
      team: vision
      format: onnx
      uri: file:build/digits.onnx
      concurrency: 20
      scaling: {min: 0, max: 3, cooldownSeconds: 60}
    own:
      team: vision
      format: onnx
      uri: file:build/digits.onnx
      host: own.example.com
      scaling: {min: 0, max: 1}
"""


@pytest.fixture(name="program", scope="module")
def _program(tmp_path_factory: pytest.TempPathFactory) -> Program:
    folder = tmp_path_factory.mktemp("stack")
    with pytest.MonkeyPatch.context() as monkeypatch:
        return mocked_program.run_stack(STACK, folder, monkeypatch)


def _spec(program: Program, type_: str, name: str) -> Any:
    [found] = [item for item in program.of_type(type_) if item.name == name]
    return found.inputs["spec"]


def test_the_last_pod_goes_when_nobody_asked_for_the_cooldown(program: Program) -> None:
    spec = _spec(program, SCALED, "idle")
    assert (spec["minReplicaCount"], spec["maxReplicaCount"]) == (0, 3)
    assert spec["cooldownPeriod"] == 60
    # The first pod of a new model stays as long too.
    assert spec["initialCooldownPeriod"] == 60
    assert spec["pollingInterval"] < 60


def test_a_request_brings_the_first_pod_at_once(program: Program) -> None:
    trigger = _spec(program, SCALED, "idle")["triggers"][0]
    assert trigger["type"] == "external-push"
    assert trigger["metadata"] == {
        "scalerAddress": "keda-http-scaler.slipway-system.svc:9090",
        "httpScaledObject": "idle",
    }


def test_requests_go_through_what_holds_them_and_from_there_to_the_model(program: Program) -> None:
    rule, *rest, grpc = _spec(program, ROUTE, "idle")["rules"]
    assert grpc["backendRefs"] == [{"name": "idle", "port": 8081}]
    for held in (rule, *rest):
        assert held["backendRefs"] == [
            {"name": "keda-http-interceptor", "namespace": "slipway-system", "port": 8080}
        ]
    [rewrite] = rule["filters"]
    assert rewrite["urlRewrite"] == {
        "hostname": "idle.vision",
        "path": {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/v2/models"},
    }
    spec = _spec(program, HELD, "idle-held")
    assert spec["hosts"] == ["idle.vision"]
    assert spec["scaleTargetRef"] == {"name": "idle", "service": "idle", "port": 80}


def test_a_model_with_a_host_of_its_own_is_held_by_its_name_too(program: Program) -> None:
    route = _spec(program, ROUTE, "own")
    assert route["hostnames"] == ["own.example.com"]
    *rules, _ = route["rules"]
    for rule in rules:
        assert rule["filters"] == [
            {"type": "URLRewrite", "urlRewrite": {"hostname": "own.vision"}},
        ]


def test_pods_are_added_by_what_one_takes_at_once(program: Program) -> None:
    metric = _spec(program, HELD, "idle-held")["scalingMetric"]
    assert metric == {"concurrency": {"targetValue": 20}}


def test_a_model_that_keeps_a_pod_is_asked_directly(program: Program) -> None:
    rule, *_ = _spec(program, ROUTE, "awake")["rules"]
    assert rule["backendRefs"] == [{"name": "awake", "port": 80}]
    assert {item.name for item in program.of_type(HELD)} == {"idle-held", "own-held"}


def test_no_request_is_held_before_it_is_known_for_whom(program: Program) -> None:
    [route] = [item for item in program.of_type(ROUTE) if item.name == "idle"]
    [held] = [item for item in program.of_type(HELD) if item.name == "idle-held"]
    assert held.urn in route.dependencies


def test_a_new_model_is_seen_working_before_its_pods_may_go(program: Program) -> None:
    [scaler] = [item for item in program.of_type(SCALED) if item.name == "idle"]
    [deployment] = [item for item in program.of_type(DEPLOYMENT) if item.name == "idle"]
    assert deployment.urn in scaler.dependencies
