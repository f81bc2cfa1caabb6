import http.server
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from toolchain.kubernetes_plugin.components import manifests
from toolchain.kubernetes_plugin.components.errors import ComponentError
from toolchain.kubernetes_plugin.discovery import Discovery
from toolchain.kubernetes_plugin.errors import ApiError, UnreachableError

Object = dict[str, Any]


def no_cluster(path: str) -> Object:
    raise UnreachableError(f"nobody answers for {path}")


def widgets_only(path: str) -> Object:
    if path == "/apis/example.com/v1":
        return {"resources": [{"name": "rings", "kind": "Ring", "namespaced": False}]}
    raise ApiError(404, {})


def config_map(name: str = "one", **metadata: Any) -> Object:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, **metadata}}


def test_documents_are_read_in_order_and_empty_ones_skipped() -> None:
    text = '# nothing\n---\na: 1\n---\n---\n{}\n---\n{"b": 2}\n'
    assert manifests.parse(text, "test") == [{"a": 1}, {"b": 2}]


def test_yaml_is_read_as_kubernetes_reads_it() -> None:
    text = """
date: 2026-11-24
time: 2026-11-24T10:00:00Z
equals: =
mode: 0644
switch: on
ports: {80: http, true: yes}
"""
    assert manifests.parse(text, "test") == [
        {
            "date": "2026-11-24",
            "time": "2026-11-24T10:00:00Z",
            "equals": "=",
            "mode": 420,
            "switch": True,
            "ports": {"80": "http", "true": True},
        }
    ]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: [", "here.yaml: not valid YAML"),
        ("just words", 'here.yaml: a document is no object: `"just words"`'),
        ("a: !!python/object:os.system x", "not valid YAML"),
    ],
)
def test_what_is_no_manifest_is_named(text: str, words: str) -> None:
    with pytest.raises(ComponentError) as caught:
        manifests.parse(text, "here.yaml")
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_pattern_reads_every_file_that_matches_in_order(tmp_path: Path) -> None:
    for name in ("b.yaml", "a.yaml", ".hidden.yaml", "c.json"):
        (tmp_path / name).write_text(f"name: {name}\n")
    found = manifests.read(str(tmp_path / "*.yaml"), globbing=True)
    assert [obj["name"] for obj in found] == [".hidden.yaml", "a.yaml", "b.yaml"]


def test_a_pattern_that_matches_nothing_gives_nothing_but_a_missing_file_is_named(
    tmp_path: Path,
) -> None:
    assert manifests.read(str(tmp_path / "*.yaml"), globbing=True) == []
    with pytest.raises(ComponentError, match=r"gone\.yaml: cannot be read: No such file"):
        manifests.read(str(tmp_path / "gone.yaml"))


@pytest.fixture
def website(tmp_path: Path) -> Iterator[str]:
    """Serve a folder on a loopback port."""
    (tmp_path / "all.yaml").write_text("kind: FromTheWeb\n")

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments, directory=str(tmp_path))

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name of its base
            """Log nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def test_a_url_is_downloaded_and_one_that_is_missing_named(website: str) -> None:
    assert manifests.read(f"{website}/all.yaml") == [{"kind": "FromTheWeb"}]
    with pytest.raises(ComponentError, match=r"none\.yaml: cannot be downloaded: HTTP Error 404"):
        manifests.read(f"{website}/none.yaml")
    with pytest.raises(ComponentError, match="only files, http:// and https://"):
        manifests.read("ftp://example.com/all.yaml")


def test_lists_are_taken_apart_and_namespaces_filled_in() -> None:
    items = {"apiVersion": "v1", "kind": "ConfigMapList", "items": [config_map("a"), None]}
    listed = {"apiVersion": "v1", "kind": "List", "items": [items, config_map("b", namespace="x")]}
    objects, unresolved = manifests.normalize([listed], "team", Discovery(no_cluster))
    assert [(obj["metadata"]["name"], obj["metadata"]["namespace"]) for obj in objects] == [
        ("a", "team"),
        ("b", "x"),
    ]
    assert unresolved == []


def of_kind(api_version: str, kind: str) -> Object:
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": "one"}}


DEFINITION = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "gears.example.org"},
    "spec": {"group": "example.org", "names": {"kind": "Gear"}, "scope": "Namespaced"},
}


@pytest.mark.parametrize(
    ("api_version", "kind", "namespaced"),
    [
        ("apps/v1", "Deployment", True),
        ("core/v1", "Secret", True),
        ("v1", "Namespace", False),
        ("rbac.authorization.k8s.io/v1", "ClusterRole", False),
        ("example.org/v1", "Gear", True),
        ("example.com/v1", "Ring", False),
        ("example.com/v1", "Unheard", False),
    ],
)
def test_only_namespaced_kinds_get_the_default_namespace(
    api_version: str, kind: str, namespaced: bool
) -> None:
    objects = [of_kind(api_version, kind), DEFINITION]
    normalized, unresolved = manifests.normalize(objects, "team", Discovery(widgets_only))
    assert ("namespace" in normalized[0]["metadata"]) is namespaced
    assert normalized[0]["apiVersion"] == api_version.removeprefix("core/")
    assert unresolved == (["example.com/v1/Unheard"] if kind == "Unheard" else [])


def test_the_given_objects_are_left_as_they_were() -> None:
    given = config_map()
    manifests.normalize([given], "team", Discovery(no_cluster))
    assert given == config_map()


@pytest.mark.parametrize(
    ("obj", "words"),
    [
        ({"kind": "Pod", "metadata": {"name": "x"}}, "require a kind and apiVersion"),
        ({"apiVersion": "v1", "metadata": {"name": "x"}}, "require a kind and apiVersion"),
        ({"apiVersion": "v1", "kind": "Pod"}, "require a .metadata.name"),
        ({"apiVersion": "v1", "kind": "Pod", "metadata": {}}, "require a .metadata.name"),
        ({"apiVersion": "v1", "kind": "Pod", "metadata": None}, "require a .metadata.name"),
    ],
)
def test_an_object_without_an_identity_is_shown(obj: Object, words: str) -> None:
    with pytest.raises(ComponentError) as caught:
        manifests.normalize([obj], "team", Discovery(no_cluster))
    assert words in str(caught.value)
