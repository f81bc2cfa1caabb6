"""Domain types of the settings: what a value must look like because of what it becomes."""

import re
from decimal import Decimal
from pathlib import PurePosixPath
from typing import Annotated, Final

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field
from pydantic.alias_generators import to_camel

from infra.naming import AUTOSCALING_NAMESPACE, EXTERNAL_SECRETS_NAMESPACE, MONITORING_NAMESPACE
from infra.settings import sources

# A Deployment's pods are called `<name>-<10 characters>-<5 characters>`, and a pod's name is its
# host name: one DNS label of 63 characters.
WORKLOAD_NAME_LIMIT: Final = 63 - len("-0123456789-01234")
# A DNS label; a namespace is one.
LABEL_LIMIT: Final = 63
NAMESPACE_LIMIT: Final = LABEL_LIMIT
# A local cluster's name is part of the path of its sockets, and Linux cuts those at 108 bytes.
CLUSTER_NAME_LIMIT: Final = 32

# Namespaces that Kubernetes or the platform own.
RESERVED_NAMESPACES: Final = frozenset(
    {
        "default",
        "slipway-system",
        "cert-manager",
        "metallb-system",
        AUTOSCALING_NAMESPACE,
        EXTERNAL_SECRETS_NAMESPACE,
        MONITORING_NAMESPACE,
    }
)

_LABEL = re.compile(r"[a-z]([a-z0-9-]*[a-z0-9])?")
_CPU = re.compile(r"(?P<number>\d+(\.\d+)?)(?P<suffix>m?)")
_MEMORY = re.compile(r"(?P<number>\d+(\.\d+)?)(?P<suffix>[KMGT]i|[kMGT]?)")
_FACTORS: Final = {
    "": Decimal(1),
    "m": Decimal("0.001"),
    "k": Decimal(10**3),
    "M": Decimal(10**6),
    "G": Decimal(10**9),
    "T": Decimal(10**12),
    "Ki": Decimal(2**10),
    "Mi": Decimal(2**20),
    "Gi": Decimal(2**30),
    "Ti": Decimal(2**40),
}
_SHA256 = re.compile(r"[0-9a-f]{64}")
# What a label may hold, so that a version can be one.
_VERSION = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?")
_FILE_PATH = re.compile(r"[A-Za-z0-9._/-]+")
# RFC 1123, as Kubernetes and the Gateway API take a name: lower case, no trailing dot.
_DNS_LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_DNS_NAME = re.compile(rf"{_DNS_LABEL}(\.{_DNS_LABEL})*")
_DNS_NAME_LIMIT: Final = 253
# A part of a GPU as NVIDIA names it: compute slices, memory, and attributes (`1g.10gb.me`).
_MIG_PROFILE = re.compile(r"[1-9]g\.\d+gb(\.[a-z.]+)?")
_LABEL_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?")


class StrictModel(BaseModel):
    """Base of every settings model: frozen, camelCase keys in YAML, unknown keys refused."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", alias_generator=to_camel, validate_default=True
    )


def _label(limit: int) -> AfterValidator:
    def check(value: str) -> str:
        if not _LABEL.fullmatch(value):
            raise ValueError(
                f"`{value}` is not a DNS label; start with a letter and use lower-case letters, "
                "digits and inner hyphens"
            )
        if len(value) > limit:
            raise ValueError(
                f"`{value}` has {len(value)} characters; shorten it to at most {limit}"
            )
        return value

    return AfterValidator(check)


def distinct(names: tuple[str, ...]) -> tuple[str, ...]:
    """Return a list of names of which none comes twice.

    Raises:
        ValueError: One does.
    """
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"`{name}` is listed more than once; list it once")
    return names


def _empty_as_list(value: object) -> object:
    """Let an empty list through: Pulumi hands out what is empty without saying what it is."""
    return () if value == {} else value


def _unreserved(value: str) -> str:
    if value in RESERVED_NAMESPACES or value.startswith("kube-"):
        raise ValueError(f"the namespace `{value}` is not a team's; choose another team name")
    return value


def _object_name(value: str) -> str:
    if not _DNS_NAME.fullmatch(value) or len(value) > _DNS_NAME_LIMIT:
        raise ValueError(
            f"`{value}` is not the name of a Kubernetes object; use lower-case letters, digits, "
            "inner hyphens and dots"
        )
    return value


def _host_name(value: str) -> str:
    # An address is no name: a certificate and a route take it in another way.
    is_name = "." in value and not value.rpartition(".")[2].isdigit()
    if not is_name or not _DNS_NAME.fullmatch(value) or len(value) > _DNS_NAME_LIMIT:
        raise ValueError(f"`{value}` is not a DNS name; write one like `models.example.com`")
    return value


def _quantity_text(value: object) -> object:
    """Let `cpu: 1` and `cpu: 0.5` through: YAML reads both as numbers."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    return value


def _cpu(value: str) -> str:
    if not _CPU.fullmatch(value) or parse_quantity(value) <= 0:
        raise ValueError(f"`{value}` is not an amount of CPU; write cores (`0.5`, `2`) or `500m`")
    return value


def _memory(value: str) -> str:
    if not _MEMORY.fullmatch(value) or parse_quantity(value) <= 0:
        raise ValueError(f"`{value}` is not an amount of memory; write it like `512Mi` or `2Gi`")
    return value


def _storage(value: str) -> str:
    if not _MEMORY.fullmatch(value) or parse_quantity(value) <= 0:
        raise ValueError(f"`{value}` is not an amount of storage; write it like `500Mi` or `20Gi`")
    return value


