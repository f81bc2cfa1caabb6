"""The report as Markdown, for a reviewer who has a minute."""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Final

from toolchain.previews import capacity, kinds, meaning, text, traffic
from toolchain.previews.document import Report
from toolchain.previews.model import Change, ChangeSet, Problem

LIMIT: Final = 60_000
"""Characters of a report; a comment on GitHub has at most 65 536."""

VERBS: Final = {
    "replace": "replaced",
    "delete": "deleted",
    "create": "added",
    "import": "imported",
    "update": "changed",
    "forget": "let go",
}
"""What has happened to a resource after each operation."""
# As many as one looks through; the rest folds away.
_SHOWN_ROWS: Final = 15
_MOST_FIELDS: Final = 30
_EMPTY: Final = "-"


def marker(stack: str) -> str:
    """Return the line by which a stack's comment is found again."""
    return f"<!-- slipway preview: {stack} -->"


def drift_marker(stack: str) -> str:
    """Return the line by which the issue of a stack's drift is found again."""
    return f"<!-- slipway drift: {stack} -->"


def render_drift(found: ChangeSet, *, limit: int = LIMIT) -> str:
    """Return what a refresh found, as Markdown.

    Args:
        found: The changes that a refresh would write into the state.
        limit: Longest result in characters.
    """
    lines = [
        drift_marker(found.stack),
        f"## Stack {text.code(found.stack)}: {drift_headline(found)}",
        *_section("Errors", _problems(found.errors)),
        *_section("Deleted", _listed(found.of("delete", "forget"))),
        *_section("Changed", _changed(found.of("update"))),
    ]
    if found.changes:
        lines += [
            "",
            "`-` is what Pulumi made, `+` what is there now. `make up ARGS=--refresh` brings back "
            "what the stack file says; what is to stay belongs into the stack file.",
        ]
    return _cut(_joined(lines), limit)


def drift_headline(found: ChangeSet) -> str:
    """Return in one line what was changed outside of Pulumi."""
    if found.errors:
        return "looking for drift failed"
    counts = [f"{count} {VERBS[name]}" for name, count in found.counts().items()]
    return f"{', '.join(counts)} outside of Pulumi" if counts else "no drift"


def render(report: Report, *, limit: int = LIMIT) -> str:
    """Return a report as Markdown.

    Args:
        report: The report.
        limit: Longest result in characters; a longer one loses its details, and says so.
    """
    full = _lines(report, _changed(report.changes.of("update")))
    if len(text_ := _joined(full)) <= limit:
        return text_
    names = [
        f"- {_title(change)}: {', '.join(text.code(field.path) for field in change.fields[:3])}"
        for change in report.changes.of("update")
    ]
    short = _joined(
        _lines(report, [*_folded(names), "", "The values are in the JSON beside this report."])
    )
    return _cut(short, limit)


def _cut(whole: str, limit: int) -> str:
    if len(whole) <= limit:
        return whole
    note = "\n\n… the rest is in the JSON beside this report.\n"
    return whole[: limit - len(note)].rpartition("\n")[0] + note


def _joined(lines: Iterable[str]) -> str:
    return "\n".join(lines).rstrip() + "\n"


def _lines(report: Report, changed: Sequence[str]) -> list[str]:
    changes = report.changes
    sections = [
        _section("Needs an approval", _blocked(report)),
        _section("Errors", _problems(changes.errors)),
        _section("Replaced", _destroyed(changes.of("replace"))),
        _section("Deleted", _destroyed(changes.of("delete"))),
        _section("Models whose traffic shifts", _traffic(report)),
        _section("Quotas, replicas and requests", _capacity(report)),
        _section("Changed", changed),
        _section("Added", _listed(changes.of("create", "import"))),
        _section("Let go", _listed(changes.of("forget"))),
        _section("Warnings", _problems([p for p in changes.problems if p.severity == "warning"])),
        _section("Approvals", _approvals(report)),
    ]
    return [
        marker(changes.stack),
        f"## Stack {text.code(changes.stack)}: {headline(report)}",
        *(line for section in sections for line in section),
    ]


def headline(report: Report) -> str:
    """Return the counts of a report in one line."""
    counts = [f"{count} {VERBS[name]}" for name, count in report.changes.counts().items()]
    if report.changes.errors:
        return ", ".join(["the preview failed", *counts])
    return ", ".join(counts) or "nothing changes"


def _section(title: str, lines: Sequence[str]) -> list[str]:
    return ["", f"### {title}", "", *lines] if lines else []


def _blocked(report: Report) -> list[str]:
    lines = []
    for one in report.verdict.blocked:
        along = f"; {one.within} more go with it" if one.within else ""
        lines.append(
            f"- :no_entry: {_title(one.change)} would be {VERBS[one.change.operation]}: "
            f"{one.reason}{along}"
        )
    if not lines:
        return []
    names = ", ".join(sorted({one.change.name for one in report.verdict.blocked}))
    return [
        *lines,
        "",
        "If that is meant, approve it in the stack file, and take the approval out again once it "
        f"is done: {text.code(f'slipway:approve: [{names}]')}",
    ]


