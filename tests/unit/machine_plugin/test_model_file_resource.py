"""What the resource `ModelFile` answers the engine."""

import hashlib
from pathlib import Path
from typing import Any

import pytest

from infra import digests
from tests.unit.machine_plugin.machine import IDENTITY, Machine
from toolchain.local_cluster import models
from toolchain.local_cluster import state as cluster_state
from toolchain.machine_plugin.model_file import ModelFileResource
from toolchain.plugin.properties import UNKNOWN

RESOURCE = ModelFileResource()
CONTENT = b"a model"
DIGEST = hashlib.sha256(CONTENT).hexdigest()
INPUTS: dict[str, Any] = {
    "source": "models/digits.onnx",
    "digest": DIGEST,
    "store": f"local:c/{IDENTITY}",
}
CHECKED = {**INPUTS, "present": True}


@pytest.fixture(autouse=True)
def node(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, machine: Machine) -> Path:
    """The model store of a cluster `c`, with a project in the current folder."""
    monkeypatch.setattr(cluster_state, "ROOT", tmp_path / "machine")
    project = tmp_path / "project"
    (project / "models").mkdir(parents=True)
    (project / "models" / "digits.onnx").write_bytes(CONTENT)
    monkeypatch.chdir(project)
    machine.add()
    monkeypatch.setattr(
        "toolchain.local_cluster.put_model",
        lambda name, file, digest: _put(cluster_state.layout(name).models, file, digest),
    )
    return tmp_path / "machine" / "clusters" / "c" / "models"


def _put(models: Path, file: Path, digest: str) -> Path:
    target = models / digest / file.name
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(file.read_bytes())
    return target


def test_the_folder_on_the_node_is_planned_as_it_will_be(machine: Machine, node: Path) -> None:
    planned = RESOURCE.plan({}, CHECKED)

    identifier, outputs = RESOURCE.create(CHECKED, machine.call())

    assert planned == outputs
    assert outputs["node_path"] == str(node / DIGEST)
    assert identifier == f"{DIGEST}/digits.onnx"
    assert (node / DIGEST / "digits.onnx").read_bytes() == CONTENT


def test_the_folder_is_unknown_while_the_cluster_is() -> None:
    assert RESOURCE.plan({}, {**CHECKED, "store": UNKNOWN})["node_path"] is UNKNOWN


@pytest.mark.parametrize(
    ("key", "value", "refused", "words"),
    [
        ("source", "models/other.onnx", "source", "there is no models/other.onnx"),
        ("source", "/etc/hosts", "source", "is not inside the project"),
        ("source", "../digits.onnx", "source", "is not inside the project"),
        ("source", "models", "source", "models has the SHA-256"),
        ("digest", "ABC", "digest", "'ABC' is no SHA-256"),
        ("digest", "0" * 64, "source", f"has the SHA-256 {DIGEST}, not 000"),
        ("store", "c", "store", "store 'c' is not known"),
    ],
)
def test_a_wrong_input_is_refused_by_its_name(
    machine: Machine, key: str, value: str, refused: str, words: str
) -> None:
    (failure,) = RESOURCE.check({}, {**INPUTS, key: value}, machine.call()).failures

    assert failure.property == refused
    assert words in failure.reason


def test_another_file_is_another_resource_so_that_running_pods_keep_theirs(
    machine: Machine,
) -> None:
    _, state = RESOURCE.create(CHECKED, machine.call())

    difference = RESOURCE.diff(state, {**CHECKED, "digest": "1" * 64}, machine.call())

    assert difference.replaces == ("digest",)
    assert not difference.delete_first


def test_the_same_file_in_another_folder_is_no_replacement(machine: Machine) -> None:
    _, state = RESOURCE.create(CHECKED, machine.call())

    difference = RESOURCE.diff(state, {**CHECKED, "source": "digits.onnx"}, machine.call())

    assert difference.updates == ("source",)
    assert difference.replaces == ()


def test_a_file_that_the_node_lost_is_a_change(machine: Machine, node: Path) -> None:
    _, state = RESOURCE.create(CHECKED, machine.call())
    assert RESOURCE.diff(state, CHECKED, machine.call()).updates == ()
    (node / DIGEST / "digits.onnx").unlink()

    assert RESOURCE.diff(state, CHECKED, machine.call()).updates == ("present",)
    assert RESOURCE.read("id", state) is None


def test_the_file_goes_with_its_resource(machine: Machine, node: Path) -> None:
    identifier, state = RESOURCE.create(CHECKED, machine.call())

    RESOURCE.delete(identifier, state, machine.call())

    assert not (node / DIGEST).exists()


def test_a_folder_is_brought_whole_and_goes_with_its_resource(
    monkeypatch: pytest.MonkeyPatch, machine: Machine, node: Path
) -> None:
    monkeypatch.setattr(
        "toolchain.local_cluster.put_model",
        lambda name, source, digest: models.put(cluster_state.layout(name), source, digest),
    )
    folder = Path("models/minilm")
    (folder / "onnx").mkdir(parents=True)
    (folder / "onnx" / "model.onnx").write_bytes(CONTENT)
    (folder / "tokenizer.json").write_bytes(b"{}")
    digest = digests.of(folder)
    inputs = {**CHECKED, "source": str(folder), "digest": digest}
    assert RESOURCE.check({}, inputs, machine.call()).failures == ()

    identifier, state = RESOURCE.create(inputs, machine.call())

    assert identifier == f"{digest}/minilm"
    assert (node / digest / "minilm" / "onnx" / "model.onnx").read_bytes() == CONTENT
    assert RESOURCE.diff(state, inputs, machine.call()).updates == ()
    RESOURCE.delete(identifier, state, machine.call())
    assert not (node / digest).exists()


def test_a_file_that_another_resource_uses_too_stays(machine: Machine, node: Path) -> None:
    identifier, state = RESOURCE.create(CHECKED, machine.call())
    other = machine.call()
    other = type(other)("urn:pulumi:dev::project::t::other", other.report, other.tell)
    RESOURCE.create(CHECKED, other)

    RESOURCE.delete(identifier, state, machine.call())

    assert (node / DIGEST / "digits.onnx").exists()


def test_deleting_after_the_cluster_is_gone_is_no_error(machine: Machine) -> None:
    identifier, state = RESOURCE.create(CHECKED, machine.call())
    machine.clusters.clear()

    RESOURCE.delete(identifier, state, machine.call())
