"""Where the charts of third-party controllers come from."""

import re
from pathlib import PurePosixPath
from typing import Annotated, Final

from pydantic import AfterValidator

UPSTREAM: Final = "upstream"

_MIRROR = re.compile(r"(https|oci)://[A-Za-z0-9.-]+(:\d+)?(/[A-Za-z0-9._/-]*)?")
_FOLDER = re.compile(r"[A-Za-z0-9._/-]+")


def _source(value: str) -> str:
    if value == UPSTREAM:
        return value
    if value.startswith("file:"):
        return _folder(value)
    if not _MIRROR.fullmatch(value):
        # Whoever writes a login here should not read it in a log.
        shown = re.sub(r"//.*@", "//<login>@", value)
        raise ValueError(
            f"`{shown}` is no source of charts; choose `upstream`, `file:<folder>`, "
            "`https://<host>/<path>` or `oci://<host>/<path>`, and log in to a mirror outside "
            "of it"
        )
    return value.rstrip("/")


def _folder(value: str) -> str:
    folder = value.removeprefix("file:")
    path = PurePosixPath(folder)
    if path.is_absolute() or ".." in path.parts or not _FOLDER.fullmatch(folder):
        raise ValueError(f"`{value}` leads out of the project; give a folder below the project's")
    return value


ChartSource = Annotated[str, AfterValidator(_source)]
"""`upstream`, `file:<folder below the project's>`, or the URL of a mirror."""
