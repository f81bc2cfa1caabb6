"""A small stack of resources of the machine plug-in, run by the real engine on a file backend."""

import json
import os
import subprocess
import sys
import textwrap
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.running import run
from toolchain import env, programs, project

STACK = "dev"
PASSPHRASE = "of the tests"

_PROJECT = """\
name: machine-tests
runtime: python
plugins:
  providers:
    - name: slipway
      path: {plugin}
"""

_SETTINGS = """\
config:
  pulumi:disable-default-providers: ["*"]
"""


@dataclass
class Stack:
    """A stack in a folder of its own.

    Attributes:
        folder: The Pulumi project.
        plugin: Folder with the plug-in's executable.
        root: Root of the clone whose `infra` the program imports.
        extra: Environment variables for the engine.
    """

    folder: Path
    plugin: Path = project.ROOT / "toolchain" / "machine_plugin"
    root: Path = project.ROOT
    extra: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        programs.ensure(env.TOOLS)
        for name in ("project", "state"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        self._write("Pulumi.yaml", _PROJECT.format(plugin=self.plugin))
        self._write(f"Pulumi.{STACK}.yaml", _SETTINGS)
        self._write("__main__.py", "")
        self.pulumi("stack", "init", STACK)

    @property
    def project(self) -> Path:
        """Folder of the program: what relative paths are relative to."""
        return self.folder / "project"

    def program(self, body: str) -> None:
        """Write the program; it has `machine` and the provider's options as `OPTIONS`."""
        head = """\
        import pulumi
        from infra import machine
        OPTIONS = pulumi.ResourceOptions(provider=machine.Provider("machine"))
        """
        self._write("__main__.py", textwrap.dedent(head) + textwrap.dedent(body))

    def pulumi(self, *arguments: str, succeeds: bool = True) -> str:
        """Run the engine and return everything that it printed.

        Args:
            arguments: Command and options.
            succeeds: What the command has to do.
        """
        done = run(
            self._command(*arguments),
            folder=self.project,
            variables=self._environment(),
            expect=None,
        )
        assert (done.code == 0) is succeeds, done.text
        return done.text

    def up(self, *options: str, succeeds: bool = True) -> str:
        """Run `pulumi up` without its preview."""
        return self.pulumi("up", "--skip-preview", "--yes", *options, succeeds=succeeds)

    def start_up(self) -> subprocess.Popen[str]:
        """Start `pulumi up` in a process group of its own and return it running."""
        return subprocess.Popen(
            self._command("up", "--skip-preview", "--yes"),
            cwd=self.project,
            env=self._environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def planned(self) -> dict[str, str]:
        """Return what a preview would change: operation by logical name."""
        steps = json.loads(self.pulumi("preview", "--json"))["steps"]
        changes = {step["urn"].rpartition("::")[2]: step["op"] for step in steps}
        return {name: operation for name, operation in changes.items() if operation != "same"}

    def planned_outputs(self) -> dict[str, str]:
        """Return the stack outputs that a preview shows."""
        _, _, shown = self.pulumi("preview").partition("Outputs:\n")
        lines = shown.partition("\n\n")[0].splitlines()
        pairs = (line.lstrip(" +~").partition(":") for line in lines)
        return {name.strip(): value.strip(' "') for name, _, value in pairs}

    def resources(self) -> dict[str, Any]:
        """Return the state of every resource by logical name; secrets stay encrypted."""
        exported = json.loads(self.pulumi("stack", "export"))
        found = exported["deployment"].get("resources", [])
        return {resource["urn"].rpartition("::")[2]: resource for resource in found}

    def everything_written(self) -> str:
        """Return all that the engine left in the backend."""
        files = (self.folder / "state").rglob("*")
        return "\n".join(path.read_text(errors="replace") for path in files if path.is_file())

    def _command(self, *arguments: str) -> list[str]:
        pulumi = str(programs.path("pulumi"))
        needs_none = arguments[:2] == ("stack", "init") or arguments[0] == "package"
        stack = [] if needs_none else ["--stack", STACK]
        return [pulumi, "--non-interactive", "--color=never", *arguments, *stack]

    def _environment(self) -> dict[str, str]:
        base = {
            **os.environ,
            "PULUMI_BACKEND_URL": f"file://{self.folder / 'state'}",
            "PULUMI_CONFIG_PASSPHRASE": PASSPHRASE,
            "PYTHONPATH": str(self.root),
        }
        made = env.variables(STACK, base, stand_in=True, home=self.folder / "home")
        return {**made, **self.extra}

    def _write(self, name: str, text: str) -> None:
        (self.project / name).write_text(text)


def errors(output: str) -> list[str]:
    """Return the errors that the engine lists at the end of a run."""
    _, _, diagnostics = output.partition("Diagnostics:\n")
    return [line.strip() for line in diagnostics.splitlines() if "error:" in line]


def fake_plugin(folder: Path, module: Path) -> Path:
    """Return a plug-in folder whose executable runs a Python file with this interpreter."""
    folder.mkdir()
    script = folder / "pulumi-resource-slipway"
    script.write_text(f'#!/bin/sh\nPYTHONPATH={project.ROOT} exec {sys.executable} {module} "$@"\n')
    script.chmod(0o755)
    return folder
