"""An engine that is killed in the middle of an update costs nothing but time."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from tests.engine import thing_plugin
from tests.engine.machine_stack import fake_plugin
from toolchain import programs, project, recovery
from toolchain.engine import Engine
from toolchain.errors import SlipwayError

pytestmark = pytest.mark.engine

WHOLE = ("--yes", "--skip-preview")
PLUGIN = Path(__file__).with_name("slow_plugin.py")
LIMIT_SECONDS = 120.0

PROGRAM = """\
import pulumi

class Thing(pulumi.CustomResource):
    def __init__(self, name, metadata, **options):
        super().__init__("kubernetes:core/v1:ConfigMap", name, {"metadata": metadata},
                         pulumi.ResourceOptions(**options))

first = Thing("first", {"name": "first"})
fixed = Thing("fixed", {"name": "fixed"}, depends_on=[first])
made_up = Thing("made-up", {}, depends_on=[first])
"""

CLUSTER = """\
import pulumi
from infra import machine

provider = machine.Provider("machine")
cluster = machine.LocalCluster("cluster", name="cluster", distributions=[], ports=[],
                               opts=pulumi.ResourceOptions(provider=provider))
for name in ("first", "second", "third"):
    pulumi.CustomResource("kubernetes:core/v1:ConfigMap", name, {"metadata": {"name": name}},
                          pulumi.ResourceOptions(depends_on=[cluster], deleted_with=cluster))
"""


class World:
    """A project whose resources are files in a folder, made by a plug-in that can be slow."""

    def __init__(self, folder: Path, program: str = PROGRAM) -> None:
        self.folder = folder
        self.objects = folder / "objects"
        self.slow = folder / "slow"
        self.lines: list[str] = []
        for part in (self.objects, folder / "plugin"):
            part.mkdir()
        start = folder / "plugin" / "pulumi-resource-kubernetes"
        start.write_text(
            f'#!/bin/sh\nPYTHONPATH="{project.ROOT}" exec "{sys.executable}" "{PLUGIN}" "$@"\n'
        )
        start.chmod(0o755)
        fake_plugin(folder / "machine", Path(thing_plugin.__file__))
        (folder / "Pulumi.yaml").write_text(
            f"name: {project.NAME}\nruntime: python\n"
            "plugins: {providers: [{name: kubernetes, path: plugin}, "
            "{name: slipway, path: machine}]}\n"
        )
        (folder / "__main__.py").write_text(program)
        pulumi = programs.path("pulumi")
        search = [str(Path(sys.executable).parent), str(pulumi.parent), os.environ["PATH"]]
        self.env = {
            **os.environ,
            "PATH": os.pathsep.join(search),
            "PULUMI_HOME": str(folder / "home"),
            "PULUMI_BACKEND_URL": f"file://{folder}/state",
            "PULUMI_CONFIG_PASSPHRASE": "tests",
            "PULUMI_SKIP_UPDATE_CHECK": "1",
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
            "SLOW_PLUGIN_FOLDER": str(folder),
            "THING_FOLDER": str(folder),
            "PYTHONPATH": str(project.ROOT),
            # A file for each time that the state is written.
            "PULUMI_DIY_BACKEND_RETAIN_CHECKPOINTS": "true",
        }
        self.pulumi = pulumi
        self.engine = Engine(pulumi, "tests", self.env, self.lines.append, folder)
        self.engine.select()

    def names(self) -> list[str]:
        return sorted(path.name.split("-")[0] for path in self.objects.iterdir())

    def kill_while_creating(self) -> None:
        """Start an update and kill the engine once both later objects are half made."""
        self.slow.touch()
        command = [str(self.pulumi), "up", "--yes", "--skip-preview", "--stack", "tests"]
        process = subprocess.Popen(
            command, cwd=self.folder, env=self.env, stdout=subprocess.DEVNULL
        )
        deadline = time.monotonic() + LIMIT_SECONDS
        while len(self.names()) < 3:
            assert time.monotonic() < deadline and process.poll() is None
            time.sleep(0.05)
        process.kill()
        process.wait()
        self.slow.unlink()

    def stop_while_destroying(self, number: signal.Signals) -> None:
        """Start `make down` and send its engine a signal while it removes the cluster."""
        (self.folder / "hold").touch()
        (self.folder / "deleting").unlink(missing_ok=True)
        stopper = threading.Thread(target=self._signal_at_the_deletion, args=[number])
        stopper.start()
        with pytest.raises(SlipwayError):
            self.engine.destroy(WHOLE)
        stopper.join()
        (self.folder / "hold").unlink()

    def _signal_at_the_deletion(self, number: signal.Signals) -> None:
        deadline = time.monotonic() + LIMIT_SECONDS
        while not (self.folder / "deleting").exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        held = recovery.locks(self.env["PULUMI_BACKEND_URL"], project.NAME, "tests")
        os.kill(held[0].pid, number)

    def forget_objects(self) -> None:
        """Let the objects go with their cluster, which is a fake one of another plug-in."""
        for left in self.objects.iterdir():
            left.unlink()

    def writes(self) -> int:
        """Return how often the engine has written the state."""
        folder = self.folder / "state" / ".pulumi" / "stacks" / project.NAME
        return len([path for path in folder.glob("tests.json.*") if path.suffix[1:].isdigit()])

    def orphans(self) -> list[int]:
        """Return the language hosts that this project's killed engines left."""
        mark = f"SLOW_PLUGIN_FOLDER={self.folder}".encode()
        return [
            pid
            for pid in recovery.orphans(self.pulumi.with_name("pulumi-language-python"))
            if mark in Path(f"/proc/{pid}/environ").read_bytes()
        ]


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_up_after_a_killed_up_finishes_it_and_leaves_nothing_twice(world: World) -> None:
    world.kill_while_creating()
    world.engine.up(["--yes", "--skip-preview"])
    assert world.names() == ["first", "fixed", "made"]
    assert any("was killed: removing its lock" in line for line in world.lines)
    assert any("ConfigMap fixed is adopted" in line for line in world.lines)


