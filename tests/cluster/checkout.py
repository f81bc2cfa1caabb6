"""A copy of this project with settings of its own, used as a person uses a checkout."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from tests.running import Run, run

ROOT = Path(__file__).resolve().parents[2]


class Checkout:
    """A copy of the project's files, whose stack `local` is a cluster with a name of its own.

    Args:
        folder: Where the copy goes; it must not exist.
        cluster: Name of the cluster.
        port: Loopback port of its gateway.
    """

    def __init__(self, folder: Path, cluster: str, port: int) -> None:
        self.folder = folder
        self.cluster = cluster
        self.endpoint = f"http://127.0.0.1:{port}"
        _copy(folder)
        # The same programs: the test is about the stack, not about pip.
        (folder / ".venv").symlink_to(ROOT / ".venv")
        self.configure({"cluster": {"name": cluster, "gatewayPort": port}})

    def configure(self, changes: Mapping[str, Any]) -> None:
        """Change values of the stack file, as a person would with an editor.

        Args:
            changes: Nested mappings under the keys `slipway:<key>`; their leaves are set.
        """
        path = self.folder / "Pulumi.local.yaml"
        document = yaml.safe_load(path.read_text())
        for key, value in changes.items():
            config = document["config"]
            config[f"slipway:{key}"] = _merged(config.get(f"slipway:{key}", {}), value)
        path.write_text(yaml.safe_dump(document, sort_keys=False))

    def slipway(self, *arguments: str, expect: int | None = 0) -> Run:
        """Run what a make target runs.

        Args:
            arguments: `up`, `preview`, `down` or another command with its arguments.
            expect: The exit code that it has to have; `None` for any.
        """
        return run(
            [sys.executable, "-m", "toolchain", *arguments],
            folder=self.folder,
            variables=os.environ,
            expect=expect,
        )

    def start(self, *arguments: str, log: Path) -> subprocess.Popen[bytes]:
        """Start what a make target runs, in a process group of its own; it prints to a file."""
        with log.open("wb") as output:
            return subprocess.Popen(
                [sys.executable, "-m", "toolchain", *arguments],
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    def pulumi(self, *arguments: str, expect: int | None = 0) -> Run:
        """Run the engine as a person does in `make shell`, on the stack `local`."""
        return run(
            ["pulumi", "--non-interactive", *arguments, "--stack", "local"],
            folder=self.folder,
            variables=self.shell,
            expect=expect,
        )

    @cached_property
    def shell(self) -> Mapping[str, str]:
        """The environment of `make shell`."""
        script = 'eval "$("$1" -m toolchain env 2>/dev/null)"; env --null'
        done = subprocess.run(
            ["sh", "-c", script, "sh", sys.executable],
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=True,
        )
        pairs = (entry.partition("=") for entry in done.stdout.split("\0") if entry)
        return {name: value for name, _, value in pairs}

    def plan(self) -> list[dict[str, Any]]:
        """Return the steps of a preview that change something."""
        done = self.pulumi("preview", "--json")
        steps = json.loads(done.text[done.text.index("{\n") :])["steps"]
        return [step for step in steps if step["op"] != "same"]

    def state(self) -> dict[str, Any]:
        """Return the stack's state as it is stored, secrets encrypted."""
        exported = json.loads(self.pulumi("stack", "export").text)
        assert isinstance(exported, dict)
        return exported


def _copy(folder: Path) -> None:
    """Copy what git knows and what it would add, but nothing that it ignores."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target)


def _merged(old: Any, new: Any) -> Any:
    if isinstance(old, dict) and isinstance(new, Mapping):
        return {**old, **{key: _merged(old.get(key), value) for key, value in new.items()}}
    return new
