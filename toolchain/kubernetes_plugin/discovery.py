"""Which kinds a cluster serves, and under which path.

What was asked once is kept. A kind that is not found is asked for again the next time, because
definitions arrive while a program runs.
"""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from toolchain.kubernetes_plugin.errors import ApiError, KindNotServedError, UnreachableError
from toolchain.kubernetes_plugin.types import group_of, is_cluster_scoped

GetJson = Callable[[str], dict[str, Any]]


@dataclass(frozen=True)
class ServedKind:
    """A kind as the API server serves it.

    Attributes:
        plural: Name in paths.
        namespaced: Whether its objects live in a namespace.
    """

    plural: str
    namespaced: bool


def group_version_path(api_version: str) -> str:
    """Return the path under which the API server serves a group and version."""
    return f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"


class Discovery:
    """Finds served kinds; may be used from any thread."""

    def __init__(self, get_json: GetJson) -> None:
        """Start with nothing known.

        Args:
            get_json: Reads a path of the API server, raising `ApiError` when it refuses.
        """
        self._get_json = get_json
        self._lock = threading.Lock()
        self._kinds: dict[str, dict[str, ServedKind]] = {}
        self._declared: dict[tuple[str, str], bool] = {}

    def find(self, api_version: str, kind: str) -> ServedKind:
        """Return how a kind is served.

        Raises:
            KindNotServedError: It is not served, or not yet.
        """
        with self._lock:
            found = self._kinds.get(api_version, {}).get(kind)
        if found is not None:
            return found
        kinds = self._read(api_version)
        with self._lock:
            self._kinds[api_version] = kinds
        if kind not in kinds:
            raise KindNotServedError(api_version, kind)
        return kinds[kind]

    def is_served(self, api_version: str, kind: str) -> bool:
        """Return whether a kind is served."""
        try:
            self.find(api_version, kind)
        except KindNotServedError:
            return False
        return True

    def is_namespaced(self, api_version: str, kind: str) -> bool:
        """Return whether a kind is namespaced.

        A kind of which nothing that is known now tells is taken for namespaced, as most are.
        """
        return self.scope(api_version, kind) is not False

    def scope(self, api_version: str, kind: str) -> bool | None:
        """Return whether a kind is namespaced, `None` if nothing that is known now tells.

        Kubernetes' own cluster-scoped kinds are known, and of others a definition seen earlier in
        the same run tells, or the server.
        """
        if is_cluster_scoped(api_version, kind):
            return False
        with self._lock:
            declared = self._declared.get((group_of(api_version), kind))
        if declared is not None:
            return declared
        try:
            return self.find(api_version, kind).namespaced
        except (KindNotServedError, UnreachableError):
            return None

    def read(self, path: str) -> dict[str, Any]:
        """Return what the API server answers at a path of its discovery (`/apis`, `/version`).

        Raises:
            ClusterError: It refuses, or does not answer.
        """
        return self._get_json(path)

    def declare(self, definition: Mapping[str, Any]) -> None:
        """Remember the scope of the kind that a CustomResourceDefinition defines."""
        spec = definition.get("spec")
        names = spec.get("names") if isinstance(spec, Mapping) else None
        if not isinstance(spec, Mapping) or not isinstance(names, Mapping):
            return
        group, kind = spec.get("group"), names.get("kind")
        if isinstance(group, str) and isinstance(kind, str):
            with self._lock:
                self._declared[group, kind] = spec.get("scope") != "Cluster"

    def forget(self, group: str) -> None:
        """Ask again for the kinds of a group the next time."""
        with self._lock:
            for api_version in [key for key in self._kinds if group_of(key) == group]:
                del self._kinds[api_version]

    def _read(self, api_version: str) -> dict[str, ServedKind]:
        try:
            answer = self._get_json(group_version_path(api_version))
        except ApiError as error:
            if error.not_found:
                return {}
            raise
        return {
            resource["kind"]: ServedKind(resource["name"], bool(resource.get("namespaced")))
            for resource in answer.get("resources") or []
            if "/" not in resource["name"]
        }
