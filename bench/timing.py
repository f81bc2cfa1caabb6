"""How long an action takes, by the clock and by the processors."""

import resource
import time
from collections.abc import Callable

Duration = dict[str, float]
"""`wall_s`, and `cpu_s` of the processes that were started; not of the cluster they work on."""


def timed(action: Callable[[], object]) -> Duration:
    """Time an action, and the CPU that the processes it started took.

    On a busy machine only the second says something of the action itself.
    """
    started, cpu = time.monotonic(), _cpu_of_children()
    action()
    return {"wall_s": time.monotonic() - started, "cpu_s": _cpu_of_children() - cpu}


def _cpu_of_children() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
