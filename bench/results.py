"""The file of results of machines like this one, a section at a time."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench import machine
from bench.figures import Figures

FOLDER = Path(__file__).parent / "results"

MERGED = frozenset({"growth"})
"""Sections whose parts may be measured in several runs: what a run leaves out is kept."""


class ResultsFile:
    """The results of one kind of machine.

    Args:
        described: The machine, as `machine.describe` returns it.
        folder: Where the files are, `FOLDER` by default.
    """

    def __init__(self, described: Mapping[str, Any], folder: Path | None = None) -> None:
        self.path = (folder or FOLDER) / f"{machine.slug(described)}.json"
        self._machine = dict(described)

    def read(self) -> dict[str, Any]:
        """Return `machine` and `sections`; no section before the first is recorded."""
        if not self.path.exists():
            return {"machine": self._machine, "sections": {}}
        found: dict[str, Any] = json.loads(self.path.read_text())
        return found

    def record(self, section: str, moment: Mapping[str, Any], figures: Figures) -> dict[str, Any]:
        """Keep what a section measured in place of what it measured before; others stay.

        Args:
            section: Its name.
            moment: When it was measured, as `machine.moment` returns it.
            figures: What was measured.

        Returns:
            All results.
        """
        results = self.read()
        results["machine"] = self._machine
        sections = results["sections"]
        # Each part says when it was measured: they may be of different days.
        if section in MERGED:
            parts = {name: {**moment, "figures": part} for name, part in figures.items()}
            sections[section] = {**sections.get(section, {}), **parts}
        else:
            sections[section] = {**moment, "figures": figures}
        self.path.parent.mkdir(exist_ok=True)
        self.path.write_text(json.dumps(results, indent=1) + "\n")
        return results
