"""One digest stands for what a program registers, and for nothing that differs from run to run."""

from typing import Any

import pytest

from tests.unit.previews.steps import DEPLOYMENT, PROVIDER, state, urn
from toolchain.previews import digest

CONFIG = "kubernetes:core/v1:ConfigMap"


def preview(*states: dict[str, Any]) -> dict[str, Any]:
    steps = [{"op": "create", "urn": one["urn"], "newState": one} for one in states]
    return {"steps": steps, "duration": 12, "config": {"slipway:models": "{}"}}


def deployment(**more: Any) -> dict[str, Any]:
    inputs = {"spec": {"replicas": 1}}
    return {**state(DEPLOYMENT, "digits", inputs, parent=urn("a:b:C", "digits")), **more}


def named(name: str) -> list[dict[str, Any]]:
    """Return an object whose name was made up, and one that refers to it."""
    metadata = {"name": name, "annotations": {"pulumi.com/autonamed": "true"}}
    return [
        state(CONFIG, "settings", {"metadata": metadata}),
        state(DEPLOYMENT, "digits", {"spec": {"configMap": name}}),
    ]


def test_it_is_a_sha256() -> None:
    kind, _, hexadecimal = digest.of(preview(deployment())).partition(":")
    assert kind == "sha256"
    assert len(hexadecimal) == 64 and int(hexadecimal, 16)


def test_the_order_in_which_resources_are_registered_does_not_count() -> None:
    two = [deployment(), state(CONFIG, "settings", {})]
    assert digest.of(preview(*two)) == digest.of(preview(*reversed(two)))


@pytest.mark.parametrize(
    "more",
    [
        {"stackTrace": [{"pc": 7, "programCounter": "/somewhere/main.py"}]},
        {"sourcePosition": "project:///main.py#7"},
        {"created": "2026-11-30T20:00:00Z", "modified": "2026-11-30T20:00:00Z"},
    ],
)
def test_where_and_when_it_was_registered_does_not_count(more: dict[str, Any]) -> None:
    assert digest.of(preview(deployment(**more))) == digest.of(preview(deployment()))


def test_the_order_of_what_it_depends_on_does_not_count() -> None:
    one = deployment(dependencies=["a", "b"], propertyDependencies={"spec": ["a", "b"]})
    two = deployment(dependencies=["b", "a"], propertyDependencies={"spec": ["b", "a"]})
    assert digest.of(preview(one)) == digest.of(preview(two))


def test_the_identity_of_a_provider_does_not_count_and_which_one_it_is_does() -> None:
    def under(provider: str) -> str:
        return digest.of(preview(deployment(provider=provider)))

    assert under(f"{urn(PROVIDER, 'a')}::0c1") == under(f"{urn(PROVIDER, 'a')}::9f2")
    assert under(f"{urn(PROVIDER, 'a')}::0c1") != under(f"{urn(PROVIDER, 'b')}::0c1")


def test_a_name_that_was_made_up_does_not_count_and_what_it_stands_for_does() -> None:
    assert digest.of(preview(*named("settings-1"))) == digest.of(preview(*named("settings-2")))
    other = [named("settings-1")[0], named("another")[1]]
    assert digest.of(preview(*named("settings-1"))) != digest.of(preview(*other))


@pytest.mark.parametrize(
    "more",
    [
        {"inputs": {"spec": {"replicas": 2}}},
        {"protect": True},
        {"parent": urn("a:b:C", "another")},
        {"dependencies": ["a"]},
        {"deletedWith": "a"},
        {"ignoreChanges": ["spec"]},
        {"retainOnDelete": True},
        {"customTimeouts": {"create": 60}},
    ],
)
def test_everything_that_the_program_decides_counts(more: dict[str, Any]) -> None:
    assert digest.of(preview(deployment(**more))) != digest.of(preview(deployment()))


def test_one_resource_more_counts() -> None:
    assert digest.of(preview(deployment())) != digest.of(preview(deployment(), *named("x")))