def test_up_after_the_repair_repairs_nothing_more(world: World) -> None:
    world.kill_while_creating()
    world.engine.up(["--yes", "--skip-preview"])
    world.lines.clear()
    world.engine.up(["--yes", "--skip-preview", "--expect-no-changes"])
    assert world.lines == []


def test_up_after_a_killed_up_ends_the_processes_that_it_left(world: World) -> None:
    world.kill_while_creating()
    assert world.orphans()
    world.engine.up(["--yes", "--skip-preview"])
    assert not world.orphans()


@pytest.mark.parametrize("then", ["up", "down"])
def test_a_repair_that_is_cut_short_is_taken_up_again(world: World, then: str) -> None:
    world.kill_while_creating()
    program = world.folder / "__main__.py"
    program.write_text("raise SystemExit('not this time')")
    with pytest.raises(SlipwayError):
        world.engine.up(WHOLE)
    program.write_text(PROGRAM)
    if then == "up":
        world.engine.up(WHOLE)
        world.engine.up([*WHOLE, "--expect-no-changes"])
        assert world.names() == ["first", "fixed", "made"]
    else:
        world.engine.destroy(WHOLE)
        assert world.names() == []


def test_up_after_a_killed_up_removes_what_is_wanted_no_more(world: World) -> None:
    world.kill_while_creating()
    program = "\n".join(line for line in PROGRAM.splitlines() if "fixed" not in line)
    (world.folder / "__main__.py").write_text(program)
    world.engine.up(WHOLE)
    assert world.names() == ["first", "made"]


def test_down_after_a_killed_up_leaves_nothing(world: World) -> None:
    world.kill_while_creating()
    world.engine.destroy(["--yes", "--skip-preview"])
    assert world.names() == []


@pytest.fixture
def clustered(tmp_path: Path) -> World:
    world = World(tmp_path, CLUSTER)
    world.engine.up(WHOLE)
    return world


def test_down_of_a_local_cluster_writes_the_state_once(clustered: World) -> None:
    before = clustered.writes()
    clustered.engine.destroy(WHOLE)
    assert clustered.writes() == before + 1
    assert not (clustered.folder / "made").exists()


def test_down_of_other_stacks_is_recorded_at_every_step(world: World) -> None:
    world.engine.up(WHOLE)
    before = world.writes()
    world.engine.destroy(WHOLE)
    # Three objects, their provider, the stack: each before and after.
    assert world.writes() >= before + 8


STOPS = pytest.mark.parametrize(
    "number", [pytest.param(signal.SIGKILL, id="killed"), pytest.param(signal.SIGINT, id="Ctrl-C")]
)


@STOPS
def test_down_after_a_stopped_down_of_a_local_cluster_finishes_it(
    clustered: World, number: signal.Signals
) -> None:
    clustered.stop_while_destroying(number)
    clustered.engine.destroy(WHOLE)
    assert not (clustered.folder / "made").exists()
    clustered.forget_objects()
    clustered.lines.clear()
    clustered.engine.up(WHOLE)
    assert clustered.lines == []


@STOPS
def test_up_after_a_stopped_down_of_a_local_cluster_makes_everything_anew(
    clustered: World, number: signal.Signals
) -> None:
    """Its objects are there still, and the state does not know of them any more."""
    clustered.stop_while_destroying(number)
    (clustered.folder / "takes-along").touch()
    clustered.engine.up(WHOLE)
    assert any("it is finished first" in line for line in clustered.lines)
    assert clustered.names() == ["first", "second", "third"]
    assert (clustered.folder / "made").exists()
    clustered.lines.clear()
    clustered.engine.up([*WHOLE, "--expect-no-changes"])
    assert clustered.lines == []


def test_up_after_a_down_of_a_local_cluster_that_did_nothing_keeps_the_cluster(
    clustered: World,
) -> None:
    clustered.env["PULUMI_CONFIG_PASSPHRASE"] = "another"
    refused = Engine(clustered.pulumi, "tests", clustered.env, print, clustered.folder)
    with pytest.raises(SlipwayError):
        refused.destroy(WHOLE)
    clustered.engine.up([*WHOLE, "--expect-no-changes"])
    assert clustered.lines == []
