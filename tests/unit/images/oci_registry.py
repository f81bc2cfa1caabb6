"""A registry that takes pushes as the OCI distribution specification has it, in this process.

It checks what a registry has to check: digests of what it is sent, that a manifest names nothing
it lacks, and who pushes.
"""

import base64
import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

USER, PASSWORD, TOKEN = "pusher", "horse", "one-time"


class Registry(ThreadingHTTPServer):
    """The server; what it was sent is in its attributes."""

    def __init__(self, *, auth: str | None = None) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.auth = auth
        self.blobs: dict[str, bytes] = {}
        self.manifests: dict[str, bytes] = {}
        self.uploads = 0

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.server_port}"


@contextmanager
def serving(*, auth: str | None = None) -> Iterator[Registry]:
    """Serve until the block ends; `auth` is what pushes need: `basic`, `bearer` or nothing."""
    with Registry(auth=auth) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


class _Handler(BaseHTTPRequestHandler):
    server: Registry
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the library's name
        """Say nothing."""

    def do_GET(self) -> None:
        assert urlsplit(self.path).path == "/token"
        if self.headers.get("Authorization") != _basic():
            return self._answer(401)
        return self._answer(200, json.dumps({"token": TOKEN}).encode())

    def do_HEAD(self) -> None:
        self._authorized(self._head)

    def do_POST(self) -> None:
        self._authorized(self._post)

    def do_PUT(self) -> None:
        content = self.rfile.read(int(self.headers["Content-Length"]))
        self._authorized(lambda: self._put(content))

    def _head(self) -> None:
        kind, name = self.path.split("/")[-2:]
        if kind == "blobs":
            return self._answer(200 if name in self.server.blobs else 404)
        found = self.server.manifests.get(name)
        if found is None:
            return self._answer(404)
        return self._answer(200, headers={"Docker-Content-Digest": digest(found)})

    def _post(self) -> None:
        self.server.uploads += 1
        # A path alone, with a query of its own, as registries answer it.
        place = f"{self.path}{self.server.uploads}?_state=abc"
        self._answer(202, headers={"Location": place})

    def _put(self, content: bytes) -> None:
        parts = urlsplit(self.path)
        if "/blobs/uploads/" in parts.path:
            (wanted,) = parse_qs(parts.query)["digest"]
            if digest(content) != wanted:
                return self._refuse(400, "DIGEST_INVALID")
            self.server.blobs[wanted] = content
            return self._answer(201)
        manifest = json.loads(content)
        named = [manifest["config"], *manifest["layers"]]
        for one in named:
            if len(self.server.blobs.get(one["digest"], b"")) != one["size"]:
                return self._refuse(404, "MANIFEST_BLOB_UNKNOWN")
        tag = parts.path.rpartition("/")[2]
        if tag in self.server.manifests:
            return self._refuse(409, "TAG_INVALID")
        self.server.manifests[tag] = content
        return self._answer(201)

    def _authorized(self, go_on: Any) -> None:
        host = self.server.host
        wanted, challenge = {
            "basic": (_basic(), 'Basic realm="here"'),
            "bearer": (
                f"Bearer {TOKEN}",
                f'Bearer realm="http://{host}/token",service="here",scope="repository:a:pull"',
            ),
            None: (None, ""),
        }[self.server.auth]
        if wanted is not None and self.headers.get("Authorization") != wanted:
            return self._answer(401, headers={"WWW-Authenticate": challenge})
        assert re.match(r"/v2/ml/", self.path)
        go_on()
        return None

    def _refuse(self, status: int, code: str) -> None:
        self._answer(status, json.dumps({"errors": [{"code": code}]}).encode())

    def _answer(
        self, status: int, content: bytes = b"", headers: dict[str, str] | None = None
    ) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(content)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)


def _basic() -> str:
    return f"Basic {base64.b64encode(f'{USER}:{PASSWORD}'.encode()).decode()}"
