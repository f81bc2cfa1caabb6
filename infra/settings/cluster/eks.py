"""Settings of a cluster of Amazon EKS."""

import re
from collections.abc import Iterator, Mapping
from ipaddress import IPv4Network
from typing import Annotated, Final, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from infra.settings.cluster.cloud import CloudClusterSettings
from infra.settings.cluster.network import Cidr, refuse_overlaps, refuse_prefix
from infra.settings.cluster.pools import PoolSettings, refuse_without_plain_pool
from infra.settings.types import Flag, SecretName, distinct

# https://docs.aws.amazon.com/eks/latest/userguide/kubernetes-versions.html, the release calendar;
# read on 2026-11-30, when 1.36 was listed in a copy without its dates.
STANDARD_SUPPORT: Final[Mapping[str, str]] = {
    "1.34": "2026-12-02",
    "1.35": "2027-03-27",
    "1.36": "2027",
}
"""Kubernetes versions in standard support, with its end."""

EXTENDED_SUPPORT: Final[Mapping[str, str]] = {"1.32": "2027-03-23", "1.33": "2027-07-29"}
"""Kubernetes versions in extended support, which costs more, with its end."""

# https://docs.aws.amazon.com/ec2/latest/instancetypes/ac.html: those of x86-64 with NVIDIA's GPUs.
NVIDIA_FAMILIES: Final = frozenset(
    {"g4dn", "g5", "g6", "g6e", "gr6", "p4d", "p4de", "p5", "p5e", "p5en", "p6-b200", "p6-b300"}
)
"""Families of instances whose GPUs models can use."""

_ACCELERATED: Final = ("dl", "f", "g", "gr", "inf", "p", "trn", "vt")
"""Categories of instances that have accelerators, NVIDIA's and others."""

_INSTANCE = re.compile(
    r"(?P<family>(?P<category>[a-z]+)\d+(?P<attributes>[a-z]*)(-[a-z0-9]+)?)\."
    r"(?P<size>nano|micro|small|medium|large|(?P<times>\d*)xlarge)"
)
_REGION = re.compile(r"[a-z]{2}(-[a-z]+)+-\d")
# https://docs.aws.amazon.com/whitepapers/latest/aws-fault-isolation-boundaries/partitions.html
_OTHER_PARTITIONS: Final = ("cn-", "eusc-", "us-gov-", "us-iso")
_ACCOUNT = re.compile(r"\d{12}")
_PRINCIPAL = re.compile(r"arn:aws[a-z-]*:iam::\d{12}:(role|user)/[\w+=,.@/-]+")
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
_BUCKET_LIMIT: Final = 63
# Appended to the name of a spot pool: the nodes on demand that stand in for it.
FALLBACK_SUFFIX: Final = "-on-demand"
# A node group's name has 63 characters, of which the last tell a group from the one that replaces
# it: https://docs.aws.amazon.com/eks/latest/APIReference/API_CreateNodegroup.html
_POOL_NAME_LIMIT: Final = 63 - len(f"pool-{FALLBACK_SUFFIX}-1234567")
_PRIVATE: Final = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")

Retention = Literal[1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2557]
"""Days that CloudWatch can keep logs for (`PutRetentionPolicy`)."""


def _region(value: str) -> str:
    if not _REGION.fullmatch(value):
        raise ValueError(f"`{value}` is not a region of AWS; write one like `eu-central-1`")
    if value.startswith(_OTHER_PARTITIONS):
        raise ValueError(
            f"`{value}` is of another partition of AWS, with names and policies of its own; choose "
            "a region like `eu-central-1`"
        )
    return value


def _account(value: object) -> str:
    if not isinstance(value, str) or not _ACCOUNT.fullmatch(value):
        raise ValueError(f"`{value}` is not an account; write its 12 digits, in quotes")
    return value


def _principal(value: str) -> str:
    if not _PRINCIPAL.fullmatch(value):
        raise ValueError(
            f"`{value}` is not the ARN of a role or user; write one like "
            "`arn:aws:iam::111122223333:role/platform`, and of an assumed role the role's own"
        )
    return value


