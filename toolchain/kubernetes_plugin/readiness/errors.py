"""What a wait can end with."""

from collections.abc import Sequence
from typing import Any, Literal

Cause = Literal["failed", "timed out", "cancelled", "gone"]


class NotReady(Exception):  # noqa: N818 - the name says what is the case, as its callers read it
    """An object exists but did not become what was waited for.

    The message is the headline, one line that names the object.

    Attributes:
        reasons: Why, one line each, what matters most first.
        live: The object as it was last seen.
        cause: Whether it failed for good, the time was up, the operation was cancelled, or the
            object vanished.
    """

    def __init__(
        self, headline: str, reasons: Sequence[str], live: dict[str, Any], cause: Cause
    ) -> None:
        """Keep what is known."""
        super().__init__(headline)
        self.reasons = list(reasons)
        self.live = live
        self.cause = cause
