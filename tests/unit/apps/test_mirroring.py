"""What copies a model's requests to a second version of it."""

from pathlib import Path
from typing import Any

import pytest

from apps.serving.mirroring import Mirror
from infra.settings import parse
from tests.unit import mocked_program
from tests.unit.mocked_program import Program, Registered
from toolchain.catalog.images import TRAEFIK_CRDS

ROUTE = "kubernetes:gateway.networking.k8s.io/v1:HTTPRoute"
DEPLOYMENT = "kubernetes:apps/v1:Deployment"
SERVICE = "kubernetes:traefik.io/v1alpha1:TraefikService"
TYPES = "kubernetes:apiextensions.k8s.io/v1:CustomResourceDefinition"
STACK = """
config:
  slipway:cluster: {kind: local}
  slipway:teams: {vision: {}}
  slipway:models:
    alone: {team: vision, format: onnx, uri: file:build/digits.onnx}
    digits:
      team: vision
      format: onnx
      uri: file:build/digits.onnx
      mirror: {uri: file:build/digits-2.onnx, percent: 20}
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


def _rules(program: Program, name: str) -> Any:
    return _one(program, ROUTE, name).inputs["spec"]["rules"]


def _traefik(program: Program) -> list[str]:
    pod = _one(program, DEPLOYMENT, "traefik").inputs["spec"]["template"]["spec"]
    return list(pod["containers"][0]["args"])


def _brings_types(program: Program) -> bool:
    return "things.traefik-crds.example" in {item.name for item in program.of_type(TYPES)}


def test_the_route_leads_to_what_traefik_mirrors_by(program: Program) -> None:
    kind = {"group": "traefik.io", "kind": "TraefikService"}
    *plain, grpc = _rules(program, "digits")
    for rule in plain:
        assert rule["backendRefs"] == [{**kind, "name": "digits-mirror-http"}]
    assert grpc["backendRefs"] == [{**kind, "name": "digits-mirror-grpc"}]
    assert {rule["backendRefs"][0]["name"] for rule in _rules(program, "alone")} == {"alone"}


def test_the_model_answers_and_its_mirror_gets_a_share_of_copies(program: Program) -> None:
    def mirroring(port: str) -> Any:
        service = _one(program, SERVICE, f"digits-mirror-{port}-TraefikService")
        return service.inputs["spec"]["mirroring"]

    plain, grpc = mirroring("http"), mirroring("grpc")
    assert (plain["name"], plain["port"], plain["scheme"]) == ("digits", 80, "http")
    (copies,) = plain["mirrors"]
    assert (copies["name"], copies["port"], copies["percent"]) == ("digits-mirror", 80, 20)
    assert (grpc["port"], grpc["scheme"]) == (8081, "h2c")
    assert (grpc["mirrors"][0]["port"], grpc["mirrors"][0]["scheme"]) == (8081, "h2c")


def test_what_waits_for_a_slow_mirror_is_bounded(program: Program) -> None:
    bound = _one(
        program, "kubernetes:traefik.io/v1alpha1:Middleware", "digits-mirror-Middleware"
    ).inputs
    assert bound["spec"]["inFlightReq"]["amount"] == 100
    for service in program.of_type(SERVICE):
        mirroring = service.inputs["spec"]["mirroring"]
        assert mirroring["maxBodySize"] == 65536
        assert mirroring["mirrors"][0]["middlewares"] == [{"name": bound["metadata"]["name"]}]
        # Nothing bounds the model itself.
        assert "middlewares" not in mirroring


def test_the_mirror_has_pods_of_its_own_under_the_models_name(program: Program) -> None:
    pod = _one(program, DEPLOYMENT, "digits-mirror").inputs["spec"]["template"]["spec"]
    arguments = pod["containers"][0]["args"]
    assert "--model-name=digits" in arguments
    assert "--model-path=/models/digits-2.onnx" in arguments


def test_traefik_knows_a_mirror_before_its_pods_are_ready_and_then_requests_come(
    program: Program,
) -> None:
    pods = _one(program, DEPLOYMENT, "digits-mirror")
    assert {service.urn for service in program.of_type(SERVICE)} <= pods.dependencies
    assert pods.inputs["spec"]["minReadySeconds"] > 5
    assert pods.urn in _one(program, ROUTE, "digits").dependencies
    assert "minReadySeconds" not in _one(program, DEPLOYMENT, "digits").inputs["spec"]


def test_the_outputs_tell_the_mirrors_version_and_its_share(program: Program) -> None:
    model = program.outputs["models"]["digits"]
    mirror = model["traffic"]["mirror"]
    assert mirror["percent"] == 20
    pod = _one(program, DEPLOYMENT, "digits-mirror").inputs["spec"]["template"]["spec"]
    assert f"--model-version={mirror['version']}" in pod["containers"][0]["args"]
    assert model["traffic"]["stable"] == {"version": model["version"]}


def test_traefiks_own_kinds_are_there_with_a_mirror_alone(
    program: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert _brings_types(program)
    arguments = _traefik(program)
    assert "--providers.kubernetescrd.namespaces=vision" in arguments
    # Else a mirror without pods would take its model along.
    assert "--providers.kubernetescrd.allowemptyservices=true" in arguments
    role = _one(program, "kubernetes:rbac.authorization.k8s.io/v1:ClusterRole", "traefik-routes")
    (own,) = [rule for rule in role.inputs["rules"] if rule["apiGroups"] == ["traefik.io"]]
    assert own["verbs"] == ["get", "list", "watch"]
    # It watches every kind of its own, and serves nothing while one of them is missing.
    assert {f"traefik.io_{kind}.yaml" for kind in own["resources"]} == set(TRAEFIK_CRDS.binaries)

    without = _run(tmp_path, monkeypatch, STACK[: STACK.index("      mirror:")])
    assert not _brings_types(without)
    assert not [argument for argument in _traefik(without) if "kubernetescrd" in argument]
    assert "traefik.io" not in str(
        _one(without, "kubernetes:rbac.authorization.k8s.io/v1:ClusterRole", "traefik-routes")
    )


def test_with_0_percent_the_route_is_the_one_of_a_model_without_a_mirror(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = _run(tmp_path, monkeypatch, STACK.replace("percent: 20", "percent: 0"))
    for rule in _rules(program, "digits"):
        (backend,) = rule["backendRefs"]
        assert backend["name"] == "digits"
    # What the next share needs is there already.
    assert len(program.of_type(SERVICE)) == 2


RULES: list[dict[str, Any]] = [
    {"backendRefs": [{"name": "digits", "port": 80}], "filters": [{"type": "URLRewrite"}]},
    {"backendRefs": [{"name": "digits", "port": 8081}]},
]


def test_a_gateway_of_the_cluster_copies_by_the_standard_filter() -> None:
    plain, grpc = Mirror("digits", 20, 80, 8081).route({"rules": RULES}, "RequestMirror")["rules"]
    assert plain["backendRefs"] == RULES[0]["backendRefs"]
    assert plain["filters"][0] == {"type": "URLRewrite"}
    assert [rule["filters"][-1] for rule in (plain, grpc)] == [
        {
            "type": "RequestMirror",
            "requestMirror": {
                "backendRef": {"name": "digits-mirror", "port": port},
                "percent": 20,
            },
        }
        for port in (80, 8081)
    ]


@pytest.mark.parametrize("kind", ["RequestMirror", "TraefikService"])
def test_calls_over_grpc_stay_as_they_are_where_the_mirror_does_not_take_them(kind: Any) -> None:
    plain, grpc = Mirror("digits", 20, 80, None).route({"rules": RULES}, kind)["rules"]
    assert plain != RULES[0]
    assert grpc == RULES[1]


def test_a_mirror_changes_nothing_of_what_clients_reach(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    container = "{image: example.org/a:1.0.0, protocol: open-inference-v2}"
    other = f"mirror: {{format: custom, container: {container}}}"
    stack = STACK.replace("mirror: {uri: file:build/digits-2.onnx, percent: 20}", other)
    program = _run(tmp_path, monkeypatch, stack)
    *_, grpc = _rules(program, "digits")
    assert grpc["backendRefs"] == [{"name": "digits", "port": 8081}]

    def below(model: str) -> list[str]:
        paths = [rule["matches"][0]["path"]["value"] for rule in _rules(program, model)]
        return [path.replace(model, "") for path in paths]

    assert below("digits") == below("alone")


def test_every_request_is_copied_by_default() -> None:
    model = {"team": "vision", "format": "onnx", "uri": "file:a.onnx"}
    raw = {"cluster": {"kind": "local"}, "teams": {"vision": {}}}
    models = {"digits": {**model, "mirror": {"uri": "file:b.onnx"}}}
    mirror = parse({**raw, "models": models}).models["digits"].mirror
    assert mirror is not None
    assert mirror.percent == 100