def _instance(value: str) -> str:
    match = _INSTANCE.fullmatch(value)
    if match is None:
        raise ValueError(f"`{value}` is not a type of instance; write one like `m7i.xlarge`")
    if "g" in match["attributes"]:
        raise ValueError(
            f"`{value}` has processors of ARM, and images are built for x86-64; choose a family "
            "like `m7i` or `m7a`"
        )
    return value


def _range(value: str) -> str:
    network = IPv4Network(value)
    if network.prefixlen == 0:
        raise ValueError(f"`{value}` is everybody; name the networks that administrate the cluster")
    # https://docs.aws.amazon.com/eks/latest/userguide/cluster-endpoint.html
    if any(network.overlaps(IPv4Network(block)) for block in _PRIVATE):
        raise ValueError(
            f"`{value}` holds private addresses, and EKS sees public ones; write the address at "
            "which you leave your network, or remove it: in the VPC the API answers anyway"
        )
    return value


Region = Annotated[str, AfterValidator(_region)]
Account = Annotated[str, BeforeValidator(_account)]
Principal = Annotated[str, AfterValidator(_principal)]
InstanceType = Annotated[str, AfterValidator(_instance)]
Zone = Literal["a", "b", "c", "d", "e", "f"]


class EksPoolSettings(PoolSettings):
    """Nodes of Amazon EC2.

    Attributes:
        instance_types: Types of instances, of which the cheapest that can be had is used.
    """

    instance_types: Annotated[
        tuple[InstanceType, ...], Field(min_length=1), AfterValidator(distinct)
    ]

    @model_validator(mode="after")
    def _has_gpus_or_not(self) -> Self:
        for name in self.instance_types:
            match = _parts(name)
            if self.gpu and match["family"] not in NVIDIA_FAMILIES:
                raise ValueError(
                    f"`{name}` has no GPU of NVIDIA's; choose one of the families "
                    f"{', '.join(sorted(NVIDIA_FAMILIES))}, or remove `gpu`"
                )
            if not self.gpu and match["category"] in _ACCELERATED:
                raise ValueError(
                    f"`{name}` has an accelerator, which pods without one would pay for; add "
                    "`gpu: true`, or choose a family like `m7i`"
                )
        return self

    @property
    def largest(self) -> int:
        """The vCPUs of its largest type."""
        return max(map(vcpus, self.instance_types))


