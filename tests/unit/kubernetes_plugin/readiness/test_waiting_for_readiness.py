import threading
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.unit.kubernetes_plugin.readiness.fake_cluster import (
    FakeCancellation,
    FakeClock,
    FakeCluster,
)
from toolchain.kubernetes_plugin.errors import ApiError, UnreachableError
from toolchain.kubernetes_plugin.readiness import NotReady, check_ready, wait_until_ready

Object = dict[str, Any]


def deployment(ready: int, annotations: Object | None = None) -> Object:
    status = {
        "observedGeneration": 1,
        "replicas": 2,
        "updatedReplicas": 2,
        "readyReplicas": ready,
        "conditions": [{"type": "Available", "status": "True" if ready == 2 else "False"}],
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            "name": "web",
            "namespace": "apps",
            "generation": 1,
            "annotations": {"deployment.kubernetes.io/revision": "1", **(annotations or {})},
        },
        "spec": {"replicas": 2, "selector": {"matchLabels": {"app": "web"}}},
        "status": status,
    }


@dataclass
class Waiter:
    """A cluster, a clock and what was reported."""

    clock: FakeClock = field(default_factory=FakeClock)
    lines: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.cluster = FakeCluster(self.clock)
        self.cancelled: threading.Event = FakeCancellation(self.clock)

    def wait(self, obj: Object, inputs: Object | None = None, timeout: float = 0) -> Object:
        return wait_until_ready(
            self.cluster,
            self.cluster.put(obj),
            obj if inputs is None else inputs,
            timeout=timeout,
            report=self.lines.append,
            cancelled=self.cancelled,
            clock=self.clock,
        )


@pytest.fixture
def waiter() -> Waiter:
    return Waiter()


def test_an_object_without_a_rule_is_ready_without_a_single_request(waiter: Waiter) -> None:
    obj = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings"}}
    assert waiter.wait(obj)["metadata"]["name"] == "settings"
    assert waiter.cluster.calls == []


def test_an_object_that_is_ready_already_is_not_watched(waiter: Waiter) -> None:
    waiter.wait(deployment(2))
    assert waiter.cluster.calls == []
    assert waiter.lines == []


def test_the_object_is_returned_as_it_was_when_it_became_ready(waiter: Waiter) -> None:
    waiter.cluster.at(0.4, lambda cluster: cluster.put(deployment(1)))
    waiter.cluster.at(0.8, lambda cluster: cluster.put(deployment(2)))
    live = waiter.wait(deployment(0))
    assert live["status"]["readyReplicas"] == 2
    assert waiter.clock.seconds == 0.8
    assert waiter.lines == [
        "Waiting for 2 of 2 replicas to be ready",
        "Waiting for 1 of 2 replicas to be ready",
    ]


def test_a_wait_that_sees_no_change_repeats_no_line_and_does_not_spin(waiter: Waiter) -> None:
    waiter.cluster.at(60.0, lambda cluster: cluster.put(deployment(2)))
    waiter.wait(deployment(0))
    assert waiter.lines == ["Waiting for 2 of 2 replicas to be ready"]
    watches = waiter.cluster.calls.count(("watch", "Deployment"))
    assert 20 <= watches <= 22


def test_a_watch_that_the_server_closes_is_not_repeated_at_once(waiter: Waiter) -> None:
    waiter.cluster.closing = 20
    waiter.cluster.at(0.0, lambda cluster: cluster.put(deployment(2)))
    waiter.wait(deployment(0), timeout=600)
    assert waiter.cluster.calls.count(("watch", "Deployment")) == 21
    assert waiter.clock.seconds == 10.0


def test_a_watch_that_fails_is_not_repeated_at_once(waiter: Waiter) -> None:
    waiter.cluster.failing["watch"] = [UnreachableError("connection refused")] * 5
    waiter.cluster.at(0.0, lambda cluster: cluster.put(deployment(2)))
    waiter.wait(deployment(0), timeout=600)
    assert waiter.cluster.calls.count(("watch", "Deployment")) == 6
    assert waiter.clock.seconds >= 5.0
    assert "Cannot watch Deployment: connection refused" in waiter.lines


def definition(established: bool) -> Object:
    versions = [{"name": "v1", "served": True}, {"name": "v2", "served": True}]
    condition = {"type": "Established", "status": "True" if established else "False"}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "widgets.example.org"},
        "spec": {
            "group": "example.org",
            "names": {"kind": "Widget"},
            "versions": [*versions, {"name": "v0", "served": False}],
        },
        "status": {"conditions": [condition]},
    }


