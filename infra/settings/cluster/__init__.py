"""Settings of a cluster: one model per kind, told apart by `kind`."""

from typing import Annotated

from pydantic import Field

from infra.settings.cluster.local import LocalClusterSettings

# A further kind joins this union and the registry in `infra.clusters`.
ClusterSettings = Annotated[LocalClusterSettings, Field(discriminator="kind")]
