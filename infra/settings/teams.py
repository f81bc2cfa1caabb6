"""Settings of a team."""

from typing import Annotated

from pydantic import AfterValidator, Field

from infra.settings.secrets import TeamSecrets
from infra.settings.storage import StorageSettings, TrustedPrefix
from infra.settings.types import (
    Cpu,
    GpuCount,
    Group,
    Memory,
    PodCount,
    Storage,
    StorageName,
    StrictModel,
    distinct,
)


class QuotaSettings(StrictModel):
    """What all pods and claims of a team may use together; a key left out is not limited.

    Attributes:
        cpu: CPU that its pods are promised (requests), in cores or millicores.
        memory: Memory of its pods: promised (requests) and used at most (limits), each.
        gpu: GPUs of its pods; 0 gives it none.
        pods: Pods that have not ended.
        storage: Storage that its claims ask for, those of its models' files included.
    """

    cpu: Cpu | None = None
    memory: Memory | None = None
    gpu: GpuCount | None = None
    pods: PodCount | None = None
    storage: Storage | None = None


class TeamSettings(StrictModel):
    """A team; its name is its namespace.

    Attributes:
        members: Groups whose members may look at the team's workloads, as the cluster's identity
            provider names them.
        quota: What the team may use.
        secrets: What its models may take as environment variables.
        storage: Where its models are stored, as far as their URIs do not say it.
        trusted: Beginnings of the URIs that it trusts: only from there come models that run code
            when they are loaded.
    """

    members: Annotated[tuple[Group, ...], AfterValidator(distinct)] = ()
    quota: QuotaSettings = Field(default_factory=QuotaSettings)
    secrets: TeamSecrets = Field(default_factory=dict)
    storage: dict[StorageName, StorageSettings] = Field(default_factory=dict)
    trusted: Annotated[tuple[TrustedPrefix, ...], AfterValidator(distinct)] = ()
