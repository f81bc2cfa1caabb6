"""Whether what a team's models ask for fits into the team's quota, before anything is created.

Counted is the most that can exist at one time. While it is updated, a model has one pod more than
its replicas, and the old volume stays until the last pod of the new one is ready; all models of a
team may be updated at once, because Pulumi updates what does not depend on each other in parallel.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final, TypeVar

from pydantic import BaseModel, ValidationError

from infra.settings.errors import key
from infra.settings.models import SURGE, ModelSettings, workloads
from infra.settings.plain import entries
from infra.settings.teams import QuotaSettings, TeamSettings
from infra.settings.types import parse_quantity

MEBIBYTE: Final = 2**20
_GIBIBYTE: Final = 2**30
# A changed model's volume stands beside the one that it replaces.
_VOLUMES: Final = 2

_Entry = TypeVar("_Entry", bound=BaseModel)


@dataclass(frozen=True)
class _Share:
    """What one model asks for: so many times the same amount."""

    model: str
    count: int
    amount: Decimal


@dataclass(frozen=True)
class _Limit:
    """A key of the quota.

    Attributes:
        key: Its name.
        shown: From an amount to text.
        share: From a share to text.
        remedy: What lowers a model's share.
    """

    key: str
    shown: Callable[[Decimal], str]
    share: Callable[[_Share], str]
    remedy: str


def _cpu(amount: Decimal) -> str:
    return str(int(amount)) if amount == int(amount) else f"{math.ceil(amount * 1000)}m"


def _bytes(amount: Decimal) -> str:
    if amount % _GIBIBYTE == 0:
        return f"{int(amount // _GIBIBYTE)}Gi"
    return f"{math.ceil(amount / MEBIBYTE)}Mi"


def _times(shown: Callable[[Decimal], str]) -> Callable[[_Share], str]:
    return lambda share: f"{share.model} {share.count} x {shown(share.amount)}"


# What sets the number of a model's pods.
_PODS: Final = "`replicas` (`scaling.max`)"
# Each with what one pod of a model asks for.
_OF_PODS: Final[Sequence[tuple[_Limit, Callable[[ModelSettings], Decimal]]]] = (
    (
        _Limit("cpu", _cpu, _times(_cpu), f"{_PODS} or `resources.cpu` of a model"),
        lambda model: model.pod_cpu,
    ),
    (
        _Limit(
            "memory",
            _bytes,
            _times(_bytes),
            f"{_PODS} or `resources.memory` of a model",
        ),
        lambda model: model.pod_memory,
    ),
    (
        _Limit(
            "gpu",
            str,
            lambda share: f"{share.model} {share.count} x {share.amount}",
            f"{_PODS} or `resources.gpu` of a model",
        ),
        lambda model: Decimal(model.resources.gpu.count if model.resources.gpu else 0),
    ),
    (
        _Limit(
            "pods",
            str,
            lambda share: f"{share.model} {share.count}",
            f"{_PODS} of a model",
        ),
        lambda model: Decimal(1),
    ),
)
_STORAGE: Final = _Limit("storage", _bytes, _times(_bytes), "the size of a model's file")


def errors(raw: Mapping[str, Any]) -> list[str]:
    """Return an error for each quota that the pods of a team's models can exceed.

    It looks at the plain data and passes over entries that are wrong in themselves, so that these
    errors come together with those of the fields.

    Args:
        raw: The settings as plain data.
    """
    teams = _valid(raw.get("teams"), TeamSettings)
    models = workloads(_valid(raw.get("models"), ModelSettings))
    return [
        error
        for name, team in teams.items()
        for limit, amount in _OF_PODS
        for error in _exceeded(
            name,
            team.quota,
            limit,
            [
                _Share(model, entry.max_replicas + SURGE, amount(entry))
                for model, entry in models.items()
                if entry.team == name and amount(entry)
            ],
        )
    ]


def storage_errors(
    teams: Mapping[str, TeamSettings], models: Mapping[str, ModelSettings], sizes: Mapping[str, int]
) -> list[str]:
    """Return an error for each quota that the volumes of a team's models can exceed.

    Args:
        teams: The teams by name.
        models: The models by name, their further versions too.
        sizes: Mebibytes of a model's volume, by the same names; those that are not there are not
            counted.
    """
    return [
        error
        for name, team in teams.items()
        for error in _exceeded(
            name,
            team.quota,
            _STORAGE,
            [
                _Share(model, _VOLUMES, Decimal(size * MEBIBYTE))
                for model, size in sizes.items()
                if models[model].team == name
            ],
        )
    ]


def _exceeded(
    team: str, quota: QuotaSettings, limit: _Limit, shares: Sequence[_Share]
) -> list[str]:
    allowed = getattr(quota, limit.key)
    needed = sum((share.count * share.amount for share in shares), Decimal(0))
    if allowed is None or needed <= parse_quantity(str(allowed)):
        return []
    listed = ", ".join(limit.share(share) for share in shares)
    return [
        f"{key('teams', team, 'quota', limit.key)}: `{allowed}` is less than the "
        f"{limit.shown(needed)} that its models need while they are updated ({listed}); raise it, "
        f"or lower {limit.remedy}"
    ]


def _valid(mapping: Any, model: type[_Entry]) -> dict[str, _Entry]:
    """Return the entries of a mapping that are right in themselves."""
    found: dict[str, _Entry] = {}
    for name, entry in entries(mapping):
        try:
            found[name] = model.model_validate(entry)
        except ValidationError:
            continue
    return found
