"""Which version of a model answers which requests."""

from pathlib import Path
from typing import Any

import pytest

from apps.serving import routes
from infra.contract import GatewayReference
from infra.settings import ModelSettings, parse
from tests.unit import mocked_program
from tests.unit.mocked_program import Program, Registered

ROUTE = "kubernetes:gateway.networking.k8s.io/v1:HTTPRoute"
DEPLOYMENT = "kubernetes:apps/v1:Deployment"
SERVICE = "kubernetes:core/v1:Service"

STACK = """
config:
  slipway:cluster: {kind: local}
  slipway:teams: {vision: {}}
  slipway:models:
    digits:
      team: vision
      format: onnx
      uri: file:build/digits.onnx
      replicas: 2
      resources: {cpu: 100m}
      canary: {uri: file:build/digits-v2.onnx, weight: 10, headers: {X-Group: beta}}
    named: {team: vision, format: onnx, uri: file:build/digits.onnx, host: named.example.com}
    alone: {team: vision, format: onnx, uri: file:build/digits.onnx}
"""


def _run(folder: Path, monkeypatch: pytest.MonkeyPatch, stack: str = STACK) -> Program:
    return mocked_program.run_stack(stack, folder, monkeypatch)


@pytest.fixture(name="program", scope="module")
def _program(tmp_path_factory: pytest.TempPathFactory) -> Program:
    with pytest.MonkeyPatch.context() as monkeypatch:
        return _run(tmp_path_factory.mktemp("stack"), monkeypatch)


def _one(program: Program, kind: str, name: str) -> Registered:
    (found,) = [resource for resource in program.of_type(kind) if resource.name == name]
    return found


def _rules(program: Program, name: str = "digits") -> Any:
    return _one(program, ROUTE, name).inputs["spec"]["rules"]


def test_a_share_of_the_requests_goes_to_the_canary(program: Program) -> None:
    assert _rules(program)[1]["backendRefs"] == [
        {"name": "digits", "port": 80, "weight": 90},
        {"name": "digits-canary", "port": 80, "weight": 10},
    ]


def test_requests_with_the_canarys_headers_go_to_it_whatever_its_weight(program: Program) -> None:
    rule, rest, *_ = _rules(program)
    assert rule["matches"] == [
        {
            "path": {"type": "PathPrefix", "value": "/vision/digits/v2/models"},
            "headers": [{"type": "Exact", "name": "X-Group", "value": "beta"}],
        }
    ]
    assert rule["backendRefs"] == [{"name": "digits-canary", "port": 80}]
    assert rule["filters"] == rest["filters"]


def test_a_weight_of_0_sends_the_canary_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stack = STACK.replace("weight: 10, headers: {X-Group: beta}", "weight: 0")
    for rule in _rules(_run(tmp_path, monkeypatch, stack)):
        assert [backend["weight"] for backend in rule["backendRefs"]] == [100, 0]


def test_a_model_without_a_canary_has_one_rule_and_no_weights(program: Program) -> None:
    *rest, grpc = _rules(program, "alone")
    assert [rule["backendRefs"] for rule in rest] == [[{"name": "alone", "port": 80}]] * 3
    assert grpc["backendRefs"] == [{"name": "alone", "port": 8081}]
    assert set(program.outputs["models"]["alone"]) == {"url", "version", "protocol"}


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"format": "onnx"}, ["/v2/models", "/v2/health", "/v2"]),
        ({"format": "llm", "uri": "file:m.gguf"}, ["/v1"]),
        # An image that we do not know has all of them.
        ({"format": "custom", "container": {"image": "example.com/server:1"}}, [""]),
    ],
)
@pytest.mark.parametrize("host", [None, "own.example.com"])
def test_the_paths_of_a_models_protocol_lead_to_it_and_no_others(
    settings: dict[str, Any], expected: list[str], host: str | None
) -> None:
    given = {"team": "vision", "uri": "file:m.onnx", "host": host, **settings}
    model = ModelSettings.model_validate(given)
    gateway = GatewayReference("slipway", "slipway-system", "https")
    rules = routes.http_route(gateway, "mine", model, 80)["rules"]
    found = [
        rule["matches"][0]["path"]["value"]
        for rule in rules
        if rule["backendRefs"] == [{"name": "mine", "port": 80}]
    ]
    before = "" if host else "/vision/mine"
    assert found == [before + path or "/" for path in expected]


def test_grpc_calls_name_their_model_in_a_header(program: Program) -> None:
    *_, rule = _rules(program, "alone")
    assert rule == {
        "matches": [
            {
                "path": {"type": "PathPrefix", "value": "/inference.GRPCInferenceService"},
                "headers": [{"type": "Exact", "name": "slipway-model", "value": "vision/alone"}],
            }
        ],
        "backendRefs": [{"name": "alone", "port": 8081}],
    }


