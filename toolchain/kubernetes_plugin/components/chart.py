"""The component `kubernetes:helm.sh/v4:Chart`: a chart, rendered here and made as resources."""

import asyncio
import json
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pulumi

from infra import versions
from toolchain.kubernetes_plugin.components.capabilities import Capabilities
from toolchain.kubernetes_plugin.components.errors import ComponentError
from toolchain.kubernetes_plugin.components.helm import Rendering, Repository, hidden_texts
from toolchain.kubernetes_plugin.components.inputs import Inputs

CHART = "kubernetes:helm.sh/v4:Chart"

_DOWNLOAD_TIMEOUT_SECONDS = 60.0
_TLS_FILES = {"caFile": "--ca-file", "certFile": "--cert-file", "keyFile": "--key-file"}


async def rendering_of(
    inputs: Inputs,
    component_name: str,
    folder: Path,
    namespace: str,
    capabilities: Capabilities | None,
) -> Rendering:
    """Return the call of helm that renders a chart as its inputs ask.

    Args:
        inputs: The component's inputs.
        component_name: Name of the release, unless an input names it.
        folder: Folder for the files that helm reads.
        namespace: Namespace of the release, unless an input names it.
        capabilities: What the cluster can do; `None` assumes the pinned Kubernetes.

    Raises:
        ComponentError: An input is missing, wrong, or names a file that cannot be read.
    """
    chart = inputs.text("chart")
    if not chart:
        raise ComponentError("chart: name the chart: a folder, an archive, a name or a URL")
    files = _Files(folder)
    options = [
        "--no-hooks",
        # `lookup` in templates asks the cluster; without one it finds nothing.
        "--dry-run=client" if capabilities is None else "--dry-run=server",
        *([] if inputs.flag("skipCrds") else ["--include-crds"]),
        *("--namespace", inputs.text("namespace") or namespace),
        *_version(inputs),
        *(["--dependency-update"] if inputs.flag("dependencyUpdate") else []),
        *(["--verify"] if inputs.flag("verify") else []),
        *(["--plain-http"] if inputs.flag("plainHttp") else []),
        *_post_renderer(inputs),
        *_capabilities(capabilities),
    ]
    keyring = inputs.values.get("keyring")
    if keyring is not None:
        options += ["--keyring", await files.path(keyring, "keyring")]
    options += await _values(inputs, files)
    secrets = tuple(
        text for name in sorted(inputs.secret) for text in hidden_texts(inputs.values[name])
    )
    return Rendering(
        chart=chart,
        release=inputs.text("name") or component_name,
        options=tuple(options),
        repository=await _repository(inputs, files),
        secrets=secrets,
    )


class _Files:
    """Brings assets into a folder that only this user can enter."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._count = 0

    def write(self, content: bytes) -> str:
        self._count += 1
        file = self._folder / f"input-{self._count}"
        file.write_bytes(content)
        return str(file)

    async def path(self, asset: object, name: str) -> str:
        if isinstance(asset, pulumi.FileAsset):
            return str(asset.path)
        return self.write(await content_of(asset, name))


async def content_of(asset: object, name: str) -> bytes:
    """Return what an asset holds.

    Args:
        asset: A file, text or remote asset.
        name: The input that it came in, for messages.

    Raises:
        ComponentError: It is no asset, or cannot be read.
    """
    try:
        if isinstance(asset, pulumi.StringAsset):
            return str(asset.text).encode()
        if isinstance(asset, pulumi.FileAsset):
            return await asyncio.to_thread(Path(asset.path).read_bytes)
        if isinstance(asset, pulumi.RemoteAsset):
            return await asyncio.to_thread(_download, str(asset.uri))
    except (OSError, urllib.error.URLError) as error:
        raise ComponentError(f"{name}: cannot be read: {error}") from error
    raise ComponentError(f"{name}: expected an asset (a file, a text or a URL)")


def _download(uri: str) -> bytes:
    if not uri.startswith(("http://", "https://")):
        raise OSError(f"{uri}: only http:// and https:// can be read")
    with urllib.request.urlopen(uri, timeout=_DOWNLOAD_TIMEOUT_SECONDS) as response:
        return bytes(response.read())


def _version(inputs: Inputs) -> list[str]:
    version = inputs.text("version")
    if version:
        return ["--version", version]
    return ["--devel"] if inputs.flag("devel") else []


def _post_renderer(inputs: Inputs) -> Iterator[str]:
    renderer = inputs.mapping("postRenderer")
    if renderer:
        yield from ("--post-renderer", str(renderer.get("command") or ""))
        for argument in renderer.get("args") or []:
            yield from ("--post-renderer-args", str(argument))


def _capabilities(capabilities: Capabilities | None) -> Iterator[str]:
    if capabilities is None:
        # Helm itself assumes a version that many charts refuse.
        yield from ("--kube-version", versions.KUBERNETES)
    else:
        yield from ("--kube-version", capabilities.version)
        for api_version in capabilities.api_versions:
            yield from ("--api-versions", api_version)


async def _values(inputs: Inputs, files: _Files) -> list[str]:
    """Return the options that pass the values: files first, then what the program states."""
    options: list[str] = []
    for asset in inputs.items("valueYamlFiles"):
        options += ["--values", await files.path(asset, "valueYamlFiles")]
    values = await _expanded(inputs.mapping("values"), "values")
    if values:
        options += ["--values", files.write(json.dumps(values).encode())]
    return options


async def _expanded(value: Any, name: str) -> Any:
    """Return a value with the contents of its assets in their place, as `--set-file` does."""
    if isinstance(value, Mapping):
        return {key: await _expanded(item, f"{name}.{key}") for key, item in value.items()}
    if isinstance(value, list):
        return [await _expanded(item, f"{name}[{i}]") for i, item in enumerate(value)]
    if isinstance(value, pulumi.Archive):
        raise ComponentError(f"{name}: an archive cannot be a value of a chart")
    if isinstance(value, pulumi.Asset):
        return (await content_of(value, name)).decode("utf-8", "replace")
    return value


async def _repository(inputs: Inputs, files: _Files) -> Repository:
    options = inputs.mapping("repositoryOpts")
    flags: list[str] = []
    for key, flag in _TLS_FILES.items():
        if options.get(key) is not None:
            flags += [flag, await files.path(options[key], f"repositoryOpts.{key}")]
    return Repository(
        url=str(options.get("repo") or ""),
        username=str(options.get("username") or ""),
        password=str(options.get("password") or ""),
        flags=tuple(flags),
    )
