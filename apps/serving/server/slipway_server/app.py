"""The protocol's endpoints as an ASGI application."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import orjson
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from slipway_server import __version__
from slipway_server.errors import RequestError
from slipway_server.pool import InferencePool
from slipway_server.protocol import ServedModel

RETRY_AFTER_SECONDS = 1
"""What a refused client is told to wait: a queue that lasts longer means too few replicas."""

HELD_BODIES = 8
"""How many of the largest bodies may be held at once, those of waiting requests included; more are
refused with status 503, so that a pod's memory does not depend on how many clients there are."""

BINARY_HEADER = "inference-header-content-length"


class Service:
    """The state behind the endpoints: which model is served, and whether it takes requests.

    Args:
        name: Name by which clients ask for the model.
        version: Its version.
        pool: Where inference runs.
        max_body: Largest request body in bytes.
    """

    def __init__(self, name: str, version: str, pool: InferencePool, max_body: int) -> None:
        self.name = name
        self.version = version
        self.served: ServedModel | None = None
        self.draining = False
        self._pool = pool
        self._max_body = max_body
        self._held = 0

    @property
    def ready(self) -> bool:
        """Whether the model is loaded and warm, and the server is not about to end."""
        return self.served is not None and not self.draining

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
        ]
        return Starlette(
            routes=routes,
            exception_handlers={
                RequestError: _refuse,
                HTTPException: _http_error,
                ClientDisconnect: _client_gone,
                Exception: _server_error,
            },
            lifespan=self._lifespan,
        )

    @asynccontextmanager
    async def _lifespan(self, app: Starlette) -> AsyncIterator[None]:
        del app
        yield
        self._pool.close()

    async def _infer(self, request: Request) -> Response:
        served = self._find(request.path_params)
        if BINARY_HEADER in request.headers:
            raise RequestError("the binary tensor data extension is not supported, send JSON")
        body = bytearray()
        try:
            await self._read_body(request, body)
            return _json(await self._pool.run(served.infer, body))
        finally:
            self._held -= len(body)

    async def _read_body(self, request: Request, body: bytearray) -> None:
        """Append a request's body, and count what is held of it."""
        async for chunk in request.stream():
            body += chunk
            self._held += len(chunk)
            if len(body) > self._max_body:
                raise RequestError(f"the request is larger than {self._max_body} bytes", status=413)
            if self._held > HELD_BODIES * self._max_body:
                raise RequestError("overloaded: too many large requests at once", status=503)

    async def _model_metadata(self, request: Request) -> Response:
        return _json(orjson.dumps(self._find(request.path_params).metadata()))

    async def _model_ready(self, request: Request) -> Response:
        self._check_name(request.path_params)
        return _json(
            orjson.dumps({"name": self.name, "ready": self.ready}), status=_status(self.ready)
        )

    async def _live(self, request: Request) -> Response:
        del request
        return _json(orjson.dumps({"live": True}))

    async def _ready(self, request: Request) -> Response:
        del request
        # The specification writes "live" here too; every client and server reads "ready".
        return _json(orjson.dumps({"ready": self.ready}), status=_status(self.ready))

    async def _metadata(self, request: Request) -> Response:
        del request
        return _json(orjson.dumps({"name": "slipway", "version": __version__, "extensions": []}))

    def _check_name(self, path: Mapping[str, Any]) -> None:
        if path["model"] != self.name:
            raise RequestError(
                f"unknown model '{path['model']}', this server has '{self.name}'", status=404
            )
        if path.get("version", self.version) != self.version:
            raise RequestError(
                f"unknown version '{path['version']}' of model '{self.name}',"
                f" this server has '{self.version}'",
                status=404,
            )

    def _find(self, path: Mapping[str, Any]) -> ServedModel:
        self._check_name(path)
        if self.served is None:
            raise RequestError(f"model '{self.name}' is still loading", status=503)
        return self.served


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


async def _client_gone(request: Request, error: Exception) -> Response:
    """Answer nobody: the client left before its request was complete."""
    del request, error
    return Response(status_code=400)


async def _server_error(request: Request, error: Exception) -> Response:
    """Answer without detail; uvicorn logs the traceback on the server."""
    del request, error
    return _error("internal error", 500)
