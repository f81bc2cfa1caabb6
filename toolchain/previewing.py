"""What `make preview REPORT=...` and `make drift` do: they ask the engine, and write a report."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from infra.settings import Settings
from toolchain.errors import SlipwayError
from toolchain.previews import guard, markdown, model
from toolchain.previews.document import Report, document, drift_document

Plan = Callable[[str], tuple[Settings, dict[str, Any]]]
"""Returns the settings of a stack, and the engine's digest of what an update would change."""


def report_path(text: str) -> Path:
    """Return the file of a report.

    Raises:
        SlipwayError: Its name does not end with `.md`, or its folder is not there.
    """
    path = Path(text)
    if path.suffix != ".md":
        raise SlipwayError(f"REPORT={text}: give the report a name that ends with .md")
    if not path.parent.is_dir():
        raise SlipwayError(f"REPORT={text}: there is no folder {path.parent}")
    return path


def write_drift(stack: str, digest: Mapping[str, Any], path: Path | None) -> model.ChangeSet:
    """Return what was changed outside of Pulumi, and write it as Markdown and as JSON.

    Args:
        stack: Name of the stack.
        digest: The engine's digest of a refresh.
        path: Where the Markdown goes; nowhere when there is none.
    """
    found = model.parse(stack, digest)
    if path is not None:
        path.write_text(markdown.render_drift(found))
        _write_json(path, drift_document(found))
    return found


def write(stacks: Sequence[str], plan: Plan, path: Path) -> list[Report]:
    """Preview stacks, and write the report as Markdown and, beside it, as JSON.

    A stack whose preview fails has its error in the report; the others are previewed all the same.

    Args:
        stacks: Names of the stacks.
        plan: Previews one of them.
        path: Where the Markdown goes; the JSON has the same name with `.json`.
    """
    reports = [preview(stack, plan) for stack in stacks]
    limit = markdown.LIMIT // len(reports)
    path.write_text("\n".join(markdown.render(report, limit=limit) for report in reports))
    documents = {"stacks": [document(report) for report in reports]}
    _write_json(path, documents)
    return reports


def _write_json(path: Path, document: Mapping[str, Any]) -> None:
    path.with_suffix(".json").write_text(json.dumps(document, indent=1) + "\n")


def preview(stack: str, plan: Plan) -> Report:
    """Return the report of one stack's preview."""
    try:
        settings, digest = plan(stack)
    except SlipwayError as error:
        failed = model.ChangeSet(stack, problems=(model.Problem("error", str(error)),))
        return Report(failed, guard.Verdict())
    changes = model.parse(stack, digest)
    return Report(changes, guard.judge(changes, settings.approve))


def objections(reports: Sequence[Report]) -> list[str]:
    """Return, one a line, what speaks against an update: errors, and what has no approval."""
    lines = []
    for report in reports:
        for problem in report.changes.errors:
            about = f"{problem.name}: " if problem.name else ""
            lines.append(f"{report.stack}: {about}{problem.text.splitlines()[0]}")
        lines += [
            f"{report.stack}: {one.change.name} would be "
            f"{markdown.VERBS[one.change.operation]} ({one.reason}): approve it by that name in "
            "slipway:approve, if that is meant"
            for one in report.verdict.blocked
        ]
    return lines
