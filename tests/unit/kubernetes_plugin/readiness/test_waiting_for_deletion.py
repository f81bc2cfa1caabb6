import threading
from typing import Any

import pytest

from tests.unit.kubernetes_plugin.readiness.fake_cluster import (
    FakeCancellation,
    FakeClock,
    FakeCluster,
)
from toolchain.kubernetes_plugin.errors import UnreachableError
from toolchain.kubernetes_plugin.readiness import NotReady, wait_until_deleted

Object = dict[str, Any]


def namespace(*conditions: Object, **metadata: Any) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": "team", **metadata},
        "status": {"phase": "Terminating", "conditions": list(conditions)},
    }


CONTENT = {
    "type": "NamespaceContentRemaining",
    "status": "True",
    "message": "Some resources are remaining: pods. has 1 resource instances",
}


class Waiter:
    def __init__(self) -> None:
        self.clock = FakeClock()
        self.cluster = FakeCluster(self.clock)
        self.cancelled: threading.Event = FakeCancellation(self.clock)
        self.lines: list[str] = []

    def wait(self, obj: Object, timeout: float = 0) -> None:
        wait_until_deleted(
            self.cluster,
            obj,
            timeout=timeout,
            report=self.lines.append,
            cancelled=self.cancelled,
            clock=self.clock,
        )


@pytest.fixture
def waiter() -> Waiter:
    return Waiter()


def test_an_object_that_is_gone_already_takes_one_request(waiter: Waiter) -> None:
    obj = waiter.cluster.put(namespace())
    waiter.cluster.remove("Namespace", "team")
    waiter.wait(obj)
    assert waiter.cluster.calls == [("get", "Namespace")]
    assert waiter.lines == []


def test_the_wait_ends_with_the_object(waiter: Waiter) -> None:
    obj = waiter.cluster.put(namespace(CONTENT))
    waiter.cluster.at(2.4, lambda cluster: cluster.remove("Namespace", "team"))
    waiter.wait(obj)
    assert waiter.clock.seconds == 2.4
    assert waiter.lines == ["Some resources are remaining: pods. has 1 resource instances"]


def test_another_object_of_the_same_name_is_not_waited_for(waiter: Waiter) -> None:
    obj = waiter.cluster.put(namespace())
    waiter.cluster.put(namespace(uid="another"))
    waiter.wait(obj)
    assert waiter.cluster.calls == [("get", "Namespace")]


def test_a_time_that_is_up_names_the_finalizers(waiter: Waiter) -> None:
    obj = waiter.cluster.put(namespace(finalizers=["example.com/keep", "foregroundDeletion"]))
    with pytest.raises(NotReady) as caught:
        waiter.wait(obj, timeout=12)
    assert str(caught.value) == "Deletion of 'team' timed out"
    assert caught.value.reasons == [
        "Waiting for finalizers of Namespace team: example.com/keep, foregroundDeletion"
    ]
    assert waiter.clock.seconds == 12.0


def test_a_cancelled_deletion_ends(waiter: Waiter) -> None:
    obj = waiter.cluster.put(namespace())
    waiter.cluster.at(4.0, lambda cluster: waiter.cancelled.set())
    with pytest.raises(NotReady) as caught:
        waiter.wait(obj)
    assert caught.value.cause == "cancelled"
    assert waiter.clock.seconds <= 7.0


def test_a_cluster_that_does_not_answer_for_a_while_does_not_end_the_wait(waiter: Waiter) -> None:
    obj = waiter.cluster.put(namespace())
    waiter.cluster.failing["get"] = [UnreachableError("connection refused")] * 2
    waiter.cluster.at(8.0, lambda cluster: cluster.remove("Namespace", "team"))
    waiter.wait(obj)
    assert "Cannot read Namespace team: connection refused" in waiter.lines


@pytest.mark.parametrize(("kind", "waits"), [("Namespace", False), ("Secret", True)])
def test_skip_await_skips_a_deletion_only_of_kinds_where_the_official_plugin_does(
    waiter: Waiter, kind: str, waits: bool
) -> None:
    obj = waiter.cluster.put(
        namespace(annotations={"pulumi.com/skipAwait": "true"}) | {"kind": kind}
    )
    waiter.cluster.at(1.0, lambda cluster: cluster.remove(kind, "team"))
    waiter.wait(obj)
    assert bool(waiter.cluster.calls) is waits
