"""How often and how long the cluster is looked at while something is waited for."""

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from toolchain.kubernetes_plugin.client import EventType, Object, ObjectClient
from toolchain.kubernetes_plugin.errors import ClusterError

Clock = Callable[[], float]
Report = Callable[[str], None]

# Lengths of a watch, seconds: short at first, when most objects become ready, and never so long
# that a cancelled operation lingers or that trouble of a pod, which its owner's watch does not
# show, stays unseen.
_FIRST_WINDOW = 1.0
_LONGEST_WINDOW = 3.0

# A watch that ends at once must not be repeated at once. Seconds.
_SHORTEST_ROUND = 0.5


class Pace:
    """The time an operation has, and the rhythm of its looks at the cluster.

    Args:
        timeout: Seconds until the operation gives up.
        cancelled: Set when the operation has to stop.
        clock: Monotonic seconds.
    """

    def __init__(
        self, timeout: float, cancelled: threading.Event, clock: Clock = time.monotonic
    ) -> None:
        self._cancelled = cancelled
        self._clock = clock
        self._deadline = clock() + timeout
        self._window = _FIRST_WINDOW

    @property
    def cancelled(self) -> bool:
        """Whether the operation has to stop."""
        return self._cancelled.is_set()

    @property
    def expired(self) -> bool:
        """Whether the operation's time is up."""
        return self._clock() >= self._deadline

    @property
    def over(self) -> bool:
        """Whether the operation has to end one way or the other."""
        return self.cancelled or self.expired

    def now(self) -> float:
        """Return the clock's seconds."""
        return self._clock()

    def next_window(self) -> float:
        """Return how long to watch now, in seconds; longer each time, up to 3 s."""
        window = min(self._window, max(self._deadline - self._clock(), 0.0))
        self._window = min(self._window + 1.0, _LONGEST_WINDOW)
        return window

    def fill_up(self, started: float, window: float) -> None:
        """Rest until a round that started at `started` has taken a fair part of its window."""
        missing = min(window, _SHORTEST_ROUND) - (self._clock() - started)
        if missing > 0:
            self._cancelled.wait(missing)

    def rest(self, seconds: float) -> None:
        """Rest, but not beyond the deadline or a cancellation."""
        self._cancelled.wait(min(seconds, max(self._deadline - self._clock(), 0.0)))


@dataclass(frozen=True)
class Subject:
    """What is watched: one object, or with no name every object of a kind in a namespace."""

    api_version: str
    kind: str
    namespace: str | None
    name: str | None = None


def watch_once(
    client: ObjectClient, subject: Subject, pace: Pace, window: float, report: Report
) -> Iterator[tuple[EventType, Object]]:
    """Yield what happens to a subject for `window` seconds.

    Trouble with the watch ends it after a rest, with one line to the user: the caller looks at the
    object itself between two watches anyway.
    """
    started = pace.now()
    try:
        for event in client.watch(
            subject.api_version,
            subject.kind,
            subject.namespace,
            subject.name,
            timeout_seconds=window,
        ):
            yield event
            if pace.over:
                return
    except ClusterError as error:
        report(f"Cannot watch {subject.kind}: {error}")
        pace.rest(window)
    pace.fill_up(started, window)
