"""The machine plug-in under the real engine, with a real node."""

import hashlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engine.machine_stack import Stack, errors
from tests.ports import free_port
from toolchain import host, images, local_cluster
from toolchain.local_cluster import node
from toolchain.progress import silent

pytestmark = [pytest.mark.engine, pytest.mark.cluster]

NAME = "plugin-test"
MODEL = b"a model"
PROGRAM = """
cluster = machine.LocalCluster(
    "cluster", name="{name}", distributions=["upstream"],
    ports=[machine.PortForward({port}, 30080)], opts=OPTIONS,
)
store = machine.local_store("{name}", cluster.identity)
image = machine.Image("image", recipe="pause", store=store, opts=OPTIONS)
pulumi.export("kubeconfig", cluster.kubeconfig)
pulumi.export("ref", image.ref)
"""
MODEL_FILE = """
model = machine.ModelFile(
    "model", source="model.onnx", digest="{digest}", store=store, opts=OPTIONS
)
pulumi.export("path", model.node_path)
"""


@pytest.fixture(scope="module")
def program() -> str:
    return PROGRAM.format(name=NAME, port=free_port())


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, program: str) -> Iterator[Stack]:
    """A stack with a node; what it leaves after its destruction fails the module."""
    if not host.is_root():
        pytest.skip("a node needs root")
    # What a test run that was killed has left.
    local_cluster.destroy(NAME, silent)
    stack = Stack(tmp_path_factory.mktemp("stack"))
    stack.program(program)
    try:
        stack.up()
        yield stack
    finally:
        stack.pulumi("destroy", "--skip-preview", "--yes")
    assert local_cluster.leftovers(NAME) == []


@pytest.fixture
def stack(running: Stack, program: str) -> Stack:
    running.program(program)
    return running


def test_a_second_up_changes_nothing(stack: Stack) -> None:
    assert "4 unchanged" in stack.up()


def test_the_image_is_in_the_node(stack: Stack) -> None:
    assert local_cluster.has_image(NAME, images.reference("pause"))


def test_the_kubeconfig_is_in_no_file_and_on_no_screen(stack: Stack) -> None:
    cluster = local_cluster.read(NAME)
    assert cluster is not None
    secrets = [line for line in cluster.kubeconfig.splitlines() if "client-key-data" in line]

    written = stack.everything_written() + stack.up()

    assert len(secrets) == 1
    assert "client-key-data" not in written


def test_a_stopped_node_is_seen_in_a_preview_and_started_by_the_next_up(stack: Stack) -> None:
    pid = node.init_pid(NAME)
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    node.end(NAME)

    assert stack.planned() == {"cluster": "update"}
    stack.up()

    assert local_cluster.status(NAME).state == "running"
    assert "4 unchanged" in stack.pulumi("preview")


def test_a_model_file_reaches_the_node_and_goes_with_its_resource(
    stack: Stack, program: str
) -> None:
    (stack.project / "model.onnx").write_bytes(MODEL)
    digest = hashlib.sha256(MODEL).hexdigest()
    stack.program(program + MODEL_FILE.format(digest=digest))
    planned = stack.planned_outputs()["path"]

    stack.up()
    placed = Path(planned) / "model.onnx"
    assert placed.read_bytes() == MODEL
    assert "5 unchanged" in stack.up()
    stack.program(program)
    stack.up()

    assert not placed.exists()


def test_a_model_file_that_the_node_lost_is_brought_again(stack: Stack, program: str) -> None:
    (stack.project / "model.onnx").write_bytes(MODEL)
    stack.program(program + MODEL_FILE.format(digest=hashlib.sha256(MODEL).hexdigest()))
    stack.up()
    placed = Path(stack.resources()["model"]["outputs"]["node_path"]) / "model.onnx"
    placed.unlink()

    assert stack.planned() == {"model": "update"}
    stack.up()

    assert placed.read_bytes() == MODEL


def test_another_project_cannot_take_the_name(stack: Stack, program: str, tmp_path: Path) -> None:
    other = Stack(tmp_path / "other")
    other.program(program)

    (line,) = errors(other.pulumi("preview", succeeds=False))

    assert f"slipway:cluster.name '{NAME}' is taken on this machine by" in line
    assert str(stack.project) in line


def test_a_cluster_that_was_removed_by_hand_is_made_anew_with_what_it_held(stack: Stack) -> None:
    before = stack.resources()["cluster"]["outputs"]["identity"]
    local_cluster.destroy(NAME, silent)

    planned = stack.planned()
    assert planned["cluster"] in ("replace", "delete-replaced", "create-replacement")
    assert planned["image"] == "update"
    stack.up()

    assert stack.resources()["cluster"]["outputs"]["identity"] != before
    assert local_cluster.has_image(NAME, images.reference("pause"))
