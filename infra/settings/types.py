"""Domain types of the settings: what a value must look like because of what it becomes."""

import re
from decimal import Decimal
from pathlib import PurePosixPath
from typing import Annotated, Final

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field
from pydantic.alias_generators import to_camel

# A Deployment's pods are called `<name>-<10 characters>-<5 characters>`, and a pod's name is its
# host name: one DNS label of 63 characters.
WORKLOAD_NAME_LIMIT: Final = 63 - len("-0123456789-01234")
# A namespace is a DNS label.
NAMESPACE_LIMIT: Final = 63
# A local cluster's name is part of the path of its sockets, and Linux cuts those at 108 bytes.
CLUSTER_NAME_LIMIT: Final = 32

# Namespaces that Kubernetes or the platform own.
RESERVED_NAMESPACES: Final = frozenset({"default", "slipway-system"})

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
_FILE_PATH = re.compile(r"[A-Za-z0-9._/-]+")


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


def _unreserved(value: str) -> str:
    if value in RESERVED_NAMESPACES or value.startswith("kube-"):
        raise ValueError(f"the namespace `{value}` is not a team's; choose another team name")
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
    scheme, separator, path = value.partition(":")
    if not separator or scheme != "file":
        raise ValueError(
            f"`{value}` is not a model URI that this version reads; supported: "
            "`file:<path below the project's folder>`"
        )
    _file_path(path)
    return value


ClusterName = Annotated[str, _label(CLUSTER_NAME_LIMIT)]
TeamName = Annotated[str, _label(NAMESPACE_LIMIT), AfterValidator(_unreserved)]
ModelName = Annotated[str, _label(WORKLOAD_NAME_LIMIT)]
# Below 1024 a port needs rights that the forwarder should not have.
HostPort = Annotated[int, Field(strict=True, ge=1024, le=65535)]
Replicas = Annotated[int, Field(strict=True, ge=1, le=100)]
Flag = Annotated[bool, Field(strict=True)]
Cpu = Annotated[str, BeforeValidator(_quantity_text), AfterValidator(_cpu)]
Memory = Annotated[str, BeforeValidator(_quantity_text), AfterValidator(_memory)]
FilePath = Annotated[str, AfterValidator(_file_path)]
ModelUri = Annotated[str, AfterValidator(_model_uri)]
