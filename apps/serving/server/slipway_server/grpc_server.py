"""The protocol's endpoints over gRPC, and the standard health service beside them.

Both share the event loop, the pool and the limits of the REST endpoints: grpcio's server for
asyncio costs as much CPU a call as its one on threads while one client asks, and 0.08 ms more with
eight, but needs no thread for each request that waits.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Final

import grpc
import grpc.aio

from slipway_server import __version__
from slipway_server.errors import RequestError
from slipway_server.grpc_inference import GrpcInference
from slipway_server.grpc_messages import MESSAGES, SERVICE
from slipway_server.service import EXTENSIONS, NAME, RETRY_AFTER_SECONDS, Service

_log = logging.getLogger(__name__)

HEALTH: Final = "grpc.health.v1.Health"
_SERVING, _NOT_SERVING, _SERVICE_UNKNOWN = 1, 2, 3

_STATUS: Final = {
    400: grpc.StatusCode.INVALID_ARGUMENT,
    404: grpc.StatusCode.NOT_FOUND,
    413: grpc.StatusCode.RESOURCE_EXHAUSTED,
    503: grpc.StatusCode.UNAVAILABLE,
    504: grpc.StatusCode.DEADLINE_EXCEEDED,
}
# Clients with a retry policy wait so long, instead of what the policy says (gRPC proposal A6).
_PUSHBACK: Final = (("grpc-retry-pushback-ms", str(RETRY_AFTER_SECONDS * 1000)),)

_OVERHEAD_BYTES: Final = 4096
"""Room for names and shapes beside the tensors of the largest request."""

_Context = grpc.aio.ServicerContext[Any, Any]
_Call = Callable[[Any], Awaitable[Any]]


class GrpcServer:
    """A gRPC server around the service.

    Args:
        service: What it serves.
    """

    def __init__(self, service: Service) -> None:
        self._service = service
        self._tick = asyncio.Condition()
        largest = service.max_body + _OVERHEAD_BYTES
        self._server = grpc.aio.server(
            options=(
                ("grpc.max_receive_message_length", largest),
                ("grpc.max_send_message_length", -1),
                # A port in use is an error, not shared.
                ("grpc.so_reuseport", 0),
            )
        )
        self._server.add_generic_rpc_handlers(
            (
                grpc.method_handlers_generic_handler(SERVICE, self._methods()),
                grpc.method_handlers_generic_handler(
                    HEALTH,
                    {
                        "Check": _unary(self._check, "HealthCheckRequest"),
                        "Watch": grpc.unary_stream_rpc_method_handler(
                            self._watch,
                            MESSAGES["HealthCheckRequest"].FromString,
                            _serialized,
                        ),
                    },
                ),
            )
        )

    async def start(self, host: str, port: int) -> int:
        """Listen, and return the port.

        Raises:
            OSError: The port cannot be had.
        """
        address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        try:
            bound = self._server.add_insecure_port(address)
        except RuntimeError:
            raise OSError(f"cannot listen on {address}") from None
        await self._server.start()
        return bound

    async def announce(self) -> None:
        """Let those who watch the health service look whether it has changed."""
        async with self._tick:
            self._tick.notify_all()

    async def stop(self, grace_seconds: float) -> None:
        """Take no more calls, and end once those in flight have, or after the grace."""
        await self._server.stop(grace_seconds)

    def _methods(self) -> "dict[str, grpc.RpcMethodHandler[Any, Any]]":
        return {
            "ServerLive": _unary(self._server_live),
            "ServerReady": _unary(self._server_ready),
            "ServerMetadata": _unary(self._server_metadata),
            "ModelReady": _unary(self._model_ready, "ModelReadyRequest"),
            "ModelMetadata": _unary(self._model_metadata, "ModelMetadataRequest"),
            "ModelInfer": _unary(self._infer),
        }

    async def _infer(self, message: bytes) -> bytes:
        return await self._service.measured("grpc", self._answer(message))

    async def _answer(self, message: bytes) -> bytes:
        service = self._service
        served = service.model()
        try:
            service.hold(len(message))
            return await service.infer(GrpcInference(served, service.check_name, message))
        finally:
            service.release(len(message))

    async def _server_live(self, _: bytes) -> Any:
        return MESSAGES["ServerLiveResponse"](live=True)

    async def _server_ready(self, _: bytes) -> Any:
        return MESSAGES["ServerReadyResponse"](ready=self._service.ready)

    async def _server_metadata(self, _: bytes) -> Any:
        return MESSAGES["ServerMetadataResponse"](
            name=NAME, version=__version__, extensions=EXTENSIONS
        )

    async def _model_ready(self, request: Any) -> Any:
        self._service.check_name(request.name, request.version)
        return MESSAGES["ModelReadyResponse"](ready=self._service.ready)

    async def _model_metadata(self, request: Any) -> Any:
        self._service.check_name(request.name, request.version)
        return MESSAGES["ModelMetadataResponse"](**self._service.model().metadata())

    async def _check(self, request: Any) -> Any:
        status = self._health(request.service)
        if status == _SERVICE_UNKNOWN:
            raise RequestError(f"unknown service '{request.service}'", status=404)
        return MESSAGES["HealthCheckResponse"](status=status)

    async def _watch(self, request: Any, context: _Context) -> AsyncIterator[Any]:
        del context
        told = None
        async with self._tick:
            while True:
                status = self._health(request.service)
                if status != told:
                    yield MESSAGES["HealthCheckResponse"](status=status)
                told = status
                await self._tick.wait()

    def _health(self, service: str) -> int:
        if service not in ("", SERVICE):
            return _SERVICE_UNKNOWN
        return _SERVING if self._service.ready else _NOT_SERVING


def _unary(call: _Call, request: str | None = None) -> "grpc.RpcMethodHandler[Any, Any]":
    """Return the handler of a call, whose errors become the protocol's.

    Args:
        call: Answers a request.
        request: Name of its message; without one the call takes bytes.
    """

    async def answer(request: Any, context: _Context) -> Any:
        try:
            return await call(request)
        except RequestError as error:
            metadata = _PUSHBACK if error.status == 503 else ()
            await context.abort(_STATUS[error.status], str(error), metadata)
        except Exception:  # noqa: BLE001 - whatever it is, the client is not told
            _log.exception("an error in the server")
            await context.abort(grpc.StatusCode.INTERNAL, "internal error")

    return grpc.unary_unary_rpc_method_handler(
        answer, MESSAGES[request].FromString if request else None, _serialized
    )


def _serialized(message: Any) -> bytes:
    content: bytes = message if isinstance(message, bytes) else message.SerializeToString()
    return content
