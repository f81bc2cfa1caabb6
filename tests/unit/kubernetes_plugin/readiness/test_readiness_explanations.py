from typing import Any

import pytest

from toolchain.kubernetes_plugin.readiness.explain import Evidence, reasons

Object = dict[str, Any]

DEPLOYMENT: Object = {"kind": "Deployment", "metadata": {"name": "web", "uid": "d1"}}


def pod(name: str = "web-1", *containers: Object, **status: Any) -> Object:
    return {
        "kind": "Pod",
        "metadata": {"name": name, "uid": f"uid-{name}"},
        "spec": {"containers": [{"name": "app", "image": "registry.example/app:1.2"}]},
        "status": {"phase": "Pending", "containerStatuses": list(containers), **status},
    }


def waiting(reason: str, message: str = "", **more: Any) -> Object:
    return {
        "name": "app",
        "ready": False,
        "image": "",
        "state": {"waiting": {"reason": reason, "message": message}},
        **more,
    }


def event(reason: str, message: str, kind: str = "Warning") -> Object:
    return {"type": kind, "reason": reason, "message": message}


UNSCHEDULABLE: Object = {
    "conditions": [
        {
            "type": "PodScheduled",
            "status": "False",
            "reason": "Unschedulable",
            "message": "0/1 nodes are available: 1 Insufficient cpu.",
        }
    ]
}

EXPLAINED: dict[str, tuple[Object, list[Object], str]] = {
    "no such image": (
        pod(
            "web-1",
            waiting(
                "ImagePullBackOff",
                'Back-off pulling image "registry.example/app:1.2": '
                "rpc error: code = NotFound desc = not found",
            ),
        ),
        [event("Failed", "Failed to pull image"), event("BackOff", "Back-off pulling image")],
        "pod web-1: container app cannot get its image registry.example/app:1.2: ImagePullBackOff: "
        'Back-off pulling image "registry.example/app:1.2": not found',
    ),
    "crash loop with last words": (
        pod(
            "web-1",
            waiting(
                "CrashLoopBackOff",
                "back-off 10s restarting failed container",
                restartCount=3,
                lastState={
                    "terminated": {
                        "exitCode": 1,
                        "reason": "Error",
                        "message": "Traceback\nValueError: no model\n",
                    }
                },
            ),
            phase="Running",
        ),
        [event("BackOff", "Back-off restarting failed container")],
        "pod web-1: container app keeps ending: exit code 1, last words: ValueError: no model,"
        " 3 restarts",
    ),
    "out of memory": (
        pod(
            "web-1",
            waiting(
                "CrashLoopBackOff",
                restartCount=2,
                lastState={"terminated": {"exitCode": 137, "reason": "OOMKilled"}},
            ),
        ),
        [],
        "pod web-1: container app keeps ending: exit code 137 (OOMKilled), 2 restarts",
    ),
    "ended once, and started again": (
        pod(
            "web-1",
            {
                "name": "app",
                "ready": False,
                "restartCount": 1,
                "state": {"running": {}},
                "lastState": {"terminated": {"exitCode": 3, "reason": "Error"}},
            },
        ),
        [],
        "pod web-1: container app keeps ending: exit code 3, 1 restart",
    ),
    "ended, and is not started again": (
        pod("web-1", {"name": "app", "ready": False, "state": {"terminated": {"exitCode": 1}}}),
        [],
        "pod web-1: container app ended: exit code 1",
    ),
    "ends again and again, and well": (
        pod(
            "web-1",
            waiting("CrashLoopBackOff", restartCount=4, lastState={"terminated": {"exitCode": 0}}),
        ),
        [],
        "pod web-1: container app keeps ending: exit code 0, 4 restarts",
    ),
    "ended well": (
        pod("web-1", {"name": "app", "ready": False, "state": {"terminated": {"exitCode": 0}}}),
        [],
        "",
    ),
    "no node": (
        pod("web-1", **UNSCHEDULABLE),
        [event("FailedScheduling", "0/1 nodes are available: 1 Insufficient cpu.")],
        "pod web-1: cannot be scheduled: 0/1 nodes are available: 1 Insufficient cpu.",
    ),
    "missing config map": (
        pod("web-1", waiting("CreateContainerConfigError", 'configmap "settings" not found')),
        [event("Failed", 'Error: configmap "settings" not found')],
        'pod web-1: container app does not start: CreateContainerConfigError: configmap "settings"'
        " not found",
    ),
    "volume that cannot be mounted": (
        pod("web-1", waiting("ContainerCreating")),
        [
            event("Scheduled", "Successfully assigned", kind="Normal"),
            event(
                "FailedMount",
                'MountVolume.SetUp failed for volume "models": hostPath type check failed',
            ),
        ],
        'pod web-1: FailedMount: MountVolume.SetUp failed for volume "models": hostPath type check'
        " failed",
    ),
    "not ready": (
        pod("web-1", {"name": "app", "ready": False, "state": {"running": {}}}, phase="Running"),
        [event("Unhealthy", "Readiness probe failed: HTTP probe failed with statuscode: 503")],
        "pod web-1: Unhealthy: Readiness probe failed: HTTP probe failed with statuscode: 503",
    ),
}


