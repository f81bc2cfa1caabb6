"""What the tables of all sections have in common."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from bench.figures import Figures, spread


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def when(moment: Mapping[str, Any]) -> str:
    """Return when something was measured, and how busy the machine was."""
    return f"Measured {moment['date']}; load average before: {moment['load_before']}."


def duration(figures: Figures) -> tuple[str, str]:
    """Return the time and the CPU of what `bench.timing` timed."""
    return spread(figures["wall_s"], 1, "s"), spread(figures["cpu_s"], 1, "s")


LOAD_HEAD = ("a second", "p50", "p99", "client's CPU")


def load(figures: Figures) -> tuple[str, ...]:
    """Return the cells of a load, as `LOAD_HEAD` calls them."""
    return (
        spread(figures["requests_per_second"], 0),
        spread(figures["p50_ms"], 2, "ms"),
        spread(figures["p99_ms"], 2, "ms"),
        spread(figures["client_cpu_ms"], 2, "ms"),
    )
