"""Which fields can only change by replacing the object.

The table is the one that the official plug-in plans by, so that both plan the same. Its source is
the validation of the Kubernetes API (`pkg/apis/<group>/validation` of kubernetes/kubernetes), named
in each row; where the official plug-in is stricter than Kubernetes, the row says so. Paths are
written with dots; `*` stands for every element of a list.
"""

from collections.abc import Mapping
from typing import Any, Final

_IDENTITY: Final = ("metadata.name", "metadata.namespace")
"""An object cannot be renamed or moved (`ValidateObjectMetaUpdate`)."""

_CONTAINER_FIELDS: Final = [
    "args",
    "command",
    "env",
    "image",
    "imagePullPolicy",
    "lifecycle",
    "livenessProbe",
    "ports",
    "readinessProbe",
    "resources",
    "securityContext",
    "stdin",
    "stdinOnce",
    "terminationMessagePath",
    "terminationMessagePolicy",
    "tty",
    "volumeDevices",
    "volumeMounts",
    "workingDir",
]

_POD_FIELDS: Final = [
    "affinity",
    "automountServiceAccountToken",
    "dnsConfig",
    "dnsPolicy",
    "enableServiceLinks",
    "hostAliases",
    "hostIPC",
    "hostNetwork",
    "hostPID",
    "hostname",
    "imagePullSecrets",
    "nodeName",
    "nodeSelector",
    "overhead",
    "preemptionPolicy",
    "priority",
    "priorityClassName",
    "readinessGates",
    "restartPolicy",
    "runtimeClassName",
    "schedulerName",
    "securityContext",
    "serviceAccount",
    "serviceAccountName",
    "shareProcessNamespace",
    "subdomain",
    "terminationGracePeriodSeconds",
    "volumes",
]

_VOLUME_SOURCES: Final = [
    "awsElasticBlockStore",
    "azureDisk",
    "azureFile",
    "cephfs",
    "cinder",
    "csi",
    "fc",
    "flexVolume",
    "flocker",
    "gcePersistentDisk",
    "glusterfs",
    "hostPath",
    "iscsi",
    "local",
    "nfs",
    "photonPersistentDisk",
    "portworxVolume",
    "quobyte",
    "rbd",
    "scaleIO",
    "storageos",
    "vsphereVolume",
]

_TABLE: Final[Mapping[tuple[str, str], tuple[str, ...]]] = {
    # apps: ValidateDeploymentUpdate and ValidateDaemonSetUpdate, selector.
    ("apps/v1", "Deployment"): ("spec.selector",),
    ("apps/v1", "DaemonSet"): ("spec.selector",),
    # apps: ValidateStatefulSetUpdate lists what may change; revisionHistoryLimit may since 1.33,
    # the official plug-in still replaces.
    ("apps/v1", "StatefulSet"): (
        "spec.podManagementPolicy",
        "spec.revisionHistoryLimit",
        "spec.selector",
        "spec.serviceName",
        "spec.volumeClaimTemplates",
    ),
    # batch: ValidateJobUpdate; a Job's parallelism may change, the official plug-in replaces so
    # that the whole Job runs as declared.
    ("batch/v1", "Job"): (
        "spec.completions",
        "spec.parallelism",
        "spec.selector",
        "spec.template",
    ),
    # core: ValidatePersistentVolumeUpdate, the volume's source.
    ("v1", "PersistentVolume"): tuple(f"spec.{source}" for source in _VOLUME_SOURCES),
    # core: ValidatePersistentVolumeClaimUpdate; only resources.requests may grow.
    ("v1", "PersistentVolumeClaim"): (
        "spec.accessModes",
        "spec.selector",
        "spec.storageClassName",
        "spec.volumeName",
    ),
    # core: ValidatePodUpdate; image may change, but a pod that Pulumi owns is one that was
    # declared as a whole: the official plug-in replaces it.
    ("v1", "Pod"): (
        *(f"spec.{field}" for field in _POD_FIELDS),
        *(f"spec.containers.*.{field}" for field in _CONTAINER_FIELDS),
        *(f"spec.initContainers.*.{field}" for field in _CONTAINER_FIELDS),
    ),
    # core: ValidateResourceQuotaUpdate.
    ("v1", "ResourceQuota"): ("spec.scopes",),
    # core: ValidateSecretUpdate.
    ("v1", "Secret"): ("type",),
    # core: ValidateServiceClusterIPsRelatedFields.
    ("v1", "Service"): ("spec.clusterIP",),
    # rbac: ValidateRoleBindingUpdate and ValidateClusterRoleBindingUpdate.
    ("rbac.authorization.k8s.io/v1", "RoleBinding"): ("roleRef",),
    ("rbac.authorization.k8s.io/v1", "ClusterRoleBinding"): ("roleRef",),
    # storage: ValidateStorageClassUpdate.
    ("storage.k8s.io/v1", "StorageClass"): ("parameters", "provisioner"),
}

# A pod reads its ConfigMaps and Secrets when it starts, so that a change in place would reach
# some pods and not others. The official plug-in replaces them instead, which rolls the pods of
# every Deployment that refers to the new name.
_CONFIG_MAP_DATA: Final = ("binaryData", "data")
_SECRET_DATA: Final = ("type", "stringData", "data")


def replacing_paths(
    inputs: Mapping[str, Any], *, config_map_mutable: bool = False, secret_mutable: bool = False
) -> tuple[str, ...]:
    """Return the paths whose change replaces an object.

    Args:
        inputs: New inputs of the object.
        config_map_mutable: Whether the provider updates ConfigMaps in place.
        secret_mutable: Whether the provider updates Secrets in place.
    """
    key = (str(inputs.get("apiVersion")), str(inputs.get("kind")))
    frozen = inputs.get("immutable") is True
    if key == ("v1", "Secret") and (frozen or not secret_mutable):
        return (*_IDENTITY, *_SECRET_DATA)
    if key == ("v1", "ConfigMap") and (frozen or not config_map_mutable):
        return (*_IDENTITY, *_CONFIG_MAP_DATA)
    return (*_IDENTITY, *_TABLE.get(key, ()))


def identity_paths() -> tuple[str, ...]:
    """Return the paths whose change replaces a patch of an object it does not own."""
    return _IDENTITY
