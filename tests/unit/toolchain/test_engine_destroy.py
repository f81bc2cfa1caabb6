"""How `make down` has the engine destroy a stack; the engine is a script that notes its calls."""

import json
import socket
from pathlib import Path
from typing import Any

import pytest

from toolchain import project
from toolchain.engine import Engine
from toolchain.errors import SlipwayError

WHOLE = ("--yes", "--skip-preview")
CLUSTER = "urn:pulumi:local::slipway::slipway:machine:LocalCluster::cluster"
OBJECT = {"urn": "object", "type": "kubernetes:core/v1:ConfigMap", "custom": True}
ENGINE = """\
#!/bin/sh
if [ "$2" = cancel ]; then rm "$LOCK"; exit; fi
echo "$1 at_the_end=$PULUMI_SKIP_CHECKPOINTS" >> calls
echo "{\\"pid\\": $$, \\"hostname\\": \\"$HOST\\"}" > "$LOCK"
if [ -e killed ]; then rm killed; kill -9 $$; fi
rm "$LOCK"
if [ -e refuses ]; then rm refuses; exit 1; fi
if [ -e fails ]; then rm fails; touch "$STATE"; exit 1; fi
if [ -e stops ]; then cp stops "$STATE"; rm stops; exit 1; fi
"""


def state_of(*objects: dict[str, Any]) -> str:
    """Return the state of a cluster with objects."""
    cluster = {"urn": CLUSTER, "type": "slipway:machine:LocalCluster", "custom": True}
    latest = {"resources": [cluster, *objects]}
    return json.dumps({"version": 3, "checkpoint": {"latest": latest}})


class World:
    def __init__(self, folder: Path, *objects: dict[str, Any]) -> None:
        self.folder = folder
        self.lines: list[str] = []
        self.state = folder / ".pulumi" / "stacks" / project.NAME / "local.json"
        self.state.parent.mkdir(parents=True)
        locks = folder / ".pulumi" / "locks" / "organization" / project.NAME / "local"
        locks.mkdir(parents=True)
        self.state.write_text(state_of(*objects))
        script = folder / "pulumi"
        script.write_text(ENGINE)
        script.chmod(0o755)
        env = {
            "PATH": "/usr/bin:/bin",
            "PULUMI_BACKEND_URL": f"file://{folder}",
            "STATE": str(self.state),
            "LOCK": str(locks / "lock.json"),
            "HOST": socket.gethostname(),
        }
        self.engine = Engine(script, "local", env, self.lines.append, folder)

    def calls(self) -> list[str]:
        return (self.folder / "calls").read_text().splitlines()

    def cut_short(self, how: str) -> None:
        (self.folder / how).touch()
        with pytest.raises(SlipwayError):
            self.engine.destroy(WHOLE)
        (self.folder / "calls").unlink()


@pytest.fixture
def local(tmp_path: Path) -> World:
    return World(tmp_path, {**OBJECT, "deletedWith": CLUSTER})


def test_a_stack_that_goes_with_its_cluster_is_recorded_at_the_end(local: World) -> None:
    local.engine.destroy(WHOLE)
    assert local.calls() == ["destroy at_the_end=true"]


def test_a_stack_with_objects_elsewhere_is_recorded_at_every_step(tmp_path: Path) -> None:
    world = World(tmp_path, OBJECT)
    world.engine.destroy(WHOLE)
    assert world.calls() == ["destroy at_the_end="]


def test_a_part_of_a_stack_is_recorded_at_every_step(local: World) -> None:
    local.engine.destroy([*WHOLE, "--target", "object"])
    assert local.calls() == ["destroy at_the_end="]


def test_an_up_is_recorded_at_every_step(local: World) -> None:
    local.engine.destroy(WHOLE)
    local.engine.up(WHOLE)
    assert local.calls()[1:] == ["up at_the_end="]


def test_a_killed_down_is_finished_by_the_next_up(local: World) -> None:
    local.cut_short("killed")
    local.engine.up(WHOLE)
    assert local.calls() == ["destroy at_the_end=true", "up at_the_end="]
    assert local.lines[0] == "the last `make down` was cut short: it is finished first"
    local.engine.up(WHOLE)
    assert local.calls()[2:] == ["up at_the_end="]


def test_a_down_that_was_stopped_halfway_is_finished_by_the_next_up(local: World) -> None:
    """Its engine has written that the objects are gone: with a cluster that is there still."""
    (local.folder / "stops").write_text(state_of())
    with pytest.raises(SlipwayError):
        local.engine.destroy(WHOLE)
    local.engine.up(WHOLE)
    assert local.calls()[1:] == ["destroy at_the_end=true", "up at_the_end="]


def test_a_down_that_did_nothing_is_not_gone_on_with(local: World) -> None:
    local.cut_short("refuses")
    local.engine.up(WHOLE)
    assert local.calls() == ["up at_the_end="]


def test_a_killed_down_is_finished_by_the_next_down(local: World) -> None:
    local.cut_short("killed")
    local.engine.destroy(WHOLE)
    local.engine.up(WHOLE)
    assert local.calls() == ["destroy at_the_end=true", "up at_the_end="]


@pytest.mark.parametrize("later", ["fails", "killed"])
def test_an_up_destroys_nothing_that_the_state_speaks_of(local: World, later: str) -> None:
    local.cut_short(later)
    # By the engine itself as it failed, or by a person with the engine since.
    local.state.touch()
    local.engine.up(WHOLE)
    assert local.calls() == ["up at_the_end="]
