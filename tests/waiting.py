"""Waits for what has to come about."""

import subprocess
import time
import urllib.error
import urllib.request
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


def until_answers(process: "subprocess.Popen[bytes]", url: str, *, patience: float) -> None:
    """Wait until a server that was started answers over HTTP, with whatever status.

    Args:
        process: The server; that it ended is an error at once.
        url: Where it is asked.
        patience: Longest wait in seconds.
    """

    def answers() -> bool:
        assert process.poll() is None, "the server ended; see its log"
        try:
            urllib.request.urlopen(url, timeout=10).close()
        except urllib.error.HTTPError:
            # Who asks is nobody it knows.
            return True
        except OSError:
            return False
        return True

    until(answers, "an answer of the server", patience=patience, pause=0.05)
