"""What the rest of the plug-in may ask of a cluster, in plain dictionaries.

Objects are plain JSON-shaped dictionaries, as the Kubernetes API serves them. Every method may be
called from any thread.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Literal, Protocol

Object = dict[str, Any]
EventType = Literal["ADDED", "MODIFIED", "DELETED"]


class ObjectClient(Protocol):
    """Reads and writes objects of any kind that the API server serves.

    `namespace` is ignored for cluster-scoped kinds. Except where a method says otherwise, a refusal
    of the server raises `toolchain.kubernetes_plugin.errors.ApiError`, a server that does not
    answer raises `UnreachableError`, and a kind that it does not serve raises `KindNotServedError`
    (all three are subclasses of `ClusterError`).
    """

    def serves(self, api_version: str, kind: str) -> bool:
        """Return whether the API server lists a kind."""
        ...

    def get(
        self, api_version: str, kind: str, name: str, namespace: str | None = None
    ) -> Object | None:
        """Return one object, or `None` if it, its namespace or its kind does not exist."""
        ...

    def watch(
        self,
        api_version: str,
        kind: str,
        namespace: str | None = None,
        name: str | None = None,
        timeout_seconds: float = 30.0,
    ) -> Iterator[tuple[EventType, Object]]:
        """Yield what happens to objects of a kind, starting with those that exist as `ADDED`.

        The iterator ends after `timeout_seconds`, or earlier when the server closes the stream; a
        caller that still waits calls again. With `name`, a `get` that finds nothing before the
        watch starts yields nothing: deletion is seen by `get`, not missed by a late watch.
        """
        ...

    def events(self, obj: Object) -> list[Object]:
        """Return the core/v1 Events about an object (by its uid), oldest first."""
        ...

    def create(self, obj: Object, *, field_manager: str, dry_run: bool = False) -> Object:
        """Create an object that must not exist yet and return it as stored."""
        ...

    def apply(
        self, obj: Object, *, field_manager: str, force: bool = False, dry_run: bool = False
    ) -> Object:
        """Server-side apply an object and return it as stored."""
        ...

    def patch(
        self, obj: Object, body: list[Mapping[str, Any]] | Mapping[str, Any], *, media_type: str
    ) -> Object:
        """Send a patch of `media_type` for the object that `obj` names and return the result."""
        ...

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
        """Ask the server to delete an object; one that does not exist is no error.

        With `uid`, only the object of that identity is deleted.
        """
        ...

    def list(
        self,
        api_version: str,
        kind: str,
        namespace: str | None = None,
        label_selector: str | None = None,
        field_selector: str | None = None,
    ) -> list[Object]:
        """Return every object of a kind that the selectors match, of one namespace or of all."""
        ...
