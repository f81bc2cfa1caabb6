"""Create, update and delete: a resource's object is written and waited for."""

from collections.abc import Sequence
from typing import Final

from toolchain.kubernetes_plugin import naming, state
from toolchain.kubernetes_plugin.apply import WriteError
from toolchain.kubernetes_plugin.client import Object
from toolchain.kubernetes_plugin.context import Origin, ProviderContext
from toolchain.kubernetes_plugin.errors import ClusterError
from toolchain.kubernetes_plugin.outcome import InitializationError, OperationError
from toolchain.kubernetes_plugin.readiness import NotReady, wait_until_deleted, wait_until_ready
from toolchain.kubernetes_plugin.readiness.rules import Operation
from toolchain.kubernetes_plugin.secret_marks import redacted
from toolchain.kubernetes_plugin.types import ResourceType
from toolchain.plugin.properties import Properties, contains_unknown

UNREACHABLE_WAY_OUT: Final = (
    "If the cluster was deleted, this resource can be removed from the state by running the "
    'operation again with the environment variable PULUMI_K8S_DELETE_UNREACHABLE set to "true"'
)


def create(
    context: ProviderContext,
    urn: str,
    news: Properties,
    *,
    timeout: float = 0.0,
    preview: bool = False,
) -> tuple[str, Properties]:
    """Create the object of a resource, wait for it, and return its id and state.

    Args:
        context: The provider.
        urn: URN of the resource.
        news: Inputs.
        timeout: Seconds to wait for the object; 0 for what its annotation or kind says.
        preview: Only say what it would be; the id is then "".

    Raises:
        OperationError: Nothing was created.
        InitializationError: It was created and did not become ready.
    """
    inputs = state.to_kubernetes(news)
    kind = context.resource_type(urn, inputs)
    if preview and not _can_preview_create(context, inputs, kind):
        return "", news
    origin = Origin(inputs["apiVersion"], context.field_manager(inputs, ""))
    try:
        writer = context.writer(urn, inputs, origin.manager, partial=kind.patch)
        if preview:
            planned = writer.preview_create(inputs)
            if planned is None:
                return "", news
            planned.pop("status", None)
            return "", origin.state(planned, inputs, news)
        live = writer.create(inputs)
    except (WriteError, ClusterError) as error:
        raise OperationError(redacted(str(error), news)) from error
    live = _wait(context, urn, live, inputs, news, origin, timeout, "create")
    return naming.identifier(live), origin.state(live, inputs, news)


def _can_preview_create(context: ProviderContext, inputs: Object, kind: ResourceType) -> bool:
    return (
        not contains_unknown(inputs)
        and not kind.patch
        and context.settings.server_side_apply
        and context.session.serves(inputs["apiVersion"], inputs["kind"])
    )


def update(
    context: ProviderContext,
    urn: str,
    olds: Properties,
    news: Properties,
    *,
    timeout: float = 0.0,
    ignored: Sequence[str] = (),
    preview: bool = False,
) -> Properties:
    """Update the object of a resource, wait for it, and return its state.

    Args:
        context: The provider.
        urn: URN of the resource.
        olds: Stored state.
        news: New inputs.
        timeout: Seconds to wait for the object; 0 for what its annotation or kind says.
        ignored: Property paths whose changes the program ignores.
        preview: Only say what it would be.

    Raises:
        OperationError: Nothing was changed.
        InitializationError: It was changed and did not become ready.
    """
    stored = state.parse(olds)
    inputs = state.normalized(state.to_kubernetes(news))
    kind = context.resource_type(urn, inputs)
    served = context.session.serves(inputs["apiVersion"], inputs["kind"])
    if preview and (contains_unknown(inputs) or not served):
        return news
    first_version = stored.initial_api_version or str(stored.inputs.get("apiVersion", ""))
    before = context.field_manager(stored.inputs, stored.field_manager)
    origin = Origin(first_version, context.field_manager(inputs, stored.field_manager))
    try:
        writer = context.writer(urn, inputs, origin.manager, partial=kind.patch)
        current = _current(context, inputs, naming.name_of(stored.live))
        if preview:
            planned = writer.preview_update(inputs, current, ignored)
            return news if planned is None else origin.state(planned, inputs, news)
        live = writer.update(inputs, current, ignored)
        if before != origin.manager:
            writer.relinquish(live, before)
    except (WriteError, ClusterError) as error:
        raise OperationError(redacted(str(error), news)) from error
    live = _wait(context, urn, live, inputs, news, origin, timeout, "update")
    return origin.state(live, inputs, news)