def _problems(problems: Sequence[Problem]) -> list[str]:
    lines = []
    for problem in problems:
        first, *further = problem.text.splitlines()
        about = f"{text.code(problem.name)}: " if problem.name else ""
        lines.append(f"- {about}{text.code(text.value(first))}")
        if further:
            shown = [text.value(line) for line in further[: text.MOST_LINES]]
            lines += ["", *(f"  {line}" for line in text.block(shown)), ""]
    return lines


def _destroyed(changes: Sequence[Change]) -> list[str]:
    ranked = sorted(changes, key=lambda change: -meaning.of(change).rank)
    rows = [
        text.row(_title(change), _reasons(change), str(meaning.of(change)) or _EMPTY)
        for change in ranked
    ]
    return _table(("what", "because of", "what it means"), rows)


def _reasons(change: Change) -> str:
    return ", ".join(text.code(reason) for reason in change.reasons) or _EMPTY


def _traffic(report: Report) -> list[str]:
    rows = [
        text.row(text.code(shift.place), _shares(shift.old), _shares(shift.new))
        for shift in traffic.shifts(report.changes)
    ]
    return _table(("model", "before", "after"), rows)


def _shares(shares: Mapping[str, int]) -> str:
    return ", ".join(f"{text.code(name)} {part} %" for name, part in shares.items()) or _EMPTY


def _capacity(report: Report) -> list[str]:
    rows = [
        text.row(
            f"{figure.kind} {text.code(figure.place)}",
            figure.what,
            figure.old or _EMPTY,
            figure.new or _EMPTY,
        )
        for figure in capacity.figures(report.changes)
    ]
    if not rows:
        return []
    sums = [
        f"{text.code(resource)} {_amount(resource, amount)}"
        for resource, amount in capacity.totals(report.changes).items()
    ]
    total = [f"All pods together ask for: {', '.join(sums)}.", ""] if sums else []
    return [*total, *_table(("where", "what", "before", "after"), rows)]


def _amount(resource: str, amount: Decimal) -> str:
    """Return a difference with its sign: `+0.5`, `-512Mi`."""
    if resource in ("memory", "ephemeral-storage"):
        for unit, size in (("Gi", 2**30), ("Mi", 2**20)):
            if abs(amount) >= size:
                return f"{amount / size:+.4g}{unit}"
    return f"{amount.normalize():+f}"


def _changed(changes: Sequence[Change]) -> list[str]:
    lines: list[str] = []
    for change in changes:
        means = meaning.of(change)
        lines += ["", f"{_title(change)}{f': {means}' if str(means) else ''}", ""]
        shown = [line for field in change.fields[:_MOST_FIELDS] for line in text.difference(field)]
        more = len(change.fields) - _MOST_FIELDS
        if more > 0:
            shown.append(f"  … {more} more properties, in the JSON beside this report")
        lines += text.block(shown, "diff") if shown else ["only what the provider keeps of it"]
    return lines[1:]


def _listed(changes: Sequence[Change]) -> list[str]:
    """Return resources by type: one line for each type."""
    by_type: dict[str, list[str]] = {}
    for change in changes:
        by_type.setdefault(kinds.shown(change.type), []).append(text.code(change.place))
    return _folded([f"- {type_}: {', '.join(by_type[type_])}" for type_ in sorted(by_type)])


def _approvals(report: Report) -> list[str]:
    verdict = report.verdict
    lines = [
        f"- :warning: {_title(change)} will be {VERBS[change.operation]}, as approved"
        for change in verdict.approved
    ]
    return lines + [
        f"- {text.code(name)} in `slipway:approve` is of nothing that this update would destroy: "
        "take it out"
        for name in verdict.unneeded
    ]


def _title(change: Change) -> str:
    return f"{kinds.shown(change.type)} {text.code(change.place)}"


def _table(columns: Sequence[str], rows: Sequence[str]) -> list[str]:
    if not rows:
        return []
    head = [text.row(*columns), f"|{'---|' * len(columns)}"]
    first, rest = [*head, *rows[:_SHOWN_ROWS]], rows[_SHOWN_ROWS:]
    return first + (_details(f"{len(rest)} more", [*head, *rest]) if rest else [])


def _folded(lines: Sequence[str]) -> list[str]:
    if len(lines) <= _SHOWN_ROWS:
        return list(lines)
    rest = lines[_SHOWN_ROWS:]
    return [*lines[:_SHOWN_ROWS], *_details(f"{len(rest)} more", rest)]


def _details(summary: str, lines: Sequence[str]) -> list[str]:
    return ["", f"<details><summary>{summary}</summary>", "", *lines, "", "</details>"]
