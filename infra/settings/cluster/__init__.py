"""Settings of a cluster: one model per kind, told apart by `kind`."""

from typing import Annotated

from pydantic import Field

from infra.settings.cluster.aks import AksClusterSettings
from infra.settings.cluster.eks import EksClusterSettings
from infra.settings.cluster.existing import ExistingClusterSettings
from infra.settings.cluster.gke import GkeClusterSettings
from infra.settings.cluster.local import LocalClusterSettings

__all__ = [
    "AksClusterSettings",
    "ClusterSettings",
    "EksClusterSettings",
    "ExistingClusterSettings",
    "GkeClusterSettings",
    "LocalClusterSettings",
]

# A further kind joins this union and the registry in `infra.clusters`.
ClusterSettings = Annotated[
    LocalClusterSettings
    | EksClusterSettings
    | ExistingClusterSettings
    | AksClusterSettings
    | GkeClusterSettings,
    Field(discriminator="kind"),
]
