"""cgroups of both versions, on folders that look like them."""

import os
from pathlib import Path

import pytest

from toolchain.local_cluster import cgroups
from toolchain.local_cluster.cgroups import Hierarchy
from toolchain.local_cluster.errors import LocalClusterError

V1 = """\
22 27 0:21 / /proc rw,relatime - proc proc rw
30 23 0:25 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu
31 23 0:26 / /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:9 - cgroup cgroup rw,cpu,cpuacct
32 23 0:27 / /sys/fs/cgroup/systemd rw,relatime - cgroup cgroup rw,name=systemd
33 23 0:28 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw
"""


def test_hierarchies_of_both_versions_are_seen() -> None:
    found = {hierarchy.mount.name: hierarchy for hierarchy in cgroups.parse_mounts(V1)}
    assert set(found) == {"cpu", "cpu,cpuacct", "systemd", "unified"}
    assert found["cpu,cpuacct"].controllers == {"cpu", "cpuacct"}
    assert found["systemd"].controllers == frozenset()
    assert found["unified"].unified


def test_missing_controllers_are_named() -> None:
    assert cgroups.missing(cgroups.parse_mounts(V1)) == ["cpuset", "memory", "pids"]
    everything = Hierarchy(Path("/sys/fs/cgroup"), cgroups.NEEDED | {"io"}, unified=True)
    assert cgroups.missing([everything]) == []


def test_version_two_hands_the_controllers_down_to_the_cluster(tmp_path: Path) -> None:
    unified = Hierarchy(tmp_path, cgroups.NEEDED | {"io", "misc"}, unified=True)
    joins = cgroups.create("local", "node", [unified])
    assert joins == [tmp_path / "slipway-local" / "node" / "cgroup.procs"]
    assert (tmp_path / "cgroup.subtree_control").read_text() == "+cpu +cpuset +io +memory +pids"


def test_a_cpuset_of_version_one_gets_what_its_parent_has(tmp_path: Path) -> None:
    class_of_files = {"cpuset.cpus": "0-1\n", "cpuset.mems": "0\n"}
    for folder in (tmp_path, tmp_path / "slipway-local", tmp_path / "slipway-local" / "node"):
        folder.mkdir(exist_ok=True)
        for name, value in class_of_files.items():
            (folder / name).write_text(value if folder == tmp_path else "\n")
    cgroups.create("local", "node", [Hierarchy(tmp_path, frozenset({"cpuset"}), unified=False)])
    for name, value in class_of_files.items():
        assert (tmp_path / "slipway-local" / "node" / name).read_text() == value


def test_a_refusal_of_the_kernel_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "slipway-local").write_text("a file where the folder would be")
    with pytest.raises(LocalClusterError, match="cannot make the cgroup /slipway-local"):
        cgroups.create("local", "node", [Hierarchy(tmp_path, frozenset(), unified=True)])


def test_members_are_those_of_all_hierarchies_that_run(tmp_path: Path) -> None:
    for name, content in (("one", f"{os.getpid()}\n"), ("two", "0\n999999999\n")):
        pod = tmp_path / name / "slipway-local" / "kubepods" / "pod"
        pod.mkdir(parents=True)
        (pod / "cgroup.procs").write_text(content)
    found = [Hierarchy(tmp_path / name, frozenset(), unified=False) for name in ("one", "two")]
    assert cgroups.members("local", found=found) == {os.getpid()}
    assert cgroups.members("local", "node", found) == set()
    assert cgroups.parts("local", found) == {"kubepods"}


def test_a_process_belongs_to_the_cluster_whose_name_it_is_exactly() -> None:
    assert cgroups.cluster_of("4:memory:/slipway-local/node\n0::/\n") == "local"
    assert cgroups.cluster_of("0::/slipway-local-2/forward-8080-30080\n") == "local-2"
    assert cgroups.cluster_of("4:memory:/\n0::/user.slice\n") is None