def test_a_kind_is_waited_for_until_the_server_lists_every_version_that_it_serves(
    waiter: Waiter,
) -> None:
    waiter.cluster.served_from = {"example.org/v1": 0.5, "example.org/v2": 0.7}
    waiter.cluster.at(0.4, lambda cluster: cluster.put(definition(established=True)))
    waiter.wait(definition(established=False))
    # Soon after, not when the next watch of the definition ends: it does not change any more.
    assert 0.7 <= waiter.clock.seconds < 0.9
    assert waiter.lines[-1] == "Waiting for the API server to serve the kind in example.org/v2"


def test_a_kind_that_the_server_never_lists_fails_when_the_time_is_up(waiter: Waiter) -> None:
    waiter.cluster.served_from = {"example.org/v1": 0.0, "example.org/v2": 3600.0}
    with pytest.raises(NotReady) as caught:
        waiter.wait(definition(established=True))
    assert caught.value.cause == "timed out"
    assert "example.org/v2" in caught.value.reasons[0]
    assert 60.0 <= waiter.clock.seconds < 61.0


def test_a_time_that_is_up_says_what_was_missing_and_why(waiter: Waiter) -> None:
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "web-1", "ownerReferences": [{"uid": "uid-web-rs"}]},
        "status": {
            "conditions": [
                {"type": "PodScheduled", "status": "False", "message": "0/1 nodes are available"}
            ]
        },
    }
    replica_set = {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {
            "name": "web-rs",
            "ownerReferences": [{"uid": "uid-web"}],
            "annotations": {"deployment.kubernetes.io/revision": "1"},
        },
    }
    waiter.cluster.put(pod)
    waiter.cluster.put(replica_set)
    with pytest.raises(NotReady) as caught:
        waiter.wait(deployment(1), timeout=30)
    assert str(caught.value) == "'web' timed out waiting to be Ready"
    assert caught.value.cause == "timed out"
    assert caught.value.reasons == [
        "Waiting for 1 of 2 replicas to be ready",
        "pod web-1: cannot be scheduled: 0/1 nodes are available",
    ]
    assert caught.value.live["status"]["readyReplicas"] == 1
    assert waiter.clock.seconds == 30.0
    assert waiter.lines[-1] == (
        "Waiting for 1 of 2 replicas to be ready: "
        "pod web-1: cannot be scheduled: 0/1 nodes are available"
    )


def test_credentials_that_may_not_read_events_still_see_what_pods_say(waiter: Waiter) -> None:
    forbidden = ApiError(403, {"reason": "Forbidden", "message": "events is forbidden"})
    waiter.cluster.failing["events"] = [forbidden] * 100
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "one"},
        "status": {"conditions": [{"type": "PodScheduled", "status": "False", "message": "full"}]},
    }
    with pytest.raises(NotReady) as caught:
        waiter.wait(pod, timeout=5)
    assert "pod one: cannot be scheduled: full" in caught.value.reasons


def test_credentials_that_may_not_read_pods_still_let_a_deployment_become_ready(
    waiter: Waiter,
) -> None:
    forbidden = ApiError(403, {"reason": "Forbidden", "message": "pods is forbidden"})
    waiter.cluster.failing["list"] = [forbidden] * 100
    waiter.cluster.at(5.0, lambda cluster: cluster.put(deployment(2)))
    assert waiter.wait(deployment(0))["status"]["readyReplicas"] == 2


def test_a_job_that_fails_ends_the_wait_at_once(waiter: Waiter) -> None:
    def job(*conditions: Object) -> Object:
        return {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": {"name": "train", "generation": 1},
            "spec": {},
            "status": {"startTime": "now", "conditions": list(conditions)},
        }

    failed = {"type": "Failed", "status": "True", "reason": "DeadlineExceeded", "message": "late"}
    waiter.cluster.at(4.0, lambda cluster: cluster.put(job(failed)))
    with pytest.raises(NotReady) as caught:
        waiter.wait(job())
    assert caught.value.cause == "failed"
    assert caught.value.reasons == ["The Job failed (DeadlineExceeded): late"]
    assert waiter.clock.seconds == 4.0


