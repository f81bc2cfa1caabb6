"""The stored state, and what a refresh or an import makes of it."""

import base64
import json
from typing import Any

import pytest

from toolchain.kubernetes_plugin import state
from toolchain.kubernetes_plugin.secret_marks import LAST_APPLIED, marked, redacted
from toolchain.plugin.properties import UNKNOWN, Secret, plain

MAP = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}}
SECRET = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a"}}


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def test_what_is_stored_is_read_again() -> None:
    inputs = {**MAP, "data": {"a": "1"}}
    live = {**inputs, "metadata": {"name": "a", "uid": "u"}}
    stored = state.build(
        live, inputs, inputs, initial_api_version="v1", field_manager="pulumi-kubernetes-1"
    )
    found = state.parse(stored)
    assert (found.inputs, found.live) == (inputs, live)
    assert (found.initial_api_version, found.field_manager) == ("v1", "pulumi-kubernetes-1")


def test_a_state_has_the_fields_of_the_official_plug_in() -> None:
    stored = state.build(MAP, MAP, MAP, initial_api_version="v1", field_manager="m")
    assert stored["__inputs"] == MAP
    assert stored["__initialApiVersion"] == "v1"
    assert stored["__fieldManager"] == "m"


def test_a_state_does_not_say_who_manages_which_field() -> None:
    live = {**MAP, "metadata": {"name": "a", "uid": "u", "managedFields": [{"manager": "m"}]}}
    stored = state.build(live, MAP, MAP, initial_api_version="v1", field_manager="m")
    assert stored["metadata"] == {"name": "a", "uid": "u"}


def test_a_schema_keeps_its_dashed_keys_in_the_cluster_and_loses_them_in_the_program() -> None:
    program = {"schema": {"x_kubernetes_list_type": "map", "other_key": [{"a_b": 1}]}}
    kubernetes = {"schema": {"x-kubernetes-list-type": "map", "other_key": [{"a_b": 1}]}}
    assert state.to_kubernetes(program) == kubernetes
    assert state.to_program(kubernetes) == program


def test_text_of_a_secret_is_stored_as_the_server_keeps_it() -> None:
    inputs = {**SECRET, "stringData": {"a": "x", "later": UNKNOWN}, "data": {"b": "eQ=="}}
    result = state.normalized(inputs)
    assert "stringData" not in result
    assert result["data"] == {"a": encoded("x"), "b": "eQ==", "later": UNKNOWN}


def test_a_secret_whose_text_is_not_known_at_all_keeps_it_for_later() -> None:
    assert state.normalized({**SECRET, "stringData": UNKNOWN})["stringData"] is UNKNOWN


def test_server_fields_are_no_inputs() -> None:
    metadata = {"name": "a", "uid": "u", "resourceVersion": "1", "managedFields": []}
    assert state.normalized({**MAP, "metadata": metadata}) == MAP
    definition = {"kind": "CustomResourceDefinition", "status": {}, "spec": {"group": "g"}}
    definition["spec"] = {"group": "g", "preserveUnknownFields": False}
    assert state.normalized(definition) == {
        "kind": "CustomResourceDefinition",
        "spec": {"group": "g"},
    }


def test_a_refresh_keeps_the_programs_way_of_writing_and_takes_what_drifted() -> None:
    given = {"cpu": "0.5", "replicas": 1, "gone": "x", "list": [{"cpu": "0.5"}, {"cpu": "1"}]}
    then = {"cpu": "500m", "replicas": 1, "gone": "x", "list": [{"cpu": "500m"}, {"cpu": "1"}]}
    now = {"cpu": "500m", "replicas": 4, "added": 1, "list": [{"cpu": "500m"}, {"cpu": "2"}]}
    assert state.refreshed_inputs(given, then, now) == {
        "cpu": "0.5",
        "replicas": 4,
        "list": [{"cpu": "0.5"}, {"cpu": "2"}],
    }


def test_a_list_that_grew_in_the_cluster_is_drift_and_one_that_was_longer_at_once_is_not() -> None:
    assert state.refreshed_inputs({"l": [1]}, {"l": [1]}, {"l": [1, 2]}) == {"l": [1, 2]}
    assert state.refreshed_inputs({"l": [1]}, {"l": [1, 9]}, {"l": [1, 9]}) == {"l": [1]}


