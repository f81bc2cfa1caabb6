"""Who decides how many pods a model has."""

from typing import Any

import pytest

from infra.settings import ModelSettings, ScalingSettings
from tests.unit import mocked_program
from tests.unit.mocked_program import Program, Registered

HPA = "kubernetes:autoscaling/v2:HorizontalPodAutoscaler"
SCALED = "kubernetes:keda.sh/v1alpha1:ScaledObject"
DEPLOYMENT = "kubernetes:apps/v1:Deployment"
STACK = """
config:
  slipway:cluster: {kind: local}
  slipway:platform: {monitoring: {enabled: true}}
  slipway:teams: {vision: {}}
  slipway:models:
    steady: {team: vision, format: onnx, uri: file:build/digits.onnx, replicas: 3}
    busy:
      team: vision
      format: onnx
      uri: file:build/digits.onnx
      scaling: {min: 2, max: 5, cpu: 80, cooldownSeconds: 30}
    asked:
      team: vision
      format: onnx
      uri: file:build/digits.onnx
      scaling: {min: 2, max: 5, requestsPerSecond: 12.5, cooldownSeconds: 30}
    both:
      team: vision
      format: onnx
      uri: file:build/digits.onnx
      scaling: {max: 5, cpu: 80, requestsPerSecond: 20}
"""


@pytest.fixture(name="program", scope="module")
def _program(tmp_path_factory: pytest.TempPathFactory) -> Program:
    folder = tmp_path_factory.mktemp("stack")
    with pytest.MonkeyPatch.context() as monkeypatch:
        return mocked_program.run_stack(STACK, folder, monkeypatch)


def _one(program: Program, type_: str, name: str) -> Registered:
    [found] = [resource for resource in program.of_type(type_) if resource.name == name]
    return found


def _settings(**changes: Any) -> ModelSettings:
    return ModelSettings.model_validate(
        {"team": "vision", "format": "onnx", "uri": "file:digits.onnx", **changes}
    )


def test_a_model_moves_between_its_bounds_with_its_cpu(program: Program) -> None:
    scaler = _one(program, HPA, "busy")
    assert scaler.inputs["metadata"]["name"] == "busy"
    assert scaler.inputs["metadata"]["namespace"] == "vision"
    spec = scaler.inputs["spec"]
    assert spec["scaleTargetRef"] == {"apiVersion": "apps/v1", "kind": "Deployment", "name": "busy"}
    assert (spec["minReplicas"], spec["maxReplicas"]) == (2, 5)
    [metric] = spec["metrics"]
    assert metric["resource"] == {
        "name": "cpu",
        "target": {"type": "Utilization", "averageUtilization": 80},
    }


def test_pods_come_without_delay_and_go_after_the_cooldown(program: Program) -> None:
    behavior = _one(program, HPA, "busy").inputs["spec"]["behavior"]
    assert behavior["scaleUp"]["stabilizationWindowSeconds"] == 0
    assert behavior["scaleDown"]["stabilizationWindowSeconds"] == 30


def test_a_model_moves_between_its_bounds_with_its_requests(program: Program) -> None:
    scaler = _one(program, SCALED, "asked")
    assert scaler.inputs["metadata"]["namespace"] == "vision"
    spec = scaler.inputs["spec"]
    assert spec["scaleTargetRef"] == {"name": "asked"}
    assert (spec["minReplicaCount"], spec["maxReplicaCount"]) == (2, 5)
    [trigger] = spec["triggers"]
    assert (trigger["type"], trigger["metricType"]) == ("prometheus", "AverageValue")
    assert trigger["metadata"]["threshold"] == "12.5"
    assert trigger["metadata"]["serverAddress"].startswith("http://prometheus.slipway-monitoring")


def test_pods_that_follow_requests_go_after_the_cooldown_too(program: Program) -> None:
    advanced = _one(program, SCALED, "asked").inputs["spec"]["advanced"]
    assert advanced["horizontalPodAutoscalerConfig"]["behavior"] == {
        "scaleUp": {"stabilizationWindowSeconds": 0},
        "scaleDown": {"stabilizationWindowSeconds": 30},
    }


def test_a_model_has_one_autoscaler_whatever_it_follows(program: Program) -> None:
    assert [scaler.name for scaler in program.of_type(HPA)] == ["busy"]
    assert sorted(scaler.name for scaler in program.of_type(SCALED)) == ["asked", "both"]
    triggers = _one(program, SCALED, "both").inputs["spec"]["triggers"]
    assert [trigger["type"] for trigger in triggers] == ["prometheus", "cpu"]
    assert triggers[1]["metadata"] == {"value": "80"}


def test_requests_that_nobody_can_count_end_no_pod(program: Program) -> None:
    metadata = _one(program, SCALED, "asked").inputs["spec"]["triggers"][0]["metadata"]
    assert metadata["ignoreNullValues"] == "false"


@pytest.mark.parametrize("name", ["busy", "asked"])
def test_the_number_of_pods_is_the_autoscalers_where_there_is_one(
    program: Program, name: str
) -> None:
    deployment = _one(program, DEPLOYMENT, name)
    assert "replicas" not in deployment.inputs["spec"]
    assert deployment.ignored == ("spec.replicas",)


def test_the_number_of_pods_is_the_stack_files_where_there_is_no_autoscaler(
    program: Program,
) -> None:
    steady = _one(program, DEPLOYMENT, "steady")
    assert steady.inputs["spec"]["replicas"] == 3
    assert steady.ignored == ()


def test_the_step_back_from_an_autoscaler_is_an_update_that_wins(program: Program) -> None:
    steady, busy = (_one(program, DEPLOYMENT, name) for name in ("steady", "busy"))
    assert steady.inputs["metadata"]["annotations"] == {"pulumi.com/patchForce": "true"}
    assert "annotations" not in busy.inputs["metadata"]


@pytest.mark.parametrize(
    ("targets", "percent"),
    [
        ({}, 70),
        ({"requestsPerSecond": 20}, None),
        ({"requestsPerSecond": 20, "cpu": 50}, 50),
    ],
)
def test_cpu_is_followed_unless_requests_alone_are(
    targets: dict[str, int], percent: int | None
) -> None:
    assert ScalingSettings.model_validate({"max": 5, **targets}).cpu_percent == percent


def test_a_quota_has_to_hold_the_most_pods_that_a_model_may_have() -> None:
    assert _settings().max_replicas == 1
    assert _settings(replicas=3).max_replicas == 3
    assert _settings(scaling={"max": 5}).max_replicas == 5
