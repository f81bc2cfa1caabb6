"""Why a model cannot be brought, in one line that says what to do."""

import binascii
import errno
from collections.abc import Iterator
from http import HTTPStatus
from typing import Final

_MISSING: Final = (HTTPStatus.NOT_FOUND, HTTPStatus.GONE)
_DENIED: Final = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)
_FULL: Final = (errno.ENOSPC, errno.EDQUOT)
# `kserve-storage` turns most errors into a RuntimeError of its own, some without a cause.
_MISSING_WORDS: Final = ("no model found", "not found", "does not exist", "(404)", "nosuchkey")
_DENIED_WORDS: Final = (
    *("denied", "authentication failed", "(403)", "(401)", "forbidden"),
    # Of who gives out tokens (RFC 6749, 5.2), about a key or secret that it does not know.
    *("invalid_grant", "invalid_client", "unauthorized_client"),
)
_FULL_WORDS: Final = ("no space left",)


class StorageError(Exception):
    """A model that cannot be brought, however often it is tried: one line."""


def missing(uri: str) -> StorageError:
    """Return the error of a model that is not there."""
    return StorageError(f"{uri}: not found; correct `uri`, or put the model there")


def full(uri: str, limit: int) -> StorageError:
    """Return the error of a model that the volume has no room for."""
    return StorageError(
        f"{uri}: no space, it needs more than {limit / 2**20:.0f} MiB; raise `resources.storage` "
        "of the model"
    )


def mismatch(uri: str, found: str, expected: str) -> StorageError:
    """Return the error of a model that is another than the settings say."""
    return StorageError(
        f"{uri}: checksum mismatch, its SHA-256 is {found} and not {expected}; correct `sha256`, "
        "or put the right model there"
    )


def unreachable(uri: str, attempts: int, error: Exception) -> StorageError:
    """Return the error of a model that could not be read as often as it was tried."""
    return StorageError(f"{uri}: cannot be read after {attempts} attempts: {in_one_line(error)}")


def permanent(error: Exception, uri: str, limit: int) -> StorageError | None:
    """Return what an error of `kserve-storage` means where another attempt would not help.

    Args:
        error: What was raised.
        uri: The model.
        limit: Room for it, in bytes.
    """
    for cause in _chain(error):
        if isinstance(cause, OSError) and cause.errno in _FULL:
            return full(uri, limit)
        if _status(cause) in _MISSING:
            return missing(uri)
        # An account's key that is none: Azure's are in base 64.
        if _status(cause) in _DENIED or isinstance(cause, binascii.Error):
            return _denied(uri, error)
    said = str(error).lower()
    if any(words in said for words in _FULL_WORDS):
        return full(uri, limit)
    if any(words in said for words in _DENIED_WORDS):
        return _denied(uri, error)
    if any(words in said for words in _MISSING_WORDS):
        return missing(uri)
    return None


def in_one_line(error: Exception) -> str:
    """Return what an error says, without line breaks."""
    return " ".join(str(error).split()) or type(error).__name__


def _denied(uri: str, error: Exception) -> StorageError:
    return StorageError(
        f"{uri}: forbidden ({in_one_line(error).rstrip('.')}); give the team's storage a `secret` "
        "that may read it, or its identity the right to"
    )


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _status(error: BaseException) -> int | None:
    """Return the HTTP status in an error of botocore, Azure, Google, requests or Hugging Face."""
    response = getattr(error, "response", None)
    if isinstance(response, dict):
        found = response.get("ResponseMetadata", {}).get("HTTPStatusCode")
    else:
        found = (
            getattr(response, "status_code", None)
            or getattr(error, "status_code", None)
            or getattr(error, "code", None)
        )
    return found if isinstance(found, int) else None
