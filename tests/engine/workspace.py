"""Runs the real engine on a small program, with the stand-in kubernetes plug-in installed."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from infra import versions
from tests.running import Run, run
from toolchain import env, programs
from toolchain.previews import model
from toolchain.previews.model import ChangeSet

ROOT = Path(__file__).resolve().parents[2]
_PLUGIN_VERSION = versions.PULUMI_KUBERNETES
_STACK = "tests"

# What every program of these tests starts with: one explicit provider, all resources under it.
_PREAMBLE = """\
import os
import pulumi
import pulumi_kubernetes as k8s

kubeconfig = os.environ["TEST_KUBECONFIG"]
provider = k8s.Provider("cluster", kubeconfig=pulumi.Output.secret(kubeconfig),
                        cluster_identifier="tests", **globals().get("PROVIDER", {}))
opts = pulumi.ResourceOptions(provider=provider)
"""


@dataclass
class Workspace:
    """A stack with a file backend of its own.

    Attributes:
        folder: Program, state and the engine's home.
        kubeconfig: Kubeconfig that the program gives its provider.
        limit: Seconds after which a command is given up.
        more: More environment variables of every command.
    """

    folder: Path
    kubeconfig: str
    limit: float = 300
    more: Mapping[str, str] = field(default_factory=dict)
    _variables: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        plugin = self.folder / "home" / "plugins" / f"resource-kubernetes-v{_PLUGIN_VERSION}"
        plugin.mkdir(parents=True)
        script = plugin / "pulumi-resource-kubernetes"
        script.write_text(
            "#!/bin/sh\n"
            f'PYTHONPATH="{ROOT}" exec "{sys.executable}" -m toolchain.kubernetes_plugin "$@"\n'
        )
        script.chmod(0o755)
        (self.folder / "state").mkdir()
        # The engine keeps an encrypted trace of every run in this folder, at several times the
        # price of the run itself; where it cannot, it does without.
        (self.folder / "home" / "logs").touch()
        (self.folder / "Pulumi.yaml").write_text(
            "name: trial\n"
            "runtime: python\n"
            "config:\n"
            "  pulumi:disable-default-providers: {value: ['*']}\n"
        )
        engine = programs.path("pulumi")
        search = [Path(sys.executable).parent, engine.parent, os.environ["PATH"]]
        self._variables = {
            **os.environ,
            "PATH": os.pathsep.join(str(part) for part in search),
            "PULUMI_HOME": str(self.folder / "home"),
            "PULUMI_BACKEND_URL": f"file://{self.folder}/state",
            "PULUMI_CONFIG_PASSPHRASE": "tests",
            "PULUMI_SKIP_UPDATE_CHECK": "1",
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
            "TEST_KUBECONFIG": self.kubeconfig,
            "GOGC": env.GOGC,
            # The tests hold what the plug-in does by default.
            "KUBECONFIG": "",
            **self.more,
        }
        self.pulumi("stack", "init", _STACK)

    def program(self, body: str, provider: str = "{}") -> None:
        """Write the program: `body` finds `provider`, `opts` and `k8s`.

        Args:
            body: Python source.
            provider: Python source of a dictionary of more arguments for the provider.
        """
        source = f"PROVIDER = {provider}\n{_PREAMBLE}\n{body}\n"
        (self.folder / "__main__.py").write_text(source)

    def pulumi(
        self, *arguments: str, expect: int | None = 0, variables: Mapping[str, str] | None = None
    ) -> Run:
        """Run the engine's command line and return how it ended.

        Args:
            arguments: The command.
            expect: The exit code that it has to have; `None` for any.
            variables: More environment variables.
        """
        return run(
            self.command(*arguments),
            folder=self.folder,
            variables={**self._variables, **(variables or {})},
            expect=expect,
            limit=self.limit,
        )

    def command(self, *arguments: str) -> list[str]:
        """Return the command line of the engine for a command."""
        return [str(programs.path("pulumi")), *arguments, "--non-interactive"]

    def start(self, *arguments: str, log: Path) -> subprocess.Popen[bytes]:
        """Start the engine and return its process; what it prints goes to a file."""
        with log.open("wb") as output:
            return subprocess.Popen(
                self.command(*arguments),
                cwd=self.folder,
                env=self._variables,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )

    def up(self, *more: str, expect: int = 0) -> Run:
        """Deploy without a preview."""
        return self.pulumi("up", "--yes", "--skip-preview", "--stack", _STACK, *more, expect=expect)

    def preview(self, *more: str, expect: int = 0) -> Run:
        """Show what would change, field by field."""
        return self.pulumi("preview", "--diff", "--stack", _STACK, *more, expect=expect)

    def plan(self) -> dict[str, Any]:
        """Return the steps that would change something, by the logical name of the resource."""
        steps = self._digest("preview")["steps"]
        changing = [step for step in steps if step["op"] not in ("same", "read")]
        return {step["urn"].rpartition("::")[2]: step for step in changing}

    def drift(self) -> ChangeSet:
        """Return what a refresh would write into the state."""
        return model.parse(_STACK, self._digest("refresh", "--preview-only"))

    def _digest(self, *command: str) -> dict[str, Any]:
        done = self.pulumi(*command, "--json", "--stack", _STACK)
        found = json.loads(done.text[done.text.index("{\n") :])
        assert isinstance(found, dict)
        return found

    def refresh(self, *more: str, expect: int = 0) -> Run:
        """Read the state of every resource anew."""
        arguments = ("refresh", "--yes", "--skip-preview", "--stack", _STACK, *more)
        return self.pulumi(*arguments, expect=expect)

    def destroy(self, expect: int = 0) -> Run:
        """Delete every resource."""
        arguments = ("destroy", "--yes", "--skip-preview", "--stack", _STACK)
        return self.pulumi(*arguments, expect=expect)

    def cancel(self) -> None:
        """Break the lock that a killed engine left."""
        self.pulumi("cancel", "--yes", "--stack", _STACK)

    def outputs(self) -> dict[str, Any]:
        """Return the outputs of the stack, secrets in plain text."""
        done = self.pulumi("stack", "output", "--json", "--show-secrets", "--stack", _STACK)
        found = json.loads(done.text)
        assert isinstance(found, dict)
        return found

    def deployment(self) -> dict[str, Any]:
        """Return the state, secrets encrypted."""
        exported = json.loads(self.pulumi("stack", "export", "--stack", _STACK).text)
        deployment = exported["deployment"]
        assert isinstance(deployment, dict)
        return deployment

    def resource(self, name: str) -> dict[str, Any]:
        """Return the state of the resource with a logical name."""
        found = [
            resource
            for resource in self.deployment()["resources"]
            if resource["urn"].rpartition("::")[2] == name
        ]
        assert len(found) == 1, f"{len(found)} resources named {name}"
        assert isinstance(found[0], dict)
        return found[0]
