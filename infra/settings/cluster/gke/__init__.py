"""Settings of a cluster of Google Kubernetes Engine."""

import re
from typing import Annotated, Final, Literal, Self

from pydantic import AfterValidator, Field, ValidationInfo, field_validator, model_validator

from infra.naming import fit
from infra.settings.cluster.cloud import CloudClusterSettings
from infra.settings.cluster.gke.catalog import AS_OF, Channel, image_volumes, supported
from infra.settings.cluster.gke.network import (
    GkeControlPlaneSettings,
    GkeLoadBalancerSettings,
    GkeNetworkSettings,
)
from infra.settings.cluster.gke.nodes import (
    FALLBACK_SUFFIX,
    GkeAutopilotSettings,
    GkeAutoProvisioningSettings,
    GkePool,
    GkeSpotClass,
    PoolName,
)
from infra.settings.cluster.pools import refuse_without_plain_pool

Mode = Literal["autopilot", "standard"]

# https://cloud.google.com/iam/docs/service-accounts-create
_ACCOUNT_LIMIT: Final = 30
# https://cloud.google.com/storage/docs/buckets#naming
_BUCKET_LIMIT: Final = 63

_PROJECT = re.compile(r"[a-z][a-z0-9-]{4,28}[a-z0-9]")
_REGION = re.compile(r"[a-z]+-[a-z]+\d+")
_ZONE = re.compile(r"[a-z]+-[a-z]+\d+-[a-z]")
_BUCKET = re.compile(r"[a-z0-9][a-z0-9_-]{1,61}[a-z0-9]")
_GROUP = re.compile(r"gke-security-groups@[a-z0-9.-]+\.[a-z]+")
_MINOR = re.compile(r"\d+\.\d+")


def _matches(pattern: re.Pattern[str], problem: str) -> AfterValidator:
    def check(value: str) -> str:
        if not pattern.fullmatch(value):
            raise ValueError(f"`{value}` {problem}")
        return value

    return AfterValidator(check)


Project = Annotated[
    str,
    _matches(
        _PROJECT,
        "is not the id of a project; write its 6 to 30 lower-case letters, digits and hyphens",
    ),
]
Region = Annotated[str, _matches(_REGION, "is not a region; write one like `europe-west4`")]
Zone = Annotated[str, _matches(_ZONE, "is not a zone; write one like `europe-west4-a`")]
Bucket = Annotated[
    str,
    _matches(
        _BUCKET,
        "is not the name of a bucket; use 3 to 63 lower-case letters, digits, and inner hyphens "
        "and underscores",
    ),
]
SecurityGroup = Annotated[
    str,
    _matches(
        _GROUP,
        "is not the group that GKE asks; write `gke-security-groups@<your domain>`",
    ),
]