def _current(context: ProviderContext, inputs: Object, name: str) -> Object:
    api_version, kind = inputs["apiVersion"], inputs["kind"]
    namespace = naming.namespace_of(inputs) or context.session.namespace
    found = context.session.reached().get(api_version, kind, name, namespace)
    if found is None:
        raise WriteError(
            f"update of {kind} {naming.identifier(inputs)} failed: it does not exist (any more); "
            "run `pulumi refresh`, and the next `pulumi up` creates it anew"
        )
    return found


def _wait(
    context: ProviderContext,
    urn: str,
    live: Object,
    inputs: Object,
    news: Properties,
    origin: Origin,
    timeout: float,
    operation: Operation,
) -> Object:
    if inputs.get("kind") == state.CRD_KIND:
        # What the server lists is about to change: the wait has to ask anew, and what comes after.
        context.session.discovery.forget(str((inputs.get("spec") or {}).get("group", "")))
    try:
        ready = wait_until_ready(
            context.session.reached(),
            live,
            inputs,
            timeout=timeout,
            report=context.reporter(urn),
            cancelled=context.cancelled,
            operation=operation,
        )
    except NotReady as error:
        properties = origin.state(error.live, inputs, news)
        resource_id = naming.identifier(live)
        raise InitializationError(str(error), resource_id, properties, error.reasons) from error
    context.log.status("", urn)
    return ready


def delete(
    context: ProviderContext, urn: str, resource_id: str, olds: Properties, *, timeout: float = 0.0
) -> None:
    """Delete the object of a resource and wait until it is gone.

    Args:
        context: The provider.
        urn: URN of the resource.
        resource_id: Its id.
        olds: Stored state.
        timeout: Seconds to wait; 0 for what its annotation says.

    Raises:
        OperationError: It could not be deleted.
        InitializationError: It is being deleted but still there.
    """
    if context.session.cluster is None:
        reason = f"configured Kubernetes cluster is unreachable: {context.session.unreachable}"
        if context.settings.delete_unreachable:
            text = f"{reason}; deleteUnreachable is set: the resource leaves the state"
            context.say("warning", text, urn)
            return
        raise OperationError(f"{reason}. {UNREACHABLE_WAY_OUT}")
    stored = state.parse(olds)
    kind = context.resource_type(urn, stored.inputs or stored.live)
    try:
        if kind.patch:
            manager = context.field_manager(stored.inputs, stored.field_manager)
            writer = context.writer(urn, stored.inputs, manager, partial=True)
            writer.relinquish(stored.live, manager)
        else:
            _delete(context, urn, resource_id, stored, kind, timeout)
    except NotReady as error:
        manager = context.field_manager(stored.inputs, stored.field_manager)
        origin = Origin(stored.initial_api_version, manager)
        properties = origin.state(error.live, stored.inputs, stored.marked_inputs)
        raise InitializationError(str(error), resource_id, properties, error.reasons) from error
    except (WriteError, ClusterError) as error:
        raise OperationError(str(error)) from error


def _delete(
    context: ProviderContext,
    urn: str,
    resource_id: str,
    stored: state.State,
    kind: ResourceType,
    timeout: float,
) -> None:
    cluster = context.session.reached()
    namespace, name = naming.split_identifier(resource_id)
    api_version = str(stored.live.get("apiVersion") or kind.api_version)
    live = cluster.get(api_version, kind.kind, name, namespace)
    if live is None:
        return
    policy = naming.deletion_propagation(stored.inputs)
    cluster.delete(api_version, kind.kind, name, namespace, propagation=policy)
    wait_until_deleted(
        cluster,
        live,
        timeout=timeout,
        report=context.reporter(urn),
        cancelled=context.cancelled,
    )
    context.log.status("", urn)
