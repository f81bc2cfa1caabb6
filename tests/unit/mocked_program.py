# The SDK's support for tests has no annotations.
# mypy: disable-error-code="no-untyped-call"
"""Runs the whole program of a stack file against mocks, and records what it registers."""

import asyncio
import contextvars
import json
import runpy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from pulumi.runtime import config as pulumi_config
from pulumi.runtime import mocks, rpc, run_in_stack
from pulumi.runtime import settings as runtime_settings

from infra.platform import gateway_api
from infra.settings import stack_file

ROOT = Path(__file__).parents[2]
STACK_FILES = sorted(ROOT.glob("Pulumi.*.yaml"))

# The first bytes of an ONNX file: `ir_version` 10, then the producer's name.
ONNX = bytes([0x08, 0x0A, 0x12, 0x08]) + b"skl2onnx"

# Outputs that a provider adds to the inputs of a resource.
_COMPUTED: Mapping[str, dict[str, Any]] = {
    "slipway:machine:LocalCluster": {
        "distribution": "upstream",
        "version": "v1.37.2",
        "identity": "6c1c",
        "kubeconfig": "apiVersion: v1",
        "running": True,
    },
    "slipway:machine:ModelFile": {"node_path": "/models/0"},
}


@dataclass(frozen=True)
class Registered:
    """A resource as the program registered it."""

    type: str
    name: str
    is_custom: bool
    urn: str
    provider: str
    parent: str
    deleted_with: str
    inputs: Mapping[str, Any]
    secret_inputs: frozenset[str]
    secret_outputs: frozenset[str]

    @property
    def is_kubernetes(self) -> bool:
        return self.type.startswith("kubernetes:")

    @property
    def label(self) -> str:
        return f"{self.type} {self.name}"


@dataclass(frozen=True)
class Program:
    """What one run of the program registered."""

    resources: tuple[Registered, ...]
    outputs: Mapping[str, Any]
    secret_outputs: frozenset[str]

    def of_type(self, type_: str) -> list[Registered]:
        return [resource for resource in self.resources if resource.type == type_]

    def kubernetes(self) -> list[Registered]:
        return [resource for resource in self.resources if resource.is_kubernetes]

    def pods(self) -> Iterator[tuple[Registered, Mapping[str, Any]]]:
        """Every pod template with the resource that holds it."""
        for resource in self.kubernetes():
            template = resource.inputs.get("spec", {}).get("template")
            if template is not None and "containers" in template.get("spec", {}):
                yield resource, template

    def containers(self) -> Iterator[tuple[str, Mapping[str, Any]]]:
        for resource, template in self.pods():
            for container in template["spec"]["containers"]:
                yield f"{resource.label} {container['name']}", container


class _Mocks(mocks.Mocks):
    def new_resource(self, args: mocks.MockResourceArgs) -> tuple[str | None, dict[str, Any]]:
        computed = dict(_COMPUTED.get(args.typ, {}))
        if args.typ == "slipway:machine:Image":
            computed["ref"] = f"slipway.local/{args.inputs['recipe']}:0123456789ab"
        metadata = args.inputs.get("metadata") or {}
        identifier = metadata.get("name", args.name)
        if "namespace" in metadata:
            identifier = f"{metadata['namespace']}/{identifier}"
        return identifier, {**args.inputs, **computed}

    def call(self, args: mocks.MockCallArgs) -> tuple[dict[str, Any], None]:
        raise AssertionError(f"the program called {args.token}, which a preview could not do")


class _Monitor(mocks.MockMonitor):
    """Keeps the requests themselves: mocks are not shown options and secrets."""

    def __init__(self) -> None:
        super().__init__(_Mocks())
        self.registered: list[Registered] = []
        self.stack_outputs: Any = None

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802 - the protocol's name
        if request.type == "pulumi:pulumi:Stack":
            return super().RegisterResource(request)
        try:
            response = super().RegisterResource(request)
            self.registered.append(_registered(request, response.urn))
            return response
        finally:
            # The mocks leave an event loop in each thread that they answer in.
            asyncio.get_event_loop().close()
            asyncio.set_event_loop(None)

    def RegisterResourceOutputs(self, request: Any) -> Any:  # noqa: N802 - the protocol's name
        if request.urn.split("::")[2] == "pulumi:pulumi:Stack":
            self.stack_outputs = request.outputs
        return super().RegisterResourceOutputs(request)


