"""What becomes of a stack whose engine was killed."""

import json
import os
import socket
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from toolchain import recovery

URN = "urn:pulumi:local::slipway::"


def operation(
    kind: str, name: str, inputs: dict[str, Any], what: str = "creating"
) -> dict[str, Any]:
    return {
        "type": what,
        "resource": {"urn": f"{URN}{kind}::{name}", "type": kind, "inputs": inputs},
    }


def state(*operations: dict[str, Any], resources: Sequence[dict[str, Any]] = ()) -> dict[str, Any]:
    deployment = {
        "resources": [{"urn": "kept"}, *resources],
        "pending_operations": list(operations),
    }
    return {"version": 3, "deployment": deployment}


def planned(*operations: dict[str, Any], wanted: bool = True) -> recovery.Repair:
    repair = recovery.plan(state(*operations), wanted=wanted)
    assert repair is not None
    assert "pending_operations" not in repair.deployment["deployment"]
    return repair


NAMED = operation(
    "kubernetes:apps/v1:Deployment", "d", {"metadata": {"name": "d", "namespace": "team"}}
)
AUTONAMED = operation(
    "kubernetes:core/v1:ConfigMap",
    "c",
    {
        "metadata": {
            "name": "c-1a2b3c4d",
            "namespace": "team",
            "annotations": {"pulumi.com/autonamed": "true"},
        }
    },
)
CLUSTER = operation("slipway:machine:LocalCluster", "cluster", {"name": "local"})


def test_a_state_without_pending_operations_is_left_alone() -> None:
    assert recovery.plan({"deployment": {"resources": []}}, wanted=True) is None
    assert recovery.plan({"deployment": None}, wanted=True) is None


def test_an_object_with_a_fixed_name_is_adopted() -> None:
    repair = planned(NAMED)
    assert repair.adopt == [f"{URN}kubernetes:apps/v1:Deployment::d"]
    assert repair.deployment["deployment"]["resources"] == [{"urn": "kept"}]


@pytest.mark.parametrize("wanted", [True, False])
def test_a_creation_that_was_finished_since_is_forgotten(wanted: bool) -> None:
    made = [
        {**NAMED["resource"], "id": "team/d"},
        {**CLUSTER["resource"], "id": "local"},
    ]
    repair = recovery.plan(state(NAMED, CLUSTER, resources=made), wanted=wanted)
    assert repair is not None
    assert repair.deployment["deployment"] == {"resources": [{"urn": "kept"}, *made]}
    assert not (repair.adopt or repair.discard or repair.retry)


def test_an_object_that_is_being_replaced_is_not_taken_for_its_successor() -> None:
    old = {**AUTONAMED["resource"], "id": "team/c-00000000"}
    doomed = {**NAMED["resource"], "id": "team/d", "delete": True}
    repair = recovery.plan(state(AUTONAMED, NAMED, resources=[old, doomed]), wanted=True)
    assert repair is not None
    assert repair.discard == [AUTONAMED["resource"]["urn"]]
    assert repair.adopt == [NAMED["resource"]["urn"]]


def test_what_was_being_created_twice_is_deleted_once() -> None:
    repair = planned(NAMED, NAMED, wanted=False)
    assert len(repair.deployment["deployment"]["resources"]) == 2


def test_a_provider_is_made_again_without_a_question() -> None:
    """It is in no cloud, so that nobody has to judge, and what waits for that is repaired."""
    repair = planned(operation("pulumi:providers:kubernetes", "p", {}), NAMED)
    assert repair.unknown == []
    assert repair.adopt == [NAMED["resource"]["urn"]]


def test_an_object_whose_name_was_made_up_is_deleted_since_the_next_one_gets_another() -> None:
    repair = planned(AUTONAMED)
    doomed = repair.deployment["deployment"]["resources"][-1]
    assert (doomed["id"], doomed["delete"]) == ("team/c-1a2b3c4d", True)
    assert repair.adopt == []


def test_a_half_made_cluster_is_finished_by_up() -> None:
    repair = planned(CLUSTER)
    assert repair.retry == [CLUSTER["resource"]["urn"]]
    assert repair.deployment["deployment"]["resources"] == [{"urn": "kept"}]


def test_everything_half_made_is_deleted_by_down() -> None:
    repair = planned(NAMED, AUTONAMED, CLUSTER, wanted=False)
    ids = [entry["id"] for entry in repair.deployment["deployment"]["resources"][1:]]
    assert ids == ["team/d", "team/c-1a2b3c4d", "local"]


def test_an_object_of_the_whole_cluster_is_known_by_its_name_alone() -> None:
    namespace = operation("kubernetes:core/v1:Namespace", "n", {"metadata": {"name": "team"}})
    repair = planned(namespace, wanted=False)
    assert repair.deployment["deployment"]["resources"][-1]["id"] == "team"


@pytest.mark.parametrize("what", ["updating", "deleting", "reading"])
def test_an_interrupted_change_of_what_exists_is_done_again(what: str) -> None:
    repair = planned(operation("kubernetes:core/v1:Service", "s", {}, what))
    assert len(repair.retry) == 1


def test_a_cloud_resource_is_left_for_a_person_to_judge() -> None:
    assert len(planned(operation("aws:s3/bucket:Bucket", "b", {})).unknown) == 1


def lock_of(folder: Path, pid: int, host: str) -> None:
    locks = folder / ".pulumi" / "locks" / "organization" / "slipway" / "local"
    locks.mkdir(parents=True)
    (locks / "x.json").write_text(json.dumps({"pid": pid, "hostname": host, "username": "u"}))