def refused(said: str, ready: int = 1) -> Object:
    obj = deployment(ready)
    obj["status"]["conditions"].append(
        {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": said}
    )
    return obj


OVER_QUOTA = (
    'pods "web-1-a" is forbidden: exceeded quota: team, requested: pods=1,requests.memory=512Mi, '
    "used: pods=2,requests.memory=1Gi, limited: pods=9,requests.memory=1280Mi"
)


def quota(used: str, hard: str, name: str = "team") -> Object:
    status = {
        "hard": {"pods": "9", "requests.memory": hard},
        "used": {"pods": "2", "requests.memory": used},
    }
    metadata = {"name": name, "namespace": "apps"}
    return {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": metadata, "status": status}


def test_pods_that_a_quota_keeps_refusing_end_the_wait_with_its_words(waiter: Waiter) -> None:
    waiter.cluster.put(quota(used="1Gi", hard="1280Mi"))
    waiter.cluster.at(2.0, lambda cluster: cluster.put(refused(OVER_QUOTA)))
    with pytest.raises(NotReady) as caught:
        waiter.wait(deployment(0), timeout=300)
    assert caught.value.cause == "failed"
    assert caught.value.reasons == [
        "Waiting for 1 of 2 replicas to be ready; nothing changed for 45 s",
        OVER_QUOTA,
    ]
    assert 47.0 <= waiter.clock.seconds <= 51.0


def test_pods_that_find_room_after_a_while_are_waited_for(waiter: Waiter) -> None:
    waiter.cluster.put(quota(used="1Gi", hard="1280Mi"))
    waiter.cluster.at(2.0, lambda cluster: cluster.put(refused(OVER_QUOTA)))
    waiter.cluster.at(41.0, lambda cluster: cluster.put(deployment(1)))
    waiter.cluster.at(120.0, lambda cluster: cluster.put(deployment(2)))
    assert waiter.wait(deployment(0))["status"]["readyReplicas"] == 2


@pytest.mark.parametrize(
    "room",
    [
        quota(used="1Gi", hard="2Gi"),
        quota(used="512Mi", hard="1280Mi"),
        quota(used="1Gi", hard="1280Mi", name="another"),
    ],
)
def test_a_refusal_of_before_the_quota_had_room_is_no_reason_to_give_up(
    waiter: Waiter, room: Object
) -> None:
    waiter.cluster.put(room)
    waiter.cluster.at(120.0, lambda cluster: cluster.put(deployment(2)))
    assert waiter.wait(refused(OVER_QUOTA))["status"]["readyReplicas"] == 2


def test_pods_that_wait_for_another_object_are_waited_for(waiter: Waiter) -> None:
    missing = 'pods "web-1-" is forbidden: error looking up service account apps/web: not found'
    waiter.cluster.at(2.0, lambda cluster: cluster.put(refused(missing)))
    waiter.cluster.at(120.0, lambda cluster: cluster.put(deployment(2)))
    assert waiter.wait(deployment(0))["status"]["readyReplicas"] == 2


def test_quotas_are_read_only_for_pods_that_are_refused(waiter: Waiter) -> None:
    waiter.cluster.at(5.0, lambda cluster: cluster.put(deployment(2)))
    waiter.wait(deployment(0))
    assert ("list", "ResourceQuota") not in waiter.cluster.calls


def test_an_object_that_vanishes_ends_the_wait(waiter: Waiter) -> None:
    waiter.cluster.at(0.5, lambda cluster: cluster.remove("Deployment", "web"))
    with pytest.raises(NotReady) as caught:
        waiter.wait(deployment(0))
    assert caught.value.cause == "gone"
    assert caught.value.reasons == ["Deployment web was deleted while it was waited for"]


def test_a_cancelled_wait_ends_within_three_seconds(waiter: Waiter) -> None:
    waiter.cluster.at(10.2, lambda cluster: waiter.cancelled.set())
    with pytest.raises(NotReady) as caught:
        waiter.wait(deployment(0))
    assert caught.value.cause == "cancelled"
    assert caught.value.reasons[0] == "Waiting for 2 of 2 replicas to be ready"
    assert waiter.clock.seconds <= 13.2


def test_a_cancelled_wait_takes_no_further_change_into_account(waiter: Waiter) -> None:
    def cancel(cluster: FakeCluster) -> None:
        waiter.cancelled.set()
        cluster.put(deployment(1))

    waiter.cluster.at(0.2, cancel)
    waiter.cluster.at(0.4, lambda cluster: cluster.put(deployment(0)))
    with pytest.raises(NotReady):
        waiter.wait(deployment(0))
    assert waiter.clock.seconds < 0.4


def test_a_state_from_before_the_write_is_not_believed(waiter: Waiter) -> None:
    new = deployment(0)
    new["metadata"]["generation"] = 2
    new["status"]["observedGeneration"] = 1
    waiter.cluster.at(0.2, lambda cluster: cluster.put(deployment(2)))
    with pytest.raises(NotReady):
        waiter.wait(new, timeout=5)


def test_skip_await_asks_for_nothing(waiter: Waiter) -> None:
    waiter.wait(deployment(0), deployment(0, {"pulumi.com/skipAwait": "true"}))
    assert waiter.cluster.calls == []


def test_a_criterion_of_the_program_takes_the_place_of_the_kinds_own(waiter: Waiter) -> None:
    obj = deployment(0, {"pulumi.com/waitFor": "jsonpath={.status.readyReplicas}=1"})
    one = deployment(1, {"pulumi.com/waitFor": "jsonpath={.status.readyReplicas}=1"})
    waiter.cluster.at(0.5, lambda cluster: cluster.put(one))
    assert waiter.wait(obj)["status"]["readyReplicas"] == 1


def test_a_criterion_that_cannot_be_understood_is_one_clear_reason(waiter: Waiter) -> None:
    with pytest.raises(NotReady) as caught:
        waiter.wait(deployment(0, {"pulumi.com/waitFor": "ready"}))
    (reason,) = caught.value.reasons
    assert "pulumi.com/waitFor" in reason


@pytest.mark.parametrize(
    ("timeout", "annotations", "seconds"),
    [
        (7, {"pulumi.com/timeoutSeconds": "20"}, 7),
        (0, {"pulumi.com/timeoutSeconds": "20"}, 20),
        (0, {"pulumi.com/timeoutSeconds": "soon"}, 600),
        (0, {}, 600),
    ],
)
def test_the_programs_timeouts_come_before_the_kinds(
    waiter: Waiter, timeout: float, annotations: dict[str, str], seconds: float
) -> None:
    with pytest.raises(NotReady):
        waiter.wait(deployment(0), deployment(0, annotations), timeout=timeout)
    assert waiter.clock.seconds == seconds


def service() -> Object:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "web", "namespace": "apps"},
        "spec": {"type": "ClusterIP", "selector": {"app": "web"}},
    }


