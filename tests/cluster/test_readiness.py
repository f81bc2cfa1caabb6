"""Waiting for real controllers and real pods of a node."""

import threading
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pytest
import yaml

from tests.cluster.conftest import CLUSTER
from tests.running import Run
from toolchain import images, local_cluster
from toolchain.kubernetes_plugin.cluster import Cluster
from toolchain.kubernetes_plugin.readiness import NotReady, wait_until_deleted, wait_until_ready

pytestmark = pytest.mark.cluster

Object = dict[str, Any]

# Long enough for a pod of a busy machine to be started and seen; a wait that succeeds is shorter.
PATIENCE = 90.0
# How long the workloads that cannot become ready are watched.
HOPELESS = 25.0


@pytest.fixture(scope="module")
def cluster(served: Run) -> Cluster:
    """A client of the shared cluster."""
    assert served.code == 0, served.text
    state = local_cluster.read(CLUSTER)
    assert state is not None
    return Cluster(yaml.safe_load(state.kubeconfig))


@pytest.fixture(scope="module")
def namespace(cluster: Cluster) -> Iterator[str]:
    """A namespace of its own for these tests."""
    name = f"readiness-{uuid.uuid4().hex[:8]}"
    stored = cluster.create(
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}},
        field_manager="tests",
    )
    yield name
    cluster.delete("v1", "Namespace", name)
    wait_until_deleted(cluster, stored, timeout=PATIENCE, report=print, cancelled=threading.Event())


@dataclass
class Waited:
    """How a wait went.

    Attributes:
        live: The object at the end.
        lines: What was reported.
        failure: What it ended with, if not well.
    """

    live: Object
    lines: list[str]
    failure: NotReady | None = None


def wait(cluster: Cluster, obj: Object, timeout: float = PATIENCE) -> Waited:
    """Apply an object and wait for it."""
    stored = cluster.apply(obj, field_manager="tests")
    lines: list[str] = []
    try:
        live = wait_until_ready(
            cluster,
            stored,
            obj,
            timeout=timeout,
            report=lines.append,
            cancelled=threading.Event(),
        )
    except NotReady as error:
        return Waited(error.live, lines, error)
    return Waited(live, lines)


def pod_spec(*command: str, **more: Any) -> Object:
    """Return a pod that runs a command in an image that the node has."""
    return {
        "terminationGracePeriodSeconds": 0,
        "containers": [
            {
                "name": "app",
                "image": images.reference("model-server"),
                "imagePullPolicy": "Never",
                "command": list(command),
                "terminationMessagePolicy": "FallbackToLogsOnError",
                **more,
            }
        ],
    }


SLEEPING = ("python3", "-c", "import signal; signal.pause()")


def workload(
    kind: str, name: str, namespace: str, pod: Object | None = None, **spec: Any
) -> Object:
    """Return a controller of pods that carry its name as their label."""
    labels = {"app": name}
    return {
        "apiVersion": "batch/v1" if kind == "Job" else "apps/v1",
        "kind": kind,
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            **({} if kind == "Job" else {"selector": {"matchLabels": labels}}),
            "template": {"metadata": {"labels": labels}, "spec": pod or pod_spec(*SLEEPING)},
            **spec,
        },
    }


def test_a_deployment_is_ready_with_its_pods_and_rolls_out_an_update(
    cluster: Cluster, namespace: str
) -> None:
    first = wait(cluster, workload("Deployment", "web", namespace, replicas=2))
    assert first.failure is None, first.failure
    assert first.live["status"]["readyReplicas"] == 2
    assert any("of 2 replicas" in line for line in first.lines)
    assert len(first.lines) == len(set(first.lines))

    changed = workload("Deployment", "web", namespace, replicas=2)
    changed["spec"]["template"]["metadata"]["annotations"] = {"changed": "yes"}
    second = wait(cluster, changed)
    assert second.failure is None, second.failure
    assert second.live["status"]["updatedReplicas"] == 2
    assert second.live["metadata"]["generation"] > first.live["metadata"]["generation"]
    pods = cluster.list("v1", "Pod", namespace, "app=web")
    up = [pod for pod in pods if not pod["metadata"].get("deletionTimestamp")]
    assert {pod["metadata"]["annotations"].get("changed") for pod in up} == {"yes"}


@pytest.mark.parametrize("kind", ["StatefulSet", "DaemonSet"])
def test_other_controllers_are_ready_with_their_pods_and_roll_out_an_update(
    cluster: Cluster, namespace: str, kind: str
) -> None:
    name = kind.lower()
    first = wait(cluster, workload(kind, name, namespace))
    assert first.failure is None, first.failure
    changed = workload(kind, name, namespace)
    changed["spec"]["template"]["metadata"]["annotations"] = {"changed": "yes"}
    second = wait(cluster, changed)
    assert second.failure is None, second.failure
    (pod,) = cluster.list("v1", "Pod", namespace, f"app={name}")
    assert pod["metadata"]["annotations"]["changed"] == "yes"


