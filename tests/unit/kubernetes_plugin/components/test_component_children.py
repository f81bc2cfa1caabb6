import asyncio
from typing import Any

import pytest

from toolchain.kubernetes_plugin.components.children import (
    Registration,
    logical_name,
    properties_of,
    type_token,
)

Object = dict[str, Any]

PLAIN = Registration(prefix="app")


def obj(api_version: str = "v1", kind: str = "ConfigMap", **more: Any) -> Object:
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": "one"}, **more}


@pytest.mark.parametrize(
    ("api_version", "kind", "token"),
    [
        ("v1", "Secret", "kubernetes:core/v1:Secret"),
        ("apps/v1", "Deployment", "kubernetes:apps/v1:Deployment"),
        (
            "gateway.networking.k8s.io/v1",
            "Gateway",
            "kubernetes:gateway.networking.k8s.io/v1:Gateway",
        ),
    ],
)
def test_a_child_has_the_type_of_its_kind(api_version: str, kind: str, token: str) -> None:
    assert type_token(obj(api_version, kind)) == token


def test_a_child_is_named_after_its_component_namespace_and_name() -> None:
    spaced = obj() | {"metadata": {"name": "one", "namespace": "team"}}
    assert logical_name(spaced, "app") == "app:team/one"
    assert logical_name(obj(), "app") == "app:one"
    assert logical_name(spaced, "") == "team/one"


@pytest.mark.parametrize("annotations", [None, {}, {"a": "b"}])
def test_skipping_the_wait_is_an_annotation_beside_the_others(annotations: Object | None) -> None:
    given = obj() | {"metadata": {"name": "one", "annotations": annotations}}
    made = properties_of(given, Registration(prefix="", skip_await=True))
    assert made["metadata"]["annotations"] == {
        **(annotations or {}),
        "pulumi.com/skipAwait": "true",
    }
    assert given["metadata"]["annotations"] == annotations


def test_the_data_of_a_secret_is_secret_and_that_of_other_kinds_is_not() -> None:
    async def check() -> None:
        secret = properties_of(
            obj(kind="Secret", data={"a": "eA=="}, stringData={"b": "x"}, type="Opaque"), PLAIN
        )
        assert await secret["data"].is_secret()
        assert await secret["stringData"].is_secret()
        assert secret["type"] == "Opaque"
        assert properties_of(obj(data={"a": "b"}), PLAIN)["data"] == {"a": "b"}

    asyncio.run(check())


def test_of_an_object_made_from_secrets_only_its_identity_is_readable() -> None:
    async def check() -> None:
        given = obj(data={"a": "b"})
        given["metadata"] |= {"namespace": "team", "labels": {"a": "b"}}
        made = properties_of(given, Registration(prefix="", secret=True))
        assert (made["apiVersion"], made["kind"]) == ("v1", "ConfigMap")
        assert made["metadata"]["name"] == "one"
        assert made["metadata"]["namespace"] == "team"
        assert await made["metadata"]["labels"].is_secret()
        assert await made["data"].is_secret()

    asyncio.run(check())
