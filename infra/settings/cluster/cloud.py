"""What the settings of every cloud's cluster have in common."""

from infra.settings.types import ClusterName, Flag, StrictModel


class CloudClusterSettings(StrictModel):
    """A cluster in a cloud, which the stack makes with its network and its stores.

    Attributes:
        name: Name of the cluster, and the beginning of the names of what it is made of.
        protect: Whether what holds state, and what cannot be replaced without it, is neither
            replaced nor deleted unless `slipway:approve` names it.
    """

    name: ClusterName = "slipway"
    protect: Flag = True
