"""From an engine type token to the Kubernetes kind it stands for.

A token reads `kubernetes:<group>/<version>:<Kind>`; the core group is written `core`. A kind with
the suffix `Patch` is a partial object of the kind without it.
"""

from dataclasses import dataclass
from typing import Final

PACKAGE: Final = "kubernetes"
HELM_RELEASE: Final = "kubernetes:helm.sh/v3:Release"

_PATCH_SUFFIX: Final = "Patch"


_CLUSTER_SCOPED: Final = frozenset(
    {
        ("", "ComponentStatus"),
        ("", "Namespace"),
        ("", "Node"),
        ("", "PersistentVolume"),
        ("admissionregistration.k8s.io", "MutatingAdmissionPolicy"),
        ("admissionregistration.k8s.io", "MutatingAdmissionPolicyBinding"),
        ("admissionregistration.k8s.io", "MutatingWebhookConfiguration"),
        ("admissionregistration.k8s.io", "ValidatingAdmissionPolicy"),
        ("admissionregistration.k8s.io", "ValidatingAdmissionPolicyBinding"),
        ("admissionregistration.k8s.io", "ValidatingWebhookConfiguration"),
        ("apiextensions.k8s.io", "CustomResourceDefinition"),
        ("apiregistration.k8s.io", "APIService"),
        ("certificates.k8s.io", "CertificateSigningRequest"),
        ("flowcontrol.apiserver.k8s.io", "FlowSchema"),
        ("flowcontrol.apiserver.k8s.io", "PriorityLevelConfiguration"),
        ("networking.k8s.io", "IngressClass"),
        ("networking.k8s.io", "IPAddress"),
        ("networking.k8s.io", "ServiceCIDR"),
        ("node.k8s.io", "RuntimeClass"),
        ("rbac.authorization.k8s.io", "ClusterRole"),
        ("rbac.authorization.k8s.io", "ClusterRoleBinding"),
        ("resource.k8s.io", "DeviceClass"),
        ("resource.k8s.io", "ResourceSlice"),
        ("scheduling.k8s.io", "PriorityClass"),
        ("storage.k8s.io", "CSIDriver"),
        ("storage.k8s.io", "CSINode"),
        ("storage.k8s.io", "StorageClass"),
        ("storage.k8s.io", "VolumeAttachment"),
        ("storage.k8s.io", "VolumeAttributesClass"),
    }
)
"""Kinds of Kubernetes itself that live outside namespaces (`kubectl api-resources` of 1.37)."""


def group_of(api_version: str) -> str:
    """Return the group in an `apiVersion`; the core group is ""."""
    return api_version.rpartition("/")[0]


def is_cluster_scoped(api_version: str, kind: str) -> bool:
    """Return whether a kind is one of Kubernetes' own that live outside namespaces."""
    return (group_of(api_version), kind) in _CLUSTER_SCOPED


@dataclass(frozen=True)
class ResourceType:
    """A Kubernetes kind as a resource of the engine.

    Attributes:
        api_version: `v1`, `apps/v1`, ...
        kind: Kind of the object.
        patch: Whether the resource manages a part of an object that it does not own.
    """

    api_version: str
    kind: str
    patch: bool = False

    @property
    def is_list(self) -> bool:
        """Whether the kind is a list of objects (`ConfigMapList`)."""
        return self.kind.endswith("List") and self.kind != "List" and not self.patch


def type_of_urn(urn: str) -> str:
    """Return the type token in a URN, without the types of its parents."""
    qualified = urn.split("::", 3)[2]
    return qualified.rsplit("$", 1)[-1]


def name_of_urn(urn: str) -> str:
    """Return the logical name in a URN."""
    return urn.split("::", 3)[3]


def parse_token(token: str, kind: str | None = None) -> ResourceType:
    """Return the kind that a type token stands for.

    Args:
        token: Type token.
        kind: `kind` of the resource's inputs. It tells a patch of a kind from a kind whose own name
            ends in `Patch`; without it, the suffix decides.

    Raises:
        ValueError: The token is not one of a Kubernetes object.
    """
    parts = token.split(":")
    group_version = parts[1].split("/") if len(parts) == 3 else []
    if len(group_version) != 2 or parts[0] != PACKAGE or not parts[2]:
        raise ValueError(f'type "{token}" is not of the form kubernetes:<group>/<version>:<Kind>')
    group, version = group_version
    api_version = version if group == "core" else f"{group}/{version}"
    name = parts[2]
    bare = name.removesuffix(_PATCH_SUFFIX)
    patch = name == f"{kind}{_PATCH_SUFFIX}" if kind else bare not in ("", name)
    return ResourceType(api_version, bare if patch else name, patch)