def test_a_service_is_ready_when_the_pods_behind_it_are(cluster: Cluster, namespace: str) -> None:
    late = "import time; time.sleep(4); open('/tmp/up', 'w'); time.sleep(3600)"
    probe = {"exec": {"command": ["test", "-e", "/tmp/up"]}, "periodSeconds": 1}
    pod = pod_spec("python3", "-c", late, readinessProbe=probe)
    cluster.apply(workload("Deployment", "late", namespace, pod), field_manager="tests")
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "late", "namespace": namespace},
        "spec": {"selector": {"app": "late"}, "ports": [{"port": 80}]},
    }
    done = wait(cluster, service)
    assert done.failure is None, done.failure
    deployment = cluster.get("apps/v1", "Deployment", "late", namespace)
    slices = cluster.list(
        "discovery.k8s.io/v1", "EndpointSlice", namespace, "kubernetes.io/service-name=late"
    )
    assert deployment is not None
    assert [e["conditions"]["ready"] for s in slices for e in s["endpoints"]] == [True]


def test_a_job_is_ready_when_it_completed(cluster: Cluster, namespace: str) -> None:
    pod = pod_spec("true") | {"restartPolicy": "Never"}
    done = wait(cluster, workload("Job", "quick", namespace, pod))
    assert done.failure is None, done.failure
    assert done.live["status"]["succeeded"] == 1


def test_a_claim_that_waits_for_its_consumer_is_ready(cluster: Cluster, namespace: str) -> None:
    storage = {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {"name": namespace},
        "provisioner": "kubernetes.io/no-provisioner",
        "volumeBindingMode": "WaitForFirstConsumer",
    }
    cluster.apply(storage, field_manager="tests")
    claim = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "data", "namespace": namespace},
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "storageClassName": namespace,
            "resources": {"requests": {"storage": "1Mi"}},
        },
    }
    try:
        done = wait(cluster, claim)
    finally:
        cluster.delete("storage.k8s.io/v1", "StorageClass", namespace)
    assert done.failure is None, done.failure
    assert done.live["status"]["phase"] == "Pending"


def hopeless(namespace: str) -> dict[str, Object]:
    """Return workloads that cannot become ready, by what is wrong with them."""
    image = pod_spec(*SLEEPING, image="slipway.local/nothing:1", imagePullPolicy="IfNotPresent")
    crash = pod_spec("python3", "-c", "import sys; print('no model here'); sys.exit(3)")
    greedy = pod_spec(*SLEEPING, resources={"requests": {"cpu": "1000"}})
    mount = pod_spec(*SLEEPING, volumeMounts=[{"name": "settings", "mountPath": "/settings"}])
    mount["volumes"] = [{"name": "settings", "configMap": {"name": "nowhere"}}]
    probe = {"exec": {"command": ["sh", "-c", "echo still loading; exit 1"]}, "periodSeconds": 1}
    unready = pod_spec(*SLEEPING, readinessProbe=probe)
    failing = pod_spec("false") | {"restartPolicy": "Never"}
    return {
        "image": workload("Deployment", "image", namespace, image),
        # Without a probe, a pod counts as ready for the moment that its container runs.
        "crash": workload("Deployment", "crash", namespace, crash, minReadySeconds=5),
        "greedy": workload("StatefulSet", "greedy", namespace, greedy),
        "mount": workload("DaemonSet", "mount", namespace, mount),
        "unready": workload("Deployment", "unready", namespace, unready),
        "job": workload("Job", "job", namespace, failing, backoffLimit=0),
        "command": workload("Deployment", "command", namespace, pod_spec("/no/such/program")),
    }


@pytest.fixture(scope="module")
def failures(cluster: Cluster, namespace: str) -> dict[str, Waited]:
    """How the waits for all hopeless workloads went, side by side."""

    def run(obj: Object) -> Waited:
        done = wait(cluster, obj, HOPELESS)
        cluster.delete(obj["apiVersion"], obj["kind"], obj["metadata"]["name"], namespace)
        return done

    workloads = hopeless(namespace)
    with ThreadPoolExecutor(len(workloads)) as pool:
        return dict(zip(workloads, pool.map(run, workloads.values()), strict=True))


