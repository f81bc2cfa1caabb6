"""What the node pools of every cloud have in common.

Pods reach a pool by what its nodes carry, and that is the same on every cloud:

- all nodes: the label `POOL_LABEL`, with the pool's name in the settings; in clouds' own labels it
  has a suffix, or is missing. A model chooses them with
  `nodeSelector: {slipway.local/pool: <pool>}`;
- nodes with GPUs: the label `GPU_LABEL`, and the taint `nvidia.com/gpu`, which pods that ask for
  GPUs tolerate;
- spot nodes, and the nodes that stand in for them: the taint `POOL_LABEL`, so that nothing else
  runs there and the platform outlives a node that is taken back.
"""

from collections.abc import Mapping
from typing import Annotated, Final, Self

from pydantic import Field, model_validator

from infra.settings.types import Flag, StrictModel

POOL_LABEL: Final = "slipway.local/pool"
GPU_LABEL: Final = "slipway.local/gpu"

# The largest node pool of all three clouds is 1000 nodes.
_Nodes = Annotated[int, Field(strict=True, ge=0, le=1000)]
_SomeNodes = Annotated[int, Field(strict=True, ge=1, le=1000)]


class PoolSettings(StrictModel):
    """Nodes of one kind, of which there are as many as pods need.

    Attributes:
        min: Fewest nodes.
        max: Most nodes.
        gpu: Whether they have GPUs.
        spot: Whether they are spare capacity, which the cloud takes back at short notice.
        fallback: Most nodes on demand that stand in while there is no spot capacity; a spot pool
            has to say so, else its pods would be without a node for as long as that takes.
    """

    min: _Nodes = 0
    max: _SomeNodes
    gpu: Flag = False
    spot: Flag = False
    fallback: _SomeNodes | None = None

    @model_validator(mode="after")
    def _bounds(self) -> Self:
        if self.max < self.min:
            raise ValueError(f"`max: {self.max}` is below `min: {self.min}`; raise max")
        return self

    @model_validator(mode="after")
    def _falls_back(self) -> Self:
        if self.spot and self.fallback is None:
            raise ValueError(
                "`spot: true` without `fallback`: its pods have no node while the cloud has no "
                "spare capacity; add `fallback: <most nodes on demand>`"
            )
        if self.fallback is not None and not self.spot:
            raise ValueError("`fallback` is of spot pools alone; remove it, or add `spot: true`")
        return self

    def labels(self, name: str) -> dict[str, str]:
        """Return the labels that nodes of the pool carry.

        Args:
            name: Name of the pool.
        """
        return {
            POOL_LABEL: name,
            **({GPU_LABEL: "true"} if self.gpu else {}),
        }


def refuse_without_plain_pool(pools: Mapping[str, PoolSettings]) -> None:
    """Refuse pools of which none takes the platform's own pods.

    Args:
        pools: Pools by name.

    Raises:
        ValueError: Each has GPUs or is a spot pool.
    """
    if not any(not pool.gpu and not pool.spot for pool in pools.values()):
        raise ValueError(
            "`pools` has none for the platform's own pods; add one without `gpu` and `spot`"
        )
