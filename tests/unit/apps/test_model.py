"""What a served model's objects promise."""

from pathlib import Path
from typing import Any

import pytest

from apps.serving.runtimes import PORT, RUNTIMES
from tests.unit import mocked_program
from tests.unit.mocked_program import ONNX, Program

STACK = """
config:
  slipway:cluster: {kind: local, gatewayPort: 18080}
  slipway:teams: {vision: {}, text: {}}
  slipway:models:
    digits: {team: vision, format: onnx, uri: file:build/digits.onnx, replicas: 2}
    topics: {team: text, format: onnx, uri: file:build/topics.onnx}
"""


def _run(
    folder: Path, monkeypatch: pytest.MonkeyPatch, models: bytes = ONNX, stack: str = STACK
) -> Program:
    path = folder / "Pulumi.test.yaml"
    path.write_text(stack)
    (folder / "project").mkdir(exist_ok=True)
    return mocked_program.run(path, folder / "project", monkeypatch, models=models)


def _spec(program: Program, kind: str, name: str = "digits") -> Any:
    found = [resource for resource in program.of_type(kind) if resource.name == name]
    assert len(found) == 1, f"{len(found)} of {kind} {name}"
    return found[0].inputs["spec"]


@pytest.fixture(name="program", scope="module")
def _program(tmp_path_factory: pytest.TempPathFactory) -> Program:
    with pytest.MonkeyPatch.context() as monkeypatch:
        return _run(tmp_path_factory.mktemp("stack"), monkeypatch)


def test_all_models_share_one_server_image(program: Program) -> None:
    names = [image.name for image in program.of_type("slipway:machine:Image")]
    assert sorted(names) == ["model-server", "traefik-image"]


def test_a_model_answers_below_its_team_and_name(program: Program) -> None:
    models = program.outputs["models"]
    assert models["digits"]["url"] == "http://127.0.0.1:18080/vision/digits/v2/models/digits"
    route = _spec(program, "kubernetes:gateway.networking.k8s.io/v1:HTTPRoute")
    rule = route["rules"][0]
    assert rule["matches"] == [{"path": {"type": "PathPrefix", "value": "/vision/digits"}}]
    assert rule["backendRefs"] == [{"name": "digits", "port": 80}]
    assert route["parentRefs"] == [
        {"name": "slipway", "namespace": "slipway-system", "sectionName": "http"}
    ]


def test_a_model_runs_in_its_team_as_its_teams_account(program: Program) -> None:
    for kind in ("Deployment", "Service", "HTTPRoute"):
        for resource in program.kubernetes():
            if resource.type.endswith(f":{kind}") and resource.name in ("digits", "topics"):
                team = {"digits": "vision", "topics": "text"}[resource.name]
                assert resource.inputs["metadata"]["namespace"] == team, resource.label
    pod = _spec(program, "kubernetes:apps/v1:Deployment")["template"]["spec"]
    assert pod["serviceAccountName"] == "models"
    assert pod["automountServiceAccountToken"] is False


def test_the_model_comes_from_its_volume_and_not_from_the_image(program: Program) -> None:
    volume = _spec(program, "kubernetes:core/v1:PersistentVolume", "digits-volume")
    claim = _spec(program, "kubernetes:core/v1:PersistentVolumeClaim", "digits-claim")
    pod = _spec(program, "kubernetes:apps/v1:Deployment")["template"]["spec"]
    assert volume["hostPath"] == {"path": "/models/0", "type": "Directory"}
    assert claim["storageClassName"] == volume["storageClassName"] == ""
    assert pod["volumes"][0]["persistentVolumeClaim"] == {
        "claimName": volume["claimRef"]["name"],
        "readOnly": True,
    }
    assert "--model-path=/models/digits.onnx" in pod["containers"][0]["args"]


def test_a_changed_model_gets_a_volume_of_its_own_and_rolls_the_pods(
    program: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    changed = _run(tmp_path, monkeypatch, ONNX + b"retrained")
    for kind, name in (
        ("kubernetes:core/v1:PersistentVolume", "digits-volume"),
        ("kubernetes:core/v1:PersistentVolumeClaim", "digits-claim"),
    ):
        names = {
            resource.inputs["metadata"]["name"]
            for run in (program, changed)
            for resource in run.of_type(kind)
            if resource.name == name
        }
        assert len(names) == 2, kind
    templates = [_spec(run, "kubernetes:apps/v1:Deployment") for run in (program, changed)]
    assert templates[0]["template"]["metadata"] != templates[1]["template"]["metadata"]
    assert templates[0]["selector"] == templates[1]["selector"]


def test_models_whose_names_join_alike_keep_volumes_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    teams = STACK.replace("text: {}", "vision-eu: {}").replace("team: text", "team: vision-eu")
    stack = teams.replace("digits:", "eu-digits:").replace("topics:", "digits:")
    program = _run(tmp_path, monkeypatch, stack=stack)
    volumes = program.of_type("kubernetes:core/v1:PersistentVolume")
    assert len({volume.inputs["metadata"]["name"] for volume in volumes}) == 2


def test_a_new_version_takes_over_before_the_old_one_goes(program: Program) -> None:
    spec = _spec(program, "kubernetes:apps/v1:Deployment")
    assert spec["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}
    assert spec["replicas"] == 2


def test_objects_of_a_local_cluster_go_with_it(program: Program) -> None:
    cluster = program.of_type("slipway:machine:LocalCluster")[0]
    for type_ in ("Platform", "ServerImages", "Model"):
        found = [resource for resource in program.resources if resource.type.endswith(f":{type_}")]
        assert {resource.deleted_with for resource in found} == {cluster.urn}, type_


@pytest.mark.parametrize("name", RUNTIMES)
def test_every_runtime_is_told_its_model_and_its_port(name: str) -> None:
    args = RUNTIMES[name].args("digits", "0a1b2c3d4e5f", "/models/digits.onnx")
    assert args == [
        "--model-name=digits",
        "--model-version=0a1b2c3d4e5f",
        "--model-path=/models/digits.onnx",
        f"--format={name}",
        f"--port={PORT}",
    ]
