"""Formats of models that some runtime serves."""

from typing import Annotated

from pydantic import AfterValidator

from apps.serving.runtimes import RUNTIMES
from infra.settings.errors import suggest


def _served(value: str) -> str:
    if value not in RUNTIMES:
        raise ValueError(f"no runtime serves the format `{value}`; {suggest(value, RUNTIMES)}")
    return value


ModelFormat = Annotated[str, AfterValidator(_served)]