def slice_with(ready: bool | None) -> Object:
    endpoints = [] if ready is None else [{"conditions": {"ready": ready}}]
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"name": "web-x", "labels": {"kubernetes.io/service-name": "web"}},
        "endpoints": endpoints,
    }


def test_a_service_is_ready_with_the_first_ready_pod(waiter: Waiter) -> None:
    waiter.cluster.put(slice_with(None))
    waiter.cluster.at(1.5, lambda cluster: cluster.put(slice_with(False)))
    waiter.cluster.at(2.5, lambda cluster: cluster.put(slice_with(True)))
    waiter.wait(service())
    assert waiter.clock.seconds == 2.5


def test_a_service_without_pods_settles_ten_seconds_after_the_last_change(waiter: Waiter) -> None:
    waiter.cluster.at(5.0, lambda cluster: cluster.put(slice_with(None)))
    waiter.wait(service())
    assert 15.0 <= waiter.clock.seconds <= 18.0


def test_a_service_whose_time_is_up_before_it_settles_is_ready(waiter: Waiter) -> None:
    waiter.wait(service(), timeout=2)
    assert waiter.clock.seconds == 2.0


def test_a_refresh_looks_once_and_says_what_broke() -> None:
    cluster = FakeCluster(FakeClock())
    check_ready(cluster, cluster.put(deployment(2)), {})
    with pytest.raises(NotReady) as caught:
        check_ready(cluster, cluster.put(deployment(1)), {})
    assert caught.value.reasons == ["Waiting for 1 of 2 replicas to be ready"]
    assert ("watch", "Deployment") not in cluster.calls


def test_a_refresh_does_not_judge_kinds_that_the_official_plugin_does_not() -> None:
    cluster = FakeCluster(FakeClock())
    claim = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "data"},
        "status": {"phase": "Pending"},
    }
    check_ready(cluster, cluster.put(claim), {})
