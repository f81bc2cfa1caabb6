"""The distributions that a node can be."""

from toolchain.local_cluster.distribution import DistributionSteps
from toolchain.local_cluster.k3s import K3s
from toolchain.local_cluster.spec import Brings, Distribution
from toolchain.local_cluster.upstream import Upstream

_STEPS: dict[Distribution, DistributionSteps] = {"upstream": Upstream(), "k3s": K3s()}


def steps_of(chosen: Distribution) -> DistributionSteps:
    """Return the steps of a distribution."""
    return _STEPS[chosen]


def brings(chosen: Distribution) -> Brings:
    """Return what a distribution has beyond Kubernetes itself."""
    return steps_of(chosen).brings
