"""The distributions that a node can be."""

from toolchain.local_cluster.distribution import DistributionSteps
from toolchain.local_cluster.k3s import K3s
from toolchain.local_cluster.spec import Distribution
from toolchain.local_cluster.upstream import Upstream

_STEPS: dict[Distribution, DistributionSteps] = {"upstream": Upstream(), "k3s": K3s()}


def steps_of(chosen: Distribution) -> DistributionSteps:
    """Return the steps of a distribution."""
    return _STEPS[chosen]