class GkeClusterSettings(CloudClusterSettings):
    """A regional cluster of Google Kubernetes Engine.

    Attributes:
        kind: Always `gke`.
        project: Id of the project, which should hold no other environment: Google takes service
            accounts of one name in two clusters of a project for the same.
        region: Region of the cluster, its images and its models.
        zones: Zones of its nodes; by default Google chooses three.
        mode: `autopilot`: Google makes and looks after the nodes, and pods are paid for; or
            `standard`: the pools below, whose nodes are paid for.
        channel: Release channel, from which the cluster is updated.
        version: Minor version that the cluster has at least; by default its channel's.
        network: Ranges of addresses.
        control_plane: Who reaches the control plane.
        load_balancer: Where the gateway answers.
        storage_class: Class of volumes: balanced disks, or SSDs.
        autopilot: What an Autopilot cluster is told.
        auto_provisioning: How far GKE adds pools to those of a Standard cluster; by default not.
        pools: Pools of a Standard cluster by name.
        models_bucket: Name of the bucket for models, which no other bucket of Google's may have;
            `<project>-<name>-models` by default.
        security_group: The group whose members may be the groups that teams name as theirs.
    """

    kind: Literal["gke"]
    project: Project
    region: Region
    zones: tuple[Zone, ...] = ()
    mode: Mode = "autopilot"
    channel: Channel = "regular"
    version: str | None = None
    network: GkeNetworkSettings = Field(default_factory=GkeNetworkSettings)
    control_plane: GkeControlPlaneSettings = Field(default_factory=GkeControlPlaneSettings)
    load_balancer: GkeLoadBalancerSettings = Field(default_factory=GkeLoadBalancerSettings)
    storage_class: Literal["standard-rwo", "premium-rwo"] = "standard-rwo"
    autopilot: GkeAutopilotSettings | None = None
    auto_provisioning: GkeAutoProvisioningSettings | None = None
    pools: dict[PoolName, GkePool] = Field(default_factory=dict)
    models_bucket: Bucket | None = None
    security_group: SecurityGroup | None = None

    @property
    def is_autopilot(self) -> bool:
        """Whether Google makes the nodes."""
        return self.mode == "autopilot"

    @property
    def spot_classes(self) -> dict[str, GkeSpotClass]:
        """The classes of spot nodes of an Autopilot cluster."""
        return self.autopilot.spot if self.autopilot else {}

    @property
    def image_volumes(self) -> bool:
        """Whether pods can mount images as volumes."""
        return image_volumes(self.version, self.channel)

    @property
    def bucket(self) -> str:
        """Name of the bucket for models."""
        return self.models_bucket or fit(f"{self.project}-{self.name}-models", _BUCKET_LIMIT)

    @property
    def node_account(self) -> str:
        """Id of the service account that the nodes have."""
        return fit(f"{self.name}-nodes", _ACCOUNT_LIMIT)

    @property
    def gpu_type(self) -> str | None:
        """The GPU that a model gets which names none: of a Standard cluster, its first pool's."""
        if self.is_autopilot:
            return self.autopilot.accelerator if self.autopilot else None
        return next((pool.gpu_type for pool in self.pools.values() if pool.gpu), None)

    @field_validator("zones", mode="after")
    @classmethod
    def _zones_of_the_region(cls, zones: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        region = info.data.get("region")
        for zone in zones:
            if region is not None and zone.rpartition("-")[0] != region:
                raise ValueError(
                    f"`{zone}` is not a zone of `{region}`; write zones like `{region}-a`, or "
                    "change region"
                )
            if zones.count(zone) > 1:
                raise ValueError(f"`{zone}` is listed more than once; list it once")
        return zones

    @field_validator("version", mode="after")
    @classmethod
    def _version_supported(cls, version: str | None, info: ValidationInfo) -> str | None:
        channel = info.data.get("channel")
        if version is None or channel is None:
            return version
        known = supported(channel)
        if version in known:
            return version
        if not _MINOR.fullmatch(version):
            raise ValueError(
                f'`{version}` is not a minor version; write it in quotes, like `"{known[-1]}"`'
            )
        way_out = f"choose from {', '.join(known)}, or remove it to get the channel's"
        if version in supported("extended"):
            raise ValueError(
                f"`{version}` has extended support alone; write `channel: extended`, which costs "
                f"more, or {way_out}"
            )
        raise ValueError(
            f"GKE does not support `{version}` in the channel `{channel}` (as of {AS_OF}); "
            f"{way_out}"
        )

    @field_validator("autopilot", mode="after")
    @classmethod
    def _autopilot_of_autopilot(
        cls, value: GkeAutopilotSettings | None, info: ValidationInfo
    ) -> GkeAutopilotSettings | None:
        if value is not None and info.data.get("mode") == "standard":
            raise ValueError(
                "a Standard cluster has `pools`; remove it, or write `mode: autopilot`"
            )
        return value

    @field_validator("auto_provisioning", mode="after")
    @classmethod
    def _provisions_of_standard(
        cls, value: GkeAutoProvisioningSettings | None, info: ValidationInfo
    ) -> GkeAutoProvisioningSettings | None:
        if value is not None and info.data.get("mode") == "autopilot":
            raise ValueError(
                "Autopilot always makes nodes by itself; remove it, or write `mode: standard`"
            )
        return value

    @field_validator("pools", mode="after")
    @classmethod
    def _pools_of_standard(
        cls, pools: dict[str, GkePool], info: ValidationInfo
    ) -> dict[str, GkePool]:
        mode, network = info.data.get("mode"), info.data.get("network")
        if mode == "autopilot" and pools:
            raise ValueError(
                "Autopilot makes nodes by itself, with GPUs (`autopilot.accelerator`) and spot "
                "ones (`autopilot.spot`) too; remove it, or write `mode: standard`"
            )
        if mode == "standard" and info.data.get("auto_provisioning") is None:
            refuse_without_plain_pool(
                {name: pool for name, pool in pools.items() if not pool.system}
            )
        for name, pool in pools.items():
            if pool.spot and f"{name}{FALLBACK_SUFFIX}" in pools:
                raise ValueError(
                    f"`{name}{FALLBACK_SUFFIX}` has the name of the fallback of `{name}`; choose "
                    "another"
                )
        nodes = sum(pool.most_nodes for pool in pools.values())
        if network is not None and nodes > network.most_nodes:
            raise ValueError(
                f"there can be {nodes} nodes, and `network.pods` has room for "
                f"{network.most_nodes}; lower `max` of some, or choose a larger range"
            )
        return pools

    @model_validator(mode="after")
    def _bucket_allowed(self) -> Self:
        if self.bucket.startswith("goog") or "google" in self.bucket:
            raise ValueError(
                f"Google keeps names of buckets like `{self.bucket}` for itself; name another with "
                "`modelsBucket`"
            )
        return self
