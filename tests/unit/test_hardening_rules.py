"""That the rules which hold every live pod find a pod that breaks one."""

import copy
from typing import Any

import pytest

from tests.cluster import hardened

Object = dict[str, Any]

HARDENED: Object = {
    "metadata": {
        "name": "web-1",
        "namespace": "apps",
        "labels": {"app.kubernetes.io/name": "web"},
    },
    "spec": {
        "priorityClassName": "slipway-platform",
        "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [
            {
                "name": "web",
                "readinessProbe": {},
                "livenessProbe": {},
                "resources": {
                    "requests": {"cpu": "1", "memory": "1Gi"},
                    "limits": {"cpu": "1", "memory": "1Gi"},
                },
                "securityContext": {
                    "readOnlyRootFilesystem": True,
                    "allowPrivilegeEscalation": False,
                    "capabilities": {"drop": ["ALL"]},
                },
            }
        ],
    },
}

# A change of the pod's or of the container's fields, and the rule that it breaks.
OF_POD: list[tuple[Object, str]] = [
    ({"hostNetwork": True}, "host namespaces"),
    ({"volumes": [{"name": "node", "hostPath": {"path": "/"}}]}, "folders of the node"),
    ({"priorityClassName": ""}, "priority class"),
    ({"securityContext": {"runAsNonRoot": True}}, "seccomp"),
    ({"securityContext": {"seccompProfile": {"type": "RuntimeDefault"}}}, "user"),
]
CONTEXT: Object = HARDENED["spec"]["containers"][0]["securityContext"]
OF_CONTAINER: list[tuple[Object, str]] = [
    ({"readinessProbe": None}, "probes"),
    ({"livenessProbe": None}, "probes"),
    ({"securityContext": {**CONTEXT, "runAsUser": 0}}, "user"),
    ({"securityContext": {**CONTEXT, "privileged": True}}, "privileges"),
    ({"securityContext": {**CONTEXT, "allowPrivilegeEscalation": None}}, "privileges"),
    (
        {"securityContext": {**CONTEXT, "readOnlyRootFilesystem": False}},
        "read-only root file system",
    ),
    ({"securityContext": {**CONTEXT, "capabilities": {"drop": ["NET_RAW"]}}}, "capabilities"),
    (
        {"securityContext": {**CONTEXT, "capabilities": {"drop": ["ALL"], "add": ["NET_RAW"]}}},
        "capabilities",
    ),
    ({"resources": {"requests": {"cpu": "1", "memory": "1Gi"}}}, "limits"),
    ({"resources": {"limits": {"cpu": "1", "memory": "1Gi"}}}, "requests"),
]


def changed(change: Object, *, container: bool) -> Object:
    pod = copy.deepcopy(HARDENED)
    place = pod["spec"]["containers"][0] if container else pod["spec"]
    place.update(change)
    for key in [key for key, value in change.items() if value is None]:
        del place[key]
    return pod


def test_a_hardened_pod_breaks_no_rule() -> None:
    assert hardened.breaches(HARDENED) == {}
    assert hardened.unexpected([HARDENED]) == []


@pytest.mark.parametrize(("change", "rule"), OF_POD)
def test_a_pod_that_breaks_a_rule_is_found(change: Object, rule: str) -> None:
    assert list(hardened.breaches(changed(change, container=False))) == [rule]


@pytest.mark.parametrize(("change", "rule"), OF_CONTAINER)
def test_a_container_that_breaks_a_rule_is_found(change: Object, rule: str) -> None:
    pod = changed(change, container=True)
    assert list(hardened.breaches(pod)) == [rule]
    assert hardened.unexpected([pod]) == [f"apps/web-1: {rule} (web)"]


def test_an_exception_holds_for_its_rule_alone_and_while_it_is_needed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(hardened, "EXCEPTIONS", {("apps", "web"): {"host namespaces": "ARP"}})
    assert hardened.unexpected([changed({"hostNetwork": True}, container=False)]) == []
    more = changed({"hostNetwork": True, "priorityClassName": ""}, container=False)
    assert hardened.unexpected([more]) == ["apps/web-1: priority class (the pod)"]
    assert hardened.unexpected([HARDENED]) == ["apps/web-1: keeps to host namespaces by now"]


def test_a_controller_of_several_pods_without_a_budget_is_found() -> None:
    labels = {"app": "web", "version": "1"}
    web: Object = {
        "metadata": {"name": "web", "namespace": "apps"},
        "spec": {"replicas": 2, "template": {"metadata": {"labels": labels}}},
    }
    budget: Object = {
        "metadata": {"name": "web", "namespace": "apps"},
        "spec": {"selector": {"matchLabels": {"app": "web"}}},
    }
    elsewhere = {**budget, "metadata": {"name": "web", "namespace": "other"}}
    assert hardened.unprotected([web], [budget]) == []
    assert hardened.unprotected([web], [elsewhere]) == ["apps/web"]
    single = {**web, "spec": {**web["spec"], "replicas": 1}}
    assert hardened.unprotected([single], []) == []
