"""A model whose pods KServe makes is the model that a Deployment of ours would run."""

from typing import Any, Final

import pytest

from tests.unit import mocked_program
from tests.unit.mocked_program import INFERENCE_SERVICE, Program, Registered

DEPLOYMENT: Final = "kubernetes:apps/v1:Deployment"
HPA: Final = "kubernetes:autoscaling/v2:HorizontalPodAutoscaler"
SCALED: Final = "kubernetes:keda.sh/v1alpha1:ScaledObject"
ROUTE: Final = "kubernetes:gateway.networking.k8s.io/v1:HTTPRoute"
BUDGET: Final = "kubernetes:policy/v1:PodDisruptionBudget"

# What a pod can have: an init step, secrets, files, monitoring, a placement of its own.
MODELS: Final = """
    digits:
      team: vision
      format: onnx
      uri: file:build/digits.onnx
      replicas: 2
      priority: high
      secrets: [labels]
      nodeSelector: {example.com/pool: large}
      canary: {uri: file:build/digits-v2.onnx, weight: 10, headers: {X-Group: beta}}
    stored: {team: vision, format: onnx, uri: "s3://models/digits.onnx", version: v1}
    busy:
      team: vision
      format: onnx
      uri: file:build/digits.onnx
      scaling: {min: 2, max: 5, cpu: 150, cooldownSeconds: 30}
    asked:
      team: vision
      format: onnx
      uri: file:build/digits.onnx
      scaling: {max: 5, requestsPerSecond: 20}
    chat:
      team: vision
      format: custom
      container: {image: "example.com/chat:1.2", args: ["--name=$(MODEL_NAME)"]}
"""
STACK: Final = """
config:
  slipway:cluster: {kind: local}
  slipway:user: {secure: "v1:abc"}
  slipway:platform: {monitoring: {enabled: true}}
  slipway:teams: {vision: {secrets: {labels: {USER: {config: user}}}}}
  slipway:models:
"""
WORKLOADS: Final = ("digits", "digits-canary", "stored", "busy", "asked", "chat")


@pytest.fixture(name="programs", scope="module")
def _programs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Program]:
    """The same stack by backend."""
    programs = {}
    for backend in ("deployment", "inferenceService"):
        models = MODELS.replace("team: vision", f"backend: {backend}, team: vision").replace(
            f"      backend: {backend}, team", f"      backend: {backend}\n      team"
        )
        with pytest.MonkeyPatch.context() as monkeypatch:
            folder = tmp_path_factory.mktemp(backend.lower())
            programs[backend] = mocked_program.run_stack(STACK + models, folder, monkeypatch)
    return programs


@pytest.fixture(name="program", scope="module")
def _program(programs: dict[str, Program]) -> Program:
    return programs["inferenceService"]


def _one(program: Program, kind: str, name: str) -> Registered:
    (found,) = [resource for resource in program.of_type(kind) if resource.name == name]
    return found


def _predictor(program: Program, name: str = "digits") -> dict[str, Any]:
    predictor = _one(program, INFERENCE_SERVICE, name).inputs["spec"]["predictor"]
    assert isinstance(predictor, dict)
    return predictor


@pytest.mark.parametrize("name", WORKLOADS)
def test_both_backends_make_the_same_pods(programs: dict[str, Program], name: str) -> None:
    template = _one(programs["deployment"], DEPLOYMENT, name).inputs["spec"]["template"]
    (container,) = template["spec"]["containers"]
    # The only name that KServe's controller finds.
    expected = template["spec"] | {"containers": [container | {"name": "kserve-container"}]}
    predictor = _predictor(programs["inferenceService"], name)
    own = {"labels", "annotations", "minReplicas", "deploymentStrategy"}
    assert {key: value for key, value in predictor.items() if key not in own} == expected
    assert predictor["labels"] == template["metadata"]["labels"]
    assert predictor.get("annotations") == template["metadata"].get("annotations")


def test_a_new_version_takes_over_before_the_old_one_goes(programs: dict[str, Program]) -> None:
    ours = _one(programs["deployment"], DEPLOYMENT, "digits").inputs["spec"]["strategy"]
    assert _predictor(programs["inferenceService"])["deploymentStrategy"] == ours


def test_kserve_makes_the_deployment_and_the_service_and_nothing_that_leads_to_them(
    program: Program,
) -> None:
    for name in WORKLOADS:
        metadata = _one(program, INFERENCE_SERVICE, name).inputs["metadata"]
        assert metadata["namespace"] == "vision"
        assert metadata["annotations"]["serving.kserve.io/deploymentMode"] == "Standard"
        assert metadata["labels"]["networking.kserve.io/visibility"] == "cluster-local"
    for kind in (DEPLOYMENT, "kubernetes:core/v1:Service"):
        assert not {resource.name for resource in program.of_type(kind)} & set(WORKLOADS)


def test_the_route_waits_for_kserve_and_leads_to_the_services_that_it_makes(
    program: Program,
) -> None:
    route = _one(program, ROUTE, "digits")
    shares = [rule["backendRefs"] for rule in route.inputs["spec"]["rules"]]
    assert shares[1] == [
        {"name": "digits-predictor", "port": 80, "weight": 90},
        {"name": "digits-canary-predictor", "port": 80, "weight": 10},
    ]
    assert [share["port"] for share in shares[-1]] == [8081, 8081]
    for name in ("digits", "digits-canary"):
        service = _one(program, INFERENCE_SERVICE, name)
        assert service.urn in route.dependencies
        annotations = service.inputs["metadata"]["annotations"]
        assert annotations["pulumi.com/waitFor"] == "condition=Ready"


def test_up_waits_for_a_model_of_kserve_as_long_as_for_one_of_ours(
    programs: dict[str, Program],
) -> None:
    for name in WORKLOADS:
        ours = _one(programs["deployment"], DEPLOYMENT, name).timeouts
        assert _one(programs["inferenceService"], INFERENCE_SERVICE, name).timeouts == ours


def test_a_fixed_number_of_pods_is_kserves_affair(program: Program) -> None:
    annotations = _one(program, INFERENCE_SERVICE, "digits").inputs["metadata"]["annotations"]
    assert annotations["serving.kserve.io/autoscalerClass"] == "none"
    assert _predictor(program)["minReplicas"] == 2
    assert _predictor(program, "digits-canary")["minReplicas"] == 2


@pytest.mark.parametrize(("name", "kind"), [("busy", HPA), ("asked", SCALED)])
def test_an_autoscaler_is_ours_and_scales_the_deployment_that_kserve_makes(
    programs: dict[str, Program], name: str, kind: str
) -> None:
    program = programs["inferenceService"]
    annotations = _one(program, INFERENCE_SERVICE, name).inputs["metadata"]["annotations"]
    assert annotations["serving.kserve.io/autoscalerClass"] == "external"
    # Bounds in the InferenceService would change it without its Deployment, and KServe would never
    # say that it has seen the change.
    assert not {"minReplicas", "maxReplicas"} & set(_predictor(program, name))
    scaler = _one(program, kind, name).inputs["spec"]
    target = scaler["scaleTargetRef"]
    assert target["name"] == f"{name}-predictor"
    ours = _one(programs["deployment"], kind, name).inputs["spec"]
    assert scaler == ours | {"scaleTargetRef": target}


def test_a_drain_spares_the_pods_that_kserve_makes(program: Program) -> None:
    selector = _one(program, BUDGET, "digits").inputs["spec"]["selector"]["matchLabels"]
    assert selector.items() <= _predictor(program)["labels"].items()
