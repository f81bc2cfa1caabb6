"""What a cluster can do, as Helm's templates may ask for it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from toolchain.kubernetes_plugin.discovery import Discovery, group_version_path
from toolchain.kubernetes_plugin.errors import ApiError


@dataclass(frozen=True)
class Capabilities:
    """Helm's `.Capabilities` of a cluster.

    Attributes:
        version: Version of Kubernetes, `v1.37.2`.
        api_versions: Everything `.Capabilities.APIVersions.Has` is true for: `apps/v1`,
            `apps/v1/Deployment`.
    """

    version: str
    api_versions: tuple[str, ...]


def of(discovery: Discovery) -> Capabilities:
    """Ask a cluster what it can do now.

    Nothing is remembered: a definition made a moment ago may be what a chart looks for.

    Raises:
        ClusterError: The cluster does not answer.
    """
    version = str(discovery.read("/version").get("gitVersion") or "")
    found = [entry for group in _groups(discovery) for entry in _served(discovery, group)]
    return Capabilities(version, tuple(dict.fromkeys(found)))


def _groups(discovery: Discovery) -> Iterator[str]:
    yield from _texts(discovery.read("/api").get("versions"))
    for group in discovery.read("/apis").get("groups") or []:
        for version in group.get("versions") or []:
            yield str(version.get("groupVersion") or "")


def _served(discovery: Discovery, api_version: str) -> Iterator[str]:
    yield api_version
    try:
        answer = discovery.read(group_version_path(api_version))
    except ApiError:
        # An aggregated API whose server is away is listed, but cannot be asked for its kinds.
        return
    for resource in answer.get("resources") or []:
        yield f"{api_version}/{resource['kind']}"


def _texts(value: Any) -> list[str]:
    return [str(item) for item in value or []]
