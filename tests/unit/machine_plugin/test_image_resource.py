"""What the resource `Image` answers the engine."""

from pathlib import Path
from typing import Any

import pytest

from tests.unit.machine_plugin.machine import IDENTITY, Machine
from toolchain import images, local_cluster
from toolchain.errors import SlipwayError
from toolchain.machine_plugin.image import ImageResource
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
