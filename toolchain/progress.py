"""Progress lines, and the sizes and durations in them."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Report = Callable[[str], None]
"""Takes one line of progress for a person, without a line end."""

INTERVAL = 20.0
"""Seconds of silence after which a long step says where it is."""


def silent(line: str) -> None:
    """Report nothing: for callers that show progress in another way."""
    del line


def size(count: float) -> str:
    """Return bytes as a short text: `1.2 GB`, `37 MB`, `512 B` (powers of ten)."""
    for unit, scale in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= scale:
            digits = 1 if count < 10 * scale else 0
            return f"{count / scale:.{digits}f} {unit}"
    return f"{count:.0f} B"


def duration(seconds: float) -> str:
    """Return seconds as a short text: `4 min 05 s`, `12 s`, `0.3 s`."""
    if seconds >= 60:
        return f"{int(seconds // 60)} min {int(seconds % 60):02d} s"
    return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.1f} s"


@contextmanager
def ticking(
    report: Report, describe: Callable[[float], str], interval: float = INTERVAL
) -> Iterator[None]:
    """Report a line every `interval` seconds while the body runs.

    Args:
        report: Takes each line.
        describe: Makes the line from the seconds that have passed; called in another thread.
        interval: Seconds between lines; nothing is reported for a shorter body.
    """
    finished = threading.Event()
    started = time.monotonic()

    def tick() -> None:
        while not finished.wait(interval):
            report(describe(time.monotonic() - started))

    thread = threading.Thread(target=tick, name="progress", daemon=True)
    thread.start()
    try:
        yield
    finally:
        finished.set()
        thread.join()
