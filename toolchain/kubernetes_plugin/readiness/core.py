"""Whether volumes, claims, quotas, tokens and definitions of kinds are ready."""

from toolchain.kubernetes_plugin.readiness.fields import (
    Document,
    condition,
    holds,
    pluck,
    text,
)
from toolchain.kubernetes_plugin.readiness.verdict import Failed, Pending, Ready, Related, Verdict

_TOKEN = "kubernetes.io/service-account-token"


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
    """Ready when the API server serves the kind; failed when it refuses its names."""
    del related
    names = condition(obj, "NamesAccepted")
    if text(names, "status") == "False":
        return Failed(f"The names of the kind were refused: {text(names, 'message')}")
    if holds(obj, "Established"):
        return Ready("The kind is established")
    return Pending("Waiting for the kind to be established")
