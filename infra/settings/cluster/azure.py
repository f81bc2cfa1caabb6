"""What Azure takes for a value: names, sizes of virtual machines, ranges of addresses.

Source of the names: learn.microsoft.com, "Naming rules and restrictions for Azure resources".
"""

import ipaddress
import re
from dataclasses import dataclass
from ipaddress import IPv4Network
from typing import Annotated, Final, Self

from pydantic import AfterValidator

# Of an agent pool for Linux.
POOL_NAME_LIMIT: Final = 12
# Of the names that Azure holds unique in the whole world.
REGISTRY_NAME_LIMIT: Final = 50
STORAGE_ACCOUNT_LIMIT: Final = 24
KEY_VAULT_LIMIT: Final = 24

_POOL_NAME = re.compile(rf"[a-z][a-z0-9]{{0,{POOL_NAME_LIMIT - 1}}}")
_PREFIX = re.compile(r"[a-z][a-z0-9]{2,11}")
_REGISTRY_NAME = re.compile(rf"[A-Za-z0-9]{{5,{REGISTRY_NAME_LIMIT}}}")
_STORAGE_ACCOUNT = re.compile(rf"[a-z0-9]{{3,{STORAGE_ACCOUNT_LIMIT}}}")
_RESOURCE_GROUP = re.compile(r"[A-Za-z0-9_()-]([A-Za-z0-9._()-]{0,82}[A-Za-z0-9_()-])?")
_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_LOCATION = re.compile(r"[a-z]+[a-z0-9]*")
_VM_SIZE = re.compile(
    r"Standard_(?P<family>[A-Z]+)(?P<vcpus>\d+)(-\d+)?(?P<features>[a-z]*)"
    r"(_(?P<accelerator>[A-Z][A-Za-z0-9]*))?(_v(?P<version>\d+))?"
)
PRIVATE_RANGES: Final = tuple(
    IPv4Network(text) for text in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10")
)
"""Ranges that are nobody's on the internet (RFC 1918, RFC 6598)."""


@dataclass(frozen=True)
class VmSize:
    """A size of virtual machines, read from its name.

    Source: learn.microsoft.com, "Azure virtual machine sizes naming conventions".

    Attributes:
        name: As Azure names it (`Standard_NC4as_T4_v3`).
        family: Family and sub-family (`NC`).
        vcpus: Number of virtual CPUs.
        features: Letters of what it has beside (`p`: an ARM processor).
        accelerator: Model of its GPUs, where the name has it.
        version: Version of the family, 1 where the name has none.
    """

    name: str
    family: str
    vcpus: int
    features: str
    accelerator: str | None
    version: int

    @classmethod
    def parse(cls, name: str) -> Self:
        """Return the size of a name.

        Raises:
            ValueError: It is none.
        """
        match = _VM_SIZE.fullmatch(name)
        if match is None:
            raise ValueError(
                f"`{name}` is not a size of virtual machines; write one like `Standard_D8ds_v5`"
            )
        return cls(
            name,
            match["family"],
            int(match["vcpus"]),
            match["features"],
            match["accelerator"],
            int(match["version"] or 1),
        )

    @property
    def has_gpus(self) -> bool:
        """Whether it is of a family with NVIDIA GPUs that AKS supports.

        Source: learn.microsoft.com, "Use GPUs for compute-intensive workloads on AKS".
        """
        amd = (self.accelerator or "").startswith("MI") or (self.family, self.version) == ("NV", 4)
        return self.family in ("NC", "ND", "NV") and not amd

    @property
    def is_accelerated(self) -> bool:
        """Whether it is of the series N: GPUs of any maker, and FPGAs."""
        return self.family.startswith("N")

    @property
    def is_arm(self) -> bool:
        """Whether its processors are ARM's."""
        return "p" in self.features

    @property
    def is_burstable(self) -> bool:
        """Whether it is of the series B, which pauses when its credits are used up."""
        return self.family.startswith("B")