def test_grpc_calls_to_a_models_own_name_need_no_header(program: Program) -> None:
    route = _one(program, ROUTE, "named").inputs["spec"]
    assert route["hostnames"] == ["named.example.com"]
    assert route["rules"][-1] == {
        "matches": [{"path": {"type": "PathPrefix", "value": "/inference.GRPCInferenceService"}}],
        "backendRefs": [{"name": "named", "port": 8081}],
    }


def test_the_canary_gets_its_share_of_grpc_calls_too(program: Program) -> None:
    *_, chosen, shared = _rules(program)
    assert shared["backendRefs"] == [
        {"name": "digits", "port": 8081, "weight": 90},
        {"name": "digits-canary", "port": 8081, "weight": 10},
    ]
    assert [header["name"] for header in chosen["matches"][0]["headers"]] == [
        "slipway-model",
        "X-Group",
    ]
    assert chosen["backendRefs"] == [{"name": "digits-canary", "port": 8081}]


def test_the_canary_has_pods_of_its_own_under_the_models_name(program: Program) -> None:
    stable = _one(program, DEPLOYMENT, "digits").inputs["spec"]
    canary = _one(program, DEPLOYMENT, "digits-canary").inputs["spec"]
    service = _one(program, SERVICE, "digits-canary").inputs["spec"]
    assert service["selector"] == canary["selector"]["matchLabels"]
    assert service["selector"] != stable["selector"]["matchLabels"]
    assert canary["replicas"] == stable["replicas"] == 2
    ours, its = (spec["template"]["spec"]["containers"][0] for spec in (stable, canary))
    assert its["resources"] == ours["resources"]
    assert "--model-name=digits" in its["args"]
    assert "--model-path=/models/digits-v2.onnx" in its["args"]


def test_no_request_comes_to_a_version_before_its_pods_are_ready(program: Program) -> None:
    needed = {
        _one(program, kind, name).urn
        for kind in (DEPLOYMENT, SERVICE)
        for name in ("digits", "digits-canary")
    }
    assert needed <= _one(program, ROUTE, "digits").dependencies


def test_the_outputs_tell_each_version_and_its_weight(program: Program) -> None:
    model = program.outputs["models"]["digits"]
    assert {role: share["weight"] for role, share in model["traffic"].items()} == {
        "stable": 90,
        "canary": 10,
    }
    args = _one(program, DEPLOYMENT, "digits-canary").inputs["spec"]["template"]["spec"][
        "containers"
    ][0]["args"]
    assert f"--model-version={model['traffic']['canary']['version']}" in args
    assert model["traffic"]["stable"]["version"] == model["version"]


@pytest.mark.parametrize(
    ("pods", "canary", "expected"),
    [
        ({"replicas": 3}, {}, 3),
        ({"scaling": {"min": 2, "max": 4}}, {}, 2),
        ({"replicas": 3}, {"replicas": 1}, 1),
    ],
)
def test_a_canary_has_as_many_pods_as_its_model_has_at_least(
    pods: dict[str, Any], canary: dict[str, Any], expected: int
) -> None:
    model = {"team": "vision", "format": "onnx", "uri": "file:a.onnx", **pods}
    further = {"uri": "file:b.onnx", "weight": 5, **canary}
    raw = {"cluster": {"kind": "local"}, "teams": {"vision": {}}}
    settings = parse({**raw, "models": {"digits": {**model, "canary": further}}})
    version = settings.models["digits"].versions["canary"]
    assert version.max_replicas == expected
    assert version.scaling is None


def test_a_canary_may_have_another_format_and_brings_its_image(program: Program) -> None:
    canary = {"uri": "file:b.joblib", "format": "sklearn", "weight": 5}
    model = {"team": "vision", "format": "onnx", "uri": "file:a.onnx", "canary": canary}
    raw = {"cluster": {"kind": "local"}, "teams": {"vision": {}}, "models": {"digits": model}}
    formats = {name: version.format for name, version in parse(raw).workloads.items()}
    assert formats == {"digits": "onnx", "digits-canary": "sklearn"}


def test_the_canary_of_a_custom_model_may_be_another_image() -> None:
    model = {"team": "vision", "format": "custom", "container": {"image": "example.org/a:1.0.0"}}
    canary = {"container": {"image": "example.org/a:1.1.0"}, "weight": 5}
    raw = {"cluster": {"kind": "local"}, "teams": {"vision": {}}}
    settings = parse({**raw, "models": {"digits": {**model, "canary": canary}}})
    assert settings.workloads["digits-canary"].container.image == "example.org/a:1.1.0"
