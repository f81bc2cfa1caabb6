"""What a cluster can answer instead of an object."""

from collections.abc import Mapping
from typing import Any


class ClusterError(Exception):
    """A request to a cluster that gave no result; the message is for a person."""


class UnreachableError(ClusterError):
    """The API server did not answer, or its answer was not that of an API server."""


class KindNotServedError(ClusterError):
    """The API server serves no such kind in that version."""

    def __init__(self, api_version: str, kind: str) -> None:
        """Name the kind."""
        super().__init__(f'no matches for kind "{kind}" in version "{api_version}"')
        self.api_version = api_version
        self.kind = kind


class ApiError(ClusterError):
    """The API server refused a request with a `Status`.

    Attributes:
        code: HTTP status code.
        reason: Machine-readable reason (`AlreadyExists`, `Conflict`, `Invalid`, ...), or "".
        status: The whole `Status` object; empty when the server sent none.
    """

    def __init__(self, code: int, status: Mapping[str, Any], fallback: str = "") -> None:
        """Keep the server's own message; `fallback` is used when it sent none."""
        message = str(status.get("message") or fallback or f"the server answered {code}")
        super().__init__(message)
        self.code = code
        self.reason = str(status.get("reason") or "")
        self.status = dict(status)

    @property
    def causes(self) -> list[dict[str, Any]]:
        """The causes that the server lists, each with `reason`, `message` and `field`."""
        details = self.status.get("details") or {}
        return [dict(cause) for cause in details.get("causes") or []]

    @property
    def not_found(self) -> bool:
        """Whether the object, its namespace or its kind does not exist."""
        return self.code == 404

    @property
    def already_exists(self) -> bool:
        """Whether an object of that name existed already."""
        return self.code == 409 and self.reason == "AlreadyExists"

    @property
    def conflict(self) -> bool:
        """Whether another field manager or a newer version of the object stood in the way."""
        return self.code == 409 and self.reason == "Conflict"

    @property
    def forbidden(self) -> bool:
        """Whether the credentials lack the right."""
        return self.code == 403

    @property
    def invalid(self) -> bool:
        """Whether validation refused the object."""
        return self.code == 422
