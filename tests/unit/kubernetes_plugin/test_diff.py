"""What changed, field by field, and what that does to the object."""

from typing import Any

import pytest

from toolchain.kubernetes_plugin.diff import (
    Change,
    FieldChange,
    difference,
    format_path,
    parse_path,
)
from toolchain.kubernetes_plugin.immutable import replacing_paths
from toolchain.plugin.properties import UNKNOWN


def kinds(old: dict[str, Any], new: dict[str, Any]) -> dict[str, str]:
    return {path: c.change.value for path, c in difference(old, new).fields.items()}


def test_every_change_has_its_path() -> None:
    old = {"a": 1, "b": {"c": 1, "gone": 2}, "l": [{"x": 1}, {"x": 2}], "same": [1]}
    new = {"a": 2, "b": {"c": 1, "new": 3}, "l": [{"x": 1}, {"x": 3}, {"x": 4}], "same": [1]}
    assert kinds(old, new) == {
        "a": "update",
        "b.gone": "delete",
        "b.new": "add",
        "l[1].x": "update",
        "l[2]": "add",
    }


def test_a_null_is_a_field_that_is_not_there() -> None:
    assert kinds({"a": None}, {}) == {}
    assert kinds({}, {"a": None}) == {}
    assert kinds({"a": 1}, {"a": None}) == {"a": "delete"}


def test_numbers_are_compared_as_json_compares_them() -> None:
    assert kinds({"a": 1}, {"a": 1.0}) == {}
    assert kinds({"a": 1}, {"a": True}) == {"a": "update"}


def test_a_value_that_is_not_known_yet_is_a_change() -> None:
    assert kinds({"a": 1}, {"a": UNKNOWN}) == {"a": "update"}
    assert kinds({}, {"a": UNKNOWN}) == {"a": "add"}


def test_a_field_of_another_type_is_updated_whole() -> None:
    assert kinds({"a": {"b": 1}}, {"a": [1]}) == {"a": "update"}


def replaced(old: dict[str, Any], new: dict[str, Any], **flags: bool) -> list[str]:
    return difference(old, new, replacing_paths(new, **flags)).replaces


def obj(api_version: str, kind: str, **fields: Any) -> dict[str, Any]:
    return {"apiVersion": api_version, "kind": kind, **fields}


@pytest.mark.parametrize(
    ("api_version", "kind", "old", "new", "expected"),
    [
        ("v1", "Pod", {"metadata": {"name": "a"}}, {"metadata": {"name": "b"}}, "metadata.name"),
        (
            "apps/v1",
            "Deployment",
            {"spec": {"selector": {"matchLabels": {"a": "1"}}}},
            {"spec": {"selector": {"matchLabels": {"a": "2"}}}},
            "spec.selector.matchLabels.a",
        ),
        (
            "v1",
            "Pod",
            {"spec": {"containers": [{"image": "a"}]}},
            {"spec": {"containers": [{"image": "b"}]}},
            "spec.containers[0].image",
        ),
        # A container that is added brings fields that cannot be added.
        (
            "v1",
            "Pod",
            {"spec": {"containers": []}},
            {"spec": {"containers": [{"image": "b"}]}},
            "spec.containers[0]",
        ),
        ("batch/v1", "Job", {"spec": {}}, {"spec": {"template": {}}}, "spec.template"),
        # The whole of `spec` is new, and the template with it.
        ("batch/v1", "Job", {}, {"spec": {"template": {}}}, "spec"),
        (
            "v1",
            "Service",
            {"spec": {"clusterIP": "None"}},
            {"spec": {}},
            "spec.clusterIP",
        ),
        ("v1", "ConfigMap", {"data": {"a.b": "1"}}, {"data": {"a.b": "2"}}, 'data["a.b"]'),
        ("v1", "Secret", {"type": "Opaque"}, {"type": "tls"}, "type"),
        ("v1", "Secret", {"data": {"a": "1"}}, {"data": {"a": UNKNOWN}}, "data.a"),
        (
            "storage.k8s.io/v1",
            "StorageClass",
            {"provisioner": "a"},
            {"provisioner": "b"},
            "provisioner",
        ),
        (
            "rbac.authorization.k8s.io/v1",
            "RoleBinding",
            {"roleRef": {"name": "a"}},
            {"roleRef": {"name": "b"}},
            "roleRef.name",
        ),
    ],
)
def test_an_immutable_field_replaces(
    api_version: str, kind: str, old: dict[str, Any], new: dict[str, Any], expected: str
) -> None:
    assert replaced(obj(api_version, kind, **old), obj(api_version, kind, **new)) == [expected]


def test_a_mutable_field_does_not_replace() -> None:
    old = obj("apps/v1", "Deployment", spec={"replicas": 1, "template": {"a": 1}})
    new = obj("apps/v1", "Deployment", spec={"replicas": 2, "template": {"a": 2}})
    assert replaced(old, new) == []


def test_maps_and_secrets_are_mutable_where_the_provider_says_so_and_they_do_not_forbid_it() -> (
    None
):
    old, new = obj("v1", "ConfigMap", data={"a": "1"}), obj("v1", "ConfigMap", data={"a": "2"})
    assert replaced(old, new, config_map_mutable=True) == []
    frozen = {"immutable": True}
    assert replaced({**old, **frozen}, {**new, **frozen}, config_map_mutable=True) == ["data.a"]
    old, new = obj("v1", "Secret", data={"a": "1"}), obj("v1", "Secret", data={"a": "2"})
    assert replaced(old, new, secret_mutable=True) == []
    retyped = replaced({**old, "type": "x"}, {**old, "type": "y"}, secret_mutable=True)
    assert retyped == ["type"]


def test_ignored_paths_cover_what_lies_below_them() -> None:
    old = {"spec": {"replicas": 1, "template": {"a": 1}}, "l": [{"x": 1}], "m": {"a.b": 1}}
    new = {"spec": {"replicas": 2, "template": {"a": 2}}, "l": [{"x": 2}], "m": {"a.b": 2}}
    kept = difference(old, new).ignoring(["spec.template", "l[*].x", 'm["a.b"]'])
    assert kept.fields == {"spec.replicas": FieldChange(Change.UPDATE, replaces=False)}


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("spec.ports[0].port", ("spec", "ports", 0, "port")),
        ('metadata.annotations["pulumi.com/skipAwait"]', None),
        ('["a.b"].c', ("a.b", "c")),
        ('data["say \\"hi\\"."]', ("data", 'say "hi".')),
    ],
)
def test_paths_are_written_as_the_engine_reads_them(text: str, path: Any) -> None:
    expected = path or ("metadata", "annotations", "pulumi.com/skipAwait")
    assert parse_path(text) == expected
    assert format_path(expected) == text


def test_a_text_that_is_no_path_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="a\\["):
        parse_path("a[")
