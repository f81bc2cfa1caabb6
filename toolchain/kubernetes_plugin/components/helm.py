"""Renders charts with the `helm` binary.

Passwords reach it in files that only this user can read, never as arguments, which every process of
the machine can see.
"""

import asyncio
import base64
import json
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from toolchain.kubernetes_plugin.components.errors import ComponentError

_REPOSITORY = "slipway"
_HINTS = ("Use --debug flag to render out invalid YAML",)
_MISSING_DEPENDENCIES = "missing in charts/ directory"

# A shorter secret would blot out words that only look like it.
_SHORTEST_SECRET = 4


@dataclass(frozen=True)
class Repository:
    """Where a chart comes from, and how to log in there.

    Attributes:
        url: URL of a classic chart repository; "" for local charts and OCI registries.
        username: Name to log in with; "" for none.
        password: Password to log in with; "" for none.
        flags: TLS options of `helm`, with paths of their files.
    """

    url: str = ""
    username: str = ""
    password: str = ""
    flags: tuple[str, ...] = ()


@dataclass(frozen=True)
class Rendering:
    """One call of `helm template`.

    Attributes:
        chart: Folder, archive, name in the repository, or `oci://` reference.
        release: Name of the release.
        options: Options of `helm template`.
        repository: Where the chart comes from.
        secrets: Texts that no message may show.
    """

    chart: str
    release: str
    options: tuple[str, ...]
    repository: Repository
    secrets: tuple[str, ...] = ()


@dataclass(frozen=True)
class Rendered:
    """What `helm template` gave.

    Attributes:
        manifest: The manifests, as YAML.
        warnings: What helm warned of, one line each.
    """

    manifest: str
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class Helm:
    """The binary, and a folder for the files of one rendering.

    Attributes:
        program: Path of the binary.
        folder: Empty folder that only this user can enter; its owner removes it.
        kubeconfig: A cluster that `lookup` in templates asks; `None` for none.
    """

    program: Path
    folder: Path
    kubeconfig: Path | None = None

    async def template(self, rendering: Rendering) -> Rendered:
        """Render a chart.

        Raises:
            ComponentError: Helm cannot, with its words.
        """
        chart, location, environment = await self._located(rendering)
        arguments = ["template", *location, *rendering.options, "--", rendering.release, chart]
        code, out, err = await self._run(arguments, environment)
        if code and _MISSING_DEPENDENCIES in err and (Path(chart) / "Chart.lock").is_file():
            await self._build_dependencies(rendering, chart, environment)
            code, out, err = await self._run(arguments, environment)
        if code:
            raise ComponentError(
                f"chart {rendering.chart}: helm cannot render it: "
                f"{explanation(err, rendering.secrets)}"
            )
        return Rendered(out, tuple(_warnings(err)))

    async def _located(
        self, rendering: Rendering
    ) -> tuple[str, tuple[str, ...], Mapping[str, str]]:
        """Return the chart, the options and the environment by which helm finds it."""
        repository = rendering.repository
        if rendering.chart.startswith("oci://"):
            environment = {}
            if repository.password:
                environment["HELM_REGISTRY_CONFIG"] = str(self._registry_login(rendering))
            return rendering.chart, repository.flags, environment
        if repository.url and repository.password:
            environment = await self._add_repository(rendering)
            return f"{_REPOSITORY}/{rendering.chart}", repository.flags, environment
        location = ("--repo", repository.url) if repository.url else ()
        return rendering.chart, (*location, *repository.flags), {}

    def _registry_login(self, rendering: Rendering) -> Path:
        repository = rendering.repository
        login = f"{repository.username}:{repository.password}".encode()
        host = urlsplit(rendering.chart).netloc
        file = self.folder / "registry.json"
        auths = {host: {"auth": base64.b64encode(login).decode()}}
        file.write_text(json.dumps({"auths": auths}), encoding="utf-8")
        return file

    async def _add_repository(self, rendering: Rendering) -> dict[str, str]:
        """Log in to a classic repository in a configuration of its own."""
        repository = rendering.repository
        environment = {
            "HELM_REPOSITORY_CONFIG": str(self.folder / "repositories.yaml"),
            "HELM_REPOSITORY_CACHE": str(self.folder / "repository"),
        }
        arguments = ["repo", "add", _REPOSITORY, repository.url, *repository.flags]
        arguments += ["--username", repository.username, "--password-stdin"]
        code, _, err = await self._run(arguments, environment, repository.password)
        if code:
            raise ComponentError(
                f"repositoryOpts.repo {repository.url}: helm cannot use it: "
                f"{explanation(err, rendering.secrets)}"
            )
        return environment

    async def _build_dependencies(
        self, rendering: Rendering, chart: str, environment: Mapping[str, str]
    ) -> None:
        code, _, err = await self._run(["dependency", "build", chart], environment)
        if code:
            raise ComponentError(
                f"chart {rendering.chart}: helm cannot fetch its dependencies: "
                f"{explanation(err, rendering.secrets)}"
            )

    async def _run(
        self, arguments: Sequence[str], environment: Mapping[str, str], stdin: str = ""
    ) -> tuple[int, str, str]:
        inherited = dict(os.environ)
        if self.kubeconfig is not None:
            inherited["KUBECONFIG"] = str(self.kubeconfig)
        process = await asyncio.create_subprocess_exec(
            str(self.program),
            *arguments,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=inherited | dict(environment),
        )
        try:
            out, err = await process.communicate(stdin.encode())
        except asyncio.CancelledError:
            process.kill()
            await process.wait()
            raise
        code = process.returncode if process.returncode is not None else 1
        return code, out.decode("utf-8", "replace"), err.decode("utf-8", "replace")


def explanation(stderr: str, secrets: Iterable[str]) -> str:
    """Return what helm says went wrong, on one line and without secrets."""
    text = stderr
    for hint in _HINTS:
        text = text.replace(hint, "")
    _, marker, after = text.partition("Error: ")
    line = " ".join((after if marker else text).split()) or "it gave no reason"
    for secret in secrets:
        line = line.replace(secret, "[secret]")
    return line


def hidden_texts(value: object) -> tuple[str, ...]:
    """Return the texts inside a value that is to stay secret."""
    if isinstance(value, str):
        return (value,) if len(value) >= _SHORTEST_SECRET else ()
    if isinstance(value, Mapping):
        return tuple(text for item in value.values() for text in hidden_texts(item))
    if isinstance(value, list | tuple):
        return tuple(text for item in value for text in hidden_texts(item))
    return ()


def _warnings(stderr: str) -> Iterable[str]:
    for line in stderr.splitlines():
        found = re.match(r"WARNING:\s*(.+)", line)
        if found:
            yield found.group(1)
