"""Downloads from publishers: short connection attempts, resumed transfers, checked files."""

import hashlib
import http.client
import json
import time
import urllib.error
import urllib.parse
import urllib.request
from contextlib import suppress
from pathlib import Path

from toolchain import cache
from toolchain.errors import ChecksumError, SourceUnavailableError
from toolchain.progress import INTERVAL, Report, size

CONNECT_SECONDS = 4.0
"""Longest wait for the first answer of a publisher; three round trips of a poor line fit in."""

STALL_SECONDS = 30.0
"""Longest silence in the middle of a transfer."""

REMEMBERED_SECONDS = 600.0
"""How long a host that did not answer is left alone, so that a machine without internet pays for
it once; `make doctor` asks again at once."""

_CHUNK = 1 << 20
_AGENT = "slipway-toolchain"


class Unreachable:
    """Hosts that did not answer, remembered in the cache across processes."""

    def __init__(self) -> None:
        self._path = cache.root() / "unreachable.json"

    def reason(self, host: str) -> str | None:
        """Return why a host is left alone for now, or `None`."""
        entry = self._read().get(host)
        if entry is None or not 0 <= time.time() - entry[0] < REMEMBERED_SECONDS:
            return None
        return entry[1]

    def add(self, host: str, reason: str) -> None:
        """Remember that a host did not answer."""
        known = self._read()
        known[host] = (time.time(), reason)
        cache.folder()
        temporary = self._path.with_suffix(".new")
        temporary.write_text(json.dumps(known))
        temporary.replace(self._path)

    def forget(self) -> None:
        """Ask every host again."""
        # A cache that cannot be written is reported when something has to go there.
        with suppress(OSError):
            self._path.unlink()

    def _read(self) -> dict[str, tuple[float, str]]:
        try:
            raw = json.loads(self._path.read_text())
            return {str(host): (float(when), str(why)) for host, (when, why) in raw.items()}
        except (OSError, ValueError, TypeError, AttributeError):
            # Nothing remembered, or a file damaged by a full disk: every host is asked again.
            return {}


def text(url: str) -> str:
    """Return a small text file.

    Raises:
        SourceUnavailableError: The host does not answer, or has no such file.
    """
    with _open(url, CONNECT_SECONDS, {}) as response:
        try:
            return str(response.read(_CHUNK).decode("utf-8", errors="replace"))
        except (OSError, http.client.HTTPException) as error:
            raise SourceUnavailableError(_interrupted(url, error)) from error


def checked_file(url: str, sha256: str, target: Path, report: Report) -> None:
    """Download a file whose checksum its publisher names.

    What an interrupted run has fetched is continued.

    Args:
        url: Address of the file.
        sha256: Checksum, 64 lower-case hex digits.
        target: Where the file appears once it is whole and checked.
        report: Takes progress lines.

    Raises:
        SourceUnavailableError: The host does not answer, or the transfer broke off.
        ChecksumError: The file is not the one that its publisher names.
    """
    partial = cache.folder("downloads") / f"{sha256}.part"
    resumed = partial.exists() and partial.stat().st_size > 0
    _transfer(url, partial, report)
    if resumed and _digest(partial) != sha256:
        # The beginning came from another run, perhaps from a damaged disk: once more from zero.
        partial.unlink()
        _transfer(url, partial, report)
    found = _digest(partial)
    if found != sha256:
        partial.unlink()
        raise ChecksumError(
            f"{url} has sha256 {found}, but its publisher names {sha256}: the file was changed on "
            "the way or at its source, so nothing was installed; try again from a network you trust"
        )
    partial.replace(target)


def _transfer(url: str, partial: Path, report: Report) -> None:
    have = partial.stat().st_size if partial.exists() else 0
    headers = {"Range": f"bytes={have}-"} if have else {}
    try:
        response = _open(url, STALL_SECONDS, headers)
    except _RangeRefusedError:
        # The file ends where the partial one does, or is shorter: its checksum decides.
        return
    with response:
        continued = response.status == http.client.PARTIAL_CONTENT
        have = have if continued else 0
        length = response.headers.get("Content-Length")
        total = have + int(length) if length and length.isdigit() else None
        name = urllib.parse.urlsplit(url).path.rsplit("/", 1)[-1]
        if total is not None:
            cache.require_free(partial.parent, total - have, f"downloading {name}")
        told = time.monotonic()
        with partial.open("ab" if continued else "wb") as out:
            while True:
                try:
                    block = response.read(_CHUNK)
                except (OSError, http.client.HTTPException) as error:
                    raise SourceUnavailableError(_interrupted(url, error)) from error
                if not block:
                    break
                out.write(block)
                have += len(block)
                if time.monotonic() - told >= INTERVAL:
                    told = time.monotonic()
                    report(f"{name}: {size(have)}" + (f" of {size(total)}" if total else ""))
    if total is not None and have < total:
        raise SourceUnavailableError(
            f"{_host(url)} broke off after {size(have)} of {size(total)}; the next run continues"
        )


class _RangeRefusedError(Exception):
    """The server has nothing after the requested position."""


def _open(url: str, timeout: float, headers: dict[str, str]) -> http.client.HTTPResponse:
    host = _host(url)
    memory = Unreachable()
    reason = memory.reason(host)
    if reason is not None:
        raise SourceUnavailableError(reason)
    request = urllib.request.Request(url, headers={"User-Agent": _AGENT, **headers})
    try:
        response = urllib.request.urlopen(request, timeout=timeout)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == http.client.REQUESTED_RANGE_NOT_SATISFIABLE and headers:
            raise _RangeRefusedError from error
        raise SourceUnavailableError(f"{url} answers {error.code} {error.reason}") from error
    except (OSError, http.client.HTTPException) as error:
        why = f"{host} does not answer: {_why(error)}"
        memory.add(host, why)
        raise SourceUnavailableError(why) from error
    assert isinstance(response, http.client.HTTPResponse)
    return response


def _host(url: str) -> str:
    return urllib.parse.urlsplit(url).netloc


def _why(error: Exception) -> str:
    cause = error.reason if isinstance(error, urllib.error.URLError) else error
    if isinstance(cause, TimeoutError):
        return "timed out"
    if isinstance(cause, OSError) and cause.strerror:
        return cause.strerror
    return str(cause) or type(cause).__name__


def _interrupted(url: str, error: Exception) -> str:
    return f"{_host(url)} broke off ({_why(error)}); the next run continues"


def _digest(path: Path) -> str:
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def refusal(url: str) -> str | None:
    """Return why a publisher does not give a file, without fetching it; `None` if it does."""
    try:
        _open(url, CONNECT_SECONDS, {"Range": "bytes=0-0"}).close()
    except _RangeRefusedError:
        return None
    except SourceUnavailableError as error:
        return str(error)
    return None
