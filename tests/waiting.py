"""Waits for what has to come about."""

import time
from collections.abc import Callable

PATIENCE_SECONDS = 120.0


def until(
    condition: Callable[[], object],
    what: str,
    *,
    patience: float = PATIENCE_SECONDS,
    pause: float = 0.1,
) -> None:
    """Wait for a condition.

    Args:
        condition: Whether it has come about.
        what: What is waited for, for the error.
        patience: Longest wait in seconds.
        pause: Seconds between two looks.
    """
    deadline = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < deadline, f"{what} did not come about"
        time.sleep(pause)
