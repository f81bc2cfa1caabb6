"""Read: an object as it is now, for a refresh or an import."""

from dataclasses import dataclass, field

from toolchain.kubernetes_plugin import naming, state
from toolchain.kubernetes_plugin.client import Object
from toolchain.kubernetes_plugin.context import Origin, ProviderContext
from toolchain.kubernetes_plugin.errors import ClusterError
from toolchain.kubernetes_plugin.outcome import InitializationError, OperationError
from toolchain.kubernetes_plugin.readiness import NotReady, check_ready
from toolchain.kubernetes_plugin.secret_marks import marked
from toolchain.kubernetes_plugin.writing import UNREACHABLE_WAY_OUT
from toolchain.plugin.properties import Properties


@dataclass(frozen=True)
class Found:
    """What a read found; an empty id means that there is nothing (any more)."""

    resource_id: str = ""
    properties: Properties = field(default_factory=dict)
    inputs: Properties = field(default_factory=dict)


def read(
    context: ProviderContext, urn: str, resource_id: str, olds: Properties, inputs: Properties
) -> Found:
    """Read the object of a resource as it is now.

    Args:
        context: The provider.
        urn: URN of the resource.
        resource_id: Its id.
        olds: Stored state; empty for an import.
        inputs: Stored inputs; empty for an import.

    Raises:
        OperationError: The cluster could not be asked.
        InitializationError: The object is there but not ready.
    """
    if context.session.cluster is None:
        return _read_unreachable(context, urn, Found(resource_id, olds, inputs))
    namespace, name = naming.split_identifier(resource_id)
    stored = state.parse(olds)
    last_inputs = state.to_kubernetes(inputs)
    kind = context.resource_type(urn, last_inputs or stored.live)
    api_version = str(last_inputs.get("apiVersion") or kind.api_version)
    try:
        live = context.session.cluster.get(
            api_version, kind.kind, name, namespace or context.session.namespace
        )
    except ClusterError as error:
        raise OperationError(str(error)) from error
    if live is None:
        return Found()
    imported = not last_inputs.get("kind")
    live_inputs = (
        state.imported_inputs(live) if imported else _refreshed(last_inputs, stored.live, live)
    )
    manager = context.field_manager(live_inputs, stored.field_manager)
    origin = Origin(stored.initial_api_version or api_version, manager)
    found = Found(
        resource_id,
        origin.state(live, live_inputs, inputs),
        marked(live_inputs, inputs),
    )
    if not imported:
        _check_ready(context, live, last_inputs, found)
    return found


def _read_unreachable(context: ProviderContext, urn: str, last: Found) -> Found:
    reason = f"configured Kubernetes cluster is unreachable: {context.session.unreachable}"
    context.say("warning", reason, urn)
    if context.settings.delete_unreachable:
        context.say("info", "deleteUnreachable is set: the resource leaves the state", urn)
        return Found()
    if context.settings.skip_update_unreachable:
        return last
    raise OperationError(
        f"failed to read resource state due to unreachable cluster. {UNREACHABLE_WAY_OUT}"
    )


def _refreshed(last_inputs: Object, last_live: Object, live: Object) -> Object:
    before = state.normalized(last_inputs)
    after = state.refreshed_inputs(before, last_live, live)
    return last_inputs if after == before else after


def _check_ready(context: ProviderContext, live: Object, inputs: Object, found: Found) -> None:
    try:
        check_ready(context.session.reached(), live, inputs)
    except NotReady as error:
        raise InitializationError(
            str(error), found.resource_id, found.properties, error.reasons, found.inputs
        ) from error