@pytest.mark.parametrize(
    ("what", "words"),
    [
        ("image", ["container app cannot get its image slipway.local/nothing:1", "Pull"]),
        ("crash", ["container app", "exit code 3, last words: no model here"]),
        ("greedy", ["cannot be scheduled", "Insufficient cpu"]),
        ("mount", ["FailedMount", 'configmap "nowhere" not found']),
        ("unready", ["Unhealthy: Readiness probe failed", "still loading"]),
        ("command", ["container app", "/no/such/program"]),
        ("job", ["The Job failed (BackoffLimitExceeded)"]),
    ],
)
def test_why_a_workload_is_not_ready_is_said_in_the_words_a_person_needs(
    failures: dict[str, Waited], what: str, words: list[str]
) -> None:
    failure = failures[what].failure
    assert failure is not None
    said = "\n".join(failure.reasons)
    assert all(word in said for word in words), said
    assert all("\n" not in line for line in failures[what].lines)
    assert len(failures[what].lines) < 15, failures[what].lines


def test_a_quota_that_is_used_up_is_named(cluster: Cluster) -> None:
    name = f"quota-{uuid.uuid4().hex[:8]}"
    cluster.apply(
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}},
        field_manager="tests",
    )
    quota = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "team", "namespace": name},
        "spec": {"hard": {"pods": "1"}},
    }
    try:
        assert wait(cluster, quota).failure is None
        done = wait(cluster, workload("Deployment", "web", name, replicas=2), timeout=10)
    finally:
        cluster.delete("v1", "Namespace", name)
    assert done.failure is not None
    assert any("exceeded quota: team" in reason for reason in done.failure.reasons)


def test_a_deletion_is_over_when_the_pods_are_gone(cluster: Cluster, namespace: str) -> None:
    made = wait(cluster, workload("Deployment", "leaving", namespace))
    assert made.failure is None, made.failure
    cluster.delete("apps/v1", "Deployment", "leaving", namespace)
    lines: list[str] = []
    wait_until_deleted(
        cluster, made.live, timeout=PATIENCE, report=lines.append, cancelled=threading.Event()
    )
    assert cluster.list("v1", "Pod", namespace, "app=leaving") == []
    assert all("foregroundDeletion" in line for line in lines)


def test_a_deletion_names_the_finalizer_that_keeps_the_object(
    cluster: Cluster, namespace: str
) -> None:
    obj = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "kept", "namespace": namespace, "finalizers": ["example.com/keep"]},
    }
    stored = cluster.apply(obj, field_manager="tests")
    cluster.delete("v1", "ConfigMap", "kept", namespace)

    def release(line: str) -> None:
        lines.append(line)
        cluster.patch(
            obj,
            {"metadata": {"finalizers": None}},
            media_type="application/merge-patch+json",
        )

    lines: list[str] = []
    report: Callable[[str], None] = release
    wait_until_deleted(
        cluster, stored, timeout=PATIENCE, report=report, cancelled=threading.Event()
    )
    # Kubernetes' own `foregroundDeletion` may still stand beside it.
    assert lines[0].startswith("Waiting for finalizers of ConfigMap kept: example.com/keep")


def test_a_kind_is_ready_before_its_first_object_is_made(cluster: Cluster) -> None:
    definition = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "probes.readiness.example.com"},
        "spec": {
            "group": "readiness.example.com",
            "scope": "Cluster",
            "names": {"kind": "Probe", "plural": "probes"},
            "versions": [
                {
                    "name": "v1",
                    "served": True,
                    "storage": True,
                    "schema": {
                        "openAPIV3Schema": {
                            "type": "object",
                            "x-kubernetes-preserve-unknown-fields": True,
                        }
                    },
                }
            ],
        },
    }
    try:
        assert wait(cluster, definition).failure is None
        probe = {
            "apiVersion": "readiness.example.com/v1",
            "kind": "Probe",
            "metadata": {
                "name": "one",
                "annotations": {"pulumi.com/waitFor": "jsonpath={.state}=done"},
            },
            "state": "new",
        }
        waiting = wait(cluster, probe, timeout=2)
        assert waiting.failure is not None
        assert "(found 'new')" in waiting.failure.reasons[0]
        assert wait(cluster, probe | {"state": "done"}).failure is None
    finally:
        cluster.delete(
            "apiextensions.k8s.io/v1", "CustomResourceDefinition", "probes.readiness.example.com"
        )


def test_a_load_balancer_that_gives_no_address_ends_the_wait_with_what_is_missing(
    cluster: Cluster, namespace: str
) -> None:
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "balanced", "namespace": namespace},
        # A class that no load balancer of the cluster serves.
        "spec": {
            "type": "LoadBalancer",
            "loadBalancerClass": "example.com/none",
            "ports": [{"port": 80}],
        },
    }
    waited = wait(cluster, service, timeout=2)
    assert waited.failure is not None
    assert waited.failure.cause == "timed out"
    assert "address of the load balancer; where a cluster has none" in waited.failure.reasons[0]
