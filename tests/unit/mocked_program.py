# The SDK's support for tests has no annotations.
# mypy: disable-error-code="no-untyped-call"
"""Runs the whole program of a stack file against mocks, and records what it registers."""

import asyncio
import base64
import contextvars
import json
import runpy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pulumi
import pytest
from pulumi.runtime import config as pulumi_config
from pulumi.runtime import mocks, rpc, run_in_stack
from pulumi.runtime import settings as runtime_settings

from apps.serving.runtimes import RUNTIMES
from infra.clusters import local
from infra.platform import chart, definitions
from infra.settings import stack_file, traffic
from tests.unit.clouds import answers
from toolchain.local_cluster import Distribution

ROOT = Path(__file__).parents[2]
STACK_FILES = sorted(ROOT.glob("Pulumi.*.yaml"))
"""Every one of the project."""
LOCAL_STACK_FILE = ROOT / "Pulumi.local.yaml"
# What a stack has to ask for.
ON_DEMAND = (
    ROOT / "tests/config/local.happy.monitoring.yaml",
    ROOT / "tests/config/local.happy.promote.yaml",
    ROOT / "tests/config/local.happy.inference-service.yaml",
)

# What External Secrets makes of the values of a store.
DIGEST = b"0123456789"
# The first bytes of an ONNX file: `ir_version` 10, then the producer's name.
ONNX = bytes([0x08, 0x0A, 0x12, 0x08]) + b"skl2onnx"

# The certificate of the stack's own authority.
CA = "-----BEGIN CERTIFICATE-----"

# Its pods are those of a template, though KServe writes that.
INFERENCE_SERVICE = "kubernetes:serving.kserve.io/v1beta1:InferenceService"

# Outputs that a provider adds to the inputs of a resource.
_COMPUTED: Mapping[str, dict[str, Any]] = {
    "slipway:machine:LocalCluster": {
        "distribution": "upstream",
        "version": "v1.37.2",
        "identity": "6c1c",
        "kubeconfig": "apiVersion: v1",
        "running": True,
        "address_pool": "10.231.0.4-10.231.0.14",
    },
    "slipway:machine:ModelFile": {"node_path": "/models/0"},
    # The address that a cloud gives the gateway's.
    "kubernetes:core/v1:Service": {
        "status": {"loadBalancer": {"ingress": [{"ip": "203.0.113.7"}]}}
    },
    "kubernetes:helm.sh/v4:Chart": {"resources": []},
    "kubernetes:cert-manager.io/v1:Certificate": {"status": {"revision": 1}},
    "kubernetes:cert-manager.io/v1:CertificateRequest": {
        "status": {"certificate": base64.b64encode(CA.encode()).decode()}
    },
    "kubernetes:gateway.networking.k8s.io/v1:Gateway": {
        "status": {"addresses": [{"value": "203.0.113.7"}]}
    },
}


@dataclass(frozen=True)
class Registered:
    """A resource as the program registered it."""

    type: str
    name: str
    is_custom: bool
    is_remote: bool
    urn: str
    provider: str
    parent: str
    protected: bool
    deleted_with: str
    timeouts: tuple[str, str]
    inputs: Mapping[str, Any]
    secret_inputs: frozenset[str]
    secret_outputs: frozenset[str]
    former_types: frozenset[str]
    former_parents: frozenset[str]
    ignored: tuple[str, ...]
    dependencies: frozenset[str]

    @property
    def is_kubernetes(self) -> bool:
        """Whether it is an object of the cluster, and not a component that makes some."""
        return self.is_custom and self.type.startswith("kubernetes:")

    @property
    def label(self) -> str:
        return f"{self.type} {self.name}"


