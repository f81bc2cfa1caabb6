"""A cluster over the official Python client: one pool of connections, plain dictionaries.

The client's generated classes are not used: they would convert every object back and forth, and
know no custom resources. What is used is how it reads a kubeconfig and how it authenticates.
"""

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, Literal, cast
from urllib.parse import quote, urlencode

import urllib3
from kubernetes.client.exceptions import ApiException
from kubernetes.config import ConfigException

from toolchain.kubernetes_plugin import naming
from toolchain.kubernetes_plugin.client import EventType, Object
from toolchain.kubernetes_plugin.connection import client_of
from toolchain.kubernetes_plugin.discovery import Discovery, group_version_path
from toolchain.kubernetes_plugin.errors import ApiError, KindNotServedError, UnreachableError
from toolchain.kubernetes_plugin.kubeconfig import Kubeconfig

APPLY_PATCH: Final = "application/apply-patch+yaml"
JSON_PATCH: Final = "application/json-patch+json"
MERGE_PATCH: Final = "application/merge-patch+json"

_JSON: Final = "application/json"
_CONNECT_TIMEOUT_SECONDS: Final = 10.0
_PROBE_TIMEOUT_SECONDS: Final = 5.0
"""For the first request: a cluster that is stopped must not hold up a preview."""

_READ_TIMEOUT_SECONDS: Final = 60.0
"""The API server itself gives up on a request after 60 s (`--request-timeout`)."""

# A server that is busy says so (429, 503) before it does anything, and when to come again. But a
# request whose answer was lost may have been carried out: only a read can be sent again.
_WRITE_RETRIES: Final = urllib3.Retry(
    total=6, connect=2, read=0, redirect=0, other=0, allowed_methods=None, backoff_factor=0.1
)
_READ_RETRIES: Final = _WRITE_RETRIES.new(read=2)

_GONE: Final = 410

Query = Sequence[tuple[str, str]]


