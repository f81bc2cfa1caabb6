"""Status documents as a 1.37 API server serves them, and what is said of them."""

from typing import Any

import pytest

from toolchain.kubernetes_plugin.readiness import workloads
from toolchain.kubernetes_plugin.readiness.verdict import (
    NOTHING_RELATED,
    Failed,
    Pending,
    Ready,
    Verdict,
)

Object = dict[str, Any]


def is_ready(verdict: Verdict) -> bool:
    return isinstance(verdict, Ready)


def message(verdict: Verdict) -> str:
    return verdict.message


def deployment(
    *,
    replicas: int = 2,
    revision: str = "1",
    generation: int = 1,
    paused: bool = False,
    conditions: list[Object] | None = None,
    **status: int,
) -> Object:
    spec: Object = {"replicas": replicas}
    if paused:
        spec["paused"] = True
    shown = {"observedGeneration": generation, "conditions": conditions or [], **status}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            "name": "web",
            "generation": generation,
            "annotations": {"deployment.kubernetes.io/revision": revision},
        },
        "spec": spec,
        "status": shown,
    }


AVAILABLE = {"type": "Available", "status": "True", "reason": "MinimumReplicasAvailable"}
ROLLED_OUT = {"type": "Progressing", "status": "True", "reason": "NewReplicaSetAvailable"}
UPDATING = {"type": "Progressing", "status": "True", "reason": "ReplicaSetUpdated"}
OVERDUE = {
    "type": "Progressing",
    "status": "False",
    "reason": "ProgressDeadlineExceeded",
    "message": 'ReplicaSet "web-1" has timed out progressing.',
}

DEPLOYMENTS: dict[str, tuple[Object, bool, str]] = {
    "complete": (
        deployment(
            conditions=[AVAILABLE, ROLLED_OUT],
            replicas=2,
            updatedReplicas=2,
            readyReplicas=2,
            availableReplicas=2,
        ),
        True,
        "available with 2 replicas",
    ),
    "first rollout, progress not reported yet": (
        deployment(
            replicas=1, conditions=[AVAILABLE, UPDATING], updatedReplicas=1, readyReplicas=1
        ),
        True,
        "available with 1 replica",
    ),
    "half of the pods ready": (
        deployment(conditions=[AVAILABLE, UPDATING], updatedReplicas=2, readyReplicas=1),
        False,
        "Waiting for 1 of 2 replicas to be ready",
    ),
    "no pods yet": (deployment(), False, "Waiting for 2 of 2 replicas to be updated"),
    "status of the specification before": (
        deployment(updatedReplicas=2, readyReplicas=2, conditions=[AVAILABLE, ROLLED_OUT])
        | {"metadata": {"name": "web", "generation": 2}},
        False,
        "to see the change",
    ),
    "update still running": (
        deployment(
            revision="2", conditions=[AVAILABLE, UPDATING], updatedReplicas=2, readyReplicas=2
        ),
        False,
        "Waiting for the rollout to finish",
    ),
    "old pods still there": (
        deployment(
            revision="2", conditions=[AVAILABLE, UPDATING], updatedReplicas=2, readyReplicas=3
        )
        | {
            "status": {
                "observedGeneration": 1,
                "replicas": 3,
                "updatedReplicas": 2,
                "readyReplicas": 3,
                "conditions": [AVAILABLE, UPDATING],
            }
        },
        False,
        "Waiting for 1 old replica to stop",
    ),
    "not available": (
        deployment(
            conditions=[{"type": "Available", "status": "False"}],
            updatedReplicas=2,
            readyReplicas=2,
        ),
        False,
        "Waiting for the Deployment to be available",
    ),
    "past its progress deadline": (
        deployment(conditions=[OVERDUE], updatedReplicas=2),
        False,
        'Waiting for 2 of 2 replicas to be ready (ReplicaSet "web-1" has timed out progressing.)',
    ),
    "no progress deadline": (
        deployment(revision="3", conditions=[AVAILABLE], updatedReplicas=2, readyReplicas=2),
        True,
        "available",
    ),
    "scaled to nothing": (
        deployment(replicas=0, conditions=[AVAILABLE, ROLLED_OUT]),
        True,
        "available with 0 replicas",
    ),
    "paused": (deployment(paused=True), True, "paused"),
}


@pytest.mark.parametrize("name", DEPLOYMENTS)
def test_a_deployment_is_ready_when_every_replica_runs_the_current_template(name: str) -> None:
    obj, ready, words = DEPLOYMENTS[name]
    verdict = workloads.deployment(obj, NOTHING_RELATED)
    assert (is_ready(verdict), words in message(verdict)) == (ready, True), verdict


