"""What a served model's objects promise."""

from pathlib import Path
from typing import Any

import pytest

from tests.unit import mocked_program
from tests.unit.mocked_program import ONNX, Program

STACK = """
config:
  slipway:cluster: {kind: local, httpPort: 18080}
  slipway:teams: {vision: {}, text: {}}
  slipway:models:
    digits: {team: vision, format: onnx, uri: file:build/digits.onnx, replicas: 2}
    topics: {team: text, format: onnx, uri: file:build/topics.onnx}
"""


def _run(
    folder: Path, monkeypatch: pytest.MonkeyPatch, models: bytes = ONNX, stack: str = STACK
) -> Program:
    return mocked_program.run_stack(stack, folder, monkeypatch, models=models)


def _spec(program: Program, kind: str, name: str = "digits") -> Any:
    found = [resource for resource in program.of_type(kind) if resource.name == name]
    assert len(found) == 1, f"{len(found)} of {kind} {name}"
    return found[0].inputs["spec"]


@pytest.fixture(name="program", scope="module")
def _program(tmp_path_factory: pytest.TempPathFactory) -> Program:
    with pytest.MonkeyPatch.context() as monkeypatch:
        return _run(tmp_path_factory.mktemp("stack"), monkeypatch)


def test_all_models_share_one_server_image(program: Program) -> None:
    images = program.of_type("slipway:machine:Image")
    names = [image.name for image in images if "slipway:serving:" in image.parent]
    assert names == ["model-server"]


def test_a_model_answers_below_its_team_and_name(program: Program) -> None:
    models = program.outputs["models"]
    assert models["digits"]["url"] == "https://127.0.0.1:8443/vision/digits/v2/models/digits"
    route = _spec(program, "kubernetes:gateway.networking.k8s.io/v1:HTTPRoute")
    assert [
        (rule["matches"][0]["path"], rule["filters"][0]["urlRewrite"]["path"])
        for rule in route["rules"]
        if rule["backendRefs"] == [{"name": "digits", "port": 80}]
    ] == [
        (
            {"type": "PathPrefix", "value": f"/vision/digits{path}"},
            {"type": "ReplacePrefixMatch", "replacePrefixMatch": path},
        )
        for path in ("/v2/models", "/v2/health")
    ] + [
        (
            {"type": "Exact", "value": "/vision/digits/v2"},
            {"type": "ReplaceFullPath", "replaceFullPath": "/v2"},
        )
    ]
    assert route["parentRefs"] == [
        {"name": "slipway", "namespace": "slipway-system", "sectionName": "https"}
    ]


def test_grpc_has_a_port_of_its_own_that_gateways_know_as_such(program: Program) -> None:
    container = _spec(program, "kubernetes:apps/v1:Deployment")["template"]["spec"]["containers"][0]
    assert {port["name"]: port["containerPort"] for port in container["ports"]} == {
        "http": 8080,
        "grpc": 8081,
    }
    assert "--grpc-port=8081" in container["args"]
    ports = {port["name"]: port for port in _spec(program, "kubernetes:core/v1:Service")["ports"]}
    assert ports["grpc"] == {
        "name": "grpc",
        "port": 8081,
        "targetPort": "grpc",
        "appProtocol": "kubernetes.io/h2c",
    }


def test_a_model_runs_in_its_team_as_its_teams_account(program: Program) -> None:
    for kind in ("Deployment", "Service", "HTTPRoute"):
        for resource in program.kubernetes():
            if resource.type.endswith(f":{kind}") and resource.name in ("digits", "topics"):
                team = {"digits": "vision", "topics": "text"}[resource.name]
                assert resource.inputs["metadata"]["namespace"] == team, resource.label
    pod = _spec(program, "kubernetes:apps/v1:Deployment")["template"]["spec"]
    assert pod["serviceAccountName"] == "models"
    assert pod["automountServiceAccountToken"] is False


