"""What the resource `LocalCluster` answers the engine."""

from dataclasses import replace
from typing import Any

import pytest

from tests.unit.machine_plugin.machine import IDENTITY, Machine
from toolchain.machine_plugin.local_cluster import LocalClusterResource
from toolchain.machine_plugin.resource import Failure
from toolchain.plugin.properties import UNKNOWN, Secret

RESOURCE = LocalClusterResource()
INPUTS: dict[str, Any] = {
    "name": "c",
    "distributions": ["k3s", "upstream"],
    "ports": [{"host": 8080, "node": 30080}],
}
CHECKED = {**INPUTS, "distribution": "upstream", "version": "v1.37.2", "running": True}
STATE = {
    **CHECKED,
    "identity": IDENTITY,
    "kubeconfig": "secret kubeconfig",
    "address_pool": "10.231.0.4-10.231.0.14",
}


def test_the_first_distribution_that_can_be_had_is_chosen_and_the_others_are_explained(
    machine: Machine,
) -> None:
    checked = RESOURCE.check({}, INPUTS, machine.call())

    assert checked.inputs == CHECKED
    assert checked.failures == ()
    assert machine.told == [
        "k3s cannot be had here (not served here): the next distribution is taken"
    ]


def test_the_choice_of_a_cluster_is_kept_when_a_preferred_one_can_be_had_later(
    machine: Machine,
) -> None:
    machine.add()
    machine.obtainable = ("k3s", "upstream")

    checked = RESOURCE.check(CHECKED, INPUTS, machine.call())

    assert checked.inputs["distribution"] == "upstream"
    assert machine.told == []


def test_the_choice_is_made_anew_when_it_is_no_longer_on_the_list(machine: Machine) -> None:
    machine.add()
    machine.obtainable = ("k3s", "upstream")

    checked = RESOURCE.check(CHECKED, {**INPUTS, "distributions": ["k3s"]}, machine.call())

    assert checked.inputs["distribution"] == "k3s"
    assert RESOURCE.diff(STATE, checked.inputs, machine.call()).replaces == ("distribution",)


def test_a_running_cluster_is_usable_although_its_programs_cannot_be_had_again(
    machine: Machine,
) -> None:
    machine.add()
    machine.obtainable = ()

    assert RESOURCE.check(CHECKED, INPUTS, machine.call()).inputs == CHECKED


def test_every_problem_of_the_machine_is_said_before_anything_is_made(machine: Machine) -> None:
    machine.problems = ["no root", "port 8080 is in use"]

    checked = RESOURCE.check({}, INPUTS, machine.call())

    assert checked.failures == (Failure("no root"), Failure("port 8080 is in use"))


def test_problems_of_the_machine_do_not_matter_to_a_cluster_that_runs(machine: Machine) -> None:
    machine.add()
    machine.problems = ["too little memory"]

    assert RESOURCE.check(CHECKED, INPUTS, machine.call()).failures == ()


def test_a_running_cluster_without_addresses_for_load_balancers_is_refused(
    machine: Machine,
) -> None:
    machine.clusters["c"] = replace(machine.add(), address_pool=None)
    machine.problems = ["no room for load balancers"]

    checked = RESOURCE.check(CHECKED, INPUTS, machine.call())

    assert checked.failures == (Failure("no room for load balancers"),)


def test_a_state_without_the_address_pool_is_brought_up_to_date(machine: Machine) -> None:
    machine.add()
    old = {key: value for key, value in STATE.items() if key != "address_pool"}

    assert RESOURCE.diff(old, CHECKED, machine.call()).updates == ("address_pool",)
    assert RESOURCE.plan(old, CHECKED)["address_pool"] is UNKNOWN
    assert RESOURCE.update(old, CHECKED, machine.call())["address_pool"] == STATE["address_pool"]


def test_a_stopped_cluster_is_checked_like_a_new_one(machine: Machine) -> None:
    machine.add(running=False)
    machine.problems = ["too little memory"]

    checked = RESOURCE.check(CHECKED, INPUTS, machine.call())

    assert checked.failures == (Failure("too little memory"),)


def test_a_half_made_cluster_of_this_stack_is_no_obstacle(machine: Machine) -> None:
    machine.add(running=False)

    assert RESOURCE.check({}, INPUTS, machine.call()).failures == ()


@pytest.mark.parametrize("running", [True, False])
def test_a_cluster_of_somebody_else_is_one(machine: Machine, running: bool) -> None:
    machine.add(owner="somebody else", running=running)

    assert RESOURCE.check({}, INPUTS, machine.call()).failures == (Failure("c is taken"),)


@pytest.mark.parametrize(
    ("key", "value", "refused", "words"),
    [
        ("name", "", "name", "must be a text that is not empty"),
        ("name", UNKNOWN, "name", "must be known before anything is created"),
        ("distributions", [], "distributions", "name at least one of k3s, upstream"),
        ("distributions", ["kind"], "distributions", "'kind' is not known: use k3s, upstream"),
        ("ports", "8080", "ports", "give a list"),
        ("ports", [{"host": "http", "node": 1}], "ports[0].host", "'http' is no port"),
        ("ports", [{"host": 8080}], "ports[0].node", "None is no port"),
    ],
)
def test_a_wrong_input_is_refused_by_its_name(
    machine: Machine, key: str, value: Any, refused: str, words: str
) -> None:
    (failure,) = RESOURCE.check({}, {**INPUTS, key: value}, machine.call()).failures

    assert failure.property == refused
    assert words in failure.reason


