"""Which kinds a cluster serves."""

from typing import Any

import pytest

from toolchain.kubernetes_plugin.discovery import Discovery
from toolchain.kubernetes_plugin.errors import ApiError, KindNotServedError, UnreachableError

APPS = {"resources": [{"name": "deployments", "kind": "Deployment", "namespaced": True}]}
APPS["resources"].append({"name": "deployments/scale", "kind": "Scale", "namespaced": True})


class Server:
    """Paths and what they answer, and what was asked."""

    def __init__(self, **answers: Any) -> None:
        self.answers: dict[str, Any] = answers
        self.asked: list[str] = []

    def __call__(self, path: str) -> dict[str, Any]:
        self.asked.append(path)
        if path not in self.answers:
            raise ApiError(404, {"reason": "NotFound", "message": "the page is not found"})
        found: dict[str, Any] = self.answers[path]
        return found


def test_a_kind_is_asked_for_once() -> None:
    server = Server(**{"/apis/apps/v1": APPS})
    discovery = Discovery(server)
    assert discovery.find("apps/v1", "Deployment").plural == "deployments"
    assert discovery.find("apps/v1", "Deployment").namespaced
    assert server.asked == ["/apis/apps/v1"]


def test_a_kind_that_arrives_later_is_found_then() -> None:
    server = Server()
    discovery = Discovery(server)
    with pytest.raises(KindNotServedError, match=r'"Widget" in version "example\.org/v1"'):
        discovery.find("example.org/v1", "Widget")
    widget = {"name": "widgets", "kind": "Widget", "namespaced": False}
    server.answers["/apis/example.org/v1"] = {"resources": [widget]}
    assert not discovery.is_namespaced("example.org/v1", "Widget")


def test_a_subresource_is_no_kind() -> None:
    assert not Discovery(Server(**{"/apis/apps/v1": APPS})).is_served("apps/v1", "Scale")


def test_the_scope_of_a_kind_comes_from_its_definition_before_it_is_served() -> None:
    discovery = Discovery(Server())
    spec = {"group": "example.org", "names": {"kind": "Gear"}, "scope": "Cluster"}
    discovery.declare({"spec": spec})
    assert not discovery.is_namespaced("example.org/v1", "Gear")
    assert discovery.is_namespaced("example.org/v1", "Widget")


def test_without_a_cluster_kubernetes_own_kinds_are_known() -> None:
    def refuse(path: str) -> dict[str, Any]:
        raise UnreachableError(path)

    discovery = Discovery(refuse)
    assert not discovery.is_namespaced("v1", "Namespace")
    assert discovery.is_namespaced("apps/v1", "Deployment")


def test_a_forgotten_group_is_asked_for_again() -> None:
    server = Server(**{"/apis/apps/v1": APPS})
    discovery = Discovery(server)
    discovery.find("apps/v1", "Deployment")
    discovery.forget("apps")
    discovery.find("apps/v1", "Deployment")
    assert len(server.asked) == 2
