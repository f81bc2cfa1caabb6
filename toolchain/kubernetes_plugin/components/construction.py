"""Makes a component: registers it, finds its objects, and registers those as its children."""

import asyncio
import tempfile
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pulumi
import yaml
from pulumi.errors import InputPropertiesError
from pulumi.provider.experimental.provider import ConstructResponse

from toolchain import programs
from toolchain.errors import SlipwayError
from toolchain.kubernetes_plugin.components import capabilities, children, inputs, manifests
from toolchain.kubernetes_plugin.components.chart import CHART, rendering_of
from toolchain.kubernetes_plugin.components.children import Registration
from toolchain.kubernetes_plugin.components.errors import ComponentError
from toolchain.kubernetes_plugin.components.helm import Helm
from toolchain.kubernetes_plugin.components.inputs import Inputs, PropertyValues
from toolchain.kubernetes_plugin.components.wire import UNKNOWN
from toolchain.kubernetes_plugin.components.yaml_v2 import (
    CONFIG_FILE,
    CONFIG_GROUP,
    objects_of_file,
    objects_of_group,
)
from toolchain.kubernetes_plugin.context import ProviderContext
from toolchain.kubernetes_plugin.errors import ClusterError
from toolchain.kubernetes_plugin.session import Session
from toolchain.progress import Report

RESOURCES = "resources"

_INCOMPLETE = "Input properties have unknown values. Preview is incomplete."

# Inputs that say how children are made, not what they hold.
_ABOUT_REGISTRATION = ("resourcePrefix", "skipAwait")


async def construct(
    resource_type: str,
    name: str,
    values: PropertyValues,
    options: pulumi.ResourceOptions,
    context: ProviderContext,
) -> ConstructResponse:
    """Make a ConfigFile, a ConfigGroup or a Chart with its children.

    Every child is registered under the component, which carries the providers that the program gave
    it. With an input that is not known yet, which only happens in a preview, the component has no
    children and a warning says so.

    Args:
        resource_type: Type token of the component.
        name: Logical name of the component.
        values: The component's inputs.
        options: The component's resource options, as the SDK's provider server reads them.
        context: The configured provider.

    Returns:
        The component's URN, and its output `resources`: references to the children.

    Raises:
        InputPropertiesError: The component cannot be made; one line, before which the engine puts
            the component's type and name.
    """
    maker = _MAKERS.get(resource_type)
    if maker is None:
        raise InputPropertiesError(f"{resource_type} is no component of this plug-in", [])
    component = pulumi.ComponentResource(resource_type, name, {}, options)
    urn = str(await component.urn.future())
    resources = UNKNOWN
    if inputs.are_known(values):
        try:
            making = _Making(
                component, name, inputs.read(values), context.session, context.reporter(urn)
            )
            made = await _children(maker, making)
        except (ComponentError, ClusterError, SlipwayError) as error:
            raise InputPropertiesError(str(error), []) from error
        resources = await children.references(made)
    else:
        pulumi.log.warn(_INCOMPLETE, component)
    return ConstructResponse(urn, {RESOURCES: resources}, {})


@dataclass(frozen=True)
class _Making:
    """What the objects of a component are found with."""

    component: pulumi.ComponentResource
    name: str
    inputs: Inputs
    session: Session
    report: Report


Maker = Callable[[_Making], Awaitable[list[dict[str, Any]]]]


async def _children(maker: Maker, making: _Making) -> list[pulumi.CustomResource]:
    component, known, session = making.component, making.inputs, making.session
    namespace = session.namespace
    if maker is _chart:
        namespace = known.text("namespace") or namespace
    found = await maker(making)
    objects, unresolved = await asyncio.to_thread(
        manifests.normalize, found, namespace, session.discovery
    )
    if unresolved:
        pulumi.log.warn(_scope_warning(unresolved), component)
    prefix = known.values.get("resourcePrefix")
    how = Registration(
        prefix=making.name if prefix is None else known.text("resourcePrefix"),
        skip_await=known.flag("skipAwait"),
        secret=bool(known.secret.difference(_ABOUT_REGISTRATION)),
        helm_policies=maker is _chart,
    )
    return children.register(component, objects, how)


async def _config_file(making: _Making) -> list[dict[str, Any]]:
    return await objects_of_file(making.inputs)


async def _config_group(making: _Making) -> list[dict[str, Any]]:
    return await objects_of_group(making.inputs)


async def _chart(making: _Making) -> list[dict[str, Any]]:
    if making.inputs.flag("includeHooks"):
        pulumi.log.warn(
            "includeHooks is only supported when the provider is configured with "
            "renderYamlToDirectory; Helm hooks will be ignored.",
            making.component,
        )
    session = making.session
    program = await asyncio.to_thread(programs.path, "helm", making.report)
    with tempfile.TemporaryDirectory(prefix="slipway-chart-") as folder:
        known = None
        if session.cluster is not None:
            known = await asyncio.to_thread(capabilities.of, session.discovery)
        rendering = await rendering_of(
            making.inputs, making.name, Path(folder), session.namespace, known
        )
        helm = Helm(program, Path(folder), _written_kubeconfig(session, Path(folder)))
        rendered = await helm.template(rendering)
    for warning in rendered.warnings:
        pulumi.log.warn(warning, making.component)
    return await asyncio.to_thread(manifests.parse, rendered.manifest, "rendered chart")


_MAKERS: dict[str, Maker] = {
    CONFIG_FILE: _config_file,
    CONFIG_GROUP: _config_group,
    CHART: _chart,
}


def _written_kubeconfig(session: Session, folder: Path) -> Path | None:
    """Write the provider's kubeconfig for `lookup` in templates; the folder keeps it private."""
    if session.kubeconfig is None:
        return None
    file = folder / "kubeconfig"
    file.write_text(yaml.safe_dump(session.kubeconfig), encoding="utf-8")
    return file


def _scope_warning(unresolved: list[str]) -> str:
    return (
        "Unable to determine whether the following kinds are namespaced without a reachable "
        "cluster or a matching CustomResourceDefinition, so they are rendered without a namespace: "
        f"{', '.join(unresolved)}. Set .metadata.namespace explicitly, or include the "
        "CustomResourceDefinition, to control the namespace."
    )
