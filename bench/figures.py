"""Figures of several rounds side by side.

What a section measures in one round is a mapping of mappings whose leaves are numbers. `combined`
turns the rounds into one such mapping with lists of numbers, one a round, which is what is kept.
"""

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

Round = Mapping[str, Any]
"""What one round measured: mappings of mappings, whose leaves are numbers."""

Figures = Mapping[str, Any]
"""The same with a list of numbers, one a round, in place of each number."""


def combined(rounds: Sequence[Round]) -> Figures:
    """Return rounds as one mapping of lists; what a round did not see is missing from its list."""
    keys = dict.fromkeys(key for one in rounds for key in one)
    return {key: _combined([one[key] for one in rounds if key in one]) for key in keys}


def _combined(values: Sequence[Any]) -> Any:
    return combined(values) if isinstance(values[0], Mapping) else list(values)


def middle(values: Sequence[float]) -> float:
    """Return the median of the rounds."""
    return statistics.median(values)


def spread(values: Sequence[float], digits: int, unit: str = "") -> str:
    """Write the median of the rounds, and the least and the most where they differ.

    Args:
        values: One a round.
        digits: Digits after the point.
        unit: Its unit, if it has one.
    """
    ending = f" {unit}" if unit else ""
    text = f"{middle(values):.{digits}f}"
    if min(values) < max(values):
        text += f" ({min(values):.{digits}f}-{max(values):.{digits}f})"
    return text + ending
