"""A real node: what it does, what survives, and that nothing is left of it."""

import os
import signal
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from tests.cluster.local_node import (
    HTTP_NODE_PORT,
    OWNER,
    Node,
    answers,
    deploy,
    machine,
    reboot,
    resolve,
    spec,
    start_creating,
    until,
)
from tests.ports import free_port
from toolchain import images, local_cluster
from toolchain.local_cluster import ClusterSpec, PortForward, cgroups, node, state

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.skipif(os.geteuid() != 0, reason="a node needs root"),
]


@pytest.fixture(scope="module")
def running() -> Iterator[Node]:
    """One cluster for this file, with an application in it."""
    local_cluster.destroy("test-node", print)
    made = Node(spec("test-node"), machine())
    local_cluster.create(made.spec, print)
    deploy(made)
    yield made
    local_cluster.destroy(made.spec.name, print)


def test_a_pod_answers_on_a_loopback_port_of_the_machine(running: Node) -> None:
    until(lambda: answers(running.http), "the application answers")


def test_a_pod_reaches_a_service_and_the_cluster_resolves_names(running: Node) -> None:
    record = state.load(running.spec.name)
    assert record is not None
    until(lambda: resolve(running.dns, "kubernetes.default.svc.cluster.local"), "DNS answers")
    found = resolve(running.dns, "kubernetes.default.svc.cluster.local")
    assert found == str(record.network.api_service_ip)


def test_a_second_create_changes_nothing(running: Node) -> None:
    pid, before = node.init_pid(running.spec.name), local_cluster.read(running.spec.name)
    lines: list[str] = []
    assert local_cluster.create(running.spec, lines.append) == before
    assert node.init_pid(running.spec.name) == pid
    assert not [line for line in lines if "starting" in line or "restarting" in line]


def test_the_node_looks_healthy(running: Node) -> None:
    assert local_cluster.status(running.spec.name) == local_cluster.Status("running")


def test_a_rebooted_node_comes_back_with_its_data(running: Node) -> None:
    name = running.spec.name
    before = local_cluster.read(name)
    client = running.client()
    client.apply(
        "/api/v1/namespaces/default/configmaps/kept",
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "kept"}, "data": {"a": "b"}},
    )
    client.close()
    reboot(name)
    stopped = local_cluster.status(name)
    assert stopped.state == "stopped", stopped

    local_cluster.start(name, print)

    assert local_cluster.read(name) == before
    client = running.client()
    assert client.get("/api/v1/namespaces/default/configmaps/kept")["data"] == {"a": "b"}
    client.close()
    until(lambda: answers(running.http), "the application answers again")


def test_the_pods_of_a_node_share_one_shim(running: Node) -> None:
    def programs() -> list[str]:
        names = []
        for pid in cgroups.members(running.spec.name):
            with suppress(FileNotFoundError, ProcessLookupError):
                names.append(Path(f"/proc/{pid}/comm").read_text().strip())
        return names

    until(lambda: programs().count("pause") >= 2, "two pods run")
    # The kernel keeps 15 characters of a name.
    assert programs().count("containerd-shim") == 1


def test_a_component_that_dies_is_started_again(running: Node) -> None:
    def kubernetes() -> int | None:
        for pid in cgroups.members(running.spec.name, node.PART):
            with suppress(FileNotFoundError, ProcessLookupError):
                if Path(f"/proc/{pid}/comm").read_text().startswith("kubernetes"):
                    return pid
        return None

    first = kubernetes()
    assert first is not None
    os.kill(first, signal.SIGKILL)
    until(lambda: kubernetes() not in (None, first), "Kubernetes runs again")
    local_cluster.start(running.spec.name, print)
    until(lambda: answers(running.http), "the application answers")


def test_a_dead_port_forward_is_reported_and_comes_back_with_the_next_create(
    running: Node,
) -> None:
    name, port = running.spec.name, running.spec.ports[0]
    for pid in cgroups.members(name, f"forward-{port.host}-{port.node}"):
        os.kill(pid, signal.SIGKILL)
    until(lambda: local_cluster.status(name).state == "broken", "the loss is seen")
    assert str(port.host) in local_cluster.status(name).reasons[0]
    local_cluster.create(running.spec, print)
    until(lambda: answers(running.http), "the port leads to the node again")


def test_ports_can_be_added_and_taken_away_while_the_node_runs(running: Node) -> None:
    name, pid = running.spec.name, node.init_pid(running.spec.name)
    added = PortForward(free_port(), HTTP_NODE_PORT)
    local_cluster.create(replace(running.spec, ports=(*running.spec.ports, added)), print)
    until(lambda: answers(f"http://127.0.0.1:{added.host}/health"), "the new port answers")
    local_cluster.create(running.spec, print)
    with pytest.raises(urllib.error.URLError, match="refused"):
        answers(f"http://127.0.0.1:{added.host}/health")
    assert answers(running.http)
    assert node.init_pid(name) == pid


def test_a_changed_configuration_restarts_the_node_with_its_data(running: Node) -> None:
    name, pid, before = running.spec.name, node.init_pid(running.spec.name), running.client()
    uid = before.get("/api/v1/namespaces/kube-system")["metadata"]["uid"]
    before.close()
    # As an upgrade would leave it: what the node was started with is not what it should be.
    (state.layout(name).config / "started").write_text("another digest")
    local_cluster.create(running.spec, print)
    assert node.init_pid(name) not in (None, pid)
    after = running.client()
    assert after.get("/api/v1/namespaces/kube-system")["metadata"]["uid"] == uid
    after.close()
    until(lambda: answers(running.http), "the application answers again")


