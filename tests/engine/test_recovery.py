"""An engine that is killed in the middle of an update costs nothing but time."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from toolchain import programs, project, recovery
from toolchain.engine import Engine

pytestmark = pytest.mark.engine

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


class World:
    """A project whose resources are files in a folder, made by a plug-in that can be slow."""

    def __init__(self, folder: Path) -> None:
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
        (folder / "Pulumi.yaml").write_text(
            f"name: {project.NAME}\nruntime: python\n"
            "plugins: {providers: [{name: kubernetes, path: plugin}]}\n"
        )
        (folder / "__main__.py").write_text(PROGRAM)
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


def test_down_after_a_killed_up_leaves_nothing(world: World) -> None:
    world.kill_while_creating()
    world.engine.destroy(["--yes", "--skip-preview"])
    assert world.names() == []
