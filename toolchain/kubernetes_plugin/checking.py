"""Check: inputs of a program become inputs of an object."""

from toolchain.kubernetes_plugin import naming, state
from toolchain.kubernetes_plugin.client import Object
from toolchain.kubernetes_plugin.context import ProviderContext
from toolchain.kubernetes_plugin.naming import Autonaming, NamingError
from toolchain.kubernetes_plugin.outcome import OperationError
from toolchain.kubernetes_plugin.secret_marks import marked
from toolchain.kubernetes_plugin.types import ResourceType, name_of_urn
from toolchain.plugin.properties import Properties


def check(
    context: ProviderContext,
    urn: str,
    olds: Properties,
    news: Properties,
    *,
    seed: bytes = b"",
    autonaming: Autonaming | None = None,
) -> Properties:
    """Return the inputs of a resource with its name, namespace and secret marks.

    Args:
        context: The provider.
        urn: URN of the resource.
        olds: Last inputs; empty for a resource that is to be created.
        news: Inputs of the program.
        seed: What an automatic name is derived from.
        autonaming: What the engine's configuration asks of automatic names.

    Raises:
        OperationError: The resource cannot exist in this form.
    """
    if context.session.cluster is None and context.settings.skip_update_unreachable and olds:
        text = "cluster is unreachable and skipUpdateUnreachable is set: skipped"
        context.say("warning", text, urn)
        return olds
    inputs = state.to_kubernetes(news)
    kind = context.resource_type(urn, inputs)
    inputs.setdefault("apiVersion", kind.api_version)
    inputs.setdefault("kind", kind.kind)
    if naming.annotation(inputs, naming.AUTONAMED):
        text = f'ignoring user-specified value for internal annotation "{naming.AUTONAMED}"'
        context.say("warning", text, urn)
    inputs = state.normalized(inputs)
    try:
        if olds:
            naming.keep_autoname(inputs, state.to_kubernetes(olds))
        elif not kind.patch:
            naming.assign_name(inputs, name_of_urn(urn), seed, autonaming)
    except NamingError as error:
        raise OperationError(str(error)) from error
    _require_name(inputs, kind)
    _set_namespace(context, inputs)
    if inputs["kind"] == state.CRD_KIND:
        # Resources of the kind come in the same run, before the server knows it.
        context.session.discovery.declare(inputs)
    return marked(inputs, news)


def _require_name(inputs: Object, kind: ResourceType) -> None:
    if naming.is_named(inputs):
        return
    if kind.patch:
        raise OperationError("a Patch resource needs metadata.name: which object it patches")
    if naming.metadata_of(inputs).get("generateName"):
        raise OperationError(
            "metadata.generateName is not supported with server-side apply: leave the name out to "
            "get an automatic one, or set metadata.name"
        )


def _set_namespace(context: ProviderContext, inputs: Object) -> None:
    metadata = inputs.setdefault("metadata", {})
    if not isinstance(metadata, dict) or metadata.get("namespace"):
        return
    if context.session.discovery.is_namespaced(inputs["apiVersion"], inputs["kind"]):
        metadata["namespace"] = context.session.namespace
