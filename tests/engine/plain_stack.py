"""A stack of plain objects under the real engine, for what an update or a refresh would do."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.engine import plain_plugin
from toolchain import programs, project
from toolchain.engine import Engine

STACK = "tests"
_PROJECT = f"""\
name: {project.NAME}
runtime: python
plugins: {{providers: [{{name: kubernetes, path: plugin}}]}}
"""
_HEAD = """\
import pulumi

def thing(name, inputs, kind="core/v1:ConfigMap", **options):
    return pulumi.CustomResource(f"kubernetes:{kind}", name, inputs,
                                 pulumi.ResourceOptions(**options))

"""


class PlainStack:
    """The stack, with a file backend of its own.

    Args:
        folder: An empty folder.

    Attributes:
        lines: What the engine's runner reported.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.lines: list[str] = []
        start = folder / "plugin" / "pulumi-resource-kubernetes"
        start.parent.mkdir()
        start.write_text(
            f'#!/bin/sh\nPYTHONPATH="{project.ROOT}" exec "{sys.executable}" '
            f'"{plain_plugin.__file__}" "$@"\n'
        )
        start.chmod(0o755)
        (folder / "Pulumi.yaml").write_text(_PROJECT)
        self.program("")
        self.engine().select()

    def program(self, body: str) -> None:
        """Write the program, which has `thing(name, inputs, kind, **options)`."""
        (self.folder / "__main__.py").write_text(_HEAD + body)

    def engine(self, variables: Mapping[str, str] | None = None) -> Engine:
        """Return the engine.

        Args:
            variables: Environment variables besides those that it needs.
        """
        pulumi = programs.path("pulumi")
        search = [str(Path(sys.executable).parent), str(pulumi.parent), os.environ["PATH"]]
        made = {
            **os.environ,
            "PATH": os.pathsep.join(search),
            "PULUMI_HOME": str(self.folder / "home"),
            "PULUMI_BACKEND_URL": f"file://{self.folder}/state",
            "PULUMI_CONFIG_PASSPHRASE": "tests",
            "PULUMI_SKIP_UPDATE_CHECK": "1",
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
            **(variables or {}),
        }
        return Engine(pulumi, STACK, made, self.lines.append, self.folder)

    def up(self, *approved: str) -> None:
        """Deploy the program.

        Args:
            approved: Logical names of what may go although it is protected.
        """
        self.engine().up(["--yes", "--skip-preview"], approved)
