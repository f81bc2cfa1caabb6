"""Whether volumes, claims, quotas, tokens and definitions of kinds are ready."""

from toolchain.kubernetes_plugin.readiness.fields import (
    Document,
    condition,
    holds,
    is_observed,
    pluck,
    text,
)
from toolchain.kubernetes_plugin.readiness.verdict import Failed, Pending, Ready, Related, Verdict

_TOKEN = "kubernetes.io/service-account-token"

# How soon the API server's list of kinds is looked at again, as nothing tells when it changes.
# Seconds.
_DISCOVERY = 0.1


def persistent_volume(obj: Document, related: Related) -> Verdict:
    """Ready when the volume can be claimed or is claimed."""
    del related
    phase = text(obj, "status", "phase")
    if phase in ("Available", "Bound"):
        return Ready(f"The PersistentVolume is {phase.lower()}")
    if phase == "Failed":
        return Failed(f"The PersistentVolume failed: {text(obj, 'status', 'message')}")
    return Pending("Waiting for the PersistentVolume to be available")


def persistent_volume_claim(obj: Document, related: Related) -> Verdict:
    """Ready when bound, or when its storage class binds it only to its first consumer."""
    phase = text(obj, "status", "phase")
    if phase == "Bound":
        return Ready("The PersistentVolumeClaim is bound")
    if phase == "Lost":
        return Failed("The PersistentVolumeClaim lost its volume")
    binding = text(related.storage_class, "volumeBindingMode")
    if phase == "Pending" and binding == "WaitForFirstConsumer":
        return Ready("The PersistentVolumeClaim waits for its first consumer")
    return Pending("Waiting for the PersistentVolumeClaim to be bound")


def resource_quota(obj: Document, related: Related) -> Verdict:
    """Ready when the quota is in force."""
    del related
    if pluck(obj, "spec", "hard") == pluck(obj, "status", "hard"):
        return Ready("The ResourceQuota is in force")
    return Pending("Waiting for the ResourceQuota to be in force")


def secret(obj: Document, related: Related) -> Verdict:
    """Ready at once, except for a service account token, which a controller has to fill."""
    del related
    if text(obj, "type") == _TOKEN and not pluck(obj, "data"):
        return Pending("Waiting for the service account token")
    return Ready()


def custom_resource_definition(obj: Document, related: Related) -> Verdict:
    """Ready when the API server serves the kind; failed when it refuses its names.

    It lists a kind some moments after it says that it is established, and until then it knows no
    object of that kind.
    """
    names = condition(obj, "NamesAccepted")
    if text(names, "status") == "False":
        return Failed(f"The names of the kind were refused: {text(names, 'message')}")
    if not holds(obj, "Established"):
        return Pending("Waiting for the kind to be established")
    if related.unserved:
        versions = ", ".join(related.unserved)
        return Pending(
            f"Waiting for the API server to serve the kind in {versions}",
            looks_again_after=_DISCOVERY,
        )
    return Ready("The kind is served")


def any_kind(obj: Document, related: Related) -> Verdict:
    """Judge a kind of which nothing is known by the conventions that most controllers keep.

    Ready unless the controller has yet to see the object, says that it still works on it, or says
    that it is not ready (`kstatus`, the conventions of `sigs.k8s.io/cli-utils`).
    """
    del related
    if pluck(obj, "status", "observedGeneration") is not None and not is_observed(obj):
        return Pending("Waiting for the controller to see the change")
    if holds(obj, "Stalled"):
        return Failed(f"The controller is stalled: {_said(obj, 'Stalled')}")
    if holds(obj, "Reconciling"):
        return Pending(f"Waiting for the controller: {_said(obj, 'Reconciling')}")
    if condition(obj, "Ready") is not None and not holds(obj, "Ready"):
        return Pending(f"Waiting for the object to be ready: {_said(obj, 'Ready')}")
    return Ready()


def _said(obj: Document, kind: str) -> str:
    entry = condition(obj, kind)
    return text(entry, "message") or text(entry, "reason")
