"""Hugging Face's hub for tests, as far as a client asks that downloads a model.

No emulator of it is published. This one is ours, on the loopback, written after
https://huggingface.co/docs/hub/api and https://huggingface.co/spaces/huggingface/openapi as far as
the client asks; that the hub itself answers alike was not tried.
"""

import hashlib
import json
import threading
from collections.abc import Mapping
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

HUB = "huggingface.co"
TOKEN = "hf_tests"


class ModelHub:
    """A hub with one private model at one commit.

    Args:
        model: Its name, `<owner>/<model>`.
        commit: The commit, 40 hex digits.
        files: Its files by path.
    """

    def __init__(self, model: str, commit: str, files: Mapping[str, bytes]) -> None:
        self._server = ThreadingHTTPServer(
            ("127.0.0.1", 0), partial(_Requests, model, commit, files)
        )
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.hosts = {HUB: self._server.server_port}

    def stop(self) -> None:
        """End the server."""
        self._server.shutdown()
        self._server.server_close()


class _Requests(BaseHTTPRequestHandler):
    def __init__(
        self, model: str, commit: str, files: Mapping[str, bytes], *arguments: Any
    ) -> None:
        self._model, self._commit, self._files = model, commit, files
        super().__init__(*arguments)

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        api, pages = f"/api/models/{self._model}", f"/{self._model}/resolve"
        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
            # Who may not know of a model hears that there is none.
            self._refuse(401, "RepoNotFound")
        elif not path.startswith((f"{api}/", f"{pages}/")):
            self._refuse(404, "RepoNotFound")
        elif path == f"{api}/revision/{self._commit}":
            files = [{"rfilename": name} for name in self._files]
            self._send({"id": self._model, "sha": self._commit, "siblings": files})
        elif path == f"{api}/tree/{self._commit}":
            self._send(
                [
                    {"type": "file", "path": name, "size": len(content), "oid": _blob(content)}
                    for name, content in self._files.items()
                ]
            )
        elif path.startswith(f"{pages}/{self._commit}/"):
            self._file(path.removeprefix(f"{pages}/{self._commit}/"))
        else:
            self._refuse(404, "RevisionNotFound")

    def _file(self, name: str) -> None:
        if name in self._files:
            content = self._files[name]
            self._answer(200, content, ETag=f'"{_blob(content)}"')
        else:
            self._refuse(404, "EntryNotFound")

    def _send(self, document: object) -> None:
        self._answer(200, json.dumps(document).encode())

    def _refuse(self, status: int, code: str) -> None:
        self._answer(status, b"{}", **{"X-Error-Code": code})

    def _answer(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Repo-Commit", self._commit)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002
        """Say nothing."""


def _blob(content: bytes) -> str:
    """Return what git calls a file's content."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
