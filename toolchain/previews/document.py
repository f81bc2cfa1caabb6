"""The report as JSON, for programs: what `docs/previews.md` lists."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from toolchain.previews import capacity, guard, meaning, traffic
from toolchain.previews.model import Change, ChangeSet


@dataclass(frozen=True)
class Report:
    """What there is to say about the preview of one stack.

    Attributes:
        changes: What would happen.
        verdict: What the guard says to it.
    """

    changes: ChangeSet
    verdict: guard.Verdict

    @property
    def stack(self) -> str:
        """Name of the stack."""
        return self.changes.stack

    @property
    def is_empty(self) -> bool:
        """Whether nothing would change."""
        return not self.changes.changes


def document(report: Report) -> dict[str, Any]:
    """Return a report as what `json` can write."""
    changes, verdict = report.changes, report.verdict
    return {
        "stack": changes.stack,
        "counts": {**changes.counts(), "unchanged": changes.unchanged},
        "blocked": [
            {**_named(one.change), "reason": one.reason, "within": one.within}
            for one in verdict.blocked
        ],
        "approved": [_named(change) for change in verdict.approved],
        "unneededApprovals": list(verdict.unneeded),
        "changes": [_change(change) for change in changes.changes],
        "traffic": [
            {"route": shift.place, "old": dict(shift.old), "new": dict(shift.new)}
            for shift in traffic.shifts(changes)
        ],
        "capacity": [
            {
                "type": figure.kind,
                "place": figure.place,
                "what": figure.what,
                "old": figure.old,
                "new": figure.new,
            }
            for figure in capacity.figures(changes)
        ],
        "requests": {
            resource: float(amount) for resource, amount in capacity.totals(changes).items()
        },
        "problems": _problems(changes),
    }


def drift_document(found: ChangeSet) -> dict[str, Any]:
    """Return what a refresh found as what `json` can write."""
    return {
        "stack": found.stack,
        "counts": {**found.counts(), "unchanged": found.unchanged},
        "changes": [
            {**_named(change), "urn": change.urn, "place": change.place, "fields": _fields(change)}
            for change in found.changes
        ],
        "problems": _problems(found),
    }


def _problems(changes: ChangeSet) -> list[dict[str, str]]:
    return [
        {"severity": problem.severity, "resource": problem.name, "text": problem.text}
        for problem in changes.problems
    ]


def _fields(change: Change) -> list[dict[str, Any]]:
    return [{"path": field.path, "old": field.old, "new": field.new} for field in change.fields]


def _named(change: Change) -> dict[str, str]:
    return {"operation": change.operation, "type": change.type, "name": change.name}


def _change(change: Change) -> Mapping[str, Any]:
    means = meaning.of(change)
    return {
        **_named(change),
        "urn": change.urn,
        "place": change.place,
        "protected": change.protected,
        "deletesFirst": change.deletes_first,
        "replacedFor": list(change.reasons),
        "loss": means.loss,
        "downtime": means.downtime,
        "note": means.note,
        "fields": _fields(change),
    }
