"""Where pods run on the pools of a cloud; `infra.settings.cluster.pools` tells what nodes carry."""

from typing import Final

from infra.contract import Placement, Toleration
from infra.settings.cluster.pools import GPU_LABEL

GPU_TAINT: Final = "nvidia.com/gpu"

GPU: Final = Placement({GPU_LABEL: "true"}, (Toleration(GPU_TAINT),))
"""Of pods with GPUs."""
