"""The engine's digest becomes one change for each resource, with nothing secret in it."""

import json
from pathlib import Path

from tests.unit.previews.steps import (
    CLUSTER,
    DEPLOYMENT,
    NAMESPACE,
    SECRET,
    changes,
    replaced,
    step,
    urn,
)
from toolchain.previews import model
from toolchain.previews.model import Field

# What Pulumi 3.259.0 printed for a stack like that of tests/engine/test_previews.py, without the
# stack traces.
RECORDED = Path(__file__).parents[2] / "fixtures" / "previews" / "replacements.json"

UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"


def test_every_operation_is_counted_in_the_order_of_a_report() -> None:
    found = changes(
        step("create", NAMESPACE, "a", new={}),
        step("update", NAMESPACE, "b", old={}, new={}),
        *replaced(NAMESPACE, "c"),
        step("delete", NAMESPACE, "d", old={}),
        step("import", NAMESPACE, "e", new={}),
        step("same", NAMESPACE, "f", old={}, new={}),
        step("read", NAMESPACE, "g", new={}),
        same=12,
    )
    assert list(found.counts().items()) == [
        ("replace", 1),
        ("delete", 1),
        ("create", 1),
        ("import", 1),
        ("update", 1),
    ]
    assert found.unchanged == 12


def test_a_recorded_preview_is_read_as_it_was_meant() -> None:
    found = model.parse("tests", json.loads(RECORDED.read_text()))
    assert {change.name: change.operation for change in found.changes} == {
        "cbd": "replace",
        "dbr": "replace",
        "prot": "replace",
        "up": "update",
        "new": "create",
        "gone": "delete",
        "gone2": "delete",
        "kept": "forget",
    }
    by_name = {change.name: change for change in found.changes}
    assert [name for name, change in by_name.items() if change.deletes_first] == ["dbr", "prot"]
    assert [name for name, change in by_name.items() if change.protected] == ["prot", "gone"]
    assert by_name["up"].fields == (
        Field("a", "1", "2"),
        Field("s", model.SECRET, model.SECRET),
    )
    assert found.unchanged == 2


def test_a_path_that_is_none_is_no_reason_to_say_nothing() -> None:
    (change,) = changes(
        step("update", CLUSTER, "c", old={"a": 1}, new={"a": 2}, paths={"a[": True})
    ).changes
    assert change.fields == (Field("a", 1, 2),)


def test_a_component_is_no_change_of_its_own() -> None:
    component = step("create", "slipway:serving:Model", "digits", new={})
    component["newState"]["custom"] = False
    assert changes(component).changes == ()


def test_the_three_steps_of_a_replacement_are_one_change() -> None:
    (change,) = changes(
        *replaced(
            DEPLOYMENT,
            "digits",
            reasons=("spec.selector",),
            old={"spec": {"selector": "a"}},
            new={"spec": {"selector": "b"}},
            paths={"spec.selector": True},
        )
    ).changes
    assert change.operation == "replace"
    assert change.reasons == ("spec.selector",)
    assert change.fields == (Field("spec.selector", "a", "b"),)


def test_it_is_seen_whether_the_old_one_goes_first() -> None:
    first = changes(*replaced(DEPLOYMENT, "digits", deletes_first=True)).changes[0]
    later = changes(*replaced(DEPLOYMENT, "digits", deletes_first=False)).changes[0]
    assert first.deletes_first and not later.deletes_first


def test_the_end_of_an_interrupted_replacement_is_no_deletion() -> None:
    assert changes(step("delete-replaced", NAMESPACE, "a", old={})).changes == ()


def test_what_is_retained_is_let_go_and_not_deleted() -> None:
    (change,) = changes(step("delete", NAMESPACE, "a", old={}, retainOnDelete=True)).changes
    assert change.operation == "forget"
    assert not change.destroys


