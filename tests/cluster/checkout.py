"""A copy of this project with settings of its own, used as a person uses a checkout."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import yaml

from apps.serving.client import Client, ClientError, Gateway
from tests.running import Run, run
from tests.waiting import until
from toolchain import local_cluster

ROOT = Path(__file__).resolve().parents[2]


class Checkout:
    """A copy of the project's files, whose stack `local` is a cluster with a name of its own.

    Args:
        folder: Where the copy goes; it must not exist.
        cluster: Name of the cluster.
        http_port: Loopback port of its gateway.
        https_port: The same for HTTPS.
    """

    def __init__(self, folder: Path, cluster: str, http_port: int, https_port: int) -> None:
        self.folder = folder
        self.cluster = cluster
        self.http_port = http_port
        self.https_port = https_port
        self.endpoint = f"https://127.0.0.1:{https_port}"
        _copy(folder)
        # The same programs: the test is about the stack, not about pip.
        (folder / ".venv").symlink_to(ROOT / ".venv")
        self.configure(
            {"cluster": {"name": cluster, "httpPort": http_port, "httpsPort": https_port}}
        )

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

    @contextmanager
    def changed(self, changes: Mapping[str, Any]) -> Iterator[None]:
        """Change values of the stack file as `configure` does, for the length of a block."""
        path = self.folder / "Pulumi.local.yaml"
        before = path.read_text()
        self.configure(changes)
        try:
            yield
        finally:
            path.write_text(before)

    def kubectl(self, *arguments: str, expect: int | None = 0) -> Run:
        """Run kubectl on the stack's cluster as its administrator."""
        found = local_cluster.read(self.cluster)
        assert found is not None
        return run(
            ["kubectl", "--kubeconfig", str(found.folder / "kubeconfig"), *arguments],
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

    def outputs(self) -> dict[str, Any]:
        """Return the stack's outputs, secrets hidden."""
        found = json.loads(self.pulumi("stack", "output", "--json").text)
        assert isinstance(found, dict)
        return found

    def gateway(self) -> Gateway:
        """Return how the stack's gateway is reached, and how it is known."""
        found = self.outputs()
        return Gateway(found["endpoint"], found.get("ca"))

    def await_routes(self, *models: str) -> None:
        """Wait until models answer through the gateway.

        It takes up new routes some 2 s after `pulumi up` returned; `make up` itself waits for them.
        """
        outputs, gateway = self.outputs()["models"], self.gateway()

        def answers(client: Client) -> bool:
            try:
                return client.ask("GET", "/ready", None)[0] == 200
            except ClientError:
                return False

        for name in models:
            with Client(outputs[name]["url"], gateway) as client:
                until(partial(answers, client), f"an answer of {name} through the gateway")

    def plan(self) -> list[dict[str, Any]]:
        """Return the steps of a preview that change something; reading does not."""
        done = self.pulumi("preview", "--json")
        steps = json.loads(done.text[done.text.index("{\n") :])["steps"]
        return [step for step in steps if step["op"] not in ("same", "read")]

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
