import itertools
from typing import Any

import pytest

from toolchain.kubernetes_plugin.components.errors import ComponentError
from toolchain.kubernetes_plugin.components.ordering import ordered

Object = dict[str, Any]


def obj(kind: str, name: str, namespace: str = "", api_version: str = "v1", **more: Any) -> Object:
    metadata: Object = {"name": name}
    if namespace:
        metadata["namespace"] = namespace
    if "after" in more:
        metadata["annotations"] = {"config.kubernetes.io/depends-on": more.pop("after")}
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **more}


NAMESPACE = obj("Namespace", "team")
DEFINITION = obj(
    "CustomResourceDefinition",
    "gears.example.com",
    api_version="apiextensions.k8s.io/v1",
    spec={"group": "example.com", "names": {"kind": "Gear"}},
)
GEAR = obj("Gear", "big", "team", "example.com/v2")
CONFIG = obj("ConfigMap", "settings", "team")
APP = obj("Deployment", "app", "team", "apps/v1", after="/namespaces/team/Job/migrate")
JOB = obj("Job", "migrate", "team", "batch/v1", after="example.com/namespaces/team/Gear/big")
ROLE = obj(
    "ClusterRole",
    "reader",
    api_version="rbac.authorization.k8s.io/v1",
)
HOOK = obj("ValidatingWebhookConfiguration", "hook", api_version="admissionregistration.k8s.io/v1")


def names(objects: list[Object]) -> list[str]:
    return [found["metadata"]["name"] for found, _ in ordered(objects)]


def test_definitions_and_namespaces_come_before_what_needs_them_whatever_the_input_order() -> None:
    objects = [GEAR, CONFIG, DEFINITION, NAMESPACE, ROLE, HOOK]
    expected = ["team", "gears.example.com", "reader", "hook", "settings", "big"]
    for permuted in itertools.permutations(objects):
        assert names(list(permuted)) == expected


def test_an_object_waits_for_exactly_what_it_needs() -> None:
    job = JOB | {"metadata": JOB["metadata"] | {"annotations": {}}}
    needed = {
        found["metadata"]["name"]: [str(identity) for identity in waits_for]
        for found, waits_for in ordered([GEAR, CONFIG, DEFINITION, NAMESPACE, job])
    }
    assert needed == {
        "team": [],
        "gears.example.com": [],
        "settings": ["/Namespace/team"],
        "big": [
            "apiextensions.k8s.io/CustomResourceDefinition/gears.example.com",
            "/Namespace/team",
        ],
        "migrate": ["/Namespace/team"],
    }


def test_a_stated_dependency_comes_first() -> None:
    app = obj("Deployment", "app", "team", "apps/v1", after="batch/namespaces/team/Job/migrate")
    assert names([app, JOB, GEAR]) == ["big", "migrate", "app"]


def test_of_two_objects_with_one_identity_the_later_counts() -> None:
    first, second = CONFIG | {"data": {"n": "1"}}, CONFIG | {"data": {"n": "2"}}
    ((found, _),) = ordered([first, second])
    assert found["data"] == {"n": "2"}


@pytest.mark.parametrize(
    ("objects", "words"),
    [
        ([APP], "names /namespaces/team/Job/migrate, which is not part"),
        ([obj("ConfigMap", "a", after="ConfigMap/b")], "'ConfigMap/b' must read"),
        (
            [
                obj("ConfigMap", "a", after="/ConfigMap/b"),
                obj("ConfigMap", "b", after="/ConfigMap/a"),
            ],
            "in a circle: /ConfigMap/a, /ConfigMap/b",
        ),
    ],
)
def test_a_dependency_that_cannot_be_met_is_named(objects: list[Object], words: str) -> None:
    with pytest.raises(ComponentError) as caught:
        ordered(objects)
    assert words in str(caught.value)
