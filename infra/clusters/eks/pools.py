"""What both ways to run nodes make of a pool."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from infra.clusters.placement import GPU_TAINT
from infra.settings.cluster.eks import FALLBACK_SUFFIX, EksPoolSettings
from infra.settings.cluster.pools import POOL_LABEL


@dataclass(frozen=True)
class Nodes:
    """Nodes of one pool that are bought in one way.

    Attributes:
        name: Name of what makes them.
        pool: The pool.
        spot: Whether they are spare capacity.
        min: Fewest nodes.
        max: Most nodes.
        labels: What they carry.
        taints: Values of their taints by key; the effect is that nothing else is scheduled there.
    """

    name: str
    pool: EksPoolSettings
    spot: bool
    min: int
    max: int
    labels: Mapping[str, str]
    taints: Mapping[str, str]


def nodes(pools: Mapping[str, EksPoolSettings]) -> Iterator[Nodes]:
    """Return the nodes of pools: of a spot pool also those that stand in for it.

    Args:
        pools: Pools by name.
    """
    for name, pool in pools.items():
        labels = pool.labels(name)
        taints = {
            **({GPU_TAINT: "present"} if pool.gpu else {}),
            **({POOL_LABEL: name} if pool.spot else {}),
        }
        yield Nodes(name, pool, pool.spot, pool.min, pool.max, labels, taints)
        if pool.fallback is not None:
            yield Nodes(f"{name}{FALLBACK_SUFFIX}", pool, False, 0, pool.fallback, labels, taints)