def test_a_field_that_the_server_never_kept_stays_an_input() -> None:
    assert state.refreshed_inputs({"a": {}}, {}, {}) == {"a": {}}


def test_an_import_takes_what_a_program_could_have_written() -> None:
    live: dict[str, Any] = {
        **MAP,
        "data": {"a": "1"},
        "status": {},
        "metadata": {
            "name": "a",
            "uid": "u",
            "creationTimestamp": "t",
            "annotations": {LAST_APPLIED: "{}", "deployment.kubernetes.io/revision": "3"},
        },
    }
    assert state.imported_inputs(live) == {**MAP, "data": {"a": "1"}}


def test_what_a_secret_holds_is_secret_whoever_made_it() -> None:
    annotations = {LAST_APPLIED: "everything", "team": "vision"}
    live = {**SECRET, "data": {"a": "eA=="}, "metadata": {"annotations": annotations}}
    result = marked(live, {})
    assert isinstance(result["data"], Secret)
    assert isinstance(result["metadata"]["annotations"][LAST_APPLIED], Secret)
    assert result["metadata"]["annotations"]["team"] == "vision"
    assert plain(result) == live


def test_secretness_follows_the_inputs_and_covers_a_whole_list() -> None:
    live = {"data": {"open": "1", "hidden": "2"}, "list": [1, 2], "status": "ok"}
    inputs = {"data": {"open": "1", "hidden": Secret("2")}, "list": [Secret(2), 1]}
    assert marked(live, inputs) == {
        "data": {"open": "1", "hidden": Secret("2")},
        "list": Secret([1, 2]),
        "status": "ok",
    }


def test_a_message_about_a_secret_does_not_repeat_it() -> None:
    inputs = {"spec": {"type": Secret("hunter2-and-more"), "size": Secret("1")}, "open": "yes"}
    message = 'spec.type: Unsupported value: "hunter2-and-more"; size 1 of yes'
    assert redacted(message, inputs) == 'spec.type: Unsupported value: "[secret]"; size 1 of yes'
    secret = {**SECRET, "data": {"password": encoded("correct-horse")}}
    assert redacted("correct-horse is no good", secret) == "[secret] is no good"


def test_a_message_hides_a_secret_of_several_lines_as_the_server_quotes_it() -> None:
    key = '-----BEGIN KEY-----\nabc"d\\e\n-----END KEY-----'
    message = f"Invalid value: {json.dumps(key)}: too long"
    assert (
        redacted(message, {"spec": {"key": Secret(key)}}) == 'Invalid value: "[secret]": too long'
    )


def test_a_secret_in_any_script_is_hidden_and_breaks_nothing() -> None:
    assert redacted("pässword is refused", {"x": Secret("pässword")}) == "[secret] is refused"


def test_a_secret_field_of_a_secret_object_stays_secret_beside_its_data() -> None:
    live = {**SECRET, "metadata": {"name": "a", "labels": {"team": "x"}}, "data": {"a": "eA=="}}
    inputs = {**SECRET, "metadata": {"labels": {"team": Secret("x")}}, "data": {"a": "eA=="}}
    result = marked(live, inputs)
    assert result["metadata"]["labels"]["team"] == Secret("x")
    assert result["data"] == Secret({"a": "eA=="})


def test_a_reference_to_a_secret_object_keeps_the_marks_of_its_own() -> None:
    reference = {"kind": "Secret", "name": "n"}
    inputs = {"spec": {"ref": {**reference, "name": Secret("n")}}}
    result = marked({"kind": "Widget", "spec": {"ref": reference}}, inputs)
    assert result["spec"]["ref"] == {"kind": "Secret", "name": Secret("n")}


@pytest.mark.parametrize("value", ["pass-word", "pässword", "a"])
def test_what_is_not_base64_goes_to_the_server_as_it_is_to_be_refused(value: str) -> None:
    secret = state.normalized({**SECRET, "data": {"a": value}})
    assert secret["data"] == {"a": value}


def test_base64_may_be_broken_into_lines() -> None:
    secret = state.normalized({**SECRET, "data": {"a": "aGVs\nbG8=\n"}})
    assert secret["data"] == {"a": "aGVsbG8="}