def ended_pid() -> int:
    process = subprocess.Popen(["true"])
    process.wait()
    return process.pid


def test_the_lock_of_a_killed_engine_is_stale(tmp_path: Path) -> None:
    lock_of(tmp_path, ended_pid(), socket.gethostname())
    (lock,) = recovery.locks(f"file://{tmp_path}", "slipway", "local")
    assert lock.stale()


@contextmanager
def engine_of(folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A running process that is called like the engine."""
    engine = folder / "pulumi"
    engine.symlink_to("/bin/sleep")
    with subprocess.Popen([engine, "60"]) as process:
        try:
            # The kernel renames the process a moment after it has started.
            while Path(f"/proc/{process.pid}/comm").read_text() != "pulumi\n":
                assert process.poll() is None
            yield process
        finally:
            process.kill()


def test_the_lock_of_an_engine_whose_end_nobody_has_noticed_is_stale(tmp_path: Path) -> None:
    """PID 1 of many containers never does."""
    with engine_of(tmp_path) as process:
        process.kill()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        lock_of(tmp_path, process.pid, socket.gethostname())
        (lock,) = recovery.locks(f"file://{tmp_path}", "slipway", "local")
        assert lock.stale()


def test_the_lock_of_a_process_number_that_another_program_has_now_is_stale(
    tmp_path: Path,
) -> None:
    lock_of(tmp_path, os.getpid(), socket.gethostname())
    (lock,) = recovery.locks(f"file://{tmp_path}", "slipway", "local")
    assert lock.stale()


def test_a_lock_of_another_machine_is_respected(tmp_path: Path) -> None:
    lock_of(tmp_path, ended_pid(), "elsewhere")
    held = recovery.locks(f"file://{tmp_path}", "slipway", "local")
    assert "on elsewhere" in str(recovery.held_elsewhere(held))


def test_a_running_engine_is_respected(tmp_path: Path) -> None:
    with engine_of(tmp_path) as process:
        lock_of(tmp_path, process.pid, socket.gethostname())
        held = recovery.locks(f"file://{tmp_path}", "slipway", "local")
        assert f"process {process.pid}" in str(recovery.held_elsewhere(held))


def test_other_backends_have_no_lock_files() -> None:
    assert recovery.locks("s3://bucket", "slipway", "local") == []
    assert recovery.state_file("s3://bucket", "slipway", "local") is None


def test_a_state_that_is_not_there_has_nothing_pending(tmp_path: Path) -> None:
    state_file = recovery.state_file(f"file://{tmp_path}", "slipway", "local")
    assert not recovery.may_be_pending(state_file)


CLUSTER_URN = f"{URN}slipway:machine:LocalCluster::cluster"
ONLY_A_CLUSTER: list[dict[str, Any]] = [
    {"urn": f"{URN}pulumi:pulumi:Stack::stack", "type": "pulumi:pulumi:Stack"},
    {"urn": CLUSTER_URN, "type": "slipway:machine:LocalCluster", "custom": True},
    {"urn": "provider", "type": "pulumi:providers:kubernetes", "custom": True},
    {"urn": "read", "type": "kubernetes:core/v1:Secret", "custom": True, "external": True},
    {
        "urn": "object",
        "type": "kubernetes:core/v1:ConfigMap",
        "custom": True,
        "deletedWith": CLUSTER_URN,
    },
]


def written(folder: Path, resources: list[dict[str, Any]], name: str = "local.json") -> Path:
    path = folder / name
    latest = {"resources": resources}
    path.write_text(json.dumps({"version": 3, "checkpoint": {"latest": latest}}))
    return path


def test_a_stack_whose_objects_go_with_its_local_cluster_is_only_a_cluster(tmp_path: Path) -> None:
    assert recovery.is_only_a_cluster(written(tmp_path, ONLY_A_CLUSTER))


@pytest.mark.parametrize(
    "resources",
    [
        [],
        [one for one in ONLY_A_CLUSTER if one["urn"] != CLUSTER_URN],
        [*ONLY_A_CLUSTER, {"urn": "own", "type": "kubernetes:core/v1:Namespace", "custom": True}],
        [*ONLY_A_CLUSTER, {"urn": "bucket", "type": "aws:s3/bucket:Bucket", "custom": True}],
    ],
    ids=["nothing", "no cluster", "an object of another cluster", "a resource of a cloud"],
)
def test_another_stack_is_not(tmp_path: Path, resources: list[dict[str, Any]]) -> None:
    assert not recovery.is_only_a_cluster(written(tmp_path, resources))


def test_a_state_that_cannot_be_read_is_not(tmp_path: Path) -> None:
    assert not recovery.is_only_a_cluster(None)
    assert not recovery.is_only_a_cluster(tmp_path / "local.json")
    assert not recovery.is_only_a_cluster(written(tmp_path, ONLY_A_CLUSTER, "local.json.zst"))


@pytest.mark.parametrize("suffix", ["", ".gz", ".zst"])
def test_a_compressed_state_is_found_too(tmp_path: Path, suffix: str) -> None:
    folder = tmp_path / ".pulumi" / "stacks" / "slipway"
    folder.mkdir(parents=True)
    state = folder / f"local.json{suffix}"
    state.write_bytes(b"")
    assert recovery.state_file(f"file://{tmp_path}", "slipway", "local") == state
    assert recovery.may_be_pending(state) is bool(suffix)
