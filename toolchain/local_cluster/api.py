"""A small client of the Kubernetes API, for what happens while a cluster comes up.

The full client would take longer to import than most of these calls take together.
"""

import base64
import http.client
import json
import os
import ssl
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode, urlsplit

import yaml

FIELD_MANAGER = "slipway-node"
TIMEOUT = 10.0
"""Seconds for one call."""


class ApiError(Exception):
    """The API server does not answer, or refuses.

    Attributes:
        status: HTTP status; `None` when there was no answer.
    """

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class Client:
    """Calls one API server over a connection that is kept open.

    Args:
        kubeconfig: Text of a kubeconfig whose certificates are in it.
    """

    def __init__(self, kubeconfig: str) -> None:
        document = yaml.safe_load(kubeconfig)
        cluster = document["clusters"][0]["cluster"]
        user = document["users"][0]["user"]
        server = urlsplit(cluster["server"])
        context = ssl.create_default_context(
            cadata=base64.b64decode(cluster["certificate-authority-data"]).decode()
        )
        _load_identity(
            context,
            base64.b64decode(user["client-certificate-data"])
            + b"\n"
            + base64.b64decode(user["client-key-data"]),
        )
        self._connection = http.client.HTTPSConnection(
            server.hostname or "", server.port, timeout=TIMEOUT, context=context
        )

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def get(self, path: str) -> Any:
        """Return an object, or the text of an answer that is not JSON.

        Raises:
            ApiError: No answer, or a status other than 200.
        """
        return self._call("GET", path)

    def find(self, path: str) -> Any | None:
        """Return an object, or `None` when it does not exist.

        Raises:
            ApiError: No answer, or a status other than 200 and 404.
        """
        try:
            return self.get(path)
        except ApiError as error:
            if error.status == 404:
                return None
            raise

    def apply(self, path: str, manifest: Mapping[str, Any]) -> None:
        """Apply an object on the server's side; its fields are ours even if another set them.

        Raises:
            ApiError: No answer, or a refusal.
        """
        query = urlencode({"fieldManager": FIELD_MANAGER, "force": "true"})
        # JSON is YAML.
        headers = {"Content-Type": "application/apply-patch+yaml"}
        self._call("PATCH", f"{path}?{query}", json.dumps(manifest), headers)

    def _call(
        self,
        method: str,
        path: str,
        body: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        try:
            self._connection.request(method, path, body, dict(headers or {}))
            response = self._connection.getresponse()
            payload = response.read().decode(errors="replace")
        except (OSError, http.client.HTTPException) as error:
            self._connection.close()
            raise ApiError(f"no answer: {error}") from error
        is_json = "json" in (response.getheader("Content-Type") or "")
        document = json.loads(payload) if is_json else payload
        if response.status not in (200, 201):
            reason = document.get("message") if isinstance(document, dict) else payload
            raise ApiError(f"{method} {path}: {reason}", response.status)
        return document


def _load_identity(context: ssl.SSLContext, pem: bytes) -> None:
    """Give a context its client certificate; the key stays in memory."""
    handle = os.memfd_create("identity", os.MFD_CLOEXEC)
    try:
        os.write(handle, pem)
        context.load_cert_chain(f"/proc/self/fd/{handle}")
    finally:
        os.close(handle)