@dataclass(frozen=True)
class Program:
    """What one run of the program registered."""

    resources: tuple[Registered, ...]
    outputs: Mapping[str, Any]
    secret_outputs: frozenset[str]
    error_hooks: tuple[pulumi.ErrorHook, ...]

    def of_type(self, type_: str) -> list[Registered]:
        return [resource for resource in self.resources if resource.type == type_]

    def kubernetes(self) -> list[Registered]:
        return [resource for resource in self.resources if resource.is_kubernetes]

    def pods(self) -> Iterator[tuple[Registered, Mapping[str, Any]]]:
        """Every pod template with the resource that holds it."""
        for resource in self.of_type(INFERENCE_SERVICE):
            predictor = resource.inputs["spec"]["predictor"]
            yield resource, {"metadata": {"labels": predictor["labels"]}, "spec": predictor}
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
        if args.typ in answers.RESOURCES:
            computed = answers.RESOURCES[args.typ](args.name, args.inputs)
        if args.typ == "slipway:machine:Image":
            computed["ref"] = f"slipway.local/{args.inputs['recipe']}:0123456789ab"
        if args.resource_id and args.typ == "kubernetes:core/v1:Secret":
            # What is read and not registered: the digest of values that stay in a store.
            return args.resource_id, {"data": {"digest": base64.b64encode(DIGEST).decode()}}
        metadata = args.inputs.get("metadata") or {}
        if "metadata" in args.inputs:
            # The plug-in names what the program does not.
            metadata = computed["metadata"] = {"name": f"{args.name}-0badcafe", **metadata}
        identifier = metadata.get("name", args.name)
        if "namespace" in metadata:
            identifier = f"{metadata['namespace']}/{identifier}"
        return identifier, {**args.inputs, **computed}

    def call(self, args: mocks.MockCallArgs) -> tuple[dict[str, Any], list[Any]]:
        if args.token in answers.CALLS:
            return answers.CALLS[args.token], []
        raise AssertionError(f"the program called {args.token}, which a preview could not do")


class _Monitor(mocks.MockMonitor):
    """Keeps the requests themselves: mocks are not shown options and secrets."""

    def __init__(self) -> None:
        super().__init__(_Mocks())
        self.registered: list[Registered] = []
        self.stack_outputs: Any = None
        self.error_hooks: list[pulumi.ErrorHook] = []

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802 - the protocol's name
        if request.type == "pulumi:pulumi:Stack":
            return super().RegisterResource(request)
        try:
            response = super().RegisterResource(request)
            self.registered.append(_registered(request, response.urn))
            return response
        finally:
            _close_event_loop()

    def ReadResource(self, request: Any) -> Any:  # noqa: N802 - the protocol's name
        try:
            return super().ReadResource(request)
        finally:
            _close_event_loop()

    def RegisterResourceOutputs(self, request: Any) -> Any:  # noqa: N802 - the protocol's name
        if request.urn.split("::")[2] == "pulumi:pulumi:Stack":
            self.stack_outputs = request.outputs
        return super().RegisterResourceOutputs(request)


def _close_event_loop() -> None:
    """Close the event loop that the mocks leave in each thread that they answer in."""
    asyncio.get_event_loop().close()
    asyncio.set_event_loop(None)


def run(
    path: Path,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    models: bytes = ONNX,
    distribution: Distribution = "upstream",
) -> Program:
    """Return what the program registers for a stack file.

    Args:
        path: The stack file.
        folder: An empty folder, which becomes the project's folder with stand-ins for the files
            that the stack file names.
        monkeypatch: Restores what is changed.
        models: Content of every model file.
        distribution: What the local cluster is.
    """
    raw = stack_file.read(path)
    _write_files(raw, folder, models)
    monkeypatch.chdir(folder)
    # An Output in an f-string would silently become a sentence about Outputs.
    monkeypatch.setenv("PULUMI_ERROR_OUTPUT_STRING", "true")
    monkeypatch.setenv("KUBECONFIG", str(_kubeconfig(folder)))
    monkeypatch.setattr(definitions, "read_definitions", _definitions)
    monkeypatch.setattr(chart, "upstream_folder", lambda name: Path("charts", name))
    monkeypatch.setattr(local, "choose", lambda settings: distribution)
    monitor = _Monitor()
    stack = path.name.split(".")[1]
    # The SDK keeps its state in context variables: each run gets fresh ones.
    contextvars.Context().run(_run, monitor, stack, raw)
    return _program(monitor)


