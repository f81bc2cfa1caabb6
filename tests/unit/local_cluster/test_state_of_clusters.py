"""Records, locks and model files of clusters."""

import fcntl
import hashlib
import json
import os
import stat
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from infra import digests
from toolchain import programs
from toolchain.local_cluster import checks, forwarding, lifecycle, models, network, state
from toolchain.local_cluster.errors import LocalClusterError
from toolchain.local_cluster.spec import NAME_LIMIT, ClusterSpec, PortForward, name_problem
from toolchain.local_cluster.state import Layout, Record
from toolchain.progress import silent


@pytest.mark.parametrize("name", ["a", "local", "team-1", "x" * NAME_LIMIT])
def test_dns_labels_are_names(name: str) -> None:
    assert name_problem(name) is None


@pytest.mark.parametrize(
    "name", ["", "Local", "1st", "a_b", "a.b", "-a", "a-", "../up", "x" * (NAME_LIMIT + 1), "a\n"]
)
def test_other_names_are_refused_with_the_key(name: str) -> None:
    problem = name_problem(name)
    assert problem is not None
    assert problem.startswith("slipway:cluster.name")
    assert "\n" not in problem
    with pytest.raises(LocalClusterError):
        state.layout(name)


def test_a_record_comes_back_as_it_was_written(root: Path, record: Record) -> None:
    assert state.load("local") is None
    state.save(record)
    assert state.load("local") == record
    assert state.names() == ["local"]


def test_a_damaged_record_names_the_file_and_the_way_out(root: Path, record: Record) -> None:
    state.save(record)
    state.layout("local").record.write_text('{"format": 1, "name": "loc')
    with pytest.raises(LocalClusterError, match=r"cluster\.json cannot be read .*make down"):
        state.load("local")


def test_a_record_of_a_newer_slipway_is_refused(root: Path, record: Record) -> None:
    state.save(record)
    path = state.layout("local").record
    path.write_text(json.dumps({**json.loads(path.read_text()), "format": 2}))
    with pytest.raises(LocalClusterError, match="format 2"):
        state.load("local")


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "file"
    state.write_atomically(path, "old")
    with pytest.raises(UnicodeEncodeError):
        state.write_atomically(path, "new \udcff")
    assert path.read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_one_run_at_a_time_works_on_a_cluster(root: Path) -> None:
    order: list[str] = []
    waiting = threading.Event()

    def second() -> None:
        with state.cluster_lock("local", lambda line: waiting.set()):
            order.append("second")

    with state.cluster_lock("local", silent):
        thread = threading.Thread(target=second)
        thread.start()
        assert waiting.wait(10), "the second run has to say that it waits"
        order.append("first")
    thread.join(10)
    assert order == ["first", "second"]
    assert list(state.LOCKS.iterdir()) == []


def test_locks_of_two_clusters_do_not_meet(root: Path) -> None:
    with state.cluster_lock("one", silent), state.cluster_lock("two", silent):
        pass


