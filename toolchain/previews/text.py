"""Values of a preview as text that no value can break out of."""

import difflib
import json
import re
from collections.abc import Sequence
from typing import Any, Final

from toolchain.previews.model import Field

LONGEST_VALUE: Final = 300
"""Characters of a value that a report shows."""
MOST_LINES: Final = 40
"""Lines of one changed text that a report shows."""

_BAR: Final = "\\|"
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\u2028-\u202e\u2066-\u2069]")


def value(of: Any) -> str:
    """Return a value on one line: text as it is, everything else as JSON, cut where it is long."""
    if of is None:
        return "(none)"
    text = of if isinstance(of, str) else json.dumps(of, sort_keys=True, ensure_ascii=False)
    text = _clean(text).replace("\n", "\\n")
    cut = len(text) - LONGEST_VALUE
    return text if cut <= 0 else f"{text[:LONGEST_VALUE]}… ({cut} more characters)"


def code(text: str) -> str:
    """Return text as a Markdown code span."""
    fence = "`" * (_longest_run(text) + 1)
    pad = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{fence}{pad}{text}{pad}{fence}".replace("\n", " ")


def row(*cells: str) -> str:
    """Return a row of a Markdown table."""
    # Inside code spans too: a table is cut into cells before anything else is looked at.
    return f"| {' | '.join(cell.replace('|', _BAR) for cell in cells)} |"


def block(lines: Sequence[str], language: str = "") -> list[str]:
    """Return lines as a fenced block of Markdown."""
    fence = "`" * max(3, _longest_run("\n".join(lines)) + 1)
    return [f"{fence}{language}", *lines, fence]


def difference(field: Field) -> list[str]:
    """Return a changed property as lines of a diff."""
    old, new = field.old, field.new
    if isinstance(old, str) and isinstance(new, str) and "\n" in old + new:
        lines = list(
            difflib.unified_diff(
                _clean(old).splitlines(), _clean(new).splitlines(), lineterm="", n=1
            )
        )[2:]
        shown = [line[:LONGEST_VALUE] for line in lines[:MOST_LINES]]
        more = len(lines) - len(shown)
        return [f"  {field.path}", *shown, *([f"  … {more} more lines"] if more else [])]
    if old is None:
        return [f"+ {field.path}: {value(new)}"]
    if new is None:
        return [f"- {field.path}: {value(old)}"]
    if old == new:
        return [f"! {field.path}: {value(new)}, changed"]
    return [f"- {field.path}: {value(old)}", f"+ {field.path}: {value(new)}"]


def _clean(text: str) -> str:
    """Return text without characters that move the cursor or turn the direction of writing."""
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text)


def _longest_run(text: str) -> int:
    return max((len(run) for run in re.findall("`+", text)), default=0)
