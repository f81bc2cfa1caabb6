"""Settings of a cluster on Azure Kubernetes Service (AKS).

Where Azure publishes a limit, the validator's docstring names the page of learn.microsoft.com.
"""

import math
from collections.abc import Mapping
from ipaddress import IPv4Network
from typing import Annotated, Final, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from infra.settings.cluster.azure import (
    POOL_NAME_LIMIT,
    PRIVATE_RANGES,
    Guid,
    Location,
    NamePrefix,
    PoolName,
    PublicRange,
    RegistryName,
    ResourceGroupName,
    StorageAccountName,
    VmSize,
    VmSizeName,
)
from infra.settings.cluster.cloud import CloudClusterSettings
from infra.settings.cluster.maintenance import MaintenanceSettings
from infra.settings.cluster.network import Cidr, refuse_overlaps, refuse_prefix
from infra.settings.cluster.pools import PoolSettings, refuse_without_plain_pool
from infra.settings.types import Flag, StrictModel, distinct

CALENDAR: Final = "2026-11-30"
"""Day on which the versions below were looked up."""

VERSIONS: Final[Mapping[str, tuple[str, str]]] = {
    "1.33": ("2026-07-31", "2027-07-31"),
    "1.34": ("2026-11-30", "2027-11-30"),
    "1.35": ("2027-03-31", "2028-03-31"),
    "1.36": ("2027-06-30", "2028-06-30"),
    "1.37": ("2027-10-31", "2028-10-31"),
}
"""Last days of support by version: that of the community, and AKS's long-term support.

Source: learn.microsoft.com, "Supported Kubernetes versions in AKS", its calendar of 2026-08-05. A
month means its last day. A version whose last day is not after `CALENDAR` is out of support.
"""

SYSTEM_POOL: Final = "system"
# Appended to the name of a spot pool: the nodes on demand that stand in for it.
FALLBACK_SUFFIX: Final = "od"

# Azure keeps the first four addresses of a subnet and the last one.
_RESERVED_ADDRESSES: Final = 5
# A node takes a /24 of the pods' range (learn.microsoft.com, "Azure CNI Overlay networking").
_NODE_PREFIX: Final = 24
# The most ranges that the API server's firewall takes.
_MOST_RANGES: Final = 200


class AksNetworkSettings(StrictModel):
    """Ranges of addresses, none of which may be in use where the network is peered to.

    Attributes:
        cidr: Range of the virtual network.
        nodes: Range of the nodes and of internal load balancers, inside of `cidr`.
        pods: Range of the overlay that pods are in; a node takes 256 addresses of it.
        services: Range of Services; its tenth address is that of DNS.
    """

    cidr: Cidr = "10.240.0.0/16"
    nodes: Cidr = "10.240.0.0/20"
    pods: Cidr = "10.244.0.0/16"
    services: Cidr = "10.250.0.0/16"

    @property
    def dns(self) -> str:
        """Address of the cluster's DNS; the first address is that of the API server."""
        return str(IPv4Network(self.services)[10])

    @model_validator(mode="after")
    def _ranges(self) -> Self:
        """Source: learn.microsoft.com, "Azure CNI Overlay networking", IP address planning."""
        refuse_prefix("services", self.services, 27, 13, "so that AKS takes it")
        refuse_prefix("nodes", self.nodes, 28, 8, "so that a subnet can hold nodes")
        refuse_overlaps({"cidr": self.cidr, "pods": self.pods, "services": self.services})
        nodes, pods = IPv4Network(self.nodes), IPv4Network(self.pods)
        if not nodes.subnet_of(IPv4Network(self.cidr)):
            raise ValueError(
                f"`nodes: {nodes}` is not inside of `cidr: {self.cidr}`; choose a range that is"
            )
        if not any(pods.subnet_of(private) for private in PRIVATE_RANGES):
            raise ValueError(
                f"`pods: {pods}` is a public range, which AKS does not support; choose one of "
                "RFC 1918 or RFC 6598"
            )
        return self


class AksPoolSettings(PoolSettings):
    """A pool of nodes.

    Attributes:
        vm_size: Size of its virtual machines.
    """

    vm_size: VmSizeName

    @property
    def size(self) -> VmSize:
        """What the name of its size says."""
        return VmSize.parse(self.vm_size)

    @model_validator(mode="after")
    def _family(self) -> Self:
        """Source: learn.microsoft.com, "GPU-accelerated virtual machine size families"."""
        if self.gpu and not self.size.has_gpus:
            raise ValueError(
                f"`vmSize: {self.vm_size}` has no NVIDIA GPUs that AKS supports; choose a size of "
                "the families NC, ND or NV, or remove `gpu`"
            )
        if not self.gpu and self.size.is_accelerated:
            raise ValueError(
                f"`vmSize: {self.vm_size}` has an accelerator, which pods without one would take; "
                "add `gpu: true`, or choose another size"
            )
        return self


