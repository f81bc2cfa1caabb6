"""What a change does to data and to what answers."""

from dataclasses import dataclass
from typing import Final

from toolchain.previews import kinds
from toolchain.previews.model import Change

_UNTIL_BACK: Final = "until the new one is there"
_FOR_GOOD: Final = "for good"


@dataclass(frozen=True)
class Meaning:
    """What a change means.

    Attributes:
        loss: What is lost; empty for nothing.
        downtime: What does not answer, and until when; empty for nothing.
        note: What else a reviewer may want to know.
    """

    loss: str = ""
    downtime: str = ""
    note: str = ""

    @property
    def rank(self) -> int:
        """How grave it is: 2 with a loss, 1 with downtime alone, else 0."""
        return 2 if self.loss else 1 if self.downtime else 0

    def __str__(self) -> str:
        """Return it as a sentence or two, for a person."""
        parts = [
            f"**lost:** {self.loss}" if self.loss else "",
            f"**down:** {self.downtime}" if self.downtime else "",
            self.note,
        ]
        return "; ".join(part for part in parts if part)


def of(change: Change) -> Meaning:
    """Return what a change means."""
    if change.operation == "forget":
        return Meaning(note="it stays, and is no longer managed by this stack")
    if change.operation == "update":
        return _updated(change)
    if change.destroys:
        return _destroyed(change)
    return Meaning()


def _destroyed(change: Change) -> Meaning:
    until = _UNTIL_BACK if change.operation == "replace" else _FOR_GOOD
    kind = kinds.stateful(change.type, change.old)
    if kind is not None:
        return Meaning(kind.loss, f"{kind.downtime} {until}" if kind.downtime else "")
    type_ = kinds.normalized(change.type)
    if type_ == kinds.DEFINITION:
        return Meaning("every object of this kind in the cluster")
    if type_ in kinds.ROUTES:
        return Meaning(downtime=f"its URL {until}")
    if type_ == kinds.GATEWAY:
        return Meaning(downtime=f"the URL of every model {until}")
    if type_ in kinds.ADDRESSES:
        return Meaning(
            downtime=f"what comes in by it {until}",
            note="its address changes: DNS names have to follow",
        )
    if change.operation == "replace" and not change.deletes_first:
        return Meaning(note="the new one is there before the old one goes")
    if type_ in kinds.WORKLOADS:
        return Meaning(downtime=f"its pods {until}")
    if type_ == kinds.SERVICE:
        return Meaning(downtime=f"what is reached through it {until}; its address may change")
    if type_ in kinds.NODE_POOLS:
        return Meaning(downtime="its pods, until other nodes have room for them")
    if change.operation == "replace":
        return Meaning(note="the old one goes before the new one is there")
    return Meaning()


def _updated(change: Change) -> Meaning:
    paths = [field.path for field in change.fields]
    type_ = kinds.normalized(change.type)
    if type_ in kinds.WORKLOADS and any(path.startswith("spec.template") for path in paths):
        return Meaning(note="its pods are replaced, one after the other")
    return Meaning()
