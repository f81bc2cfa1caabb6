"""Responses over REST, and the protocol's errors."""

from collections.abc import Mapping

import orjson
from starlette.responses import Response

from slipway_server.errors import RequestError
from slipway_server.service import RETRY_AFTER_SECONDS


def json_response(
    body: bytes, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """Return a response whose body is JSON."""
    return Response(body, status, headers, media_type="application/json")


def error_response(message: str, status: int, headers: Mapping[str, str] | None = None) -> Response:
    """Return an error as the protocol words it."""
    return json_response(orjson.dumps({"error": message}), status, headers)


def refusal(error: RequestError) -> Response:
    """Return what a client is told whose request is refused."""
    headers = {"retry-after": str(RETRY_AFTER_SECONDS)} if error.status == 503 else None
    return error_response(str(error), error.status, headers)


def server_error() -> Response:
    """Return an answer without detail: uvicorn logs the traceback on the server."""
    return error_response("internal error", 500)