def test_pods_of_a_model_keep_apart_whatever_their_number(program: Program) -> None:
    several, single = (
        _spec(program, "kubernetes:apps/v1:Deployment", name)["template"]["spec"]
        for name in ("digits", "topics")
    )
    constraints = several["topologySpreadConstraints"]
    # Another number of them must not roll those that run.
    assert len(single["topologySpreadConstraints"]) == len(constraints)
    assert [one["topologyKey"] for one in constraints] == [
        "topology.kubernetes.io/zone",
        "kubernetes.io/hostname",
    ]
    for one in constraints:
        # A laptop has one node.
        assert one["whenUnsatisfiable"] == "ScheduleAnyway"
        assert one["labelSelector"]["matchLabels"]["app.kubernetes.io/instance"] == "digits"


def test_a_pod_that_ends_waits_once_for_the_gateway_to_know(program: Program) -> None:
    (container,) = _spec(program, "kubernetes:apps/v1:Deployment")["template"]["spec"]["containers"]
    assert container["lifecycle"]["preStop"] == {"sleep": {"seconds": 3}}
    assert "--drain-seconds=0" in container["args"]


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


def test_models_whose_names_join_alike_never_share_a_volume(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They cannot be in one stack, but one can come while the other goes."""
    stacks = (
        STACK.replace("digits:", "eu-digits:"),
        STACK.replace("vision", "vision-eu"),
    )
    names = [
        volume.inputs["metadata"]["name"]
        for stack in stacks
        for volume in _run(tmp_path, monkeypatch, stack=stack).of_type(
            "kubernetes:core/v1:PersistentVolume"
        )
        if "digits" in volume.inputs["metadata"]["name"]
    ]
    assert len(names) == len(set(names)) == len(stacks)


def test_a_new_version_takes_over_before_the_old_one_goes(program: Program) -> None:
    spec = _spec(program, "kubernetes:apps/v1:Deployment")
    assert spec["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}
    assert spec["replicas"] == 2


def test_objects_of_a_local_cluster_go_with_it(program: Program) -> None:
    cluster = program.of_type("slipway:machine:LocalCluster")[0]
    for type_ in ("Platform", "ServerImages", "Model"):
        found = [resource for resource in program.resources if resource.type.endswith(f":{type_}")]
        assert {resource.deleted_with for resource in found} == {cluster.urn}, type_


def test_prometheus_reads_a_model_where_the_stack_has_monitoring(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: Program
) -> None:
    def annotations(program: Program) -> Any:
        template = _spec(program, "kubernetes:apps/v1:Deployment")["template"]
        return template["metadata"]["annotations"]

    assert set(annotations(program)) == {"slipway.local/model-digest"}
    monitored = f"{STACK}  slipway:platform: {{monitoring: {{enabled: true}}}}\n"
    found = annotations(_run(tmp_path, monkeypatch, stack=monitored))
    assert found["prometheus.io/scrape"] == "true"
    assert found["prometheus.io/path"] == "/metrics"


def test_a_drain_takes_one_pod_of_a_model_at_a_time(program: Program) -> None:
    budget = _spec(program, "kubernetes:policy/v1:PodDisruptionBudget")
    labels = _spec(program, "kubernetes:apps/v1:Deployment")["template"]["metadata"]["labels"]
    assert budget["maxUnavailable"] == 1
    assert budget["selector"]["matchLabels"].items() <= labels.items()


def test_a_drain_takes_one_pod_at_a_time_of_those_that_an_autoscaler_added(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = "topics: {team: text, format: onnx,"
    scaled = STACK.replace(one, f"{one} scaling: {{min: 1, max: 4}},")
    budgets = _run(tmp_path, monkeypatch, stack=scaled).of_type(
        "kubernetes:policy/v1:PodDisruptionBudget"
    )
    [budget] = [budget for budget in budgets if budget.name == "topics"]
    # Not `minAvailable`: while there is one pod, it may go too.
    assert budget.inputs["spec"]["maxUnavailable"] == 1


def test_a_model_with_one_pod_keeps_no_node_from_being_drained(program: Program) -> None:
    budgets = program.of_type("kubernetes:policy/v1:PodDisruptionBudget")
    assert "topics" not in [budget.name for budget in budgets]