def test_a_field_has_its_values_before_and_after() -> None:
    (change,) = changes(
        step(
            "update",
            DEPLOYMENT,
            "digits",
            old={"spec": {"replicas": 1, "containers": [{"image": "a"}]}, "kept": 1},
            new={"spec": {"replicas": 2, "containers": [{"image": "b"}]}, "kept": 1},
            paths={"spec.replicas": True, "spec.containers[0].image": True},
        )
    ).changes
    assert change.fields == (
        Field("spec.containers[0].image", "a", "b"),
        Field("spec.replicas", 1, 2),
    )


def test_without_the_providers_word_the_inputs_are_compared() -> None:
    (change,) = changes(
        step("update", CLUSTER, "c", old={"ports": [{"host": 1}]}, new={"ports": [{"host": 2}]})
    ).changes
    assert change.fields == (Field("ports[0].host", 1, 2),)


def test_a_difference_from_what_is_there_is_read_from_the_outputs() -> None:
    (change,) = changes(
        step(
            "update",
            CLUSTER,
            "c",
            old={},
            new={"running": True},
            paths={"running": False},
            outputs={"running": False},
        )
    ).changes
    assert change.fields == (Field("running", False, True),)


def test_values_of_kubernetes_secrets_are_hidden_even_where_the_program_forgot_to() -> None:
    found = changes(
        step(
            "update",
            SECRET,
            "token",
            old={"stringData": {"token": "hunter2"}, "data": {"other": "aHVudGVyMg=="}},
            new={"stringData": {"token": "hunter3"}, "data": {"other": "aHVudGVyMw=="}},
            paths={"stringData.token": True, "data.other": False},
            outputs={"data": {"other": "aHVudGVyMg=="}},
        )
    )
    assert [field.path for field in found.changes[0].fields] == ["data.other", "stringData.token"]
    shown = repr(found)
    assert not [value for value in ("hunter", "aHVudGVy") if value in shown]


def test_a_changed_secret_is_a_change_though_both_values_look_alike() -> None:
    (change,) = changes(
        step(
            "update",
            CLUSTER,
            "c",
            old={"token": model.SECRET},
            new={"token": model.SECRET},
            paths={"token": True},
        )
    ).changes
    assert change.fields == (Field("token", model.SECRET, model.SECRET),)


def test_a_value_that_only_the_update_knows_is_called_so() -> None:
    (change,) = changes(
        step("update", CLUSTER, "c", old={"ip": "a"}, new={"ip": UNKNOWN}, paths={"ip": True})
    ).changes
    assert change.fields[0].new == model.UNKNOWN
    assert UNKNOWN not in json.dumps(change.new)


def test_what_only_the_provider_keeps_for_itself_is_no_field() -> None:
    (change,) = changes(
        step("update", CLUSTER, "c", old={"a": 1}, new={"a": 1}, paths={"__defaults": True})
    ).changes
    assert change.fields == ()


def test_errors_and_warnings_name_their_resource_and_no_severity_twice() -> None:
    found = model.parse(
        "dev",
        {
            "diagnostics": [
                {
                    "severity": "error",
                    "message": "error: no such image\n",
                    "urn": urn(CLUSTER, "c"),
                },
                {"severity": "info", "message": "fine"},
                {"severity": "warning", "message": "warning: old"},
            ]
        },
    )
    assert found.errors == [model.Problem("error", "no such image", "c")]
    assert len(found.problems) == 2


def test_a_kubernetes_object_is_named_as_the_cluster_does() -> None:
    inside, outside, machine = changes(
        step(
            "create", DEPLOYMENT, "d", new={"metadata": {"namespace": "vision", "name": "digits"}}
        ),
        step("create", NAMESPACE, "vision", new={"metadata": {}}),
        step("create", CLUSTER, "cluster", new={"metadata": {"name": "x"}}),
    ).changes
    assert (inside.place, outside.place, machine.place) == ("vision/digits", "vision", "cluster")


def test_an_object_in_a_namespace_that_is_not_known_yet_has_its_logical_name() -> None:
    (quota,) = changes(
        step(
            "create", DEPLOYMENT, "vision", new={"metadata": {"namespace": UNKNOWN, "name": "team"}}
        )
    ).changes
    assert quota.place == "vision"
