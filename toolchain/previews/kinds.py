"""What kinds of resources hold: the table behind the guard and behind what a change means."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

# Azure's types may name the version of its API between the module and the type.
_AZURE_VERSION: Final = re.compile(r"^(azure-native:\w+)/v\w+:")


@dataclass(frozen=True)
class Kind:
    """A kind of resource that cannot be destroyed without a loss.

    Attributes:
        what: What it is, for a person.
        loss: What is lost with it.
        downtime: What does not answer until it is there again; empty for nothing.
    """

    what: str
    loss: str
    downtime: str = ""


_CLUSTER: Final = Kind("cluster", "everything in the cluster, volumes included", "every model")
_NETWORK: Final = Kind("network", "what is attached to it has to go first", "every model")
_NAMESPACE: Final = Kind("namespace", "everything in it, volumes included", "all that runs in it")
_VOLUME: Final = Kind("volume", "the files on it, unless the volume itself is kept")
_BUCKET: Final = Kind("bucket", "everything stored in it")
_REGISTRY: Final = Kind("registry", "every image in it")
_KEYS: Final = Kind("key store", "whatever is encrypted with its keys can no longer be read")
_SECRET: Final = Kind("secret store", "the values in it")

STATEFUL: Final = {
    "slipway:machine:LocalCluster": _CLUSTER,
    "aws:eks/cluster:Cluster": _CLUSTER,
    "azure-native:containerservice:ManagedCluster": _CLUSTER,
    "gcp:container/cluster:Cluster": _CLUSTER,
    "aws:ec2/vpc:Vpc": _NETWORK,
    "aws:ec2/subnet:Subnet": _NETWORK,
    "azure-native:network:VirtualNetwork": _NETWORK,
    "azure-native:network:Subnet": _NETWORK,
    "gcp:compute/network:Network": _NETWORK,
    "gcp:compute/subnetwork:Subnetwork": _NETWORK,
    "kubernetes:core/v1:Namespace": _NAMESPACE,
    "kubernetes:core/v1:PersistentVolumeClaim": _VOLUME,
    "kubernetes:core/v1:PersistentVolume": _VOLUME,
    "aws:s3/bucket:Bucket": _BUCKET,
    "aws:s3/bucketV2:BucketV2": _BUCKET,
    "azure-native:storage:StorageAccount": _BUCKET,
    "azure-native:storage:BlobContainer": _BUCKET,
    "gcp:storage/bucket:Bucket": _BUCKET,
    "aws:ecr/repository:Repository": _REGISTRY,
    "azure-native:containerregistry:Registry": _REGISTRY,
    "gcp:artifactregistry/repository:Repository": _REGISTRY,
    "aws:kms/key:Key": _KEYS,
    "azure-native:keyvault:Vault": _KEYS,
    "azure-native:keyvault:Key": _KEYS,
    "gcp:kms/keyRing:KeyRing": _KEYS,
    "gcp:kms/cryptoKey:CryptoKey": _KEYS,
    "aws:secretsmanager/secret:Secret": _SECRET,
    "azure-native:keyvault:Secret": _SECRET,
    "gcp:secretmanager/secret:Secret": _SECRET,
}
"""Kinds that hold something that no later update brings back, by type token."""

NODE_POOLS: Final = frozenset(
    {
        "aws:eks/nodeGroup:NodeGroup",
        "azure-native:containerservice:AgentPool",
        "gcp:container/nodePool:NodePool",
    }
)
ADDRESSES: Final = frozenset(
    {
        "aws:ec2/eip:Eip",
        "azure-native:network:PublicIPAddress",
        "gcp:compute/address:Address",
        "gcp:compute/globalAddress:GlobalAddress",
    }
)
WORKLOADS: Final = frozenset(
    {
        "kubernetes:apps/v1:Deployment",
        "kubernetes:apps/v1:StatefulSet",
        "kubernetes:apps/v1:DaemonSet",
    }
)
SERVICE: Final = "kubernetes:core/v1:Service"
QUOTA: Final = "kubernetes:core/v1:ResourceQuota"
DEFINITION: Final = "kubernetes:apiextensions.k8s.io/v1:CustomResourceDefinition"
GATEWAY: Final = "kubernetes:gateway.networking.k8s.io/v1:Gateway"
ROUTES: Final = frozenset(
    f"kubernetes:gateway.networking.k8s.io/v1:{kind}" for kind in ("HTTPRoute", "GRPCRoute")
)


def normalized(type_: str) -> str:
    """Return a type token as the tables have it, without the version of Azure's API."""
    return _AZURE_VERSION.sub(r"\1:", type_)


def stateful(type_: str, inputs: Mapping[str, Any]) -> Kind | None:
    """Return what is lost with a resource; `None` when an update brings it all back.

    Args:
        type_: Its type token.
        inputs: Its inputs.
    """
    kind = STATEFUL.get(normalized(type_))
    modes = (inputs.get("spec") or {}).get("accessModes") if kind is _VOLUME else None
    # What pods may only read is a copy: of a model, which is brought again from where it came.
    return None if modes == ["ReadOnlyMany"] else kind


def shown(type_: str) -> str:
    """Return a type for a person: `Deployment` of Kubernetes, else with its package: `aws Vpc`."""
    package, _, kind = normalized(type_).removeprefix("pulumi:").partition(":")
    kind = kind.rpartition(":")[2]
    return kind if package == "kubernetes" else f"{package} {kind}"
