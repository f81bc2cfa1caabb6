"""The kinds of clusters: from the settings of a kind to what builds it."""

from collections.abc import Iterable
from typing import assert_never

from infra.clusters.local import build_local
from infra.contract import ClusterHandle
from infra.settings import ClusterSettings, LocalClusterSettings


def build(settings: ClusterSettings, approve: Iterable[str]) -> ClusterHandle:
    """Return the cluster that the settings describe.

    Args:
        settings: What is built.
        approve: Logical names of protected resources that may be replaced or deleted.

    Raises:
        pulumi.RunError: The cloud's SDK is not installed.
    """
    match settings:
        case LocalClusterSettings():
            return build_local(settings)
        case _:
            assert_never(settings)
