"""Settings of when a cloud may upgrade what it manages."""

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from infra.settings.types import StrictModel

_TIME = re.compile(r"([01]\d|2[0-3]):[0-5]\d")
_OFFSET = re.compile(r"[+-](0\d|1[0-4]):(00|15|30|45)")


def _time(value: str) -> str:
    if not _TIME.fullmatch(value):
        raise ValueError(f'`{value}` is not a time of day; write it in quotes, like `"02:00"`')
    return value


def _offset(value: str) -> str:
    if not _OFFSET.fullmatch(value):
        raise ValueError(
            f'`{value}` is not an offset from UTC; write it in quotes, like `"+01:00"`'
        )
    return value


class MaintenanceSettings(StrictModel):
    """A weekly window in which upgrades happen.

    Attributes:
        day: Day of the week.
        start: Time of day at which it begins.
        utc_offset: Offset of that time from UTC, in winter and in summer alike.
        hours: How long it is; upgrades want four hours at least.
    """

    day: Literal["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"] = (
        "Sunday"
    )
    start: Annotated[str, AfterValidator(_time)] = "02:00"
    utc_offset: Annotated[str, AfterValidator(_offset)] = "+00:00"
    hours: Annotated[int, Field(strict=True, ge=4, le=24)] = 4
