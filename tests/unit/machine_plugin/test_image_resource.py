"""What the resource `Image` answers the engine."""

from pathlib import Path
from typing import Any

import pytest

from tests.unit.machine_plugin.machine import IDENTITY, Machine
from toolchain import images, local_cluster
from toolchain.errors import SlipwayError
from toolchain.images.registry import Repository
from toolchain.machine_plugin.image import ImageResource
from toolchain.machine_plugin.resource import Difference
from toolchain.plugin.properties import UNKNOWN

RESOURCE = ImageResource()
STORE = f"local:c/{IDENTITY}"
REF = images.reference("pause")
INPUTS: dict[str, Any] = {"recipe": "pause", "store": STORE}
CHECKED = {**INPUTS, "ref": REF, "present": True}


@pytest.fixture(autouse=True)
def built(monkeypatch: pytest.MonkeyPatch, machine: Machine) -> list[str]:
    """The recipes that were built, in place of a build and an import."""
    recipes: list[str] = []

    def build(recipe: str, report: object) -> Path:
        recipes.append(recipe)
        return Path(recipe)

    def bring(name: str, archive: Path, report: object) -> None:
        machine.images.add((name, images.reference(archive.name)))

    monkeypatch.setattr(images, "build", build)
    monkeypatch.setattr(local_cluster, "import_image", bring)
    return recipes


def test_the_reference_is_an_input_so_that_a_changed_file_is_a_changed_input(
    machine: Machine,
) -> None:
    assert RESOURCE.check({}, INPUTS, machine.call()).inputs == CHECKED


def test_the_reference_is_planned_while_the_store_is_not_known(machine: Machine) -> None:
    checked = RESOURCE.check({}, {**INPUTS, "store": UNKNOWN}, machine.call())

    assert checked.failures == ()
    assert RESOURCE.plan({}, checked.inputs)["ref"] == REF


def test_an_image_that_the_node_has_is_not_built(machine: Machine, built: list[str]) -> None:
    machine.add()
    machine.images.add(("c", REF))

    assert RESOURCE.create(CHECKED, machine.call()) == ("pause", CHECKED)
    assert built == []


def test_an_image_that_the_node_lacks_is_built_and_brought(
    machine: Machine, built: list[str]
) -> None:
    machine.add()

    RESOURCE.create(CHECKED, machine.call())

    assert built == ["pause"]
    assert machine.images == {("c", REF)}


def test_files_that_change_during_the_build_stop_it(machine: Machine) -> None:
    machine.add()

    with pytest.raises(SlipwayError, match="changed while it was built: run `make up` again"):
        RESOURCE.create({**CHECKED, "ref": "slipway.local/pause:older"}, machine.call())


def test_a_changed_reference_is_an_update_in_place(machine: Machine) -> None:
    machine.add()
    machine.images.add(("c", REF))

    difference = RESOURCE.diff(CHECKED, {**CHECKED, "ref": "new"}, machine.call())

    assert difference.updates == ("ref",)
    assert difference.replaces == ()


def test_an_image_that_the_node_lost_is_a_change(machine: Machine) -> None:
    machine.add()

    assert RESOURCE.diff(CHECKED, CHECKED, machine.call()).updates == ("present",)
    machine.images.add(("c", REF))
    assert RESOURCE.diff(CHECKED, CHECKED, machine.call()).updates == ()


def test_a_stopped_node_is_not_asked(machine: Machine) -> None:
    machine.add(running=False)

    assert RESOURCE.diff(CHECKED, CHECKED, machine.call()).updates == ()


def test_an_image_goes_with_its_cluster(machine: Machine) -> None:
    assert RESOURCE.read("pause", CHECKED) is None
    machine.add()
    assert RESOURCE.read("pause", {**CHECKED, "store": "local:c/another"}) is None

    live = RESOURCE.read("pause", CHECKED)

    assert live is not None
    assert live.outputs["present"] is False
    assert live.inputs == CHECKED


@pytest.mark.parametrize("store", ["c", "local:c", "local:/i", "local:c/", "remote:c/i"])
def test_a_store_that_names_no_cluster_and_identity_is_refused(
    machine: Machine, store: str
) -> None:
    (failure,) = RESOURCE.check({}, {**INPUTS, "store": store}, machine.call()).failures

    assert failure.property == "store"
    assert "use `local:<cluster>/<identity>`" in failure.reason


REGISTRY: dict[str, Any] = {"recipe": "pause", "store": "registry:registry.example/ml/images"}
TAG = f"pause-{REF.rpartition(':')[2]}"
IN_REGISTRY = {**REGISTRY, "tag": TAG, "present": True}


@pytest.fixture
def pushed(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """What a registry has, digest by tag, in place of one."""
    digests: dict[str, str] = {}

    def push(self: Repository, archive: Path, tag: str, report: object) -> str:
        return digests.setdefault(tag, "sha256:0123")

    monkeypatch.setattr(Repository, "digest", lambda self, tag: digests.get(tag))
    monkeypatch.setattr(Repository, "push", push)
    return digests


def test_pods_take_the_digest_of_what_was_pushed(
    machine: Machine, pushed: dict[str, str], built: list[str]
) -> None:
    assert RESOURCE.check({}, REGISTRY, machine.call()).inputs == IN_REGISTRY
    _, state = RESOURCE.create(IN_REGISTRY, machine.call())
    assert state["ref"] == "registry.example/ml/images@sha256:0123"
    assert built == ["pause"]
    # Another stack, or a lost state: what is there is not built again.
    RESOURCE.create(IN_REGISTRY, machine.call())
    assert built == ["pause"]


def test_the_digest_of_an_unchanged_image_is_known_in_a_preview(
    machine: Machine, pushed: dict[str, str]
) -> None:
    _, state = RESOURCE.create(IN_REGISTRY, machine.call())
    assert RESOURCE.diff(state, IN_REGISTRY, machine.call()) == Difference()
    assert RESOURCE.plan(state, IN_REGISTRY)["ref"] == state["ref"]
    newer = {**IN_REGISTRY, "tag": "pause-newer"}
    assert RESOURCE.diff(state, newer, machine.call()).updates == ("tag",)
    assert RESOURCE.plan(state, newer)["ref"] is UNKNOWN
    assert RESOURCE.plan({}, IN_REGISTRY)["ref"] is UNKNOWN


def test_a_refresh_finds_that_the_registry_lost_an_image(
    machine: Machine, pushed: dict[str, str]
) -> None:
    identifier, state = RESOURCE.create(IN_REGISTRY, machine.call())
    live = RESOURCE.read(identifier, state)
    assert live is not None and live.outputs == state
    pushed.clear()
    lost = RESOURCE.read(identifier, state)
    assert lost is not None
    assert RESOURCE.diff(lost.outputs, lost.inputs, machine.call()).updates == ("present",)
