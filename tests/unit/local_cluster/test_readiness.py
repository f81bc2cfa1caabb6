"""When a cluster is ready, and who is to blame when it is not."""

import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest

from toolchain.local_cluster import readiness, services
from toolchain.local_cluster.api import ApiError, Client
from toolchain.local_cluster.errors import LocalClusterError
from toolchain.local_cluster.state import Layout

START = datetime(2026, 11, 24, 12, 0, 0, 500_000, tzinfo=UTC)
BEFORE = (START - timedelta(minutes=5)).isoformat()
AFTER = (START + timedelta(seconds=1)).isoformat()

NODE = "/api/v1/nodes/local"
LEASE = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/local"
PODS = "/api/v1/pods"


class Answers:
    """An API server of which some answers are known."""

    def __init__(self, known: Mapping[str, Any]) -> None:
        self.known = known

    def get(self, path: str) -> Any:
        if path not in self.known:
            raise ApiError("no answer: connection refused")
        return self.known[path]

    def find(self, path: str) -> Any | None:
        return self.known.get(path)


def shortcoming(name: str, known: Mapping[str, Any]) -> str | None:
    client = cast(Client, Answers(known))
    step = next(step for step in readiness.steps(client, "local", START) if name in step.what)
    return step.check()


def condition(kind: str, value: str, message: str = "") -> dict[str, Any]:
    return {"status": {"conditions": [{"type": kind, "status": value, "message": message}]}}


def lease(renewed: str) -> dict[str, Any]:
    return {"spec": {"renewTime": renewed}}


def pod(
    name: str, *, ready: str = "True", started: str = AFTER, dns: bool = True
) -> dict[str, Any]:
    return {
        "metadata": {
            "name": name,
            "namespace": "kube-system",
            "labels": {"k8s-app": "kube-dns"} if dns else {},
        },
        "status": {
            "conditions": [{"type": "Ready", "status": ready, "message": "probe failed"}],
            "containerStatuses": [{"state": {"running": {"startedAt": started}}}],
        },
    }


def test_a_node_that_reports_and_is_ready_is_ready() -> None:
    assert shortcoming("node", {NODE: condition("Ready", "True"), LEASE: lease(AFTER)}) is None


def test_what_a_node_said_before_its_restart_does_not_count() -> None:
    known = {NODE: condition("Ready", "True"), LEASE: lease(BEFORE)}
    assert shortcoming("node", known) == "its kubelet has not reported yet"


def test_a_new_node_is_ready_before_it_has_a_lease() -> None:
    node = condition("Ready", "True")
    node["status"]["conditions"][0]["lastHeartbeatTime"] = AFTER
    assert shortcoming("node", {NODE: node}) is None


def test_a_node_says_why_it_is_not_ready() -> None:
    known = {NODE: condition("Ready", "False", "no network"), LEASE: lease(AFTER)}
    assert shortcoming("node", known) == "no network"


def test_dns_is_ready_with_one_ready_pod() -> None:
    assert shortcoming("DNS", {PODS: {"items": [pod("a", ready="False"), pod("b")]}}) is None
    assert shortcoming("DNS", {PODS: {"items": [pod("a", ready="False")]}}) == "probe failed"
    assert shortcoming("DNS", {PODS: {"items": []}}) == "it has no pod"


def test_a_pod_that_is_still_called_ready_from_before_is_waited_for() -> None:
    left_over = pod("model", started=BEFORE, dns=False)
    found = shortcoming("DNS", {PODS: {"items": [pod("dns"), left_over]}})
    assert found == "pods of before were not looked at yet: model"


def test_a_pod_that_started_in_the_nodes_first_second_is_not_of_before() -> None:
    same_second = START.replace(microsecond=0).isoformat()
    assert shortcoming("DNS", {PODS: {"items": [pod("dns", started=same_second)]}}) is None


@pytest.mark.parametrize(
    ("log", "told"),
    [
        ('I1124 starts\nE1124 10:00:00 run.go:1] "command failed"\nI1124 goes on\n', "E1124 10"),
        ("one\ntwo\n", "two"),
        ("info\nerror: unknown flag: --nonsense\n\n", "error: unknown flag"),
        ('{"level":"fatal","msg":"no data dir","error":"not a directory"}\n', "no data dir: not a"),
        ('time="x" level=error msg="bad"\ntime="x" level=info msg="ok"\n', 'time="x" level=error'),
    ],
)
def test_the_line_that_tells_of_the_failure_is_chosen(log: str, told: str) -> None:
    found = readiness.last_meaningful_line(log)
    assert found is not None
    assert found.startswith(told)


def test_an_empty_log_has_no_line_and_a_long_line_is_cut() -> None:
    assert readiness.last_meaningful_line("\n \n") is None
    found = readiness.last_meaningful_line("x" * 1000, longest=10)
    assert found == "x" * 9 + "…"


def components(tmp_path: Path, *names: str) -> Layout:
    where = Layout(tmp_path)
    made = [services.Service(name, ["true"]) for name in names]
    services.write(where.services, made, where.logs, "/bin", Path("s6-log"))
    return where


def wait(where: Layout, known: Mapping[str, Any], alive: bool = True) -> None:
    wanted = [readiness.api_server(cast(Client, Answers(known)))]
    readiness.wait(wanted, where, lambda: alive, print)


def test_a_component_that_keeps_ending_is_named_with_its_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    where = components(tmp_path, "containerd", "kubernetes")
    (where.logs / "containerd" / "current").write_text("error: disk is full\n")

    def ends(seconds: float) -> None:
        with (where.logs / "containerd" / services.EXITS).open("a") as file:
            file.write("exit code 1\n")

    monkeypatch.setattr(time, "sleep", ends)
    with pytest.raises(LocalClusterError) as caught:
        wait(where, {})
    assert str(caught.value) == (
        "containerd keeps ending; containerd says: error: disk is full "
        f"({where.logs}/containerd/current)"
    )


def test_exits_of_an_earlier_attempt_are_forgiven(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    where = components(tmp_path, "kubernetes")
    (where.logs / "kubernetes" / services.EXITS).write_text("exit code 1\n" * 50)
    known: dict[str, Any] = {"/readyz": "not yet"}

    def becomes_ready(seconds: float) -> None:
        known["/readyz"] = "ok"

    monkeypatch.setattr(time, "sleep", becomes_ready)
    wait(where, known)


def test_time_that_runs_out_is_told_with_what_kubernetes_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    where = components(tmp_path, "containerd", "kubernetes")
    (where.logs / "kubernetes" / "current").write_text("E1124 no etcd\n")
    monkeypatch.setattr(readiness, "LIMIT", -1.0)
    with pytest.raises(LocalClusterError, match=r"API server is not ready: no answer.*E1124 no"):
        wait(where, {})


def test_a_node_that_ended_is_not_waited_for(tmp_path: Path) -> None:
    with pytest.raises(LocalClusterError, match="the node ended by itself"):
        wait(components(tmp_path, "kubernetes"), {}, alive=False)


@pytest.mark.parametrize(
    ("names", "blamed"),
    [(("containerd", "kubernetes"), "containerd"), (("kubernetes",), "kubernetes")],
)
def test_images_that_do_not_come_are_blamed_on_what_keeps_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, names: tuple[str, ...], blamed: str
) -> None:
    where = components(tmp_path, *names)
    monkeypatch.setattr(readiness, "LIMIT", -1.0)
    step = readiness.Step("the image store", lambda: "no images", "containerd")
    with pytest.raises(LocalClusterError, match=f"no images; {blamed} says: nothing"):
        readiness.wait([step], where, lambda: True, print)
