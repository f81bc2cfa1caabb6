"""The API server and Prometheus, over HTTP."""

import json
import ssl
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from slipway_promoter import routes
from slipway_promoter.decision import Event

MANAGER: Final = "slipway-promoter"
"""Under which fields are applied (server-side apply), and which events are from."""

_TIMEOUT_SECONDS: Final = 10
_ACCOUNT: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount")


class RequestError(Exception):
    """Something did not answer, or answered with an error."""


class Kubernetes:
    """What the controller asks of the API server.

    Args:
        address: URL of the API server, without a trailing slash.
        account: Folder with the account's token and the cluster's certificate authority.
    """

    def __init__(self, address: str, account: Path = _ACCOUNT) -> None:
        self._address = address
        self._token = account / "token"
        authority = account / "ca.crt"
        self._context = (
            ssl.create_default_context(cafile=str(authority))
            if address.startswith("https:")
            else None
        )

    def routes(self, namespace: str) -> list[dict[str, Any]]:
        """Return the HTTPRoutes of a namespace."""
        found = self._send("GET", f"/apis/{routes.API_VERSION}/namespaces/{namespace}/httproutes")
        return list(found["items"])

    def apply(self, route: Mapping[str, Any]) -> None:
        """Apply a part of an HTTPRoute, which is ours from then on."""
        place = f"namespaces/{routes.namespace(route)}/httproutes/{routes.name(route)}"
        query = urllib.parse.urlencode({"fieldManager": MANAGER, "force": "true"})
        path = f"/apis/{routes.API_VERSION}/{place}?{query}"
        self._send("PATCH", path, route, "application/apply-patch+yaml")

    def record(self, route: Mapping[str, Any], event: Event, moment: str) -> None:
        """Tell of a route, as `kubectl describe` shows it.

        Args:
            route: The route.
            event: What is told.
            moment: When, as Kubernetes writes times.
        """
        metadata = route["metadata"]
        body = {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {
                "generateName": f"{metadata['name']}.",
                "namespace": metadata["namespace"],
            },
            "involvedObject": {
                "apiVersion": routes.API_VERSION,
                "kind": "HTTPRoute",
                **{field: metadata.get(field) for field in ("name", "namespace", "uid")},
            },
            "reason": event.reason,
            "message": event.message,
            "type": "Warning" if event.is_warning else "Normal",
            "source": {"component": MANAGER},
            "firstTimestamp": moment,
            "lastTimestamp": moment,
            "count": 1,
        }
        path = f"/api/v1/namespaces/{metadata['namespace']}/events"
        self._send("POST", path, body, "application/json")

    def _send(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, kind: str = ""
    ) -> dict[str, Any]:
        # Read anew: the kubelet renews the token.
        headers = {"Authorization": f"Bearer {self._token.read_text().strip()}"}
        data = None
        if body is not None:
            headers["Content-Type"] = kind
            data = json.dumps(body).encode()
        request = urllib.request.Request(self._address + path, data, headers, method=method)
        return _answer(request, self._context)


class Prometheus:
    """What answers queries.

    Args:
        address: Its URL, without a trailing slash.
    """

    def __init__(self, address: str) -> None:
        self._address = address

    def value(self, query: str) -> float | None:
        """Return the value of a query; `None` where there is no series."""
        text = urllib.parse.urlencode({"query": query})
        found = _answer(urllib.request.Request(f"{self._address}/api/v1/query?{text}"), None)
        result = found["data"]["result"]
        return float(result[0]["value"][1]) if result else None


def _answer(request: urllib.request.Request, context: ssl.SSLContext | None) -> dict[str, Any]:
    asked = f"{request.get_method()} {urllib.parse.urlsplit(request.full_url).path}"
    try:
        with urllib.request.urlopen(request, timeout=_TIMEOUT_SECONDS, context=context) as answer:
            found: dict[str, Any] = json.load(answer)
            return found
    except urllib.error.HTTPError as error:
        said = error.read(300).decode(errors="replace")
        raise RequestError(f"{asked}: status {error.code}: {said}") from error
    except (OSError, ValueError) as error:
        raise RequestError(f"{asked}: {error}") from error
