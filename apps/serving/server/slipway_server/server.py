"""One process around the service: loading, readiness and a graceful end."""

import asyncio
import logging
import os
import signal
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import FrameType

import uvicorn

from slipway_server.app import RestEndpoints
from slipway_server.batching import takes_batches
from slipway_server.errors import ModelError
from slipway_server.grpc_server import GrpcServer
from slipway_server.models import Model
from slipway_server.protocol import ServedModel
from slipway_server.service import Service

_log = logging.getLogger(__name__)

KEEP_ALIVE_SECONDS = 120
"""How long an idle connection stays open: longer than gateways keep theirs (Traefik: 90 s), or one
would now and then send a request into a connection that is just being closed."""

BACKLOG = 2048
"""Connections the kernel holds for the server until it accepts them; uvicorn's own default."""


@dataclass(frozen=True)
class Options:
    """How the server runs.

    Attributes:
        name: Name by which clients ask for the model.
        version: Version by which clients ask for the model.
        host: Address to listen on.
        port: TCP port of REST; 0 takes a free one, which the log names.
        grpc_port: TCP port of gRPC; 0 takes a free one, which the log names.
        threads: Inference threads.
        queue: Requests that may wait for a thread.
        max_body: Largest request body in bytes.
        drain_seconds: How long to go on serving after SIGTERM, while readiness is already false,
            so that load balancers stop sending before the port closes.
        grace_seconds: Longest wait for requests in flight once the ports are closed.
        access_log: One line a request.
        timeout: Seconds until a request without an answer is given up; never by default.
    """

    name: str
    version: str
    host: str
    port: int
    grpc_port: int
    threads: int
    queue: int
    max_body: int
    drain_seconds: float
    grace_seconds: int
    access_log: bool
    timeout: float | None = None


def run(options: Options, load: Callable[[], Model]) -> int:
    """Serve until SIGTERM or SIGINT.

    The ports open once the model is loaded. Until then connections are refused, which a gateway
    answers by asking another pod: it may still hold this one for ready, when the server ended and
    starts again in its place.

    Args:
        options: How the server runs.
        load: Loads the model; called once, in a thread of its own.

    Returns:
        Exit code: 0 after a graceful end, 1 when the model or the port could not be had.
    """
    service = Service(
        options.name,
        options.version,
        options.threads,
        options.queue,
        options.max_body,
        options.timeout,
    )
    try:
        listener = bind(options.host, options.port)
    except OSError as error:
        _log.error("cannot listen on %s:%d: %s", options.host, options.port, error.strerror)
        return 1
    config = uvicorn.Config(
        RestEndpoints(service).application(),
        http="httptools",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=options.access_log,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=options.grace_seconds,
    )
    with asyncio.Runner(loop_factory=config.get_loop_factory()) as runner:
        code = runner.run(_serve(config, service, options, listener, load))
    service.close()
    return code


async def _serve(
    config: uvicorn.Config,
    service: Service,
    options: Options,
    listener: socket.socket,
    load: Callable[[], Model],
) -> int:
    start = time.monotonic()
    grpc_server = GrpcServer(service)
    try:
        service.served = await _loaded(service, load)
        grpc_port = await grpc_server.start(options.host, options.grpc_port)
        listener.listen(BACKLOG)
    except (ModelError, OSError) as error:
        _log.error("%s", error)
        return 1
    seconds = time.monotonic() - start
    service.metrics.loaded(seconds)
    _log.info("model %s version %s ready in %.2f s", service.name, service.version, seconds)
    _log.info("listening on %s:%d, gRPC on port %d", *listener.getsockname()[:2], grpc_port)
    await _DrainingServer(config, service, grpc_server, options).serve([listener])
    return 0


async def _loaded(service: Service, load: Callable[[], Model]) -> ServedModel:
    """Return the model; meanwhile SIGTERM and SIGINT, which uvicorn takes later, end the process.

    Nobody has asked anything yet, and whoever loads cannot be stopped: the interpreter would wait.
    """
    loop, signals = asyncio.get_running_loop(), (signal.SIGTERM, signal.SIGINT)
    for number in signals:
        loop.add_signal_handler(number, os._exit, 0)
    try:
        return await asyncio.to_thread(_served, service, load)
    finally:
        for number in signals:
            loop.remove_signal_handler(number)


def _served(service: Service, load: Callable[[], Model]) -> ServedModel:
    model = load()
    return ServedModel(service.name, service.version, model, takes_batches(model))


def bind(host: str, port: int) -> socket.socket:
    """Return a socket that has the port, but refuses connections until it listens."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio turns Nagle's algorithm off only where the protocol is named: without it, and without
    # uvloop, every answer waits 40 ms for the client's delayed acknowledgement.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((host, port))
    return listener


class _DrainingServer(uvicorn.Server):
    """Serves REST and gRPC, and keeps serving for a while after the first signal, unready.

    A second signal ends the wait. Unlike uvicorn's own handler, this one does not kill the process
    by the same signal in the end: a graceful end is exit code 0.
    """

    def __init__(
        self,
        config: uvicorn.Config,
        service: Service,
        grpc_server: GrpcServer,
        options: Options,
    ) -> None:
        super().__init__(config)
        self._service = service
        self._grpc_server = grpc_server
        self._options = options
        self._drain_until: float | None = None

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Turn unready at once and close the port later; called by the interpreter."""
        del frame
        if self._drain_until is None:
            self._service.draining = True
            self._drain_until = time.monotonic() + self._options.drain_seconds
            return
        self._drain_until = 0.0
        self.force_exit = self.should_exit and sig == signal.SIGINT

    async def on_tick(self, counter: int) -> bool:
        """End the main loop once the drain is over; uvicorn calls this every 0.1 s."""
        if self._drain_until is not None and time.monotonic() >= self._drain_until:
            self.should_exit = True
        await self._grpc_server.announce()
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Close both ports, and wait for what is in flight on either."""
        grace = self._options.grace_seconds
        await asyncio.gather(super().shutdown(sockets), self._grpc_server.stop(grace))
