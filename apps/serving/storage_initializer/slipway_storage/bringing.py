"""Downloads a model with `kserve-storage`, and holds it against its digest and its room."""

import logging
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from slipway_storage import digests, errors

ATTEMPTS: Final = 5
"""Before the last, the pauses add up to 15 s: a network that is being set up gets that long."""

_LOG: Final = logging.getLogger("slipway_storage")
_LOOK_SECONDS: Final = 0.5
_REPORT_SECONDS: Final = 10.0
_MIB: Final = 2**20
_AZURE: Final = ".blob.core.windows.net/"
# Where Hugging Face's client notes what it has downloaded.
_NOTES: Final = Path(".cache", "huggingface")


@dataclass(frozen=True)
class Order:
    """What is brought where.

    Attributes:
        uri: Where the model is stored, as `kserve-storage` reads it.
        folder: An empty folder, which takes the model.
        name: Name of the model's file or folder in it.
        is_folder: Whether the model is a folder.
        sha256: What its digest has to be; empty where its owner answers for its version.
        limit: Room for it, in bytes.
    """

    uri: str
    folder: Path
    name: str
    is_folder: bool
    sha256: str
    limit: int

    @property
    def target(self) -> Path:
        """The model itself, once it is brought."""
        return self.folder / self.name


def bring(order: Order, end: Callable[[errors.StorageError], None]) -> None:
    """Download a model, again where the trouble may pass, and check it.

    Args:
        order: What is brought where.
        end: Ends the process with an error: called, from another thread, once the model has
            outgrown its room, because a download cannot be stopped.

    Raises:
        StorageError: The model is not what the order says, or cannot be had.
    """
    started = time.monotonic()
    for attempt in range(1, ATTEMPTS + 1):
        _empty(order.folder)
        try:
            with _watched(order, end):
                _download(order)
            break
        except Exception as error:
            found = errors.permanent(error, order.uri, order.limit)
            if found is None and attempt == ATTEMPTS:
                found = errors.unreachable(order.uri, ATTEMPTS, error)
            if found is not None:
                raise found from error
            pause = 2 ** (attempt - 1)
            said = errors.in_one_line(error)
            _LOG.warning(
                "attempt %d of %d failed: %s; again in %d s", attempt, ATTEMPTS, said, pause
            )
            time.sleep(pause)
    _check(order)
    seconds = time.monotonic() - started
    _LOG.info("brought %s: %.1f MiB in %.1f s", order.uri, _size(order.folder) / _MIB, seconds)


def _download(order: Order) -> None:
    # Here, because its import takes most of a second, and tests have another one.
    from kserve_storage import Storage

    _LOG.info("downloading %s", order.uri)
    if _AZURE in order.uri and order.uri.endswith("/"):
        # It drops the slash, and with `minilm` then comes `minilm-v2`.
        *parts, prefix = Storage._parse_azure_uri(order.uri)
        Storage._parse_azure_uri = lambda uri: (*parts, f"{prefix.rstrip('/')}/")
    into = order.target if order.is_folder else order.folder
    # Of files whose names begin alike, only the model; elsewhere than on Azure it does so itself.
    Storage.download(order.uri, str(into), None if order.is_folder else [order.name])


def _check(order: Order) -> None:
    shutil.rmtree(order.target / _NOTES, ignore_errors=True)
    # What only begins with the same name is downloaded too, and is not the model.
    if not (order.target.is_dir() if order.is_folder else order.target.is_file()):
        raise errors.missing(order.uri)
    if _size(order.folder) > order.limit:
        raise errors.full(order.uri, order.limit)
    found = digests.of(order.target) if order.sha256 else ""
    if found != order.sha256:
        raise errors.mismatch(order.uri, found, order.sha256)


def _empty(folder: Path) -> None:
    """Remove what an earlier attempt left."""
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


@contextmanager
def _watched(order: Order, end: Callable[[errors.StorageError], None]) -> Iterator[None]:
    """Report how far a download is, and end the process when it outgrows its room."""
    done = threading.Event()

    def watch() -> None:
        reported = time.monotonic()
        while not done.wait(_LOOK_SECONDS):
            size = _size(order.folder)
            if size > order.limit:
                end(errors.full(order.uri, order.limit))
            if time.monotonic() - reported >= _REPORT_SECONDS:
                reported = time.monotonic()
                _LOG.info("downloaded %.0f MiB so far", size / _MIB)

    watching = threading.Thread(target=watch, daemon=True)
    watching.start()
    try:
        yield
    finally:
        done.set()
        watching.join()


def _size(folder: Path) -> int:
    """Return the bytes of a folder's files, of which some may go while it is looked at."""
    size = 0
    # Unlike `rglob`, it passes over folders that are gone.
    for root, _, files in os.walk(folder):
        for name in files:
            with suppress(FileNotFoundError):
                size += Path(root, name).lstat().st_size
    return size
