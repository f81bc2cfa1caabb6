"""Requests to an API server, against a server on the loopback address that answers by script."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from toolchain.kubernetes_plugin.cluster import Cluster
from toolchain.kubernetes_plugin.errors import ApiError, UnreachableError

MAP = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "namespace": "team"}}
KINDS = {
    "resources": [
        {"name": "configmaps", "kind": "ConfigMap", "namespaced": True},
        {"name": "namespaces", "kind": "Namespace", "namespaced": False},
    ]
}
BUSY = (429, {"kind": "Status", "message": "too many requests"}, {"Retry-After": "0"})


class Script(ThreadingHTTPServer):
    """What is asked, and what is answered next; an answer of `None` closes the connection."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked: list[tuple[str, str, dict[str, str], Any]] = []
        self.answers: list[tuple[int, Any, dict[str, str]] | None] = []

    def answer(self, body: Any, code: int = 200) -> None:
        self.answers.append((code, body, {}))


class _Handler(BaseHTTPRequestHandler):
    server: Script

    def do_GET(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length)) if length else None
        if self.path == "/api/v1":
            self._send(200, KINDS, {})
            return
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.asked.append((self.command, self.path, headers, body))
        answer = self.server.answers.pop(0)
        if answer is None:
            self.close_connection = True
            return
        self._send(*answer)

    do_POST = do_PATCH = do_DELETE = do_PUT = do_GET  # noqa: N815

    def _send(self, code: int, body: Any, headers: dict[str, str]) -> None:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(code)
        for name, value in {**headers, "Content-Length": str(len(data))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: Any) -> None:
        """Keep the test's output clean."""


@pytest.fixture
def script() -> Iterator[Script]:
    server = Script()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def cluster(script: Script) -> Cluster:
    url = f"http://127.0.0.1:{script.server_port}"
    return Cluster(
        {
            "current-context": "c",
            "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
            "clusters": [{"name": "c", "cluster": {"server": url}}],
            "users": [{"name": "u", "user": {"token": "secret-token"}}],
        }
    )


def test_an_apply_carries_manager_force_and_token(script: Script, cluster: Cluster) -> None:
    script.answer(MAP)
    assert cluster.apply(MAP, field_manager="m", dry_run=True) == MAP
    ((verb, path, headers, body),) = script.asked
    assert (verb, path) == (
        "PATCH",
        "/api/v1/namespaces/team/configmaps/a?fieldManager=m&dryRun=All&force=false",
    )
    assert headers["content-type"] == "application/apply-patch+yaml"
    assert headers["authorization"] == "Bearer secret-token"
    assert body == MAP


def test_a_namespace_is_not_sent_for_a_kind_without_one(script: Script, cluster: Cluster) -> None:
    script.answer({})
    obj = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "a", "namespace": "x"}}
    cluster.create(obj, field_manager="m")
    ((_, path, _, body),) = script.asked
    assert path == "/api/v1/namespaces?fieldManager=m"
    assert body["metadata"] == {"name": "a"}


def test_a_busy_server_is_asked_again(script: Script, cluster: Cluster) -> None:
    script.answers += [BUSY, BUSY]
    script.answer(MAP)
    assert cluster.create(MAP, field_manager="m") == MAP
    assert len(script.asked) == 3


def test_a_write_whose_answer_was_lost_is_not_sent_again(script: Script, cluster: Cluster) -> None:
    script.answers += [None, None]
    with pytest.raises(UnreachableError, match="does not answer"):
        cluster.create(MAP, field_manager="m")
    assert len(script.asked) == 1


def test_a_read_whose_answer_was_lost_is_sent_again(script: Script, cluster: Cluster) -> None:
    script.answers.append(None)
    script.answer(MAP)
    assert cluster.get("v1", "ConfigMap", "a", "team") == MAP


def test_a_refusal_keeps_what_the_server_said(script: Script, cluster: Cluster) -> None:
    status = {"kind": "Status", "reason": "Invalid", "message": "no good"}
    script.answer({**status, "details": {"causes": [{"field": "spec"}]}}, 422)
    with pytest.raises(ApiError, match="no good") as caught:
        cluster.create(MAP, field_manager="m")
    assert caught.value.invalid
    assert caught.value.causes == [{"field": "spec"}]


def test_what_does_not_exist_is_none_and_its_deletion_no_error(
    script: Script, cluster: Cluster
) -> None:
    missing = {"kind": "Status", "reason": "NotFound", "message": "not found"}
    script.answer(missing, 404)
    script.answer(missing, 404)
    assert cluster.get("v1", "ConfigMap", "a", "team") is None
    cluster.delete("v1", "ConfigMap", "a", "team")
    assert cluster.get("v1", "Unknown", "a", "team") is None


def test_a_server_that_is_none_is_unreachable(script: Script, cluster: Cluster) -> None:
    script.answers.append((200, b"<html>", {}))
    with pytest.raises(UnreachableError, match="not JSON"):
        cluster.version()


def test_a_watch_begins_with_what_exists_and_ends_with_the_stream(
    script: Script, cluster: Cluster
) -> None:
    script.answer({"metadata": {"resourceVersion": "5"}, "items": [{"metadata": {"name": "a"}}]})
    gone = {"type": "DELETED", "object": MAP}
    mark = {"type": "BOOKMARK", "object": {}}
    script.answers.append((200, f"{json.dumps(mark)}\n{json.dumps(gone)}\n".encode(), {}))
    found = list(cluster.watch("v1", "ConfigMap", "team", "a", timeout_seconds=3))
    first = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}}
    assert found == [("ADDED", first), ("DELETED", MAP)]
    assert "resourceVersion=5" in script.asked[1][1]
    assert "fieldSelector=metadata.name%3Da" in script.asked[1][1]


def test_a_watch_that_is_too_old_just_ends(script: Script, cluster: Cluster) -> None:
    script.answer({"metadata": {"resourceVersion": "5"}, "items": []})
    error = {"type": "ERROR", "object": {"code": 410}}
    script.answers.append((200, f"{json.dumps(error)}\n".encode(), {}))
    assert list(cluster.watch("v1", "ConfigMap", "team")) == []