@pytest.mark.parametrize("name", EXPLAINED)
def test_the_reason_of_a_failing_pod_is_said_once_in_kubernetes_words(name: str) -> None:
    failing, events, expected = EXPLAINED[name]
    evidence = Evidence(pods=[failing], events={"uid-web-1": events})
    assert reasons(DEPLOYMENT, evidence) == ((expected,) if expected else ())


def test_pods_that_fail_alike_share_a_line() -> None:
    pods = [pod(f"web-{number}", **UNSCHEDULABLE) for number in (1, 2, 3)]
    (line,) = reasons(DEPLOYMENT, Evidence(pods=pods))
    assert line.startswith("pod web-1 and 2 others: cannot be scheduled")


def test_pods_that_quota_refuses_are_explained_by_the_owner() -> None:
    refused = DEPLOYMENT | {
        "status": {
            "conditions": [
                {
                    "type": "ReplicaFailure",
                    "status": "True",
                    "message": 'pods "web-1" is forbidden: exceeded quota: team, used: pods=2',
                }
            ]
        }
    }
    (line,) = reasons(refused, Evidence())
    assert "exceeded quota: team" in line


def test_pods_that_cannot_be_created_are_explained_by_events_of_their_owner() -> None:
    daemon_set = {"kind": "DaemonSet", "metadata": {"name": "agent", "uid": "x"}}
    events = {"x": [event("FailedCreate", "exceeded quota: team, used: pods=2")]}
    assert reasons(daemon_set, Evidence(events=events)) == (
        "FailedCreate: exceeded quota: team, used: pods=2",
    )


def test_a_pod_that_is_on_its_way_or_done_gives_no_reason() -> None:
    starting = pod("web-1", waiting("ContainerCreating"))
    ready = pod("web-2", conditions=[{"type": "Ready", "status": "True"}])
    done = pod("web-3", phase="Succeeded")
    assert reasons(DEPLOYMENT, Evidence(pods=[starting, ready, done])) == ()


def test_a_pod_waited_for_itself_is_explained_once() -> None:
    alone = pod("web-1", waiting("ContainerCreating"))
    events = {"uid-web-1": [event("FailedMount", "no such secret")]}
    assert reasons(alone, Evidence(pods=[alone], events=events)) == (
        "pod web-1: FailedMount: no such secret",
    )


def test_a_long_message_is_cut_and_kept_on_one_line() -> None:
    failing = pod("web-1", waiting("CreateContainerError", "line\n" * 500))
    (line,) = reasons(DEPLOYMENT, Evidence(pods=[failing]))
    assert "\n" not in line
    assert len(line) < 600
