"""The kinds of clusters: a registry from `kind` to the function that builds one."""

from collections.abc import Callable, Mapping
from typing import Final

from infra.clusters.local import build_local
from infra.contract import ClusterHandle
from infra.settings import ClusterSettings

_BUILDERS: Final[Mapping[str, Callable[[ClusterSettings], ClusterHandle]]] = {
    "local": build_local,
}


def build(settings: ClusterSettings) -> ClusterHandle:
    """Return the cluster that the settings describe."""
    return _BUILDERS[settings.kind](settings)
