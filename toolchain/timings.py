"""How long the phases of a command took."""

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from toolchain.progress import duration

VARIABLE = "SLIPWAY_TIMINGS"
"""Names a file that receives the phases as JSON: an object of seconds by phase, in order."""


class Timings:
    """The phases of one command, in the order in which they began."""

    def __init__(self) -> None:
        self._seconds: dict[str, float] = {}

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Time a phase; a second one of the same name adds to the first."""
        started = time.monotonic()
        try:
            yield
        finally:
            took = time.monotonic() - started
            self._seconds[name] = self._seconds.get(name, 0.0) + took

    def line(self) -> str:
        """Return one line with every phase and the sum."""
        parts = [f"{name} {duration(seconds)}" for name, seconds in self._seconds.items()]
        return " | ".join([*parts, f"total {duration(sum(self._seconds.values()))}"])

    def write(self) -> None:
        """Write the phases to the file that `SLIPWAY_TIMINGS` names, if it names one."""
        path = os.environ.get(VARIABLE)
        if path:
            rounded = {name: round(seconds, 3) for name, seconds in self._seconds.items()}
            Path(path).write_text(json.dumps(rounded, indent=1) + "\n")