def _pool_name(value: str) -> str:
    if not _POOL_NAME.fullmatch(value):
        raise ValueError(
            f"`{value}` is not the name of a node pool; start with a letter and use 1 to "
            f"{POOL_NAME_LIMIT} lower-case letters and digits"
        )
    return value


def _prefix(value: str) -> str:
    if not _PREFIX.fullmatch(value):
        raise ValueError(
            f"`{value}` cannot begin the names that Azure holds unique; start with a letter and "
            "use 3 to 12 lower-case letters and digits"
        )
    return value


def _registry_name(value: str) -> str:
    if not _REGISTRY_NAME.fullmatch(value):
        raise ValueError(
            f"`{value}` is not the name of a registry; use 5 to {REGISTRY_NAME_LIMIT} letters and "
            "digits"
        )
    return value


def _storage_account_name(value: str) -> str:
    if not _STORAGE_ACCOUNT.fullmatch(value):
        raise ValueError(
            f"`{value}` is not the name of a storage account; use 3 to {STORAGE_ACCOUNT_LIMIT} "
            "lower-case letters and digits"
        )
    return value


def _resource_group(value: str) -> str:
    # The nodes' own group is named after it, and that name may have 80 characters.
    if not _RESOURCE_GROUP.fullmatch(value) or len(value) > 74:
        raise ValueError(
            f"`{value}` is not the name of a resource group; use at most 74 letters, digits, "
            "underscores, hyphens, parentheses and inner dots"
        )
    return value


def _guid(value: str) -> str:
    if not _GUID.fullmatch(value.lower()):
        raise ValueError(
            f"`{value}` is not an id; write it as Azure shows it, like "
            "`11111111-2222-3333-4444-555555555555`"
        )
    return value.lower()


def _location(value: str) -> str:
    if not _LOCATION.fullmatch(value):
        raise ValueError(
            f"`{value}` is not a location; write its short name, like `westeurope`, as "
            "`az account list-locations` has it"
        )
    return value


def _vm_size(value: str) -> str:
    size = VmSize.parse(value)
    if size.is_arm:
        raise ValueError(
            f"`{value}` has ARM processors and the images are built for x86; choose a size "
            "without a `p` behind the number"
        )
    if size.vcpus < 2:
        raise ValueError(f"`{value}` has one CPU and AKS asks for two; choose a larger size")
    return value


def _public_range(value: str) -> str:
    try:
        network = IPv4Network(value)
    except ValueError as error:
        raise ValueError(
            f"`{value}` is not a range of IPv4 addresses ({error}); write its first address and "
            "its length, like `203.0.113.0/24`"
        ) from None
    if network.prefixlen == 0:
        raise ValueError(f"`{value}` is the whole internet; list the ranges you work from")
    if any(network.overlaps(private) for private in PRIVATE_RANGES):
        raise ValueError(
            f"`{value}` holds private addresses, and the API server sees public ones; write the "
            "address at which you leave your network, or set `private: true`"
        )
    return str(network)


def firewall_rules(ranges: tuple[str, ...]) -> tuple[str, ...]:
    """Return ranges as the firewall of a storage account takes them.

    It refuses ranges of one and of two addresses, and takes the addresses instead.
    Source: learn.microsoft.com, "Azure Storage firewall rules", restrictions for IP rules.

    Args:
        ranges: CIDRs.
    """
    rules: list[str] = []
    for text in ranges:
        network = ipaddress.IPv4Network(text)
        small = network.prefixlen >= 31
        rules.extend([str(address) for address in network] if small else [text])
    return tuple(rules)


PoolName = Annotated[str, AfterValidator(_pool_name)]
NamePrefix = Annotated[str, AfterValidator(_prefix)]
RegistryName = Annotated[str, AfterValidator(_registry_name)]
StorageAccountName = Annotated[str, AfterValidator(_storage_account_name)]
ResourceGroupName = Annotated[str, AfterValidator(_resource_group)]
Guid = Annotated[str, AfterValidator(_guid)]
Location = Annotated[str, AfterValidator(_location)]
VmSizeName = Annotated[str, AfterValidator(_vm_size)]
PublicRange = Annotated[str, AfterValidator(_public_range)]
