"""Which destruction needs an approval, and which has one.

What the state protects, and what holds something that no later update brings back (`kinds`), is
replaced or deleted only when the stack file approves it by its logical name:

    slipway:approve: [vision]
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from toolchain.previews import kinds
from toolchain.previews.model import Change, ChangeSet


@dataclass(frozen=True)
class Blocked:
    """A destruction that nobody has approved.

    Attributes:
        change: What would be destroyed.
        reason: Why that needs an approval.
        within: How many more that need one go only because this one goes.
    """

    change: Change
    reason: str
    within: int = 0


@dataclass(frozen=True)
class Verdict:
    """What the guard says to a preview.

    Attributes:
        blocked: What has no approval.
        approved: What has one.
        unneeded: Approved names of nothing that this update would destroy.
    """

    blocked: tuple[Blocked, ...] = ()
    approved: tuple[Change, ...] = ()
    unneeded: tuple[str, ...] = ()


def judge(changes: ChangeSet, approve: Collection[str]) -> Verdict:
    """Return what has an approval, and what lacks one.

    Who approves a cluster approves what goes with it.

    Args:
        changes: The changes of a preview.
        approve: The logical names of `slipway:approve`.
    """
    destroyed = {change.urn: change for change in changes.changes if change.destroys}
    guarded = {change.urn: change for change in destroyed.values() if reason(change)}
    blocked: dict[str, list[Change]] = {}
    approved = []
    for change in guarded.values():
        line = [change, *_takers(change, destroyed)]
        if any(one.name in approve for one in line):
            approved.append(change)
        else:
            # What takes it along is what a reviewer decides about.
            root = next(one for one in reversed(line) if one.urn in guarded)
            blocked.setdefault(root.urn, []).append(change)
    return Verdict(
        tuple(
            Blocked(guarded[urn], reason(guarded[urn]), len(along) - 1)
            for urn, along in blocked.items()
        ),
        tuple(approved),
        tuple(sorted(set(approve) - {change.name for change in guarded.values()})),
    )


def reason(change: Change) -> str:
    """Return why the destruction of a resource needs an approval; empty when it needs none."""
    kind = kinds.stateful(change.type, change.old)
    if kind is not None:
        return f"a {kind.what}; lost with it: {kind.loss}"
    return "protected" if change.protected else ""


def _takers(change: Change, destroyed: dict[str, Change]) -> Iterator[Change]:
    """Yield what takes a resource along when it goes, from the nearest on.

    That is what it is deleted with; or, of a Kubernetes object, what its provider needs.
    """
    seen = {change.urn}
    while True:
        provider = destroyed.get(change.provider)
        further = (change.gone_with, *(provider.dependencies if provider else ()))
        taker = next((destroyed[urn] for urn in further if urn in destroyed), None)
        if taker is None or taker.urn in seen:
            return
        seen.add(taker.urn)
        yield taker
        change = taker