def run(
    path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch, *, models: bytes = ONNX
) -> Program:
    """Return what the program registers for a stack file.

    Args:
        path: The stack file.
        folder: An empty folder, which becomes the project's folder with stand-ins for the files
            that the stack file names.
        monkeypatch: Restores what is changed.
        models: Content of every model file.
    """
    raw = stack_file.read(path)
    _write_files(raw, folder, models)
    monkeypatch.chdir(folder)
    # An Output in an f-string would silently become a sentence about Outputs.
    monkeypatch.setenv("PULUMI_ERROR_OUTPUT_STRING", "true")
    monkeypatch.setattr(gateway_api, "read_definitions", _definitions)
    monitor = _Monitor()
    stack = path.name.split(".")[1]
    # The SDK keeps its state in context variables: each run gets fresh ones.
    contextvars.Context().run(_run, monitor, stack, raw)
    return _program(monitor)


def _run(monitor: _Monitor, stack: str, raw: Mapping[str, Any]) -> None:
    # What `set_mocks` does, without the stack of its own that it would leave behind.
    runtime_settings.configure(
        mocks.MockSettings(
            monitor=monitor,
            monitor_features=set(monitor.GetDeploymentInfo(None).supportedFeatures),
            engine=mocks.MockEngine(None),
            project="slipway",
            stack=stack,
            dry_run=False,
            organization=None,
        )
    )
    pulumi_config.set_all_config(
        {f"slipway:{name}": json.dumps(value) if value else "" for name, value in raw.items()}
    )
    # What other tests left pending belongs to event loops that are closed.
    runtime_settings.SETTINGS.outputs.clear()
    asyncio.run(run_in_stack(_main))


def _main() -> None:
    runpy.run_path(str(ROOT / "__main__.py"))


def _write_files(raw: Mapping[str, Any], folder: Path, models: bytes) -> None:
    for model in raw.get("models", {}).values():
        for name in (str(model["uri"]).removeprefix("file:"), model.get("holdout")):
            if name:
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                (folder / name).write_bytes(models)


def _definitions() -> list[dict[str, Any]]:
    return [
        {
            "metadata": {"name": f"{plural}.gateway.networking.k8s.io"},
            "spec": {"group": "gateway.networking.k8s.io", "names": {"plural": plural}},
        }
        for plural in ("gatewayclasses", "gateways", "httproutes")
    ]


def _program(monitor: _Monitor) -> Program:
    return Program(
        resources=tuple(monitor.registered),
        outputs=_plain(monitor.stack_outputs),
        secret_outputs=frozenset(
            name
            for name, value in rpc.deserialize_properties(
                monitor.stack_outputs, keep_unknowns=True
            ).items()
            if rpc.is_rpc_secret(value)
        ),
    )


def _registered(request: Any, urn: str) -> Registered:
    raw = rpc.deserialize_properties(request.object)
    return Registered(
        type=request.type,
        name=request.name,
        is_custom=request.custom,
        urn=urn,
        provider=request.provider,
        parent=request.parent,
        deleted_with=request.deletedWith,
        inputs=_plain(request.object),
        secret_inputs=frozenset(name for name, value in raw.items() if rpc.is_rpc_secret(value)),
        secret_outputs=frozenset(request.additionalSecretOutputs),
    )


def _plain(struct: Any) -> dict[str, Any]:
    """Return the values themselves, without the wrapping of secrets."""
    unwrapped = _unwrap(rpc.deserialize_properties(struct))
    assert isinstance(unwrapped, dict)
    return unwrapped


def _unwrap(value: Any) -> Any:
    if rpc.is_rpc_secret(value):
        return _unwrap(rpc.unwrap_rpc_secret(value))
    if isinstance(value, dict):
        return {name: _unwrap(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_unwrap(item) for item in value]
    return value
