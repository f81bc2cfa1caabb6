"""How the machine plug-in answers the engine when something goes wrong in the middle."""

import os
import signal
from functools import partial
from pathlib import Path

import pytest

from tests import waiting
from tests.engine import thing_plugin
from tests.engine.machine_stack import Stack, errors, fake_plugin

pytestmark = pytest.mark.engine

PROGRAM = """
thing = machine.LocalCluster("thing", name="thing", distributions=[], ports=[], opts=OPTIONS)
pulumi.export("kubeconfig", thing.kubeconfig)
"""
PATIENCE = 60.0


@pytest.fixture
def things(tmp_path: Path) -> Path:
    folder = tmp_path / "things"
    folder.mkdir()
    return folder


@pytest.fixture
def stack(tmp_path: Path, things: Path) -> Stack:
    plugin = fake_plugin(tmp_path / "plugin", Path(thing_plugin.__file__))
    stack = Stack(tmp_path / "stack", plugin=plugin, extra={"THING_FOLDER": str(things)})
    stack.program(PROGRAM)
    return stack


wait_until = partial(waiting.until, patience=PATIENCE, pause=0.02)


def runs(pid: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_what_a_failed_creation_left_is_finished_by_the_next_up(stack: Stack, things: Path) -> None:
    (things / "fail").touch()
    output = stack.up(succeeds=False)
    assert "* the thing is not ready: look at its log" in output
    assert "Traceback" not in output

    (things / "fail").unlink()
    stack.up()

    assert (things / "finished").exists()


def test_what_a_failed_creation_left_is_removed_by_destroy(stack: Stack, things: Path) -> None:
    (things / "fail").touch()
    stack.up(succeeds=False)

    stack.pulumi("destroy", "--skip-preview", "--yes")

    assert not (things / "made").exists()


def test_ctrl_c_ends_an_up_soon_and_keeps_what_was_made(stack: Stack, things: Path) -> None:
    (things / "hold").touch()
    up = stack.start_up()
    wait_until((things / "working").exists, "the creation")

    os.kill(up.pid, signal.SIGINT)
    output, _ = up.communicate(timeout=PATIENCE)

    assert up.returncode != 0
    assert "cancelled: the next `make up` goes on from here" in output
    assert "thing" in stack.resources()
    (things / "hold").unlink()
    assert "pending operations" not in stack.up()


def test_the_plug_in_ends_with_an_engine_that_is_killed(stack: Stack, things: Path) -> None:
    (things / "hold").touch()
    up = stack.start_up()
    wait_until((things / "working").exists, "the creation")
    plugin = int((things / "pid").read_text())
    assert runs(plugin)

    os.kill(up.pid, signal.SIGKILL)
    up.communicate(timeout=PATIENCE)

    wait_until(lambda: not runs(plugin), "the end of the plug-in")


def test_a_refresh_forgets_what_is_gone_from_the_machine(stack: Stack, things: Path) -> None:
    stack.up()
    (things / "made").unlink()

    stack.pulumi("refresh", "--skip-preview", "--yes")

    assert "thing" not in stack.resources()


def test_an_output_that_the_plug_in_calls_secret_is_in_no_file_and_on_no_screen(
    stack: Stack,
) -> None:
    # Without `infra.machine`, which asks for secrecy as well.
    stack.program(
        """
        inputs = {"name": "thing", "kubeconfig": None}
        pulumi.CustomResource("slipway:machine:LocalCluster", "thing", inputs, OPTIONS)
        """
    )

    output = stack.up()

    assert "thing" in stack.resources()
    assert thing_plugin.SECRET not in stack.everything_written()
    assert thing_plugin.SECRET not in output
    assert errors(output) == []
