"""The kinds of clusters: from the settings of a kind to what builds it."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import assert_never

import pulumi

from infra.clusters.existing import build_existing
from infra.clusters.local import build_local
from infra.clusters.protection import Protection
from infra.contract import ClusterHandle
from infra.settings import (
    AksClusterSettings,
    ClusterSettings,
    EksClusterSettings,
    ExistingClusterSettings,
    GkeClusterSettings,
    LocalClusterSettings,
)


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
        case ExistingClusterSettings():
            return build_existing(settings)
        case EksClusterSettings():
            # Here, because only the stacks of a cloud have its SDK.
            with _sdk():
                from infra.clusters.eks import build_eks

            return build_eks(settings, Protection(settings.protect, frozenset(approve)))
        case AksClusterSettings():
            with _sdk():
                from infra.clusters.aks import build_aks

            return build_aks(settings, Protection(settings.protect, frozenset(approve)))
        case GkeClusterSettings():
            with _sdk():
                from infra.clusters.gke import build_gke

            return build_gke(settings, Protection(settings.protect, frozenset(approve)))
        case _:
            assert_never(settings)


@contextmanager
def _sdk() -> Iterator[None]:
    """Say how a cloud's SDK is installed where it is not."""
    try:
        yield
    except ModuleNotFoundError as error:
        if not (error.name or "").startswith("pulumi_"):
            raise
        raise pulumi.RunError(
            f"the Python package {error.name} is not installed, which this stack's "
            "slipway:cluster.kind needs; run `make up`, or install requirements-clouds.lock"
        ) from error
