"""What Google offers: versions of GKE, and which machines have which GPUs.

Everything here is copied from Google's documents, named beside each table; it changes with them.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Final, Literal

Channel = Literal["rapid", "regular", "stable", "extended"]

AS_OF: Final = date(2026, 11, 30)
"""When the table of versions was last compared with Google's schedule."""


@dataclass(frozen=True)
class Support:
    """How long a minor version of GKE is supported.

    Attributes:
        standard: Last day of standard support, in every channel.
        extended: Last day of extended support, which only the channel `extended` has: 24 months
            after the version came to the channel `regular`.
    """

    standard: date
    extended: date


# https://cloud.google.com/kubernetes-engine/docs/release-schedule, and what a release is supported
# for: https://cloud.google.com/kubernetes-engine/versioning. Older versions have extended support
# too, but no types of the Gateway API that our gateway could serve.
VERSIONS: Final[Mapping[str, Support]] = {
    "1.34": Support(date(2026, 10, 1), date(2027, 9, 30)),
    "1.35": Support(date(2027, 4, 11), date(2028, 2, 11)),
    "1.36": Support(date(2027, 8, 9), date(2028, 6, 9)),
}

# The default version of a new cluster, on the day of the table, is this one or a later one.
_IMAGE_VOLUMES_SINCE: Final = (1, 35)
_AT_LEAST_THAT: Final[frozenset[Channel]] = frozenset({"rapid", "regular"})


def supported(channel: Channel) -> list[str]:
    """Return the minor versions that a channel supports, oldest first.

    Args:
        channel: The release channel.
    """
    return [
        version
        for version, support in VERSIONS.items()
        if (support.extended if channel == "extended" else support.standard) >= AS_OF
    ]


def image_volumes(version: str | None, channel: Channel) -> bool:
    """Return whether pods can mount images as volumes, which Kubernetes 1.35 and later let them.

    Args:
        version: The minor version; the channel's default if `None`.
        channel: The release channel.
    """
    if version is None:
        return channel in _AT_LEAST_THAT
    return tuple(int(part) for part in version.split(".")) >= _IMAGE_VOLUMES_SINCE


@dataclass(frozen=True)
class Accelerator:
    """A type of GPU.

    Attributes:
        series: The machine series that has it.
        machines: GPUs by machine type, where the machine type decides.
        counts: How many can be attached to a machine, where it does not.
    """

    series: str
    machines: Mapping[str, int] = field(default_factory=dict)
    counts: tuple[int, ...] = ()


def _numbered(prefix: str, *counts: int) -> dict[str, int]:
    return {f"{prefix}-{count}g": count for count in counts}


# https://cloud.google.com/compute/docs/gpus and
# https://cloud.google.com/kubernetes-engine/docs/concepts/gpus
ACCELERATORS: Final[Mapping[str, Accelerator]] = {
    "nvidia-tesla-t4": Accelerator("n1", counts=(1, 2, 4)),
    "nvidia-tesla-v100": Accelerator("n1", counts=(1, 2, 4, 8)),
    "nvidia-l4": Accelerator(
        "g2",
        {f"g2-standard-{cores}": 1 for cores in (4, 8, 12, 16, 32)}
        | {"g2-standard-24": 2, "g2-standard-48": 4, "g2-standard-96": 8},
    ),
    "nvidia-rtx-pro-6000": Accelerator(
        "g4", {"g4-standard-48": 1, "g4-standard-96": 2, "g4-standard-192": 4, "g4-standard-384": 8}
    ),
    "nvidia-tesla-a100": Accelerator(
        "a2", _numbered("a2-highgpu", 1, 2, 4, 8) | _numbered("a2-megagpu", 16)
    ),
    "nvidia-a100-80gb": Accelerator("a2", _numbered("a2-ultragpu", 1, 2, 4, 8)),
    "nvidia-h100-80gb": Accelerator("a3", _numbered("a3-highgpu", 1, 2, 4, 8)),
    "nvidia-h100-mega-80gb": Accelerator("a3", _numbered("a3-megagpu", 8)),
    "nvidia-h200-141gb": Accelerator("a3", _numbered("a3-ultragpu", 8)),
    "nvidia-b200": Accelerator("a4", _numbered("a4-highgpu", 8)),
}

# A series, then what kind and size: `e2-standard-4`, `n2-custom-4-8192`, `a2-highgpu-1g`.
_MACHINE = re.compile(r"[a-z]\d+[a-z]?-[a-z]+(-\d+[a-z]*)*")


def is_machine_type(text: str) -> bool:
    """Return whether a text has the form of a machine type."""
    return _MACHINE.fullmatch(text) is not None


def series(machine: str) -> str:
    """Return the machine series of a machine type."""
    return machine.partition("-")[0]


def gpus_of(machine: str) -> dict[str, int]:
    """Return the GPUs that a machine type always has: how many, by their type.

    Args:
        machine: A machine type.
    """
    return {
        name: accelerator.machines[machine]
        for name, accelerator in ACCELERATORS.items()
        if machine in accelerator.machines
    }


def gpu_problem(gpu: str, count: int | None, machine: str) -> str | None:
    """Return what is wrong with a GPU on a machine, with the way out; `None` if nothing is.

    Args:
        gpu: A type in `ACCELERATORS`.
        count: How many; as many as the machine has, or 1, if `None`.
        machine: A machine type.
    """
    accelerator = ACCELERATORS[gpu]
    if accelerator.counts:
        return _attached_problem(gpu, count, machine)
    if machine not in accelerator.machines:
        known = ", ".join(accelerator.machines)
        return f"`{machine}` has no `{gpu}`; the machines that have it: {known}"
    has = accelerator.machines[machine]
    if count not in (None, has):
        return f"`{machine}` has {has} of `{gpu}`, not {count}; remove `gpus`"
    return None


def _attached_problem(gpu: str, count: int | None, machine: str) -> str | None:
    accelerator = ACCELERATORS[gpu]
    if series(machine) != accelerator.series:
        return (
            f"`{gpu}` is attached to machines of the series `{accelerator.series}`, which "
            f"`{machine}` is not; choose one like `{accelerator.series}-standard-8`"
        )
    if count is not None and count not in accelerator.counts:
        known = ", ".join(map(str, accelerator.counts))
        return f"{count} of `{gpu}` cannot be attached to a machine; choose from {known}"
    return None
