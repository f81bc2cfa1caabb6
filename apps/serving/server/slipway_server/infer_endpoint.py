"""Inference over REST, written on ASGI itself.

Starlette's routing, middleware, request and response would take 25 microseconds of CPU a request:
a fifth of what a request to a small model costs the server in all.
"""

import re
from typing import Any, Final

from starlette.types import Receive, Scope, Send

from slipway_server.errors import RequestError
from slipway_server.responses import refusal, server_error
from slipway_server.rest import HEADER_LENGTH, RestAnswer, RestInference
from slipway_server.service import CLIENT_LEFT, Service

_HEADER_LENGTH: Final = HEADER_LENGTH.encode()
_JSON: Final = (b"content-type", b"application/json")
_BINARY: Final = (b"content-type", b"application/octet-stream")

# More digits than any body's length has: Python refuses to read thousands of them.
_LENGTH = re.compile(rb"[0-9]{1,18}")


class InferEndpoint:
    """An ASGI application that answers the inference requests of one model.

    Args:
        service: What it serves.
    """

    def __init__(self, service: Service) -> None:
        self._service = service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, whose `path_params` name the model and perhaps a version."""
        try:
            answer = await self._service.measured("rest", self._answer(scope, receive))
        except RequestError as error:
            await refusal(error)(scope, receive, send)
        except Exception:
            await server_error()(scope, receive, send)
            raise
        else:
            await _send(answer, send)

    async def _answer(self, scope: Scope, receive: Receive) -> RestAnswer:
        path = scope["path_params"]
        self._service.check_name(path["model"], path.get("version", ""))
        served = self._service.model()
        header_length = _header_length(scope)
        body = bytearray()
        try:
            await self._read(receive, body)
            return await self._service.infer(RestInference(served, body, header_length))
        finally:
            self._service.release(len(body))

    async def _read(self, receive: Receive, body: bytearray) -> None:
        """Append a request's body, and count what is held of it."""
        largest = self._service.max_body
        more = True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                # Nobody hears it, but it is counted.
                raise RequestError("the client left", status=CLIENT_LEFT)
            chunk = message.get("body", b"")
            body += chunk
            self._service.hold(len(chunk))
            if len(body) > largest:
                raise RequestError(f"the request is larger than {largest} bytes", status=413)
            more = message.get("more_body", False)


def _header_length(scope: Scope) -> int | None:
    """Return the length of the JSON at the start of a body, where the request tells one."""
    for name, value in scope["headers"]:
        if name == _HEADER_LENGTH:
            if not _LENGTH.fullmatch(value):
                raise RequestError(f"the header {HEADER_LENGTH} must be a number of bytes")
            return int(value)
    return None


async def _send(answer: RestAnswer, send: Send) -> None:
    headers: list[Any] = [(b"content-length", b"%d" % len(answer.body))]
    if answer.header_length is None:
        headers.append(_JSON)
    else:
        headers += [(_HEADER_LENGTH, b"%d" % answer.header_length), _BINARY]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})