class Cluster:
    """The `ObjectClient` of a reachable API server."""

    def __init__(self, config: Kubeconfig, *, request_timeout: float | None = None) -> None:
        """Prepare connections; none is opened yet.

        Args:
            config: A kubeconfig whose current context is the one to use.
            request_timeout: Seconds that one request may take; `None` for 60.

        Raises:
            KubeconfigError: The kubeconfig cannot be used.
        """
        self._client = client_of(config)
        self._read_timeout = request_timeout or _READ_TIMEOUT_SECONDS
        self.discovery = Discovery(self._get_json)

    def version(self) -> str:
        """Return the server's version (`v1.37.2`); the first thing to ask of a cluster."""
        timeout = urllib3.Timeout(_PROBE_TIMEOUT_SECONDS)
        response = self._open("GET", "/version", timeout=timeout, retries=False)
        return str(self._decoded(response).get("gitVersion", ""))

    def serves(self, api_version: str, kind: str) -> bool:
        """Return whether the API server lists a kind."""
        return self.discovery.is_served(api_version, kind)

    def get(
        self, api_version: str, kind: str, name: str, namespace: str | None = None
    ) -> Object | None:
        """Return one object, or `None` if it, its namespace or its kind does not exist."""
        try:
            return self._get_json(self._path(api_version, kind, namespace, name))
        except KindNotServedError:
            return None
        except ApiError as error:
            if error.not_found:
                return None
            raise

    def _list(
        self, api_version: str, kind: str, namespace: str | None, query: Query
    ) -> tuple[list[Object], str]:
        path = self._path(api_version, kind, namespace)
        answer = self._request("GET", path, query)
        # Items of a list carry no type of their own.
        items = [
            {"apiVersion": api_version, "kind": kind, **item} for item in answer.get("items") or []
        ]
        return items, str(answer.get("metadata", {}).get("resourceVersion", ""))

    def watch(
        self,
        api_version: str,
        kind: str,
        namespace: str | None = None,
        name: str | None = None,
        timeout_seconds: float = 30.0,
    ) -> Iterator[tuple[EventType, Object]]:
        """Yield what happens to objects of a kind, starting with those that exist as `ADDED`."""
        deadline = time.monotonic() + timeout_seconds
        selector = [("fieldSelector", f"metadata.name={name}")] if name else []
        items, resource_version = self._list(api_version, kind, namespace, selector)
        for item in items:
            yield "ADDED", item
        remaining = max(1, round(deadline - time.monotonic()))
        query = [
            *selector,
            ("watch", "true"),
            ("resourceVersion", resource_version),
            ("timeoutSeconds", str(remaining)),
        ]
        path = self._path(api_version, kind, namespace)
        timeout = urllib3.Timeout(
            connect=_CONNECT_TIMEOUT_SECONDS, read=remaining + _CONNECT_TIMEOUT_SECONDS
        )
        response = self._open("GET", path, query, timeout=timeout)
        try:
            for line in _lines(response):
                event = json.loads(line)
                if event["type"] == "ERROR":
                    status = event.get("object") or {}
                    if status.get("code") == _GONE:
                        return
                    raise ApiError(int(status.get("code") or 500), status)
                if event["type"] in ("ADDED", "MODIFIED", "DELETED"):
                    yield event["type"], event["object"]
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise UnreachableError(self._unreachable(error)) from error
        finally:
            # A stream that is left early cannot be used for another request.
            response.close()
            response.release_conn()

    def events(self, obj: Object) -> list[Object]:
        """Return the core/v1 Events about an object (by its uid), oldest first."""
        uid = naming.metadata_of(obj).get("uid", "")
        namespace = naming.namespace_of(obj) or "default"
        found = self.list("v1", "Event", namespace, field_selector=f"involvedObject.uid={uid}")
        return sorted(found, key=_event_time)

    def create(self, obj: Object, *, field_manager: str, dry_run: bool = False) -> Object:
        """Create an object that must not exist yet and return it as stored."""
        path, body = self._target(obj, collection=True)
        query = _write_query(field_manager, dry_run)
        return self._request("POST", path, query, body, _JSON)

    def replace(self, obj: Object, *, field_manager: str, dry_run: bool = False) -> Object:
        """Put an object, which carries its `resourceVersion`, in the place of the stored one."""
        path, body = self._target(obj)
        return self._request("PUT", path, _write_query(field_manager, dry_run), body, _JSON)

    def apply(
        self, obj: Object, *, field_manager: str, force: bool = False, dry_run: bool = False
    ) -> Object:
        """Server-side apply an object and return it as stored."""
        path, body = self._target(obj)
        query = [*_write_query(field_manager, dry_run), ("force", "true" if force else "false")]
        return self._request("PATCH", path, query, body, APPLY_PATCH)

    def patch(
        self, obj: Object, body: Sequence[Mapping[str, Any]] | Mapping[str, Any], *, media_type: str
    ) -> Object:
        """Send a patch of `media_type` for the object that `obj` names and return the result."""
        path, _ = self._target(obj)
        return self._request("PATCH", path, (), body, media_type)

    def delete(
        self,
        api_version: str,
        kind: str,
        name: str,
        namespace: str | None = None,
        *,
        propagation: Literal["Foreground", "Background", "Orphan"] = "Foreground",
        uid: str | None = None,
    ) -> None:
        """Ask the server to delete an object; one that does not exist is no error."""
        options: dict[str, Any] = {"propagationPolicy": propagation}
        if uid:
            options["preconditions"] = {"uid": uid}
        try:
            path = self._path(api_version, kind, namespace, name)
            self._request("DELETE", path, (), options, _JSON)
        except KindNotServedError:
            return
        except ApiError as error:
            if not error.not_found:
                raise

    def _target(self, obj: Object, *, collection: bool = False) -> tuple[str, Object]:
        """Return the path of an object and the object as it is sent there."""
        api_version, kind = str(obj["apiVersion"]), str(obj["kind"])
        body = dict(obj)
        if not self.discovery.find(api_version, kind).namespaced and naming.namespace_of(obj):
            metadata = naming.metadata_of(obj)
            body["metadata"] = {k: v for k, v in metadata.items() if k != "namespace"}
        name = None if collection else naming.name_of(obj)
        return self._path(api_version, kind, naming.namespace_of(obj) or "default", name), body

    def _path(
        self, api_version: str, kind: str, namespace: str | None, name: str | None = None
    ) -> str:
        served = self.discovery.find(api_version, kind)
        path = group_version_path(api_version)
        if served.namespaced and namespace:
            path += f"/namespaces/{quote(namespace, safe='')}"
        path += f"/{served.plural}"
        return f"{path}/{quote(name, safe='')}" if name else path

    def _get_json(self, path: str) -> Object:
        return self._request("GET", path)

    def _request(
        self, method: str, path: str, query: Query = (), body: Any = None, media_type: str = ""
    ) -> Object:
        return self._decoded(self._open(method, path, query, body, media_type))

    def _decoded(self, response: urllib3.HTTPResponse) -> Object:
        try:
            return cast(Object, json.loads(response.data))
        except ValueError as error:
            raise UnreachableError(self._unreachable("its answer is not JSON")) from error
        except urllib3.exceptions.HTTPError as error:
            raise UnreachableError(self._unreachable(error)) from error

    def _open(
        self,
        method: str,
        path: str,
        query: Query = (),
        body: Any = None,
        media_type: str = "",
        timeout: urllib3.Timeout | None = None,
        retries: urllib3.Retry | Literal[False] | None = None,
    ) -> urllib3.HTTPResponse:
        """Send a request and return the answer, whose body is not read yet.

        Raises:
            ApiError: The server refused.
            UnreachableError: The server did not answer.
        """
        headers = dict(self._client.default_headers)
        headers["Accept"] = _JSON
        if media_type:
            headers["Content-Type"] = media_type
        parameters = list(query)
        usual = urllib3.Timeout(connect=_CONNECT_TIMEOUT_SECONDS, read=self._read_timeout)
        if retries is None:
            retries = _READ_RETRIES if method == "GET" else _WRITE_RETRIES
        try:
            self._client.update_params_for_auth(
                headers, parameters, ["BearerToken"], path, method, None
            )
            url = self._client.configuration.host + path
            if parameters:
                url += "?" + urlencode(parameters)
            encoded = None if body is None else json.dumps(body).encode()
            response = self._client.rest_client.pool_manager.request(
                method,
                url,
                body=encoded,
                headers=headers,
                timeout=timeout or usual,
                retries=retries,
                preload_content=False,
            )
            if 200 <= response.status <= 299:
                return cast(urllib3.HTTPResponse, response)
            raise _refusal(response)
        except (urllib3.exceptions.HTTPError, ApiException, ConfigException, OSError) as error:
            raise UnreachableError(self._unreachable(error)) from error

    def _unreachable(self, cause: object) -> str:
        reason = getattr(cause, "reason", None) or cause
        return f"the API server at {self._client.configuration.host} does not answer: {reason}"

    def list(
        self,
        api_version: str,
        kind: str,
        namespace: str | None = None,
        label_selector: str | None = None,
        field_selector: str | None = None,
    ) -> list[Object]:
        """Return every object of a kind that the selectors match, of one namespace or of all."""
        selectors = {"labelSelector": label_selector, "fieldSelector": field_selector}
        query = [(key, value) for key, value in selectors.items() if value]
        return self._list(api_version, kind, namespace, query)[0]


def _write_query(field_manager: str, dry_run: bool) -> list[tuple[str, str]]:
    query = [("fieldManager", field_manager)]
    return [*query, ("dryRun", "All")] if dry_run else query


def _refusal(response: urllib3.BaseHTTPResponse) -> ApiError:
    text = response.data.decode(errors="replace")
    try:
        status = json.loads(text)
    except ValueError:
        status = {}
    return ApiError(response.status, status if isinstance(status, dict) else {}, text.strip()[:200])


def _lines(response: urllib3.HTTPResponse) -> Iterator[bytes]:
    rest = b""
    for chunk in response.stream(amt=None, decode_content=True):
        *lines, rest = (rest + chunk).split(b"\n")
        yield from (line for line in lines if line.strip())


def _event_time(event: Object) -> str:
    metadata = naming.metadata_of(event)
    return str(
        event.get("lastTimestamp")
        or event.get("eventTime")
        or metadata.get("creationTimestamp")
        or ""
    )
