"""The protocol's endpoints as an ASGI application."""

import re
from collections.abc import Mapping
from typing import Any

import orjson
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from slipway_server import __version__
from slipway_server.errors import RequestError
from slipway_server.metrics import CONTENT_TYPE
from slipway_server.protocol import ServedModel
from slipway_server.rest import HEADER_LENGTH, RestAnswer, RestInference
from slipway_server.service import CLIENT_LEFT, EXTENSIONS, NAME, RETRY_AFTER_SECONDS, Service

# More digits than any body's length has: Python refuses to read thousands of them.
_LENGTH = re.compile(r"[0-9]{1,18}")


class RestEndpoints:
    """The protocol's endpoints over REST.

    Args:
        service: What they serve.
    """

    def __init__(self, service: Service) -> None:
        self._service = service

    def application(self) -> Starlette:
        """Build the ASGI application."""
        routes = []
        for model in ("/v2/models/{model}", "/v2/models/{model}/versions/{version}"):
            routes += [
                Route(f"{model}/infer", self._infer, methods=["POST"]),
                Route(f"{model}/ready", self._model_ready),
                Route(model, self._model_metadata),
            ]
        routes += [
            Route("/v2/health/live", self._live),
            Route("/v2/health/ready", self._ready),
            Route("/v2", self._metadata),
            Route("/metrics", self._metrics),
        ]
        return Starlette(
            routes=routes,
            exception_handlers={
                RequestError: _refuse,
                HTTPException: _http_error,
                Exception: _server_error,
            },
        )

    async def _infer(self, request: Request) -> Response:
        return await self._service.measured("rest", self._answer(request))

    async def _answer(self, request: Request) -> Response:
        served = self._find(request.path_params)
        header_length = _header_length(request)
        body = bytearray()
        try:
            await self._read_body(request, body)
            return _inferred(await self._service.infer(RestInference(served, body, header_length)))
        finally:
            self._service.release(len(body))

    async def _read_body(self, request: Request, body: bytearray) -> None:
        """Append a request's body, and count what is held of it."""
        largest = self._service.max_body
        try:
            async for chunk in request.stream():
                body += chunk
                self._service.hold(len(chunk))
                if len(body) > largest:
                    raise RequestError(f"the request is larger than {largest} bytes", status=413)
        except ClientDisconnect:
            # Nobody hears it, but it is counted.
            raise RequestError("the client left", status=CLIENT_LEFT) from None

    async def _model_metadata(self, request: Request) -> Response:
        return _json(orjson.dumps(self._find(request.path_params).metadata()))

    async def _model_ready(self, request: Request) -> Response:
        self._check_name(request.path_params)
        return _json(
            orjson.dumps({"name": self._service.name, "ready": self._service.ready}),
            status=_status(self._service.ready),
        )

    async def _live(self, request: Request) -> Response:
        del request
        return _json(orjson.dumps({"live": True}))

    async def _ready(self, request: Request) -> Response:
        del request
        # The specification writes "live" here too; every client and server reads "ready".
        return _json(
            orjson.dumps({"ready": self._service.ready}), status=_status(self._service.ready)
        )

    async def _metadata(self, request: Request) -> Response:
        del request
        return _json(orjson.dumps({"name": NAME, "version": __version__, "extensions": EXTENSIONS}))

    async def _metrics(self, request: Request) -> Response:
        del request
        return Response(self._service.metrics.text(), media_type=CONTENT_TYPE)

    def _check_name(self, path: Mapping[str, Any]) -> None:
        self._service.check_name(path["model"], path.get("version", ""))

    def _find(self, path: Mapping[str, Any]) -> ServedModel:
        self._check_name(path)
        return self._service.model()


def _header_length(request: Request) -> int | None:
    """Return the length of the JSON at the start of a body, where the request tells one."""
    value = request.headers.get(HEADER_LENGTH)
    if value is None:
        return None
    if not _LENGTH.fullmatch(value):
        raise RequestError(f"the header {HEADER_LENGTH} must be a number of bytes")
    return int(value)


def _inferred(answer: RestAnswer) -> Response:
    if answer.header_length is None:
        return _json(answer.body)
    headers = {HEADER_LENGTH: str(answer.header_length)}
    return Response(answer.body, headers=headers, media_type="application/octet-stream")


def _status(ready: bool) -> int:
    return 200 if ready else 503


def _json(body: bytes, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return Response(body, status, headers, media_type="application/json")


def _error(message: str, status: int, headers: Mapping[str, str] | None = None) -> Response:
    return _json(orjson.dumps({"error": message}), status, headers)


async def _refuse(request: Request, error: Exception) -> Response:
    del request
    assert isinstance(error, RequestError)
    headers = {"retry-after": str(RETRY_AFTER_SECONDS)} if error.status == 503 else None
    return _error(str(error), error.status, headers)


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    message = {
        404: f"no endpoint {request.url.path}",
        405: f"{request.url.path} does not take {request.method}",
    }.get(error.status_code, str(error.detail))
    return _error(message, error.status_code, error.headers)


async def _server_error(request: Request, error: Exception) -> Response:
    """Answer without detail; uvicorn logs the traceback on the server."""
    del request, error
    return _error("internal error", 500)
