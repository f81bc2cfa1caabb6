"""Settings of a served model."""

from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from apps.serving.runtimes import RUNTIMES
from infra.settings.types import (
    Cpu,
    FilePath,
    Memory,
    ModelUri,
    Replicas,
    StrictModel,
    TeamName,
    parse_quantity,
)


def _served_format(value: str) -> str:
    if value not in RUNTIMES:
        raise ValueError(f"no runtime serves the format `{value}`; known: {', '.join(RUNTIMES)}")
    return value


class ResourceSettings(StrictModel):
    """What one pod of a model may use.

    The defaults suit a laptop: a digits classifier needs about 120 MiB and far less than a core.

    Attributes:
        cpu: CPU that a pod is promised (request), in cores or millicores.
        cpu_limit: CPU that a pod may use at most.
        memory: Memory of a pod, request and limit alike, so that a node is never overcommitted.
    """

    cpu: Cpu = "250m"
    cpu_limit: Cpu = "2"
    memory: Memory = "512Mi"

    @model_validator(mode="after")
    def _limit_covers_request(self) -> Self:
        if parse_quantity(self.cpu_limit) < parse_quantity(self.cpu):
            raise ValueError(
                f"`cpuLimit: {self.cpu_limit}` is below `cpu: {self.cpu}`; raise cpuLimit"
            )
        return self


class ModelSettings(StrictModel):
    """A model behind the gateway.

    Attributes:
        team: The team it belongs to, a key of `slipway:teams`.
        format: Format of the file, a row of `apps.serving.runtimes`.
        uri: Where the file is: `file:<path below the project's folder>`.
        replicas: Number of pods; 1 by default.
        resources: What one pod may use.
        holdout: Held-out rows with their expected predictions, sent through the gateway at the
            end of `make up`; a path below the project's folder.
    """

    team: TeamName
    format: Annotated[str, AfterValidator(_served_format)]
    uri: ModelUri
    replicas: Replicas = 1
    resources: ResourceSettings = Field(default_factory=ResourceSettings)
    holdout: FilePath | None = None

    @property
    def path(self) -> str:
        """Path of the model file, relative to the project's folder."""
        return self.uri.removeprefix("file:")
