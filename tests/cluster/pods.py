"""Pods and other objects that live for the length of a block, beside those of the stack."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.cluster.local_node import until
from toolchain import images
from toolchain.kubernetes_plugin.cluster import Cluster
from toolchain.kubernetes_plugin.readiness import wait_until_deleted, wait_until_ready

Object = dict[str, Any]

PATIENCE = 90.0
"""Seconds for an object to get ready, or to be gone."""

OWNER = "tests"


def pod(name: str, namespace: str, *command: str, **more: Any) -> Object:
    """Return a pod that keeps to `restricted` and ends with its command.

    Args:
        name: Of the pod.
        namespace: Of the pod.
        command: What its container runs; `true` by default.
        more: Further fields of the container.
    """
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "restartPolicy": "Never",
            "terminationGracePeriodSeconds": 0,
            "automountServiceAccountToken": False,
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": 65532,
                "fsGroup": 65532,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [
                {
                    "name": "app",
                    "image": images.reference("model-server"),
                    "imagePullPolicy": "Never",
                    "command": list(command) or ["true"],
                    "terminationMessagePolicy": "FallbackToLogsOnError",
                    "securityContext": {
                        "allowPrivilegeEscalation": False,
                        "readOnlyRootFilesystem": True,
                        "capabilities": {"drop": ["ALL"]},
                    },
                    **more,
                }
            ],
        },
    }


@contextmanager
def made(cluster: Cluster, obj: Object) -> Iterator[Object]:
    """Create an object for the length of a block."""
    stored = cluster.create(obj, field_manager=OWNER)
    metadata = obj["metadata"]
    try:
        yield stored
    finally:
        cluster.delete(obj["apiVersion"], obj["kind"], metadata["name"], metadata.get("namespace"))
        wait_until_deleted(
            cluster, stored, timeout=PATIENCE, report=print, cancelled=threading.Event()
        )


def ready(cluster: Cluster, stored: Object) -> Object:
    """Wait until an object is in force."""
    return wait_until_ready(
        cluster, stored, {}, timeout=PATIENCE, report=print, cancelled=threading.Event()
    )


def end(cluster: Cluster, stored: Object) -> tuple[str, str]:
    """Return the phase in which a pod ends, and its last words."""
    metadata = stored["metadata"]

    def status() -> Object:
        live = cluster.get("v1", "Pod", metadata["name"], metadata["namespace"])
        assert live is not None
        return dict(live["status"])

    until(lambda: status()["phase"] in ("Succeeded", "Failed"), f"{metadata['name']} ends")
    (container,) = status()["containerStatuses"]
    return status()["phase"], container["state"]["terminated"].get("message", "")