def test_a_lock_file_that_its_last_holder_removed_meanwhile_is_not_taken_for_the_lock(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = state.LOCKS / "slipway-local.lock"
    take = fcntl.flock
    taken: list[int] = []

    def take_late(descriptor: int, operation: int) -> None:
        take(descriptor, operation)
        taken.append(descriptor)
        if len(taken) == 1:
            path.unlink()

    monkeypatch.setattr(fcntl, "flock", take_late)
    with state.cluster_lock("local", silent):
        assert path.exists()
    assert len(taken) == 2


def test_a_lock_that_is_never_given_up_ends_with_one_clear_line(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(state, "LOCK_WAIT", 0.0)
    with (
        state.cluster_lock("local", silent),
        pytest.raises(LocalClusterError, match="another run has been working on cluster local"),
        state.cluster_lock("local", silent),
    ):
        pass


def test_clusters_that_are_made_at_once_get_addresses_of_their_own(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(network, "machine_routes", lambda: ([], []))
    names = [f"cluster-{number}" for number in range(8)]
    with ThreadPoolExecutor(len(names)) as pool:
        records = list(
            pool.map(lambda name: lifecycle._agree(ClusterSpec(name, "upstream"), silent), names)
        )
    assert len({record.network.link for record in records}) == len(names)
    assert len({record.identity for record in records}) == len(names)


def test_an_existing_cluster_keeps_its_identity_and_addresses(root: Path, record: Record) -> None:
    state.save(record)
    wanted = ClusterSpec("local", "upstream", (PortForward(8081, 30080),), record.owner)
    agreed = lifecycle._agree(wanted, silent)
    assert (agreed.identity, agreed.network) == (record.identity, record.network)
    assert agreed.ports == wanted.ports
    assert state.load("local") == agreed


def test_a_cluster_cannot_become_another_distribution(root: Path, record: Record) -> None:
    state.save(record)
    wanted = ClusterSpec("local", "k3s", (), record.owner)
    with pytest.raises(LocalClusterError, match=r"is upstream and cannot become k3s: .*make down"):
        lifecycle._agree(wanted, silent)


def model(tmp_path: Path, content: bytes = b"model") -> tuple[Path, str]:
    file = tmp_path / "digits.onnx"
    file.write_bytes(content)
    return file, hashlib.sha256(content).hexdigest()


def test_a_model_is_kept_under_its_digest_for_every_user_to_read(tmp_path: Path) -> None:
    file, digest = model(tmp_path)
    placed = models.put(Layout(tmp_path / "cluster"), file, digest)
    assert placed == tmp_path / "cluster" / "models" / digest / "digits.onnx"
    assert placed.read_bytes() == b"model"
    assert stat.S_IMODE(placed.stat().st_mode) == 0o644
    assert [entry.name for entry in placed.parent.iterdir()] == ["digits.onnx"]


def test_a_folder_can_be_read_by_every_user_whatever_the_mask_of_who_brings_it(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "detector"
    (folder / "1" / "more").mkdir(parents=True)
    (folder / "1" / "more" / "model.onnx").write_bytes(b"model")
    mask = os.umask(0o077)
    try:
        placed = models.put(Layout(tmp_path / "cluster"), folder, digests.of(folder))
    finally:
        os.umask(mask)
    found = [placed.parent, placed, *placed.rglob("*")]
    modes = [stat.S_IMODE(path.stat().st_mode) for path in found]
    assert modes == [0o755, 0o755, 0o755, 0o755, 0o644]


def test_a_model_that_is_there_is_not_copied_again(tmp_path: Path) -> None:
    file, digest = model(tmp_path)
    first = models.put(Layout(tmp_path), file, digest).stat().st_ino
    assert models.put(Layout(tmp_path), file, digest).stat().st_ino == first


def test_a_damaged_copy_is_replaced(tmp_path: Path) -> None:
    file, digest = model(tmp_path)
    placed = models.put(Layout(tmp_path), file, digest)
    placed.write_bytes(b"mod")
    assert models.put(Layout(tmp_path), file, digest).read_bytes() == b"model"


def test_a_file_that_changed_since_the_plan_is_refused_and_not_kept(tmp_path: Path) -> None:
    file, digest = model(tmp_path)
    file.write_bytes(b"another")
    with pytest.raises(LocalClusterError, match="changed: its SHA-256 is"):
        models.put(Layout(tmp_path), file, digest)
    assert list((tmp_path / "models" / digest).iterdir()) == []


def test_a_folder_is_kept_whole_and_with_what_its_digest_leaves_out(tmp_path: Path) -> None:
    folder = tmp_path / "minilm"
    (folder / "onnx").mkdir(parents=True)
    (folder / "onnx" / "model.onnx").write_bytes(b"weights")
    (folder / "empty").touch()
    digest = digests.of(folder)
    placed = models.put(Layout(tmp_path), folder, digest)
    assert placed == tmp_path / "models" / digest / "minilm"
    assert sorted(path.relative_to(placed).as_posix() for path in placed.rglob("*")) == [
        "empty",
        "onnx",
        "onnx/model.onnx",
    ]
    assert stat.S_IMODE((placed / "onnx").stat().st_mode) == 0o755
    assert stat.S_IMODE((placed / "onnx" / "model.onnx").stat().st_mode) == 0o644
    (placed / "onnx" / "model.onnx").write_bytes(b"damaged")
    models.put(Layout(tmp_path), folder, digest)
    assert digests.of(placed) == digest


def test_a_missing_model_file_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(LocalClusterError, match=r"none\.onnx cannot be copied to the cluster"):
        models.put(Layout(tmp_path), tmp_path / "none.onnx", "0" * 64)


def sysctl(tmp_path: Path, *, machine: str, uplink: str) -> Path:
    folder = tmp_path / "ipv4"
    (folder / "conf" / "eth0").mkdir(parents=True)
    (folder / "ip_forward").write_text(f"{machine}\n")
    (folder / "conf" / "eth0" / "forwarding").write_text(f"{uplink}\n")
    return folder


def forwards(folder: Path) -> str:
    return (folder / "conf" / "eth0" / "forwarding").read_text().strip()


def test_forwarding_is_restored_with_the_last_cluster(root: Path, tmp_path: Path) -> None:
    root.mkdir()
    folder = sysctl(tmp_path, machine="0", uplink="0")
    forwarding.enable(["eth0"], folder)
    assert (forwards(folder), forwarding.switched()) == ("1", ["eth0"])
    forwarding.enable(["eth0"], folder)
    forwarding.restore(folder)
    assert (forwards(folder), forwarding.switched()) == ("0", [])
    assert list(root.iterdir()) == []


def test_forwarding_that_was_on_before_stays_on(root: Path, tmp_path: Path) -> None:
    root.mkdir()
    folder = sysctl(tmp_path, machine="1", uplink="1")
    forwarding.enable(["eth0"], folder)
    forwarding.restore(folder)
    assert forwards(folder) == "1"


def test_forwarding_that_somebody_switched_on_since_stays_on(root: Path, tmp_path: Path) -> None:
    root.mkdir()
    folder = sysctl(tmp_path, machine="0", uplink="0")
    forwarding.enable(["eth0"], folder)
    (folder / "ip_forward").write_text("1\n")
    forwarding.restore(folder)
    assert forwards(folder) == "1"


def test_an_empty_state_folder_goes_and_a_used_one_stays(root: Path, record: Record) -> None:
    state.save(replace(record, name="other"))
    state.remove_empty_folders()
    assert state.load("other") is not None
    for path in (state.layout("other").record, state.layout("other").folder):
        path.rmdir() if path.is_dir() else path.unlink()
    state.remove_empty_folders()
    assert not root.exists()


def test_a_creation_that_was_cancelled_before_it_made_anything_makes_nothing(
    root: Path, record: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its stack has been told that there is no cluster, so none may appear after that."""
    monkeypatch.setattr(checks, "problems", lambda spec: [])
    monkeypatch.setattr(programs, "ensure", lambda names, report: None)
    monkeypatch.setattr(lifecycle, "bring_up", lambda record, report: None)

    def cancelled(line: str) -> None:
        raise LocalClusterError("cancelled")

    with pytest.raises(LocalClusterError, match="cancelled"):
        lifecycle.create(ClusterSpec("local", "upstream", record.ports), cancelled)
    assert state.names() == []