def test_a_cluster_as_it_should_be_has_no_difference(machine: Machine) -> None:
    machine.add()

    difference = RESOURCE.diff(STATE, CHECKED, machine.call())

    assert difference.updates == difference.replaces == ()


def test_another_order_of_distributions_is_no_difference(machine: Machine) -> None:
    machine.add()
    inputs = {**CHECKED, "distributions": ["upstream", "k3s"]}

    difference = RESOURCE.diff(STATE, inputs, machine.call())

    assert difference.updates == difference.replaces == ()


def test_ports_and_version_change_in_place(machine: Machine) -> None:
    machine.add()
    inputs = {**CHECKED, "ports": [], "version": "v1.38.0"}

    difference = RESOURCE.diff(STATE, inputs, machine.call())

    assert difference.updates == ("ports", "version")
    assert difference.replaces == ()


def test_another_name_replaces_the_cluster_after_its_deletion(machine: Machine) -> None:
    machine.add()

    difference = RESOURCE.diff(STATE, {**CHECKED, "name": "d"}, machine.call())

    assert difference.replaces == ("name",)
    assert difference.delete_first


def test_a_stopped_node_is_a_change_of_running(machine: Machine) -> None:
    machine.add(running=False)

    difference = RESOURCE.diff(STATE, CHECKED, machine.call())

    assert difference.updates == ("running",)
    assert machine.told == ["the cluster c is stopped (no node): `up` starts it"]


def test_a_lost_cluster_is_replaced_so_that_what_it_held_is_seen_to_change(
    machine: Machine,
) -> None:
    difference = RESOURCE.diff(STATE, CHECKED, machine.call())

    assert difference.replaces == ("identity",)
    assert RESOURCE.plan({}, CHECKED)["identity"] is UNKNOWN


def test_a_started_node_keeps_its_identity_in_the_plan() -> None:
    planned = RESOURCE.plan({**STATE, "kubeconfig": Secret("k")}, CHECKED)

    assert planned["identity"] == IDENTITY
    assert planned["kubeconfig"] == Secret("k")


def test_the_kubeconfig_is_a_secret_output(machine: Machine) -> None:
    _, outputs = RESOURCE.create(CHECKED, machine.call())

    assert outputs["kubeconfig"] == Secret("secret kubeconfig")


def test_a_moved_project_still_owns_its_cluster(machine: Machine) -> None:
    machine.add(owner="cluster of stack dev in /the/old/folder", running=False)

    assert RESOURCE.check(CHECKED, INPUTS, machine.call()).failures == ()
    RESOURCE.update(STATE, CHECKED, machine.call())

    assert machine.clusters["c"].owner == "cluster of stack dev in /the/old/folder"


def test_what_a_failed_creation_left_is_told_with_its_identity(machine: Machine) -> None:
    machine.add(running=False)

    left = RESOURCE.left_behind(CHECKED, machine.call())

    assert left is not None
    assert left[0] == "c"
    assert left[1]["identity"] == IDENTITY
    assert left[1]["running"] is False


def test_a_cluster_of_somebody_else_was_not_left_behind(machine: Machine) -> None:
    machine.add(owner="somebody else")

    assert RESOURCE.left_behind(CHECKED, machine.call()) is None


def test_a_refresh_reads_a_stopped_node_as_such_and_a_lost_one_as_gone(machine: Machine) -> None:
    machine.add(running=False)
    live = RESOURCE.read("c", STATE)
    assert live is not None
    assert live.outputs["running"] is False
    assert live.inputs == CHECKED

    machine.clusters.clear()
    assert RESOURCE.read("c", STATE) is None


def test_another_cluster_of_the_name_is_not_read_as_this_one(machine: Machine) -> None:
    machine.add()

    assert RESOURCE.read("c", {**STATE, "identity": "another"}) is None


def test_a_cluster_can_be_imported_by_its_name(machine: Machine) -> None:
    machine.add()

    live = RESOURCE.read("c", {})

    assert live is not None
    assert live.inputs["distributions"] == ["upstream"]
    assert live.inputs["ports"] == INPUTS["ports"]


def test_another_cluster_that_took_the_name_is_not_deleted(machine: Machine) -> None:
    machine.add()

    RESOURCE.delete("c", {**STATE, "identity": "another"}, machine.call())

    assert "c" in machine.clusters
    assert machine.told == ["the cluster c is another one by now and is left alone"]


def test_a_creation_that_was_killed_is_deleted_unless_it_is_somebody_elses(
    machine: Machine,
) -> None:
    machine.add(owner="somebody else")
    RESOURCE.delete("c", CHECKED, machine.call())
    assert "c" in machine.clusters

    machine.add(running=False)
    RESOURCE.delete("c", CHECKED, machine.call())
    assert "c" not in machine.clusters