def _with_unit(value: str) -> str:
    # A number alone is bytes to Kubernetes, and hardly ever what is meant.
    if parse_quantity(value) < _FACTORS["Mi"]:
        raise ValueError(f"`{value}` is less than `1Mi`; write it with its unit, like `512Mi`")
    return value


def _mig_profile(value: str) -> str:
    if not _MIG_PROFILE.fullmatch(value):
        raise ValueError(f"`{value}` is not a MIG profile; write one like `1g.5gb`")
    return value


def _label_key(value: str) -> str:
    domain, slash, name = value.rpartition("/")
    if not _LABEL_NAME.fullmatch(name) or (slash and not _DNS_NAME.fullmatch(domain)):
        raise ValueError(f"`{value}` is not the key of a label; write one like `example.com/pool`")
    return value


def _label_value(value: str) -> str:
    if value and not _LABEL_NAME.fullmatch(value):
        raise ValueError(
            f"`{value}` is not the value of a label; use at most {LABEL_LIMIT} letters, digits, "
            "and inner hyphens, dots and underscores"
        )
    return value


def _resource_name(value: str) -> str:
    if not _LABEL_NAME.fullmatch(value):
        raise ValueError(
            f"`{value}` is not the logical name of a resource; write it as the preview shows it"
        )
    return value


def _group(value: str) -> str:
    if not value or value != value.strip() or not value.isprintable():
        raise ValueError(
            f"`{value}` is not the name of a group; write it as the cluster's identity provider "
            "names it"
        )
    if value.startswith("system:"):
        raise ValueError(
            f"`{value}` is a group of Kubernetes' own; name one of your identity provider"
        )
    return value


def parse_quantity(text: str) -> Decimal:
    """Return the value of a Kubernetes quantity in its base unit (cores or bytes).

    Args:
        text: A quantity that `Cpu` or `Memory` accepted.
    """
    match = re.fullmatch(r"([\d.]+)([A-Za-z]*)", text)
    if match is None:
        raise ValueError(f"`{text}` is not a quantity")
    return Decimal(match[1]) * _FACTORS[match[2]]


def _file_path(value: str) -> str:
    path = PurePosixPath(value)
    if path.is_absolute() or ".." in path.parts:
        raise ValueError(
            f"`{value}` leads out of the project; give a path below the project's folder"
        )
    if not _FILE_PATH.fullmatch(value) or not path.name:
        raise ValueError(
            f"`{value}` is not a plain path; use letters, digits, dots, hyphens and underscores"
        )
    return value


def _model_uri(value: str) -> str:
    if sources.kind(value) == "file":
        _file_path(value.removeprefix("file:"))
    elif problem := sources.problem(value):
        raise ValueError(problem)
    return value


def _sha256(value: str) -> str:
    if not _SHA256.fullmatch(value):
        raise ValueError(
            f"`{value}` is not a SHA-256; write the 64 hex digits that `sha256sum` prints"
        )
    return value


def _version(value: str) -> str:
    if not _VERSION.fullmatch(value):
        raise ValueError(
            f"`{value}` is not a version; use at most 63 letters, digits, and inner dots, hyphens "
            "and underscores"
        )
    return value


ClusterName = Annotated[str, _label(CLUSTER_NAME_LIMIT)]
TeamName = Annotated[str, _label(NAMESPACE_LIMIT), AfterValidator(_unreserved)]
SecretName = Annotated[str, _label(LABEL_LIMIT)]
StoreName = Annotated[str, _label(LABEL_LIMIT)]
ModelName = Annotated[str, _label(WORKLOAD_NAME_LIMIT)]
# Below 1024 a port needs rights that the forwarder should not have.
HostPort = Annotated[int, Field(strict=True, ge=1024, le=65535)]
Replicas = Annotated[int, Field(strict=True, ge=1, le=100)]
Flag = Annotated[bool, Field(strict=True)]
Cpu = Annotated[str, BeforeValidator(_quantity_text), AfterValidator(_cpu)]
Size = Annotated[str, BeforeValidator(_quantity_text), AfterValidator(_memory)]
Memory = Annotated[Size, AfterValidator(_with_unit)]
Storage = Annotated[
    str, BeforeValidator(_quantity_text), AfterValidator(_storage), AfterValidator(_with_unit)
]
# More than one node's worth, and far below what a quota could hold.
PodCount = Annotated[int, Field(strict=True, ge=1, le=10_000)]
GpuCount = Annotated[int, Field(strict=True, ge=0, le=10_000)]
MigProfile = Annotated[str, AfterValidator(_mig_profile)]
# As many as a server's queue holds without a pod's memory growing past its limit.
Concurrency = Annotated[int, Field(strict=True, ge=1, le=1000)]
TimeoutSeconds = Annotated[int, Field(strict=True, ge=1, le=3600)]
LabelKey = Annotated[str, AfterValidator(_label_key)]
LabelValue = Annotated[str, AfterValidator(_label_value)]
ResourceNames = Annotated[
    tuple[Annotated[str, AfterValidator(_resource_name)], ...],
    BeforeValidator(_empty_as_list),
    AfterValidator(distinct),
]
Group = Annotated[str, AfterValidator(_group)]
ObjectName = Annotated[str, AfterValidator(_object_name)]
HostName = Annotated[str, AfterValidator(_host_name)]
FilePath = Annotated[str, AfterValidator(_file_path)]
ModelUri = Annotated[str, AfterValidator(_model_uri)]
Sha256 = Annotated[str, AfterValidator(_sha256)]
ModelVersion = Annotated[str, BeforeValidator(_quantity_text), AfterValidator(_version)]
StorageName = Annotated[str, _label(LABEL_LIMIT)]