def stateful_set(
    *, replicas: int = 2, generation: int = 1, strategy: Object | None = None, **status: Any
) -> Object:
    return {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": {"name": "db", "generation": generation},
        "spec": {"replicas": replicas, "updateStrategy": strategy or {"type": "RollingUpdate"}},
        "status": {"observedGeneration": generation, **status},
    }


DONE: Object = {"currentRevision": "db-1", "updateRevision": "db-1"}
ROLLING: Object = {"currentRevision": "db-1", "updateRevision": "db-2"}
PARTITIONED = {"type": "RollingUpdate", "rollingUpdate": {"partition": 1}}

STATEFUL_SETS: dict[str, tuple[Object, bool, str]] = {
    "complete": (
        stateful_set(readyReplicas=2, updatedReplicas=2, currentReplicas=2, **DONE),
        True,
        "2 replicas ready",
    ),
    "first of two pods": (
        stateful_set(readyReplicas=1, **DONE),
        False,
        "Waiting for 1 of 2 replicas to be ready",
    ),
    "update under way": (
        stateful_set(generation=2, readyReplicas=2, updatedReplicas=1, **ROLLING),
        False,
        "Waiting for 1 of 2 replicas to be updated",
    ),
    "all updated, not yet booked": (
        stateful_set(generation=2, readyReplicas=2, updatedReplicas=2, **ROLLING),
        False,
        "finish the rollout",
    ),
    "partition reached": (
        stateful_set(
            generation=2, strategy=PARTITIONED, readyReplicas=2, updatedReplicas=1, **ROLLING
        ),
        True,
        "2 replicas ready",
    ),
    "partition not reached": (
        stateful_set(
            generation=2, strategy=PARTITIONED, readyReplicas=2, updatedReplicas=0, **ROLLING
        ),
        False,
        "Waiting for 1 of 1 replica to be updated",
    ),
    "update with OnDelete": (
        stateful_set(
            generation=2,
            strategy={"type": "OnDelete"},
            readyReplicas=2,
            updatedReplicas=0,
            **ROLLING,
        ),
        True,
        "2 replicas ready",
    ),
    "scaled down": (
        stateful_set(replicas=1, generation=2, readyReplicas=2, **DONE)
        | {"status": {"observedGeneration": 2, "replicas": 2, "readyReplicas": 2, **DONE}},
        False,
        "Waiting for 1 surplus replica to stop",
    ),
    "status of the specification before": (
        stateful_set(readyReplicas=2, updatedReplicas=2, **DONE)
        | {"metadata": {"name": "db", "generation": 2}},
        False,
        "to see the change",
    ),
    "scaled to nothing": (stateful_set(replicas=0, **DONE), True, "0 replicas ready"),
}


@pytest.mark.parametrize("name", STATEFUL_SETS)
def test_a_stateful_set_is_ready_when_its_strategy_is_satisfied(name: str) -> None:
    obj, ready, words = STATEFUL_SETS[name]
    verdict = workloads.stateful_set(obj, NOTHING_RELATED)
    assert (is_ready(verdict), words in message(verdict)) == (ready, True), verdict


def daemon_set(*, strategy: str = "RollingUpdate", observed: int = 2, **status: Any) -> Object:
    return {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {"name": "agent", "generation": 2},
        "spec": {"updateStrategy": {"type": strategy}},
        "status": {"observedGeneration": observed, **status},
    }


def on_nodes(wanted: int, current: int, updated: int, ready: int) -> Object:
    return {
        "desiredNumberScheduled": wanted,
        "currentNumberScheduled": current,
        "updatedNumberScheduled": updated,
        "numberReady": ready,
        "numberAvailable": ready,
    }


DAEMON_SETS: dict[str, tuple[Object, bool, str]] = {
    "complete": (daemon_set(**on_nodes(3, 3, 3, 3)), True, "3 replicas ready"),
    "wanted by no node": (daemon_set(**on_nodes(0, 0, 0, 0)), True, "0 replicas ready"),
    "one node behind": (
        daemon_set(**on_nodes(3, 3, 3, 2)),
        False,
        "Waiting for 1 of 3 replicas to be ready",
    ),
    "update under way": (
        daemon_set(**on_nodes(3, 3, 1, 3)),
        False,
        "Waiting for 2 of 3 replicas to be updated",
    ),
    "OnDelete says who has to act": (
        daemon_set(strategy="OnDelete", **on_nodes(1, 1, 0, 1)),
        False,
        "delete the old pods",
    ),
    "just created": (
        {"kind": "DaemonSet", "metadata": {"name": "agent", "generation": 1}},
        False,
        "to see the change",
    ),
    "not seen by the controller": (
        daemon_set(observed=1, **on_nodes(1, 1, 1, 1)),
        False,
        "to see the change",
    ),
}