class EksClusterSettings(CloudClusterSettings):
    """A cluster of Amazon EKS with a network, a registry and a bucket of its own.

    Attributes:
        kind: Always `eks`.
        account: The AWS account; whoever runs Pulumi with the rights of another one is refused.
        region: Region of everything.
        zones: Letters of its zones.
        version: Kubernetes version.
        extended_support: Whether a version whose standard support has ended may stay, at a higher
            price. Without it AWS updates the cluster when that support ends.
        vpc_cidr: Addresses of nodes and pods.
        service_cidr: Addresses of Services.
        nat_gateways: Whether each zone reaches the internet by a NAT gateway of its own, which
            survives the loss of another zone, or all by one, at a third of the price.
        private_endpoints: Whether nodes reach AWS's services without the internet, for which AWS
            takes a price per hour; S3, which costs nothing that way, they always do.
        api_access: Networks that reach the Kubernetes API from outside; by default it answers in
            the VPC alone.
        admins: Roles or users that administrate the cluster; the one that runs Pulumi has to be
            among them.
        internet_facing: Whether the gateway has addresses on the internet.
        log_retention: Days that the logs of the control plane are kept.
        nodes: `auto`: EKS Auto Mode runs the nodes; `groups`: managed node groups.
        pools: Node pools by name.
    """

    kind: Literal["eks"]
    account: Account
    region: Region
    zones: Annotated[
        tuple[Zone, ...], Field(min_length=2, max_length=3), AfterValidator(distinct)
    ] = ("a", "b", "c")
    version: str = "1.35"
    extended_support: Flag = False
    vpc_cidr: Cidr = "10.0.0.0/16"
    service_cidr: Cidr = "172.20.0.0/16"
    nat_gateways: Literal["one", "perZone"] = "perZone"
    private_endpoints: Flag = True
    api_access: tuple[Annotated[Cidr, AfterValidator(_range)], ...] = ()
    admins: Annotated[tuple[Principal, ...], Field(min_length=1), AfterValidator(distinct)]
    internet_facing: Flag = False
    log_retention: Retention = 90
    nodes: Literal["auto", "groups"] = "auto"
    pools: Annotated[dict[SecretName, EksPoolSettings], Field(min_length=1)]

    @property
    def zone_names(self) -> tuple[str, ...]:
        """The names of the zones."""
        return tuple(f"{self.region}{zone}" for zone in self.zones)

    @property
    def bucket(self) -> str:
        """The name of the bucket of models: unlike anybody else's in the world."""
        return f"{self.name}-models-{self.account}-{self.region}"

    @property
    def has_gpus(self) -> bool:
        """Whether some pool has GPUs."""
        return any(pool.gpu for pool in self.pools.values())

    @model_validator(mode="after")
    def _check(self) -> Self:
        for problem in self._problems():
            raise ValueError(problem)
        refuse_overlaps({"vpcCidr": self.vpc_cidr, "serviceCidr": self.service_cidr})
        # https://docs.aws.amazon.com/vpc/latest/userguide/vpc-cidr-blocks.html; below 4,096
        # addresses six subnets have no room for pods, each of which takes one.
        refuse_prefix("vpcCidr", self.vpc_cidr, 20, 16, "as AWS has it, with room for pods")
        # https://docs.aws.amazon.com/eks/latest/APIReference/API_KubernetesNetworkConfigRequest.html
        refuse_prefix("serviceCidr", self.service_cidr, 24, 12, "as EKS has it")
        refuse_without_plain_pool(self.pools)
        return self

    def _problems(self) -> Iterator[str]:
        if self.version in EXTENDED_SUPPORT:
            if not self.extended_support:
                yield (
                    f"`version: {self.version}` is past its standard support; choose "
                    f"{_listed(STANDARD_SUPPORT)}, or pay for `extendedSupport: true`"
                )
        elif self.version not in STANDARD_SUPPORT:
            yield (
                f"`version: {self.version}` is not one that EKS supports; choose "
                f"{_listed(STANDARD_SUPPORT)}, in quotes"
            )
        if len(self.bucket) > _BUCKET_LIMIT:
            yield (
                f"`name: {self.name}` is too long: the bucket `{self.bucket}` would have "
                f"{len(self.bucket)} characters, and S3 takes {_BUCKET_LIMIT}; shorten it by "
                f"{len(self.bucket) - _BUCKET_LIMIT}"
            )
        services = IPv4Network(self.service_cidr)
        if not any(services.subnet_of(IPv4Network(block)) for block in _PRIVATE):
            yield (
                f"`serviceCidr: {self.service_cidr}` is not private; choose one in "
                f"{' or '.join(_PRIVATE)}"
            )
        for name, pool in self.pools.items():
            if len(name) > _POOL_NAME_LIMIT:
                yield (
                    f"`pools.{name}` has {len(name)} characters; shorten it to at most "
                    f"{_POOL_NAME_LIMIT}"
                )
            if pool.spot and f"{name}{FALLBACK_SUFFIX}" in self.pools:
                yield (
                    f"`pools.{name}{FALLBACK_SUFFIX}` has the name of the fallback of "
                    f"`pools.{name}`; choose another"
                )
            if self.nodes == "auto" and pool.min:
                yield (
                    f"`pools.{name}.min`: EKS Auto Mode has as many nodes as pods need; remove "
                    "it, or choose `nodes: groups`"
                )
            if self.nodes == "groups" and not (pool.min or pool.spot or pool.gpu):
                yield (
                    f"`pools.{name}.min` is 0: no node of a group would take the platform's pods; "
                    "set it to at least 1, or choose `nodes: auto`"
                )


def category(instance_type: str) -> str:
    """Return the category of a type of instance, as `m` of `m7i.xlarge`."""
    return _parts(instance_type)["category"]


def vcpus(instance_type: str) -> int:
    """Return the vCPUs of a type of instance: two in `large`, four for each `xlarge`."""
    times = _parts(instance_type)["times"]
    return 2 if times is None else 4 * int(times or 1)


def _parts(instance_type: str) -> re.Match[str]:
    match = _INSTANCE.fullmatch(instance_type)
    assert match is not None, instance_type
    return match


def _listed(versions: Mapping[str, str]) -> str:
    return " or ".join(f'`"{name}"` (until {end})' for name, end in versions.items())
