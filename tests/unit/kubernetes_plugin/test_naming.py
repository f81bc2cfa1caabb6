"""Names of objects."""

import re
from typing import Any

import pytest

from toolchain.kubernetes_plugin import naming
from toolchain.kubernetes_plugin.naming import Autonaming, NamingError
from toolchain.plugin.properties import UNKNOWN


def test_an_object_without_a_name_gets_one_with_eight_digits_and_a_note() -> None:
    obj: dict[str, Any] = {"kind": "ConfigMap"}
    naming.assign_name(obj, "settings")
    assert re.fullmatch(r"settings-[0-9a-f]{8}", naming.name_of(obj))
    assert naming.is_autonamed(obj)


def test_the_same_seed_gives_the_same_name() -> None:
    first: dict[str, Any] = {}
    second: dict[str, Any] = {}
    naming.assign_name(first, "a", b"seed")
    naming.assign_name(second, "a", b"seed")
    assert first == second
    third: dict[str, Any] = {}
    naming.assign_name(third, "a", b"other")
    assert third != first


@pytest.mark.parametrize("metadata", [{"name": "a"}, {"name": UNKNOWN}, {"generateName": "a-"}])
def test_a_name_that_is_given_stays(metadata: dict[str, Any]) -> None:
    obj = {"metadata": dict(metadata)}
    naming.assign_name(obj, "settings")
    assert obj == {"metadata": metadata}


@pytest.mark.parametrize("mode", ["propose", "enforce"])
def test_the_engines_proposal_is_taken(mode: Any) -> None:
    obj: dict[str, Any] = {}
    naming.assign_name(obj, "settings", b"", Autonaming(mode, "dev-settings"))
    assert naming.name_of(obj) == "dev-settings"
    assert naming.is_autonamed(obj)


def test_where_automatic_names_are_off_the_error_says_what_to_set() -> None:
    with pytest.raises(NamingError, match=r"metadata\.name"):
        naming.assign_name({}, "settings", b"", Autonaming("disable", ""))


def test_an_automatic_name_is_kept_and_another_is_not() -> None:
    old: dict[str, Any] = {}
    naming.assign_name(old, "settings")
    new: dict[str, Any] = {}
    naming.keep_autoname(new, old)
    assert new == old
    fresh: dict[str, Any] = {}
    naming.keep_autoname(fresh, {"metadata": {"name": "fixed"}})
    assert fresh == {}


@pytest.mark.parametrize(("namespace", "text"), [("team", "team/web"), ("", "web")])
def test_an_identifier_holds_namespace_and_name(namespace: str, text: str) -> None:
    obj = {"metadata": {"name": "web", "namespace": namespace}}
    assert naming.identifier(obj) == text
    assert naming.split_identifier(text) == (namespace, "web")


@pytest.mark.parametrize(
    ("value", "expected"),
    [("", "Foreground"), ("Background", "Background"), ("orphan", "Orphan"), ("x", "Foreground")],
)
def test_dependents_are_deleted_first_unless_the_annotation_says_otherwise(
    value: str, expected: str
) -> None:
    obj = {"metadata": {"annotations": {naming.DELETION_PROPAGATION: value}}}
    assert naming.deletion_propagation(obj) == expected