def run_stack(
    stack: str,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    models: bytes = ONNX,
    distribution: Distribution = "upstream",
) -> Program:
    """Return what the program registers for a stack.

    Args:
        stack: Content of the stack file.
        folder: Where the stack file and the project's folder are made.
        monkeypatch: See `run`.
        models: See `run`.
        distribution: See `run`.
    """
    path = folder / "Pulumi.test.yaml"
    path.write_text(stack)
    project = folder / "project"
    project.mkdir(exist_ok=True)
    return run(path, project, monkeypatch, models=models, distribution=distribution)


class _Callbacks:
    """Takes the program's hooks, which the mocks never call."""

    def __init__(self, monitor: _Monitor) -> None:
        self.register_error_hook = monitor.error_hooks.append


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
    # The mocks bring none, and a hook is refused without.
    runtime_settings.SETTINGS.callbacks = _Callbacks(monitor)
    # The mocks decrypt nothing: what stands in for a value is the value.
    encrypted = {
        name: value["secure"]
        for name, value in raw.items()
        if isinstance(value, dict) and set(value) == {"secure"}
    }
    plain = {name: json.dumps(raw[name]) if raw[name] else "" for name in raw.keys() - encrypted}
    pulumi_config.set_all_config(
        {f"slipway:{name}": text for name, text in (plain | encrypted).items()},
        [f"slipway:{name}" for name in encrypted],
    )
    # What other tests left pending belongs to event loops that are closed.
    runtime_settings.SETTINGS.outputs.clear()
    asyncio.run(run_in_stack(_main))


def _main() -> None:
    runpy.run_path(str(ROOT / "__main__.py"))


def _write_files(raw: Mapping[str, Any], folder: Path, models: bytes) -> None:
    for model in raw.get("models", {}).values():
        versions = [model, *(model[role] for role in traffic.ROLES if role in model)]
        uris = [version.get("uri", "") for version in versions]
        paths = [uri.removeprefix("file:") for uri in uris if uri.startswith("file:")]
        inside = RUNTIMES[model["format"]].files
        files = [f"{path}/{file}" for path in paths for file in inside] if inside else paths
        for name in (*files, model.get("holdout")):
            if name:
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                (folder / name).write_bytes(models)


def _kubeconfig(folder: Path) -> Path:
    """Write the kubeconfig of whoever runs the program."""
    path = folder / "kubeconfig.yaml"
    config = {
        "clusters": [{"name": "shared", "cluster": {"server": "https://203.0.113.9:6443"}}],
        "users": [{"name": "me", "user": {"exec": {"command": "login"}}}],
        "contexts": [{"name": "shared", "context": {"cluster": "shared", "user": "me"}}],
    }
    path.write_text(json.dumps(config))
    return path


def _definitions(program: str) -> list[dict[str, Any]]:
    """Stand in for a program's manifests: one type, of a group named after it."""
    group = f"{program}.example"
    return [
        {
            "metadata": {"name": f"things.{group}"},
            "spec": {"group": group, "names": {"plural": "things"}},
        }
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
        error_hooks=tuple(monitor.error_hooks),
    )


def _registered(request: Any, urn: str) -> Registered:
    raw = rpc.deserialize_properties(request.object)
    return Registered(
        type=request.type,
        name=request.name,
        is_custom=request.custom,
        is_remote=request.remote,
        urn=urn,
        # A remote component is given one for each package that its children are of.
        provider=request.provider or request.providers.get(request.type.split(":")[0], ""),
        parent=request.parent,
        protected=request.protect,
        deleted_with=request.deletedWith,
        timeouts=(request.customTimeouts.create, request.customTimeouts.update),
        inputs=_plain(request.object),
        secret_inputs=frozenset(name for name, value in raw.items() if rpc.is_rpc_secret(value)),
        secret_outputs=frozenset(request.additionalSecretOutputs),
        former_types=frozenset(alias.spec.type for alias in request.aliases),
        former_parents=frozenset(alias.spec.parentUrn for alias in request.aliases),
        ignored=tuple(request.ignoreChanges),
        dependencies=frozenset(request.dependencies),
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
