"""The protocol's endpoints as an ASGI application."""

from collections.abc import Mapping
from typing import Any

import orjson
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from slipway_server import __version__
from slipway_server.errors import RequestError
from slipway_server.infer_endpoint import InferEndpoint
from slipway_server.metrics import CONTENT_TYPE
from slipway_server.protocol import ServedModel
from slipway_server.responses import error_response, json_response, refusal, server_error
from slipway_server.service import EXTENSIONS, NAME, Service


class RestEndpoints:
    """The protocol's endpoints over REST.

    Args:
        service: What they serve.
    """

    def __init__(self, service: Service) -> None:
        self._service = service

    def application(self) -> ASGIApp:
        """Build the ASGI application."""
        infer = InferEndpoint(self._service)
        others = self._starlette(infer)
        path = f"/v2/models/{self._service.name}/infer"
        named = {"model": self._service.name}

        async def application(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] == "http" and scope["path"] == path and scope["method"] == "POST":
                await infer({**scope, "path_params": named}, receive, send)
            else:
                await others(scope, receive, send)

        return application

    def _starlette(self, infer: InferEndpoint) -> Starlette:
        routes = []
        for model in ("/v2/models/{model}", "/v2/models/{model}/versions/{version}"):
            routes += [
                Route(f"{model}/infer", infer, methods=["POST"]),
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

    async def _model_metadata(self, request: Request) -> Response:
        return json_response(orjson.dumps(self._find(request.path_params).metadata()))

    async def _model_ready(self, request: Request) -> Response:
        self._check_name(request.path_params)
        return json_response(
            orjson.dumps({"name": self._service.name, "ready": self._service.ready}),
            status=_status(self._service.ready),
        )

    async def _live(self, request: Request) -> Response:
        del request
        return json_response(orjson.dumps({"live": True}))

    async def _ready(self, request: Request) -> Response:
        del request
        # The specification writes "live" here too; every client and server reads "ready".
        return json_response(
            orjson.dumps({"ready": self._service.ready}), status=_status(self._service.ready)
        )

    async def _metadata(self, request: Request) -> Response:
        del request
        return json_response(
            orjson.dumps({"name": NAME, "version": __version__, "extensions": EXTENSIONS})
        )

    async def _metrics(self, request: Request) -> Response:
        del request
        return Response(self._service.metrics.text(), media_type=CONTENT_TYPE)

    def _check_name(self, path: Mapping[str, Any]) -> None:
        self._service.check_name(path["model"], path.get("version", ""))

    def _find(self, path: Mapping[str, Any]) -> ServedModel:
        self._check_name(path)
        return self._service.model()


def _status(ready: bool) -> int:
    return 200 if ready else 503


async def _refuse(request: Request, error: Exception) -> Response:
    del request
    assert isinstance(error, RequestError)
    return refusal(error)


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    message = {
        404: f"no endpoint {request.url.path}",
        405: f"{request.url.path} does not take {request.method}",
    }.get(error.status_code, str(error.detail))
    return error_response(message, error.status_code, error.headers)


async def _server_error(request: Request, error: Exception) -> Response:
    del request, error
    return server_error()
