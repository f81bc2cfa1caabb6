"""Google's Cloud Storage and its accounts for tests: an emulator that knows one service account."""

import base64
import json
import threading
import urllib.request
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, quote

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from gcp_storage_emulator.handlers.buckets import create_bucket
from gcp_storage_emulator.server import RequestHandler
from gcp_storage_emulator.storage import Storage

STORAGE, ACCOUNTS = "storage.googleapis.com", "oauth2.googleapis.com"
_TOKEN = "token-of-the-tests"


class GoogleStorage:
    """`gcp-storage-emulator`, which asks nobody who they are, behind a check of a token.

    The token is had as from Google, for an assertion that the account's key has signed:
    https://developers.google.com/identity/protocols/oauth2/service-account#httprest
    """

    def __init__(self) -> None:
        self._key = _generate()
        self._objects = Storage(use_memory_fs=True)
        self._servers = [
            ThreadingHTTPServer(("127.0.0.1", 0), handler)
            for handler in (
                partial(_Objects, self._objects),
                partial(_Accounts, self._key.public_key()),
            )
        ]
        for server in self._servers:
            threading.Thread(target=server.serve_forever, daemon=True).start()
        names = (STORAGE, ACCOUNTS)
        self.hosts = {
            name: server.server_port for name, server in zip(names, self._servers, strict=True)
        }

    @property
    def key(self) -> str:
        """A key of the account, as Google gives it out."""
        return key_of(self._key)

    def put(self, bucket: str, name: str, content: bytes) -> None:
        """Store an object."""
        create_bucket(bucket, self._objects)
        path = f"/upload/storage/v1/b/{bucket}/o?uploadType=media&name={quote(name)}"
        url = f"http://127.0.0.1:{self.hosts[STORAGE]}{path}"
        headers = {"Content-Type": "application/octet-stream"}
        with urllib.request.urlopen(urllib.request.Request(url, content, headers), timeout=10):
            pass

    def stop(self) -> None:
        """End the servers."""
        for server in self._servers:
            server.shutdown()
            server.server_close()


def key_of(private: rsa.RSAPrivateKey | None = None) -> str:
    """Return a key of the account; without its private part, one that Google has forgotten."""
    private = private or _generate()
    pem = private.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return json.dumps(
        {
            "type": "service_account",
            "project_id": "tests",
            "private_key_id": "1",
            "private_key": pem.decode(),
            "client_email": "models@tests.iam.gserviceaccount.com",
            "client_id": "1",
            "token_uri": f"https://{ACCOUNTS}/token",
        }
    )


def _generate() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


class _Objects(RequestHandler):  # type: ignore[misc] # it comes without types
    def do_GET(self) -> None:  # noqa: N802 - as the library has it
        if self.headers.get("Authorization") == f"Bearer {_TOKEN}":
            super().do_GET()
            return
        said = "Anonymous caller does not have storage.objects.get access to the object."
        _answer(self, 401, {"error": {"code": 401, "message": said}})


class _Accounts(BaseHTTPRequestHandler):
    def __init__(self, known: rsa.RSAPublicKey, *arguments: Any) -> None:
        self._known = known
        super().__init__(*arguments)

    def do_POST(self) -> None:
        form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        signed, _, signature = form["assertion"][0].rpartition(".")
        try:
            self._known.verify(
                base64.urlsafe_b64decode(f"{signature}=="),
                signed.encode(),
                padding.PKCS1v15(),
                hashes.SHA256(),
            )
        except InvalidSignature:
            said = "Invalid JWT Signature."
            _answer(self, 400, {"error": "invalid_grant", "error_description": said})
        else:
            _answer(self, 200, {"access_token": _TOKEN, "expires_in": 3600, "token_type": "Bearer"})

    def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002
        """Say nothing."""


def _answer(handler: BaseHTTPRequestHandler, status: int, document: object) -> None:
    body = json.dumps(document).encode()
    handler.send_response(status)
    handler.send_header("Content-Type", "application/json")
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)
