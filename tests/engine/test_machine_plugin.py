"""The machine plug-in under the real engine, without a cluster."""

import hashlib
import shutil
from pathlib import Path

import pytest

from tests.engine.machine_stack import Stack, errors
from toolchain import images, project

pytestmark = pytest.mark.engine

IMAGE = """
image = machine.Image("server", recipe="{recipe}", store="{store}", opts=OPTIONS)
pulumi.export("ref", image.ref)
"""
MODEL = """
machine.ModelFile("model", source="{source}", digest="{digest}", store="local:c/1", opts=OPTIONS)
"""
CLUSTER = """
machine.LocalCluster(
    "cluster", name={name!r}, distributions={distributions!r},
    ports=[machine.PortForward({port!r}, 30080)], opts=OPTIONS,
)
"""


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Stack:
    return Stack(tmp_path_factory.mktemp("stack"))


def test_a_preview_shows_the_reference_of_an_image_that_was_never_built(stack: Stack) -> None:
    stack.program(IMAGE.format(recipe="model-server", store="local:c/1"))

    assert stack.planned_outputs()["ref"] == images.reference("model-server")


def test_a_reference_is_known_although_its_cluster_is_not_there_yet(stack: Stack) -> None:
    stack.program(
        """
cluster = machine.LocalCluster(
    "cluster", name="absent", distributions=["upstream"], ports=[], opts=OPTIONS
)
store = machine.local_store("absent", cluster.identity)
image = machine.Image("server", recipe="pause", store=store, opts=OPTIONS)
pulumi.export("ref", image.ref)
"""
    )

    assert stack.planned_outputs()["ref"] == images.reference("pause")


def test_a_changed_file_of_the_server_changes_the_reference_and_nothing_else_does(
    tmp_path: Path,
) -> None:
    clone = tmp_path / "clone"
    for name in ("apps", "infra", "toolchain"):
        shutil.copytree(
            project.ROOT / name, clone / name, ignore=shutil.ignore_patterns("__pycache__")
        )
    (clone / ".venv").symlink_to(project.ROOT / ".venv")
    stack = Stack(tmp_path / "stack", plugin=clone / "toolchain" / "machine_plugin", root=clone)
    stack.program(IMAGE.format(recipe="model-server", store="local:c/1"))

    def planned() -> str:
        return str(stack.planned_outputs()["ref"])

    before = planned()
    (clone / "README.md").write_text("not in the image")
    assert before == planned() == images.reference("model-server")
    server = clone / "apps" / "serving" / "server" / "slipway_server" / "__init__.py"
    server.write_text(server.read_text() + "\n# changed\n")
    assert planned() != before


@pytest.mark.parametrize(
    ("program", "words"),
    [
        (
            IMAGE.format(recipe="model-sever", store="local:c/1"),
            "there is no image recipe 'model-sever': nearest are model-server, ",
        ),
        (
            IMAGE.format(recipe="pause", store="somewhere"),
            "store 'somewhere' is not known: use `local:<cluster>/<identity>`",
        ),
        (
            MODEL.format(source="absent.onnx", digest="0" * 64),
            "there is no absent.onnx in the project",
        ),
        (MODEL.format(source="../m.onnx", digest="0" * 64), "is not inside the project"),
        (MODEL.format(source="m.onnx", digest="abc"), "'abc' is no SHA-256"),
        (
            CLUSTER.format(name="Local", distributions=["upstream"], port=18080),
            "slipway:cluster.name 'Local' is no DNS label",
        ),
        (
            CLUSTER.format(name="c", distributions=["minikube"], port=18080),
            "'minikube' is not known: use k3s, upstream",
        ),
        (CLUSTER.format(name="c", distributions=["upstream"], port=70000), "port 70000 is none"),
    ],
)
def test_a_wrong_input_is_refused_in_the_preview_with_one_line(
    stack: Stack, program: str, words: str
) -> None:
    stack.program(program)

    output = stack.pulumi("preview", succeeds=False)

    (line,) = errors(output)
    assert words in line
    assert "Traceback" not in output


def test_a_model_file_with_other_content_is_refused_in_the_preview(stack: Stack) -> None:
    (stack.project / "model.onnx").write_bytes(b"other")
    stack.program(MODEL.format(source="model.onnx", digest="0" * 64))

    output = stack.pulumi("preview", succeeds=False)

    assert f"has the SHA-256 {hashlib.sha256(b'other').hexdigest()}, not 000" in output


def test_a_run_prints_no_warning(stack: Stack) -> None:
    stack.program(IMAGE.format(recipe="pause", store="local:c/1"))

    assert "warning" not in stack.pulumi("preview")


def test_the_plug_in_has_a_schema_that_marks_the_kubeconfig_secret(stack: Stack) -> None:
    schema = stack.pulumi("package", "get-schema", str(stack.plugin / "pulumi-resource-slipway"))

    assert '"secret": true' in schema