class AksSystemPoolSettings(StrictModel):
    """The nodes that what AKS itself runs in the cluster has for itself.

    Attributes:
        vm_size: Size of its virtual machines.
        min: Fewest nodes.
        max: Most nodes.
    """

    vm_size: VmSizeName = "Standard_D4ds_v5"
    min: Annotated[int, Field(strict=True, ge=2, le=100)] = 2
    max: Annotated[int, Field(strict=True, ge=2, le=100)] = 4

    @model_validator(mode="after")
    def _bounds(self) -> Self:
        """Source: learn.microsoft.com, "Manage system node pools in AKS", restrictions."""
        if self.max < self.min:
            raise ValueError(f"`max: {self.max}` is below `min: {self.min}`; raise max")
        size = VmSize.parse(self.vm_size)
        if size.is_burstable or size.is_accelerated:
            raise ValueError(
                f"`vmSize: {self.vm_size}` is not for the system's nodes; choose a size of the "
                "series D, E or F"
            )
        return self


class AksRegistrySettings(StrictModel):
    """The registry of the cluster's images.

    Attributes:
        name: Its name, unique in the world; by default made of `prefix` and the cluster's name.
        tier: `Standard`, or `Premium` with ten times its room and more pulls a minute.
    """

    name: RegistryName | None = None
    tier: Literal["Standard", "Premium"] = "Standard"


class AksStorageSettings(StrictModel):
    """The storage account of the models.

    Attributes:
        name: Its name, unique in the world; by default made of `prefix` and the cluster's name.
        redundancy: Where copies are: `ZRS` in three zones, `LRS` in one, `GZRS` also in another
            region.
    """

    name: StorageAccountName | None = None
    redundancy: Literal["LRS", "ZRS", "GZRS"] = "ZRS"


class AksLogSettings(StrictModel):
    """What is kept of the control plane's and the key vaults' logs.

    Attributes:
        retention_days: Days that they are kept; the first 31 are in their price.
        daily_gb: Gigabytes a day after which the rest of that day's are dropped; no bound by
            default.
    """

    retention_days: Annotated[int, Field(strict=True, ge=30, le=730)] = 30
    daily_gb: Annotated[int, Field(strict=True, ge=1, le=1000)] | None = None


def _few(ranges: tuple[str, ...]) -> tuple[str, ...]:
    if len(ranges) > _MOST_RANGES:
        raise ValueError(f"has {len(ranges)} ranges; join them to at most {_MOST_RANGES}")
    return ranges


def _quoted(value: object) -> object:
    if isinstance(value, int | float):
        raise ValueError(f'`{value}` is a number to YAML; write it in quotes, like `"1.36"`')
    return value