@pytest.mark.parametrize("name", DAEMON_SETS)
def test_a_daemon_set_is_ready_when_every_node_has_its_pod(name: str) -> None:
    obj, ready, words = DAEMON_SETS[name]
    verdict = workloads.daemon_set(obj, NOTHING_RELATED)
    assert (is_ready(verdict), words in message(verdict)) == (ready, True), verdict


def job(*, suspend: bool = False, conditions: list[Object] | None = None, **status: Any) -> Object:
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "train"},
        "spec": {"suspend": suspend},
        "status": {"conditions": conditions or [], **status},
    }


STARTED: Object = {"startTime": "2026-11-24T08:00:00Z"}
JOBS: dict[str, tuple[Object, type[Verdict], str]] = {
    "not started": (job(), Pending, "Waiting for the Job to start"),
    "running": (
        job(active=1, failed=2, **STARTED),
        Pending,
        "(1 active, 0 succeeded, 2 failed)",
    ),
    "completed": (
        job(conditions=[{"type": "Complete", "status": "True"}], succeeded=1, **STARTED),
        Ready,
        "completed",
    ),
    "pods met the criterion, the job is not booked as complete": (
        job(conditions=[{"type": "SuccessCriteriaMet", "status": "True"}], **STARTED),
        Pending,
        "to complete",
    ),
    "given up": (
        job(
            conditions=[
                {
                    "type": "Failed",
                    "status": "True",
                    "reason": "BackoffLimitExceeded",
                    "message": "Job has reached the specified backoff limit",
                }
            ],
            **STARTED,
        ),
        Failed,
        "The Job failed (BackoffLimitExceeded): Job has reached the specified backoff limit",
    ),
    "suspended": (
        job(suspend=True, conditions=[{"type": "Suspended", "status": "True"}]),
        Ready,
        "suspended",
    ),
    "to be suspended": (job(suspend=True), Pending, "to start"),
}


@pytest.mark.parametrize("name", JOBS)
def test_a_job_is_ready_when_it_completed(name: str) -> None:
    obj, kind, words = JOBS[name]
    verdict = workloads.job(obj, NOTHING_RELATED)
    assert isinstance(verdict, kind), verdict
    assert words in verdict.message


def pod(phase: str, *true_conditions: str, **status: Any) -> Object:
    conditions = [{"type": kind, "status": "True"} for kind in true_conditions]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "one"},
        "status": {"phase": phase, "conditions": conditions, **status},
    }


PODS: dict[str, tuple[Object, type[Verdict], str]] = {
    "new": (pod("Pending"), Pending, "to be scheduled"),
    "on a node": (pod("Pending", "PodScheduled"), Pending, "init containers"),
    "running": (pod("Running", "PodScheduled", "Initialized"), Pending, "to be ready"),
    "ready": (pod("Running", "PodScheduled", "Initialized", "Ready"), Ready, "ready"),
    "ran to its end": (pod("Succeeded", "PodScheduled", "Initialized"), Ready, ""),
    "evicted": (
        pod("Failed", reason="Evicted", message="The node was low on resource: memory."),
        Failed,
        "low on resource: memory",
    ),
}


@pytest.mark.parametrize("name", PODS)
def test_a_pod_is_ready_when_it_is_ready_or_succeeded(name: str) -> None:
    obj, kind, words = PODS[name]
    verdict = workloads.pod(obj, NOTHING_RELATED)
    assert isinstance(verdict, kind), verdict
    assert words in verdict.message


@pytest.mark.parametrize(("available", "ready"), [(0, False), (1, False), (2, True)])
def test_a_replication_controller_is_ready_when_its_replicas_are_available(
    available: int, ready: bool
) -> None:
    obj = {
        "apiVersion": "v1",
        "kind": "ReplicationController",
        "metadata": {"name": "old", "generation": 1},
        "spec": {"replicas": 2},
        "status": {"observedGeneration": 1, "replicas": 2, "availableReplicas": available},
    }
    assert is_ready(workloads.replication_controller(obj, NOTHING_RELATED)) is ready
