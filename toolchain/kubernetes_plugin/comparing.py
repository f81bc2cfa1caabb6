"""Diff: what an update would change, and whether it replaces the object."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from toolchain.kubernetes_plugin import immutable, naming, state
from toolchain.kubernetes_plugin.client import Object
from toolchain.kubernetes_plugin.context import ProviderContext
from toolchain.kubernetes_plugin.diff import Difference, difference
from toolchain.plugin.properties import Properties

_REPLACE_UNREADY_PATH: Final = f'metadata.annotations["{naming.REPLACE_UNREADY}"]'


@dataclass(frozen=True)
class Comparison:
    """What an update would change.

    Attributes:
        difference: The changed fields.
        replaces: Property paths that replace the object.
        delete_first: Whether the old object has to go before the new one can come.
    """

    difference: Difference
    replaces: list[str]
    delete_first: bool


def compare(
    context: ProviderContext,
    urn: str,
    olds: Properties,
    news: Properties,
    ignored: Sequence[str] = (),
) -> Comparison:
    """Return what an update would change, and whether it replaces the object.

    Args:
        context: The provider.
        urn: URN of the resource.
        olds: Stored state.
        news: New inputs.
        ignored: Property paths whose changes the program ignores.
    """
    stored = state.parse(olds)
    old = state.normalized(stored.inputs)
    new = state.normalized(state.to_kubernetes(news))
    _align_identity(context, old, new, stored.live)
    changes = difference(old, new, _replacing_paths(context, urn, new)).ignoring(ignored)
    replaces = changes.replaces
    if naming.annotated(new, naming.REPLACE_UNREADY) and _is_unready(context, urn, stored.live):
        replaces.append(_REPLACE_UNREADY_PATH)
    return Comparison(changes, replaces, bool(replaces) and _keeps_place(new, stored.live))


def _replacing_paths(context: ProviderContext, urn: str, new: Object) -> tuple[str, ...]:
    if context.resource_type(urn, new).patch:
        return immutable.identity_paths()
    return immutable.replacing_paths(
        new,
        config_map_mutable=context.settings.config_map_mutable,
        secret_mutable=context.settings.secret_mutable,
    )


def _keeps_place(new: Object, live: Object) -> bool:
    """Return whether a replacement has the name and namespace of the object it replaces."""
    return (
        naming.is_named(new)
        and not naming.is_autonamed(new)
        and naming.name_of(new) == naming.name_of(live)
        and naming.namespace_of(new) == naming.namespace_of(live)
    )


def _align_identity(context: ProviderContext, old: Object, new: Object, live: Object) -> None:
    """Make names and namespaces comparable: what the cluster chose counts as declared."""
    api_version, kind = str(new.get("apiVersion")), str(new.get("kind"))
    namespaced = context.session.discovery.is_namespaced(api_version, kind)
    for obj in (old, new):
        metadata = obj.get("metadata")
        if not isinstance(metadata, dict):
            continue
        if not namespaced:
            metadata.pop("namespace", None)
        elif not metadata.get("namespace"):
            metadata["namespace"] = "default"
    old_metadata = old.get("metadata")
    if naming.name_of(new) and naming.name_of(live) and isinstance(old_metadata, dict):
        old_metadata["name"] = naming.name_of(live)


def _is_unready(context: ProviderContext, urn: str, live: Object) -> bool:
    """Return whether a Job that asks to be replaced until it is ready has not completed."""
    cluster = context.session.cluster
    if live.get("kind") != "Job":
        text = "the annotation pulumi.com/replaceUnready is only supported on a Job"
        context.say("warning", text, urn)
        return False
    if cluster is None:
        text = "cluster is unreachable: pulumi.com/replaceUnready was not looked at"
        context.say("warning", text, urn)
        return False
    name, namespace = naming.name_of(live), naming.namespace_of(live)
    job = cluster.get(live["apiVersion"], "Job", name, namespace)
    if job is None:
        return False
    return not any(
        condition.get("type") == "Complete" and condition.get("status") == "True"
        for condition in (job.get("status") or {}).get("conditions") or []
    )
