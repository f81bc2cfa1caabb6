"""Collects from the cluster what decides and what explains an object's readiness."""

from collections.abc import Iterable
from typing import Any

from toolchain.kubernetes_plugin.client import ObjectClient
from toolchain.kubernetes_plugin.errors import ApiError
from toolchain.kubernetes_plugin.readiness.explain import Evidence
from toolchain.kubernetes_plugin.readiness.fields import (
    Document,
    documents,
    group,
    holds,
    name,
    namespace,
    owners,
    pluck,
    text,
    uid,
)
from toolchain.kubernetes_plugin.readiness.networking import SERVICE_NAME
from toolchain.kubernetes_plugin.readiness.quotas import REPLICA_FAILURE
from toolchain.kubernetes_plugin.readiness.rules import Rule
from toolchain.kubernetes_plugin.readiness.verdict import NOTHING_RELATED, Related

_OWNERS_OF_PODS = {
    ("apps", "StatefulSet"),
    ("apps", "DaemonSet"),
    ("batch", "Job"),
    ("", "ReplicationController"),
}

# Pods whose events are read; replicas of one template rarely fail for more than a few reasons.
_PODS_LOOKED_AT = 5


def related_to(client: ObjectClient, obj: Document, rule: Rule) -> Related:
    """Fetch what the rule's status function has to be given."""
    if not rule.related:
        return NOTHING_RELATED
    slices: tuple[Document, ...] = ()
    services: tuple[Document, ...] = ()
    storage_class: Document | None = None
    quotas: tuple[Document, ...] = ()
    unserved: tuple[str, ...] = ()
    if "endpoint_slices" in rule.related:
        selector = f"{SERVICE_NAME}={name(obj)}"
        slices = tuple(
            client.list("discovery.k8s.io/v1", "EndpointSlice", namespace(obj), selector)
        )
    if "services" in rule.related:
        services = tuple(client.list("v1", "Service", namespace(obj)))
    claimed = text(obj, "spec", "storageClassName")
    if "storage_class" in rule.related and claimed:
        storage_class = client.get("storage.k8s.io/v1", "StorageClass", claimed)
    # Only then: a rollout is looked at often, and it is seldom refused.
    if "quotas" in rule.related and holds(obj, REPLICA_FAILURE):
        quotas = tuple(client.list("v1", "ResourceQuota", namespace(obj)))
    if "unserved" in rule.related and holds(obj, "Established"):
        kind = text(obj, "spec", "names", "kind")
        unserved = tuple(it for it in _api_versions(obj) if not client.serves(it, kind))
    return Related(slices, services, storage_class, quotas, unserved)


def _api_versions(definition: Document) -> list[str]:
    """Return every `apiVersion` that a definition of a kind serves."""
    of_group = text(definition, "spec", "group")
    versions = documents(definition, "spec", "versions")
    return [f"{of_group}/{text(it, 'name')}" for it in versions if it.get("served")]


def evidence_about(client: ObjectClient, obj: dict[str, Any]) -> Evidence:
    """Fetch what may explain why an object is not ready."""
    pods = _pods_of(client, obj)
    unready = [pod for pod in pods if not holds(pod, "Ready")][:_PODS_LOOKED_AT]
    events = {uid(item): _events_of(client, item) for item in (obj, *unready)}
    return Evidence(pods=pods, events=events)


def _events_of(client: ObjectClient, obj: dict[str, Any]) -> list[dict[str, Any]]:
    """Return an object's events; none for credentials that may not read them."""
    try:
        return client.events(obj)
    except ApiError as error:
        if error.forbidden:
            return []
        raise


def _pods_of(client: ObjectClient, obj: dict[str, Any]) -> list[dict[str, Any]]:
    kind = (group(obj), text(obj, "kind"))
    if kind == ("", "Pod"):
        return [obj]
    if kind == ("apps", "Deployment"):
        newest = _newest_replica_set(client, obj)
        return _owned_by({uid(newest)}, _selected(client, obj, "Pod")) if newest else []
    if kind in _OWNERS_OF_PODS:
        return _owned_by({uid(obj)}, _selected(client, obj, "Pod"))
    return []


def _newest_replica_set(client: ObjectClient, obj: Document) -> dict[str, Any] | None:
    """Return the replica set that a deployment rolls out now: the one of its revision."""
    revision = "deployment.kubernetes.io/revision"
    wanted = pluck(obj, "metadata", "annotations", revision)
    for replica_set in _owned_by({uid(obj)}, _selected(client, obj, "ReplicaSet", "apps/v1")):
        if pluck(replica_set, "metadata", "annotations", revision) == wanted:
            return replica_set
    return None


def _selected(
    client: ObjectClient, obj: Document, kind: str, api_version: str = "v1"
) -> list[dict[str, Any]]:
    """List objects that carry the labels which the owner selects its pods by."""
    labels = pluck(obj, "spec", "selector", "matchLabels")
    if labels is None and text(obj, "kind") == "ReplicationController":
        labels = pluck(obj, "spec", "selector")
    selector = ",".join(f"{key}={value}" for key, value in sorted((labels or {}).items()))
    return client.list(api_version, kind, namespace(obj), selector or None)


def _owned_by(uids: set[str], objects: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    return [item for item in objects if not uids.isdisjoint(owners(item))]
