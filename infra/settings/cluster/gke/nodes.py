"""Settings of the nodes of a GKE cluster: pools of a Standard one, and what Autopilot is told."""

import re
from typing import Annotated, Final, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from infra.settings.cluster.gke.catalog import gpu_problem, gpus_of, is_machine_type
from infra.settings.cluster.pools import PoolSettings
from infra.settings.types import Flag, StrictModel

Gpu = Literal[
    "nvidia-tesla-t4",
    "nvidia-tesla-v100",
    "nvidia-l4",
    "nvidia-rtx-pro-6000",
    "nvidia-tesla-a100",
    "nvidia-a100-80gb",
    "nvidia-h100-80gb",
    "nvidia-h100-mega-80gb",
    "nvidia-h200-141gb",
    "nvidia-b200",
]

# Google's limit is 40 characters, of which 8 tell a pool from the one that replaces it.
# https://cloud.google.com/kubernetes-engine/docs/reference/rest/v1/projects.locations.clusters.nodePools
POOL_NAME_LIMIT: Final = 40 - len("-1234567")
# Appended to the name of a spot pool: the nodes on demand that stand in for it.
FALLBACK_SUFFIX: Final = "-on-demand"

_LABEL = re.compile(r"[a-z]([a-z0-9-]*[a-z0-9])?")
_SERIES = re.compile(r"[a-z]\d+[a-z]?")


def _pool_name(value: str) -> str:
    if not _LABEL.fullmatch(value):
        raise ValueError(
            f"`{value}` is not the name of a pool; start with a letter and use lower-case letters, "
            "digits and inner hyphens"
        )
    if len(value) > POOL_NAME_LIMIT:
        raise ValueError(
            f"`{value}` has {len(value)} characters; shorten it to at most {POOL_NAME_LIMIT}"
        )
    return value


def _machine(value: str) -> str:
    if not is_machine_type(value):
        raise ValueError(f"`{value}` is not a machine type; write one like `e2-standard-4`")
    return value


def _series(value: str) -> str:
    if not _SERIES.fullmatch(value):
        raise ValueError(f"`{value}` is not a machine series; write one like `n2`")
    return value


PoolName = Annotated[str, AfterValidator(_pool_name)]
MachineType = Annotated[str, AfterValidator(_machine)]
Series = Annotated[str, AfterValidator(_series)]


class GkePool(PoolSettings):
    """Nodes of one kind, in all zones of the cluster together.

    Attributes:
        machine: Machine type.
        accelerator: Type of their GPUs; needed where the machine type does not decide it.
        gpus: How many GPUs a node has, where the machine type does not decide it; 1 by default.
        driver: Which of Google's drivers for GPUs is installed.
        system: Whether they are kept for what GKE itself runs.
    """

    machine: MachineType
    accelerator: Gpu | None = None
    gpus: Annotated[int, Field(strict=True, ge=1, le=16)] | None = None
    driver: Literal["default", "latest"] = "default"
    system: Flag = False

    @property
    def gpu_type(self) -> str | None:
        """Type of their GPUs; `None` without any."""
        if not self.gpu:
            return None
        return self.accelerator or next(iter(gpus_of(self.machine)), None)

    @property
    def gpu_count(self) -> int:
        """GPUs of a node."""
        if self.gpu_type is None:
            return 0
        return self.gpus or gpus_of(self.machine).get(self.gpu_type, 1)

    @property
    def most_nodes(self) -> int:
        """Nodes that there can be, with those that stand in for spot ones."""
        return self.max + (self.fallback or 0)

    @model_validator(mode="after")
    def _gpus_fit(self) -> Self:
        problem = self._gpu_problem() if self.gpu else self._problem_without_gpu()
        if problem is not None:
            raise ValueError(problem)
        return self

    @model_validator(mode="after")
    def _system_is_plain(self) -> Self:
        if self.system and (self.spot or self.gpu):
            raise ValueError("a system pool has plain nodes; remove `spot` and `gpu`, or `system`")
        return self

    def _gpu_problem(self) -> str | None:
        if self.gpu_type is None:
            return (
                f"`{self.machine}` can have several types of GPUs or none; name one with "
                "`accelerator`, or choose a machine that has some, like `g2-standard-8`"
            )
        return gpu_problem(self.gpu_type, self.gpus, self.machine)

    def _problem_without_gpu(self) -> str | None:
        if gpus_of(self.machine):
            return f"`{self.machine}` has GPUs; add `gpu: true`, or choose another machine"
        if self.accelerator is not None or self.gpus is not None:
            return (
                "`accelerator` and `gpus` are of GPU pools alone; remove them, or add `gpu: true`"
            )
        return None


class GkeSpotClass(StrictModel):
    """Spot nodes that Autopilot makes, and on demand the same while there are none.

    Models ask for them with `nodeSelector: {cloud.google.com/compute-class: <name>}`.
    https://cloud.google.com/kubernetes-engine/docs/concepts/about-custom-compute-classes

    Attributes:
        series: Machine series.
        accelerator: Type of GPU, which decides the series.
        gpus: How many GPUs a node has.
    """

    series: Series | None = None
    accelerator: Gpu | None = None
    gpus: Annotated[int, Field(strict=True, ge=1, le=16)] = 1

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.series is None) == (self.accelerator is None):
            raise ValueError(
                "a class is of a machine series or of a GPU; give `series` or `accelerator`, not "
                "both"
            )
        return self


class GkeAutopilotSettings(StrictModel):
    """What an Autopilot cluster is told; how many nodes there are, pods decide.

    Attributes:
        accelerator: Type of GPU that a model gets which asks for one and names none; without it,
            there are no GPUs.
        spot: Classes of spot nodes by name.
    """

    accelerator: Gpu | None = None
    spot: dict[PoolName, GkeSpotClass] = Field(default_factory=dict)


class GkeAutoProvisioningSettings(StrictModel):
    """Pools that GKE makes by itself for pods that fit no pool, up to these limits.

    The limits are of the whole cluster, with the nodes of its pools.
    https://cloud.google.com/kubernetes-engine/docs/how-to/node-auto-provisioning

    Attributes:
        cpu: Cores.
        memory: Memory, in GiB.
        gpus: GPUs by type.
    """

    cpu: Annotated[int, Field(strict=True, ge=1, le=100_000)]
    memory: Annotated[int, Field(strict=True, ge=1, le=1_000_000)]
    gpus: dict[Gpu, Annotated[int, Field(strict=True, ge=1, le=10_000)]] = Field(
        default_factory=dict
    )
