"""What every section of the benchmark is given."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.figures import Round


@dataclass(frozen=True)
class Context:
    """One round of a section.

    Attributes:
        folder: An empty folder, which goes with the round.
        report: Takes progress lines.
        models: Numbers of models whose stacks are measured.
    """

    folder: Path
    report: Callable[[str], None]
    models: Sequence[int]


Section = Callable[[Context], Round]
"""Measures one round."""