def test_a_cluster_of_another_owner_is_refused(running: Node) -> None:
    other = ClusterSpec(running.spec.name, "upstream", (), "somebody else")
    with pytest.raises(local_cluster.PreflightError, match="taken on this machine by tests"):
        local_cluster.create(other, print)


def test_a_port_in_use_is_named_with_its_listener_and_the_key(running: Node) -> None:
    taken = running.spec.ports[0].host
    wanted = ClusterSpec("test-other", "upstream", (PortForward(taken, HTTP_NODE_PORT),), OWNER)
    problems = local_cluster.preflight(wanted)
    assert len(problems) == 1
    for word in (str(taken), "by cluster test-node", "slipway:cluster.httpPort"):
        assert word in problems[0]
    assert local_cluster.leftovers("test-other") == []


def test_an_imported_image_is_seen(running: Node) -> None:
    name = running.spec.name
    assert local_cluster.has_image(name, images.reference("coredns"))
    assert not local_cluster.has_image(name, "slipway.local/none:0")
    local_cluster.import_image(name, images.build("coredns", print), print)


def test_two_clusters_live_side_by_side(running: Node) -> None:
    other = Node(spec("test-second"), {})
    local_cluster.destroy(other.spec.name, print)
    try:
        local_cluster.create(other.spec, print)
        deploy(other)
        until(lambda: answers(other.http), "the second application answers")
        until(lambda: answers(running.http), "the first one still does")
        first, second = local_cluster.read(running.spec.name), local_cluster.read(other.spec.name)
        assert first is not None and second is not None
        assert first.node_ip != second.node_ip
        assert first.identity != second.identity
    finally:
        local_cluster.destroy(other.spec.name, print)
    assert local_cluster.leftovers(other.spec.name) == []
    assert answers(running.http)


def test_a_create_that_was_killed_at_any_moment_is_finished_by_the_next(running: Node) -> None:
    del running  # Its images are built and its programs there, so the moments are those below.
    wanted = spec("test-killed")
    local_cluster.destroy(wanted.name, print)
    where = state.layout(wanted.name)
    moments: list[tuple[str, Callable[[], object]]] = [
        ("its record is written", where.record.exists),
        ("the node's processes begin", lambda: cgroups.members(wanted.name, node.PART)),
        ("the first forward begins", lambda: "forward-" in " ".join(cgroups.parts(wanted.name))),
    ]
    identities = set()
    for what, reached in moments:
        with start_creating(wanted) as creating:
            try:
                until(reached, what)
            finally:
                creating.kill()
        record = state.load(wanted.name)
        assert record is not None
        identities.add(record.identity)
        assert local_cluster.status(wanted.name).state in ("stopped", "broken")
    local_cluster.create(wanted, print)
    assert local_cluster.status(wanted.name).state == "running"
    assert len(identities) == 1, "an interrupted creation must go on as the same cluster"
    local_cluster.destroy(wanted.name, print)
    assert local_cluster.leftovers(wanted.name) == []


def test_a_killed_create_can_be_destroyed_and_a_broken_off_destroy_be_finished(
    running: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    del running
    wanted = spec("test-killed")
    with start_creating(wanted) as creating:
        try:
            until(lambda: cgroups.members(wanted.name, node.PART), "the node's processes begin")
        finally:
            creating.kill()

    def broken_off(*_: object) -> None:
        raise KeyboardInterrupt

    for step in (cgroups, "remove"), (node, "remove_folder"):
        with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
            patched.setattr(*step, broken_off)
            local_cluster.destroy(wanted.name, print)
        assert local_cluster.leftovers(wanted.name) != []
    local_cluster.destroy(wanted.name, print)
    assert local_cluster.leftovers(wanted.name) == []


@pytest.mark.parametrize(
    ("data", "component", "part"),
    [("containerd", "containerd", ""), ("etcd", "kubernetes", "etcd: ")],
)
def test_a_component_that_cannot_start_is_named_with_its_log(
    running: Node, data: str, component: str, part: str
) -> None:
    name = running.spec.name
    reboot(name)
    database = state.layout(name).data / data
    aside = database.with_name("aside")
    database.rename(aside)
    database.write_text("not a folder")
    try:
        with pytest.raises(local_cluster.LocalClusterError) as caught:
            local_cluster.start(name, print)
    finally:
        database.unlink()
        aside.rename(database)
        local_cluster.start(name, print)
    message = str(caught.value)
    assert message.startswith(f"{component} keeps ending")
    assert str(state.layout(name).logs / component / "current") in message
    assert part in message
    assert "not a directory" in message


def test_leftovers_sees_what_a_node_is_made_of(running: Node) -> None:
    found = " ".join(local_cluster.leftovers(running.spec.name))
    for word in ("process", "cgroup", "network interface", "iptables rule", "folder"):
        assert word in found


def test_destroy_leaves_nothing(running: Node) -> None:
    name = running.spec.name
    local_cluster.destroy(name, print)
    assert local_cluster.leftovers(name) == []
    assert local_cluster.status(name).state == "absent"
    assert machine() == running.before
    local_cluster.destroy(name, print)
