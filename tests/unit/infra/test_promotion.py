"""What promotes canaries is there exactly where a canary promotes itself."""

import json
from pathlib import Path
from typing import Any

import pytest

from infra.settings import parse
from tests.unit import mocked_program
from tests.unit.mocked_program import Program

ROUTE = "kubernetes:gateway.networking.k8s.io/v1:HTTPRoute"
DEPLOYMENT = "kubernetes:apps/v1:Deployment"
PROMOTER = "slipway:platform:CanaryPromoter"
PLAN = "slipway.local/promotion"
STACK = """
config:
  slipway:cluster: {{kind: local}}
  slipway:platform: {{monitoring: {{enabled: true}}}}
  slipway:teams: {{vision: {{}}, text: {{}}}}
  slipway:models:
    alone: {{team: text, format: onnx, uri: file:build/digits.onnx}}
    digits:
      team: vision
      format: onnx
      uri: file:build/digits.onnx
      canary: {{uri: file:build/digits-2.onnx, {canary}}}
"""


def _run(folder: Path, monkeypatch: pytest.MonkeyPatch, canary: str) -> Program:
    path = folder / "Pulumi.test.yaml"
    path.write_text(STACK.format(canary=canary))
    (folder / "project").mkdir()
    return mocked_program.run(path, folder / "project", monkeypatch)


@pytest.fixture(name="program", scope="module")
def _program(tmp_path_factory: pytest.TempPathFactory) -> Program:
    with pytest.MonkeyPatch.context() as monkeypatch:
        return _run(tmp_path_factory.mktemp("stack"), monkeypatch, "promote: auto")


@pytest.fixture(name="fixed", scope="module")
def _fixed(tmp_path_factory: pytest.TempPathFactory) -> Program:
    with pytest.MonkeyPatch.context() as monkeypatch:
        return _run(tmp_path_factory.mktemp("stack"), monkeypatch, "weight: 10")


def _inputs(program: Program, type_: str, name: str) -> Any:
    (found,) = [item for item in program.of_type(type_) if item.name == name]
    return found.inputs


def _gateway_arguments(program: Program) -> list[str]:
    template = _inputs(program, DEPLOYMENT, "traefik")["spec"]["template"]
    return list(template["spec"]["containers"][0]["args"])


def test_a_canary_with_a_weight_needs_no_promoter(fixed: Program) -> None:
    assert fixed.of_type(PROMOTER) == []
    assert PLAN not in _inputs(fixed, ROUTE, "digits")["metadata"]["annotations"]
    assert "--metrics.prometheus.addserviceslabels=false" in _gateway_arguments(fixed)


def test_a_canary_that_promotes_itself_brings_the_promoter(program: Program) -> None:
    assert len(program.of_type(PROMOTER)) == 1
    assert "--metrics.prometheus.addserviceslabels=true" in _gateway_arguments(program)


def test_the_stack_starts_the_canary_without_requests(program: Program) -> None:
    for rule in _inputs(program, ROUTE, "digits")["spec"]["rules"]:
        assert [backend["weight"] for backend in rule["backendRefs"]] == [100, 0]


def test_the_route_says_which_version_is_promoted_and_how(program: Program) -> None:
    annotations = _inputs(program, ROUTE, "digits")["metadata"]["annotations"]
    version = program.outputs["models"]["digits"]["traffic"]["canary"]["version"]
    assert json.loads(annotations[PLAN]) == {
        "version": version,
        "steps": [5, 25, 50, 100],
        "intervalSeconds": 300,
        "requests": 100,
        "errorRatio": 0.01,
        "latencySeconds": 2.5,
    }
    assert PLAN not in _inputs(program, ROUTE, "alone")["metadata"]["annotations"]


@pytest.mark.parametrize("model", ["digits", "alone"])
def test_an_update_takes_a_route_back_from_the_promoter(program: Program, model: str) -> None:
    # One that has no canary may have had one before.
    annotations = _inputs(program, ROUTE, model)["metadata"]["annotations"]
    assert annotations["pulumi.com/patchForce"] == "true"


def test_the_outputs_tell_no_weight_that_moves(program: Program) -> None:
    traffic = program.outputs["models"]["digits"]["traffic"]
    assert {role: set(share) for role, share in traffic.items()} == {
        "stable": {"version"},
        "canary": {"version"},
    }


def test_the_promoter_may_write_routes_and_events_of_teams_and_nothing_else(
    program: Program,
) -> None:
    role = _inputs(
        program, "kubernetes:rbac.authorization.k8s.io/v1:ClusterRole", "canary-promoter"
    )
    assert [(rule["apiGroups"], rule["resources"], rule["verbs"]) for rule in role["rules"]] == [
        (["gateway.networking.k8s.io"], ["httproutes"], ["list", "patch"]),
        ([""], ["events"], ["create"]),
    ]
    bindings = program.of_type("kubernetes:rbac.authorization.k8s.io/v1:RoleBinding")
    bound = {
        item.inputs["metadata"]["namespace"]
        for item in bindings
        if item.inputs["roleRef"]["name"] == "slipway-canary-promoter"
    }
    assert bound == {"vision", "text"}
    everywhere = program.of_type("kubernetes:rbac.authorization.k8s.io/v1:ClusterRoleBinding")
    subjects = [subject["name"] for item in everywhere for subject in item.inputs["subjects"]]
    assert "canary-promoter" not in subjects


def test_the_promoter_reaches_prometheus_and_nobody_reaches_the_promoter(program: Program) -> None:
    policy = "kubernetes:networking.k8s.io/v1:NetworkPolicy"
    own = _inputs(program, policy, "canary-promoter")["spec"]
    assert own["policyTypes"] == ["Ingress", "Egress"]
    assert "ingress" not in own
    prometheus = _inputs(program, policy, "monitoring-network-prometheus")["spec"]
    (allowed,) = prometheus["ingress"]
    assert {
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "slipway-system"}},
        "podSelector": {"matchLabels": {"app.kubernetes.io/name": "canary-promoter"}},
    } in allowed["from"]


def test_the_promoter_is_told_where_to_look_and_whom_to_ask(program: Program) -> None:
    template = _inputs(program, DEPLOYMENT, "canary-promoter")["spec"]["template"]
    (container,) = template["spec"]["containers"]
    assert container["args"] == [
        "--namespace=vision",
        "--namespace=text",
        "--prometheus=http://prometheus.slipway-monitoring.svc:9090",
        "--sample-seconds=15",
        "--health-port=8080",
    ]


@pytest.mark.parametrize(
    ("promote", "steps", "seconds"),
    [("auto", (5, 25, 50, 100), 300), ({"steps": [10, 100], "intervalSeconds": 60}, (10, 100), 60)],
)
def test_auto_stands_for_the_defaults(promote: Any, steps: tuple[int, ...], seconds: int) -> None:
    canary = {"uri": "file:b.onnx", "promote": promote}
    model = {"team": "vision", "format": "onnx", "uri": "file:a.onnx", "canary": canary}
    raw = {
        "cluster": {"kind": "local"},
        "platform": {"monitoring": {"enabled": True}},
        "teams": {"vision": {}},
        "models": {"digits": model},
    }
    settings = parse(raw)
    found = settings.models["digits"].canary
    assert settings.promotes
    assert found is not None
    assert found.promote is not None
    assert (found.promote.steps, found.promote.interval_seconds) == (steps, seconds)
