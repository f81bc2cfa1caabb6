"""What each row of the table of runtimes makes of a model."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from apps.serving.runtimes import GRPC_PORT, PORT, RUNTIMES, Served
from infra.clusters import local
from infra.contract import ClusterTraits, Placement, Toleration
from infra.settings import resources
from tests.unit import mocked_program
from tests.unit.mocked_program import Program

MODEL = Served("digits", "0a1b2c3d4e5f", "/models/digits.onnx", cores=2, gpus=0, answer_seconds=60)
DIGEST = f"sha256:{'0' * 64}"
OURS = [name for name, row in RUNTIMES.items() if row.recipe and row.protocol != "openai"]

Serve = Callable[..., Program]


@pytest.fixture(name="serve")
def _serve(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Serve:
    """The program of a stack with one model, `mine`."""

    def serve(model: Mapping[str, Any], content: bytes = b"anything") -> Program:
        config = {
            "cluster": {"kind": "local"},
            "teams": {"vision": {}},
            "models": {"mine": {"team": "vision", **model}},
        }
        return mocked_program.run_stack(
            yaml.safe_dump({"config": {f"slipway:{key}": value for key, value in config.items()}}),
            tmp_path,
            monkeypatch,
            models=content,
        )

    return serve


def pod(program: Program) -> Any:
    (deployment,) = [
        found for found in program.of_type("kubernetes:apps/v1:Deployment") if found.name == "mine"
    ]
    return deployment.inputs["spec"]["template"]["spec"]


def container(program: Program) -> Any:
    (only,) = pod(program)["containers"]
    return only


def variables(program: Program) -> dict[str, str]:
    return {entry["name"]: entry["value"] for entry in container(program)["env"]}


@pytest.mark.parametrize("name", OURS)
def test_our_server_is_told_its_model_and_its_port(name: str) -> None:
    assert RUNTIMES[name].args(MODEL) == [
        "--model-name=digits",
        "--model-version=0a1b2c3d4e5f",
        "--model-path=/models/digits.onnx",
        f"--format={name}",
        f"--port={PORT}",
        f"--grpc-port={RUNTIMES[name].grpc_port}",
        "--drain-seconds=0",
        "--grace-seconds=60",
    ]


@pytest.mark.parametrize("name", OURS)
def test_our_server_takes_the_same_bounds_and_is_counted_whatever_it_loads(name: str) -> None:
    row = RUNTIMES[name]
    assert row.metrics
    assert row.concurrency and row.concurrency(2, 6) == ["--threads=2", "--queue=6"]
    assert row.timeout and row.timeout(10) == ["--timeout-seconds=10"]


CUSTOM = {
    "format": "custom",
    "container": {
        "image": f"example.com/team/server@{DIGEST}",
        "command": ["serve"],
        "args": ["--name=$(MODEL_NAME)"],
        "port": 9000,
        "health": "/healthz",
    },
}


def test_a_custom_image_is_run_as_its_settings_say(serve: Serve) -> None:
    found = container(serve(CUSTOM))
    assert found["image"] == f"example.com/team/server@{DIGEST}"
    assert (found["command"], found["args"]) == (["serve"], ["--name=$(MODEL_NAME)"])
    assert found["ports"] == [{"name": "http", "containerPort": 9000}]
    probes = [found[f"{kind}Probe"]["httpGet"] for kind in ("startup", "readiness", "liveness")]
    assert probes == [{"path": "/healthz", "port": "http"}] * 3


def test_a_custom_image_alone_has_a_version_and_no_volume(serve: Serve) -> None:
    program = serve(CUSTOM)
    assert variables(program) == {
        "MODEL_NAME": "mine",
        "MODEL_VERSION": program.outputs["models"]["mine"]["version"],
    }
    assert [volume["name"] for volume in pod(program)["volumes"]] == ["tmp"]
    assert program.of_type("slipway:machine:ModelFile") == []
    images = program.of_type("slipway:machine:Image")
    assert not [image for image in images if "slipway:serving:" in image.parent]


def test_a_custom_image_is_told_where_its_model_is(serve: Serve) -> None:
    program = serve({**CUSTOM, "uri": "file:models/weights.bin"})
    assert variables(program)["MODEL_PATH"] == "/models/weights.bin"
    mounts = {mount["mountPath"]: mount["name"] for mount in container(program)["volumeMounts"]}
    assert mounts == {"/models": "model", "/tmp": "tmp"}


@pytest.mark.parametrize(
    ("protocol", "below", "ready"),
    [
        (None, "", "/"),
        ("openai", "/v1", "/health"),
        ("open-inference-v2", "/v2/models/mine", "/v2/health/ready"),
    ],
)
def test_the_protocol_says_where_clients_and_probes_ask(
    protocol: str | None, below: str, ready: str, serve: Serve
) -> None:
    chosen = {} if protocol is None else {"protocol": protocol}
    program = serve({"format": "custom", "container": {"image": "example.com/a:1", **chosen}})
    model = program.outputs["models"]["mine"]
    assert model["url"] == f"https://127.0.0.1:8443/vision/mine{below}"
    assert model["protocol"] == (protocol or "http")
    assert container(program)["readinessProbe"]["httpGet"]["path"] == ready


def test_another_image_takes_the_place_of_ours_and_ours_is_not_built(serve: Serve) -> None:
    own = {"image": "example.com/model-server:2", "args": ["--access-log"]}
    program = serve({"format": "custom", "uri": "file:models/a.bin", "container": own})
    assert container(program)["image"] == own["image"]
    assert container(program)["args"] == own["args"]


def test_a_language_model_is_served_over_the_openai_api(serve: Serve) -> None:
    program = serve(
        {
            "format": "llm",
            "uri": "file:models/chat.gguf",
            "resources": {"cpuLimit": "3500m"},
            "container": {"args": ["--context=8192"]},
        },
        content=b"GGUF\x03",
    )
    found = container(program)
    assert found["image"].startswith("slipway.local/llm-server:")
    assert found["args"] == [
        "--model-name=mine",
        "--model-path=/models/chat.gguf",
        "--threads=3",
        f"--port={PORT}",
        "--grace-seconds=600",
        "--context=8192",
    ]
    assert found["resources"]["limits"]["memory"] == "1Gi"
    assert program.outputs["models"]["mine"]["url"].endswith("/vision/mine/v1")


GPUS = Placement({"pool": "gpus"}, (Toleration("nvidia.com/gpu"),))


@pytest.fixture
def _gpu_pool(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the cluster have a pool of GPU nodes."""
    traits_of = local._traits

    def traits(*args: Any) -> ClusterTraits:
        return replace(traits_of(*args), gpu=GPUS)

    monkeypatch.setattr(local, "_traits", traits)
    monkeypatch.setattr(resources, "WITHOUT_GPUS", frozenset())