class AksClusterSettings(CloudClusterSettings):
    """A cluster on Azure Kubernetes Service.

    Attributes:
        kind: Always `aks`.
        subscription_id: Subscription that everything is made in.
        tenant_id: Microsoft Entra tenant of that subscription.
        location: Short name of the region.
        prefix: Beginning of the names that have to be unique in the world.
        resource_group: Name of the resource group that is made; `slipway-<name>` by default.
        version: Minor version of Kubernetes; AKS takes its newest patch.
        long_term_support: Whether the tier `Premium` keeps a version for a second year.
        tier: Tier of the control plane; `Free` has no promise of availability.
        admin_groups: Object ids of the Entra groups whose members administer the cluster. Whoever
            runs Pulumi is in one, because local accounts are off.
        authorized_ip_ranges: Public ranges from which the API server, the key vaults and the
            storage account are reached. The nodes reach them anyway.
        private: Whether the API server has an address in the virtual network alone.
        public_gateway: Whether the gateway answers at a public address; in the virtual network
            alone by default.
        zones: Availability zones of the nodes; none where the region has none.
        network: Ranges of addresses.
        system_pool: The nodes of AKS's own pods.
        pools: The nodes of everything else, by name.
        node_provisioning: `pools`: each pool is a scale set that the cluster autoscaler moves;
            `auto`: node auto-provisioning (Karpenter) makes nodes as each pool allows.
        encryption_at_host: Whether temporary disks and the caches of disks are encrypted too.
        upgrade_channel: `patch` follows the newest patch of `version`; `none` stays.
        maintenance: When upgrades may happen.
        storage_class: StorageClass of volumes that name none.
        registry: The registry of images.
        storage: The storage account of models.
        logs: What is kept of logs.
    """

    kind: Literal["aks"]
    subscription_id: Guid
    tenant_id: Guid
    location: Location
    prefix: NamePrefix
    resource_group: ResourceGroupName | None = None
    version: Annotated[str, BeforeValidator(_quoted)] = "1.36"
    long_term_support: Flag = False
    tier: Literal["Free", "Standard", "Premium"] = "Standard"
    admin_groups: Annotated[tuple[Guid, ...], Field(min_length=1), AfterValidator(distinct)]
    authorized_ip_ranges: Annotated[
        tuple[PublicRange, ...], AfterValidator(distinct), AfterValidator(_few)
    ] = ()
    private: Flag = False
    public_gateway: Flag = False
    zones: Annotated[tuple[Literal["1", "2", "3"], ...], AfterValidator(distinct)] = ("1", "2", "3")
    network: AksNetworkSettings = Field(default_factory=AksNetworkSettings)
    system_pool: AksSystemPoolSettings = Field(default_factory=AksSystemPoolSettings)
    pools: dict[PoolName, AksPoolSettings]
    node_provisioning: Literal["pools", "auto"] = "pools"
    encryption_at_host: Flag = True
    upgrade_channel: Literal["patch", "none"] = "patch"
    maintenance: MaintenanceSettings = Field(default_factory=MaintenanceSettings)
    storage_class: Literal["managed-csi", "managed-csi-premium"] = "managed-csi"
    registry: AksRegistrySettings = Field(default_factory=AksRegistrySettings)
    storage: AksStorageSettings = Field(default_factory=AksStorageSettings)
    logs: AksLogSettings = Field(default_factory=AksLogSettings)

    @property
    def group(self) -> str:
        """Name of the resource group."""
        return self.resource_group or f"slipway-{self.name}"

    @model_validator(mode="after")
    def _supported(self) -> Self:
        """Source: `VERSIONS`, and learn.microsoft.com, "Long-term support for AKS versions"."""
        supported = [name for name in VERSIONS if _in_support(name, long=self.long_term_support)]
        if self.long_term_support and self.tier != "Premium":
            raise ValueError("`longTermSupport` is of the tier Premium; add `tier: Premium`")
        if self.version in supported:
            return self
        way_out = f"choose one of {', '.join(supported)}"
        if _in_support(self.version, long=True):
            way_out += ", or set `longTermSupport: true` and `tier: Premium`"
        raise ValueError(
            f'AKS has no support for `version: "{self.version}"` (calendar of {CALENDAR}); '
            f"{way_out}"
        )

    @model_validator(mode="after")
    def _api_server_is_closed(self) -> Self:
        """Source: learn.microsoft.com, "Secure access to the API server", limitations."""
        if self.private and self.authorized_ip_ranges:
            raise ValueError(
                "`private` and `authorizedIpRanges` exclude each other: no address reaches a "
                "private API server from outside; remove one of them"
            )
        if not self.private and not self.authorized_ip_ranges:
            raise ValueError(
                "the API server would answer the whole internet; list the ranges you work from in "
                "`authorizedIpRanges`, or set `private: true`"
            )
        return self

    @model_validator(mode="after")
    def _pools_fit(self) -> Self:
        refuse_without_plain_pool(self.pools)
        for name, pool in self.pools.items():
            self._pool_fits(name, pool)
        nodes = self._most_nodes()
        addresses = IPv4Network(self.network.nodes).num_addresses - _RESERVED_ADDRESSES
        # One for the gateway's load balancer.
        if nodes + 1 > addresses:
            raise ValueError(
                f"the pools may have {nodes} nodes with those of an upgrade, and `network.nodes: "
                f"{self.network.nodes}` has {max(0, addresses)} addresses; give it a shorter prefix"
            )
        pods = IPv4Network(self.network.pods)
        room = 2 ** (_NODE_PREFIX - pods.prefixlen) if pods.prefixlen <= _NODE_PREFIX else 0
        if nodes > room:
            raise ValueError(
                f"the pools may have {nodes} nodes with those of an upgrade, and `network.pods: "
                f"{pods}` has room for {room}, a /{_NODE_PREFIX} each; give it a shorter prefix"
            )
        return self

    def _pool_fits(self, name: str, pool: AksPoolSettings) -> None:
        if name == SYSTEM_POOL:
            raise ValueError(
                f"`pools.{name}` has the name of the pool of `systemPool`; choose another"
            )
        if pool.spot and len(name) + len(FALLBACK_SUFFIX) > POOL_NAME_LIMIT:
            raise ValueError(
                f"`pools.{name}` is a spot pool, and its fallback is called "
                f"`{name}{FALLBACK_SUFFIX}`; shorten it to at most "
                f"{POOL_NAME_LIMIT - len(FALLBACK_SUFFIX)} characters"
            )
        if pool.spot and f"{name}{FALLBACK_SUFFIX}" in self.pools:
            raise ValueError(
                f"`pools.{name}{FALLBACK_SUFFIX}` has the name of the fallback of `pools.{name}`; "
                "choose another"
            )
        if self.node_provisioning == "auto" and pool.min:
            raise ValueError(
                f"`pools.{name}.min` has no meaning to node auto-provisioning, which has as many "
                "nodes as pods need; remove it, or set `nodeProvisioning: pools`"
            )

    def _most_nodes(self) -> int:
        """Return the most nodes at once, with a tenth more of each pool during an upgrade."""
        sizes = [self.system_pool.max]
        for pool in self.pools.values():
            sizes.extend([pool.max, *([pool.fallback] if pool.fallback else [])])
        return sum(size + math.ceil(size / 10) for size in sizes)


def _in_support(version: str, *, long: bool) -> bool:
    """Return whether a version was in support on the day of `CALENDAR`.

    Args:
        version: A minor version.
        long: Whether long-term support counts.
    """
    return version in VERSIONS and VERSIONS[version][int(long)] > CALENDAR
