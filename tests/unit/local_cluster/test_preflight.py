"""What is found before anything is made."""

import os
import re
import socket
from collections.abc import Iterator
from dataclasses import replace
from ipaddress import IPv4Network
from pathlib import Path

import pytest

from toolchain import cache
from toolchain.local_cluster import PreflightError, cgroups, checks, create, forward, state
from toolchain.local_cluster.checks import available_memory, problems
from toolchain.local_cluster.spec import ClusterSpec, PortForward
from toolchain.local_cluster.state import Record

SPEC = ClusterSpec("local", "upstream", (), "me")


@pytest.fixture
def good_machine(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine on which nothing is missing, seen by root."""
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(cgroups, "hierarchies", lambda: [_everything()])
    monkeypatch.setattr(cgroups, "members", lambda *args, **kwargs: set())
    monkeypatch.setattr(checks, "_kernel", lambda: [])
    monkeypatch.setattr(checks, "available_memory", lambda text: 8 * 10**9)
    monkeypatch.setattr(cache, "free", lambda path: 100 * 10**9)


def _everything() -> cgroups.Hierarchy:
    return cgroups.Hierarchy(Path("/nowhere"), cgroups.NEEDED, unified=True)


@pytest.fixture
def listener() -> Iterator[int]:
    """A port that this process listens on."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port: int = taken.getsockname()[1]
        yield port


def test_a_good_machine_has_no_problems(good_machine: None) -> None:
    assert problems(SPEC) == []


def test_a_plain_user_is_told_to_be_root(
    good_machine: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert problems(SPEC) == [
        "slipway:cluster needs root to make a node: run the command with sudo"
    ]


def test_a_bad_name_is_the_only_thing_said(good_machine: None) -> None:
    found = problems(replace(SPEC, name="Not a label"))
    assert len(found) == 1
    assert "slipway:cluster.name" in found[0]


def test_too_little_disk_and_memory_are_said_with_numbers(
    good_machine: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache, "free", lambda path: 10**9)
    monkeypatch.setattr(checks, "available_memory", lambda text: 500 * 10**6)
    disk, memory = problems(SPEC)
    assert re.search(r"needs 3.0 GB of disk and .* has 1.0 GB: make room", disk)
    assert re.search(r"needs 1.5 GB of memory and 500 MB is available: end other", memory)


def test_a_port_in_use_is_named_with_its_listener_and_the_key(
    good_machine: None, listener: int
) -> None:
    (problem,) = problems(replace(SPEC, ports=(PortForward(listener, 30080),)))
    assert problem.startswith(f"port {listener} of 127.0.0.1 is in use by ")
    assert f"(process {os.getpid()})" in problem
    assert "slipway:cluster.httpPort" in problem


def test_the_clusters_own_forward_is_no_obstacle(
    good_machine: None, listener: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = PortForward(listener, 30080)
    monkeypatch.setattr(forward, "running", lambda name: {own})
    assert problems(replace(SPEC, ports=(own,))) == []
    assert problems(replace(SPEC, ports=(PortForward(listener, 30081),))) == []


def test_ports_are_real_and_asked_for_once(good_machine: None) -> None:
    found = problems(replace(SPEC, ports=(PortForward(0, 30080), PortForward(0, 70000))))
    assert found == [
        "port 0 is none: use 1 to 65535",
        "port 0 is none: use 1 to 65535",
        "port 70000 is none: use 1 to 65535",
        "port 0 of this machine is asked for more than once",
    ]


def test_a_cluster_of_another_owner_is_named(good_machine: None, record: Record) -> None:
    state.save(replace(record, owner="project/theirs"))
    (problem,) = problems(SPEC)
    assert "'local' is taken on this machine by project/theirs" in problem
    assert "make down" in problem


def test_a_cluster_without_addresses_for_load_balancers_is_to_be_made_anew(
    good_machine: None, record: Record
) -> None:
    narrow = replace(record.network, link=IPv4Network("10.231.0.0/30"))
    state.save(replace(record, owner="me", network=narrow))
    (problem,) = problems(SPEC)
    assert "10.231.0.0/30 of cluster local" in problem
    assert "make down" in problem


def test_a_cluster_of_the_same_owner_is_no_problem(good_machine: None, record: Record) -> None:
    state.save(replace(record, owner="me"))
    assert problems(SPEC) == []


def test_every_problem_is_raised_at_once_and_nothing_is_made(
    good_machine: None, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache, "free", lambda path: 0)
    monkeypatch.setattr(checks, "available_memory", lambda text: 0)
    with pytest.raises(PreflightError) as caught:
        create(SPEC, print)
    assert len(caught.value.problems) == len(str(caught.value).splitlines()) == 2
    assert not root.exists()


def test_memory_is_what_programs_can_still_take() -> None:
    text = "MemTotal:  100 kB\nMemFree:  1 kB\nMemAvailable:  50 kB\n"
    assert available_memory(text) == 50 * 1024