def rooms(program: Program) -> dict[str, Any]:
    """Return what a server may write to, by path."""
    volumes = {volume["name"]: volume.get("emptyDir") for volume in pod(program)["volumes"]}
    mounts = container(program)["volumeMounts"]
    return {
        mount["mountPath"]: volumes[mount["name"]] for mount in mounts if "readOnly" not in mount
    }


@pytest.mark.usefixtures("_gpu_pool")
def test_vllm_serves_a_folder_on_all_gpus_of_its_pod(serve: Serve) -> None:
    program = serve(
        {
            "format": "vllm",
            "uri": "file:models/qwen",
            "container": {"image": "example.com/vllm:v1", "args": ["--max-model-len=8192"]},
            "resources": {"gpu": 2},
        }
    )
    found = container(program)
    assert found["command"] == ["vllm", "serve"]
    assert found["args"] == [
        "/models/qwen",
        "--served-model-name=mine",
        "--tensor-parallel-size=2",
        f"--port={PORT}",
        "--shutdown-timeout=600",
        "--max-model-len=8192",
    ]
    assert found["resources"]["limits"]["nvidia.com/gpu"] == "2"
    assert pod(program)["nodeSelector"] == GPUS.node_selector
    assert pod(program)["tolerations"][0]["key"] == "nvidia.com/gpu"
    assert variables(program)["HOME"] == "/tmp"
    # What the processes of its GPUs share lies in memory.
    assert rooms(program)["/dev/shm"] == {"sizeLimit": "4Gi", "medium": "Memory"}
    assert found["readinessProbe"]["httpGet"]["path"] == "/health"
    assert found["startupProbe"]["failureThreshold"] == 1200
    assert program.outputs["models"]["mine"]["url"].endswith("/vision/mine/v1")


@pytest.mark.usefixtures("_gpu_pool")
def test_triton_serves_a_folder_of_its_repository(serve: Serve) -> None:
    program = serve(
        {
            "format": "triton",
            "uri": "file:models/mine",
            "container": {"image": "example.com/tritonserver:26.10"},
            "resources": {"gpu": 1},
        }
    )
    found = container(program)
    assert found["command"] == ["tritonserver"]
    assert found["args"] == [
        "--model-repository=/models",
        "--model-control-mode=explicit",
        "--load-model=mine",
        "--exit-timeout-secs=60",
        f"--http-port={PORT}",
        f"--grpc-port={GRPC_PORT}",
    ]
    assert found["readinessProbe"]["httpGet"]["path"] == "/v2/health/ready"
    assert rooms(program)["/dev/shm"]["medium"] == "Memory"


def test_an_image_that_is_made_on_this_machine_is_named_by_its_recipe(serve: Serve) -> None:
    program = serve({"format": "kserve", "container": {"recipe": "kserve-predictor"}})
    (image,) = [
        image
        for image in program.of_type("slipway:machine:Image")
        if "slipway:serving:" in image.parent
    ]
    assert image.inputs["recipe"] == "kserve-predictor"
    assert container(program)["image"].startswith("slipway.local/kserve-predictor:")


@pytest.mark.parametrize("uri", [None, "file:models/weights"])
def test_a_predictor_of_kserve_s_sdk_is_told_its_name_and_its_ports(
    uri: str | None, serve: Serve
) -> None:
    own = {"format": "kserve", "container": {"image": "example.com/team/predictor:1"}}
    program = serve(own if uri is None else {**own, "uri": uri})
    expected = ["--model_name=mine", f"--http_port={PORT}", f"--grpc_port={GRPC_PORT}"]
    if uri is not None:
        expected.append("--model_dir=/models/weights")
    assert container(program)["args"] == expected
    assert program.outputs["models"]["mine"]["protocol"] == "open-inference-v2"


@pytest.mark.parametrize("page", ["README.md", "docs/runtimes.md"])
def test_every_format_is_described(page: str) -> None:
    text = (mocked_program.ROOT / page).read_text()
    assert [name for name in RUNTIMES if f"`{name}`" not in text] == []
