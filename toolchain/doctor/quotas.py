"""Compares what pools ask for with what a cloud lets an account have."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from toolchain.doctor.finding import Finding


@dataclass
class Demand:
    """What pools ask of one quota.

    Attributes:
        pools: Names of the pools.
        least: For `min` nodes of each, and for one where `min` is 0: with less, a pool that a pod
            needs has no node at all.
        most: For `max` nodes of each.
    """

    pools: list[str] = field(default_factory=list)
    least: int = 0
    most: int = 0

    def add(self, pool: str, least: int, most: int) -> None:
        """Count a pool in.

        Args:
            pool: Its name.
            least: Of its nodes.
            most: Of its nodes.
        """
        if pool not in self.pools:
            self.pools.append(pool)
        self.least += least
        self.most += most


class Demands(dict[str, Demand]):
    """Demands by what names a quota."""

    def __missing__(self, name: str) -> Demand:
        """Return the demand of a quota that nothing has asked of yet."""
        self[name] = Demand()
        return self[name]


@dataclass(frozen=True)
class Quota:
    """What an account may have.

    Attributes:
        limit: At most.
        used: In use by everything in the account, this stack included; `None` where nobody tells.
    """

    limit: int
    used: int | None = None


def judge(name: str, unit: str, demand: Demand, quota: Quota, way_out: str) -> Finding:
    """Return the line for one quota.

    Args:
        name: What the cloud calls it.
        unit: What it counts.
        demand: What the stack asks of it.
        quota: What there is.
        way_out: Where more of it is asked for.
    """
    pools = _pools(demand.pools)
    have = f"quota `{name}`: {quota.limit} {unit}"
    if quota.used:
        have += f", {quota.used} of them in use"
    if quota.limit < demand.least:
        return Finding("missing", f"{have}, and {pools} need {demand.least} to begin; {way_out}")
    if quota.limit - (quota.used or 0) < demand.most:
        return Finding(
            "note", f"{have}, and {pools} can grow to {demand.most}; lower `max`, or {way_out}"
        )
    return Finding("ok", f"{have}; {pools} can grow to {demand.most}")


def read(rows: Iterable[tuple[str, Quota]]) -> Mapping[str, Quota]:
    """Return quotas by name, in lower case: clouds do not agree with themselves on the case."""
    return {name.lower(): quota for name, quota in rows}


def _pools(names: list[str]) -> str:
    return f"the nodes of {', '.join(f'`{name}`' for name in names)}"
