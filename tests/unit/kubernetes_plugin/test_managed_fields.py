"""Who owns which field of an object."""

from typing import Any

from toolchain.kubernetes_plugin import managed_fields

OWN = "pulumi-kubernetes-12345678"


def entry(manager: str, operation: str, fields: dict[str, Any], **more: str) -> dict[str, Any]:
    return {"manager": manager, "operation": operation, "fieldsV1": fields, **more}


def live(*found: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"metadata": {"resourceVersion": "7", "managedFields": list(found)}, **fields}


def test_the_first_apply_takes_over_what_the_create_wrote() -> None:
    created = entry("pulumi-kubernetes", "Update", {"f:data": {"f:a": {}}})
    scaled = entry("kubectl-scale", "Update", {"f:spec": {"f:replicas": {}}})
    patch = managed_fields.takeover(live(created, scaled), OWN)
    assert patch is not None
    assert patch[0]["value"] == [scaled, entry(OWN, "Apply", {"f:data": {"f:a": {}}})]
    assert patch[1] == {"op": "replace", "path": "/metadata/resourceVersion", "value": "7"}


def test_a_takeover_joins_the_fields_that_are_owned_already() -> None:
    created = entry("pulumi-kubernetes", "Update", {"f:data": {"f:a": {}}})
    applied = entry(OWN, "Apply", {"f:data": {"f:b": {}}})
    patch = managed_fields.takeover(live(created, applied), OWN)
    assert patch is not None
    (joined,) = patch[0]["value"]
    assert joined["fieldsV1"] == {"f:data": {"f:a": {}, "f:b": {}}}


def test_there_is_nothing_to_take_over_from_others_or_twice() -> None:
    applied = entry(OWN, "Apply", {})
    status = entry("pulumi-kubernetes", "Update", {}, subresource="status")
    assert managed_fields.takeover(live(applied, entry("hpa", "Update", {})), OWN) is None
    assert managed_fields.takeover(live(applied, status), OWN) is None


def test_an_apply_is_forced_only_against_the_plug_in_itself() -> None:
    created = live(entry("pulumi-kubernetes", "Update", {}))
    foreign = live(entry("rival", "Apply", {}))
    assert managed_fields.must_force(created, preview=True)
    assert not managed_fields.must_force(created, preview=False)
    assert not managed_fields.must_force(foreign, preview=True)
    assert managed_fields.must_force(live(), preview=False)


def test_an_ignored_field_of_another_owner_is_left_out() -> None:
    found = live(entry("hpa", "Update", {"f:spec": {"f:replicas": {}}}), spec={"replicas": 5})
    inputs = {"spec": {"replicas": 2, "paused": False}}
    wanted = managed_fields.with_ignored(inputs, found, OWN, [["spec", "replicas"]])
    assert wanted == {"spec": {"paused": False}}
    assert inputs["spec"]["replicas"] == 2


def test_an_ignored_field_of_our_own_keeps_the_live_value() -> None:
    mine = entry(OWN, "Apply", {"f:spec": {"f:replicas": {}}})
    theirs = entry("hpa", "Update", {"f:spec": {"f:replicas": {}}})
    found = live(mine, theirs, spec={"replicas": 5})
    wanted = managed_fields.with_ignored(
        {"spec": {"replicas": 2}}, found, OWN, [["spec", "replicas"]]
    )
    assert wanted == {"spec": {"replicas": 5}}


def test_an_ignored_field_that_the_object_lacks_is_set_as_declared() -> None:
    inputs = {"spec": {"replicas": 2}}
    assert managed_fields.with_ignored(inputs, live(), OWN, [["spec", "replicas"]]) == inputs
