"""What is protected stays until the stack file names it, and nothing is touched before that."""

from pathlib import Path

import pytest

from tests.engine import replaced_plugin
from tests.engine.machine_stack import Stack, fake_plugin

pytestmark = pytest.mark.engine

PROGRAM = """
from infra.clusters.protection import Protection

protection = Protection({enabled}, frozenset({approved}))
machine.LocalCluster(
    "cluster", name={name!r}, distributions=["upstream"], ports=[],
    opts=pulumi.ResourceOptions.merge(
        OPTIONS, pulumi.ResourceOptions(protect=protection.of("cluster"))
    ),
)
"""


@pytest.fixture(name="stack")
def _stack(tmp_path: Path) -> Stack:
    plugin = fake_plugin(tmp_path / "plugin", Path(replaced_plugin.__file__))
    made = Stack(tmp_path / "stack", plugin=plugin)
    _write(made, "first")
    made.up()
    return made


def _write(
    stack: Stack, name: str, approved: list[str] | None = None, enabled: bool = True
) -> None:
    stack.program(PROGRAM.format(name=name, approved=approved or [], enabled=enabled))


def test_a_replacement_is_refused_in_the_preview_and_its_resource_named(stack: Stack) -> None:
    _write(stack, "second")
    for command in (["preview"], ["up", "--yes"]):
        said = stack.pulumi(*command, succeeds=False)
        assert "unable to replace resource" in said
        assert "LocalCluster::cluster" in said
    assert stack.resources()["cluster"]["id"] == "first"


def test_an_approved_replacement_goes_through_in_one_update(stack: Stack) -> None:
    _write(stack, "second", approved=["cluster"])
    stack.pulumi("up", "--yes")
    assert stack.resources()["cluster"]["id"] == "second"


def test_a_destroy_is_refused_until_an_update_took_the_protection_off(stack: Stack) -> None:
    said = stack.pulumi("destroy", "--yes", succeeds=False)
    assert "LocalCluster::cluster" in said
    assert "cluster" in stack.resources()
    _write(stack, "first", enabled=False)
    stack.up()
    stack.pulumi("destroy", "--yes")
    assert "cluster" not in stack.resources()


def test_a_resource_that_leaves_the_program_stays_until_it_was_approved(stack: Stack) -> None:
    stack.program("")
    said = stack.up(succeeds=False)
    assert "LocalCluster::cluster" in said
    _write(stack, "first", approved=["cluster"])
    stack.up()
    stack.program("")
    stack.up()
    assert "cluster" not in stack.resources()
