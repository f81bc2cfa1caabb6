"""What is stored is encrypted, with a key that can be taken away where the cloud offers one."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from slipway_policy.rule import Resource, at, items, mapping

_Properties = Mapping[str, Any]


def stores_are_encrypted(resource: Resource) -> Iterator[str]:
    """Refuse stores and disks of a cloud without encryption, and transport without TLS."""
    if check := _CHECKS.get(resource.type):
        yield from check(resource.properties)


def _eks(properties: _Properties) -> Iterator[str]:
    encryption = mapping(properties.get("encryptionConfig"))
    if "secrets" not in items(encryption.get("resources")):
        yield "encryptionConfig has no key for `secrets`"


def _ecr(properties: _Properties) -> Iterator[str]:
    types = [
        at(item, "encryptionType") for item in items(properties.get("encryptionConfigurations"))
    ]
    if "KMS" not in types:
        yield "encryptionConfigurations has no key of KMS"


def _s3(properties: _Properties) -> Iterator[str]:
    algorithms = [
        str(at(item, "applyServerSideEncryptionByDefault", "sseAlgorithm"))
        for item in items(properties.get("rules"))
    ]
    if not any(algorithm.startswith("aws:kms") for algorithm in algorithms):
        yield "rules name no key of KMS"


def _encrypted(properties: _Properties) -> Iterator[str]:
    if properties.get("encrypted") is not True:
        yield "encrypted is not true"


def _storage_class(properties: _Properties) -> Iterator[str]:
    # Azure and Google encrypt every disk, AWS those that it is told to.
    is_ebs = str(properties.get("provisioner")).startswith("ebs.csi.")
    if is_ebs and at(properties, "parameters", "encrypted") != "true":
        yield "parameters.encrypted is not `true`"


def _aks(properties: _Properties) -> Iterator[str]:
    for pool in items(properties.get("agentPoolProfiles")):
        yield from (f"pool {at(pool, 'name')}: {text}" for text in _aks_pool(mapping(pool)))


def _aks_pool(properties: _Properties) -> Iterator[str]:
    if properties.get("enableEncryptionAtHost") is not True:
        yield "enableEncryptionAtHost is not true"


def _storage_account(properties: _Properties) -> Iterator[str]:
    # What rests in it is always encrypted.
    if properties.get("enableHttpsTrafficOnly") is not True:
        yield "enableHttpsTrafficOnly is not true"
    if properties.get("minimumTlsVersion") not in ("TLS1_2", "TLS1_3"):
        yield "minimumTlsVersion is below TLS1_2"


def _gke(properties: _Properties) -> Iterator[str]:
    encryption = mapping(properties.get("databaseEncryption"))
    if encryption.get("state") != "ENCRYPTED" or "keyName" not in encryption:
        yield "databaseEncryption has no key for Kubernetes' secrets"


_CHECKS: Mapping[str, Callable[[_Properties], Iterator[str]]] = {
    "aws:ebs/volume:Volume": _encrypted,
    "aws:ecr/repository:Repository": _ecr,
    "aws:efs/fileSystem:FileSystem": _encrypted,
    "aws:eks/cluster:Cluster": _eks,
    "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration": _s3,
    "azure-native:containerservice:AgentPool": _aks_pool,
    "azure-native:containerservice:ManagedCluster": _aks,
    "azure-native:storage:StorageAccount": _storage_account,
    "gcp:container/cluster:Cluster": _gke,
    "kubernetes:storage.k8s.io/v1:StorageClass": _storage_class,
}
