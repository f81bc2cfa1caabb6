"""Settings of what one pod of a model may use, and where it runs."""

from collections.abc import Mapping
from typing import Annotated, Any, Final, Self

from pydantic import BeforeValidator, Field, model_validator

from infra.settings.errors import key
from infra.settings.plain import at, entries
from infra.settings.types import (
    Cpu,
    Flag,
    Memory,
    MigProfile,
    Storage,
    StrictModel,
    parse_quantity,
)

# Kinds of clusters that never have a GPU.
WITHOUT_GPUS: Final = frozenset({"local"})

_PodGpus = Annotated[int, Field(strict=True, ge=1, le=16)]


class GpuSettings(StrictModel):
    """What a pod gets of the cluster's GPUs; `gpu: 1` stands for `gpu: {count: 1}`.

    Attributes:
        count: How many.
        shared: Whether they are shared with other pods, by time-slicing or MPS: what NVIDIA's
            device plug-in offers as `nvidia.com/gpu.shared` where it renames what it shares.
        mig: Whether they are parts of a GPU: the profile of a part, as NVIDIA names it (`1g.5gb`).
    """

    count: _PodGpus = 1
    shared: Flag = False
    mig: MigProfile | None = None

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if self.shared and self.mig is not None:
            raise ValueError("`shared` and `mig` exclude each other; remove one of them")
        return self

    def resource(self, whole: str) -> str:
        """Return the resource name under which they are requested.

        Args:
            whole: The name of whole GPUs in the cluster (`nvidia.com/gpu`).
        """
        if self.mig is not None:
            return f"{whole.partition('/')[0]}/mig-{self.mig}"
        return f"{whole}.shared" if self.shared else whole


def _counted(value: object) -> object:
    if isinstance(value, int) and not isinstance(value, bool):
        return {"count": value}
    if isinstance(value, Mapping):
        return value
    raise ValueError(
        f"`{value}` is not a number of GPUs; write `1`, `{{shared: true}}` or `{{mig: 1g.5gb}}`"
    )


class ResourceSettings(StrictModel):
    """What one pod of a model may use.

    The defaults suit a laptop: a digits classifier needs about 120 MiB and far less than a core.

    Attributes:
        cpu: CPU that a pod is promised (request), in cores or millicores.
        cpu_limit: CPU that a pod may use at most.
        memory: Memory of a pod, request and limit alike, so that a node is never overcommitted.
        gpu: GPUs of a pod, its alone unless they are shared; none by default.
        storage: Room for a model that is downloaded into its pod.
    """

    cpu: Cpu = "250m"
    cpu_limit: Cpu = "2"
    memory: Memory = "512Mi"
    gpu: Annotated[GpuSettings, BeforeValidator(_counted)] | None = None
    storage: Storage = "2Gi"

    @model_validator(mode="after")
    def _limit_covers_request(self) -> Self:
        if parse_quantity(self.cpu_limit) < parse_quantity(self.cpu):
            raise ValueError(
                f"`cpuLimit: {self.cpu_limit}` is below `cpu: {self.cpu}`; raise cpuLimit"
            )
        return self


def errors(raw: Mapping[str, Any]) -> list[str]:
    """Return an error for each model with a GPU on a kind of cluster that never has one.

    It looks at the plain data, so that these errors come together with those of the fields.

    Args:
        raw: The settings as plain data.
    """
    kind = at(raw, "cluster", "kind")
    if kind not in WITHOUT_GPUS:
        return []
    return [
        f"{key('models', name, 'resources', 'gpu')}: a cluster of kind `{kind}` has no GPUs; "
        "remove it, or choose another cluster"
        for name, model in entries(raw.get("models"))
        if at(model, "resources", "gpu") is not None
    ]
