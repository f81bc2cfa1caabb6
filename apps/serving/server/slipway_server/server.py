"""One uvicorn process around the service: loading, readiness and a graceful end."""

import asyncio
import logging
import signal
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import FrameType

import uvicorn

from slipway_server.app import Service
from slipway_server.errors import ModelError
from slipway_server.models import Model
from slipway_server.pool import InferencePool
from slipway_server.protocol import ServedModel

_log = logging.getLogger(__name__)

GRACE_SECONDS = 20
"""Longest wait for requests in flight once the port is closed; with the default drain it stays
under the 30 s that Kubernetes leaves between SIGTERM and SIGKILL."""

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
        port: TCP port; 0 takes a free one, which the log names.
        threads: Inference threads.
        queue: Requests that may wait for a thread.
        max_body: Largest request body in bytes.
        drain_seconds: How long to go on serving after SIGTERM, while readiness is already false,
            so that load balancers stop sending before the port closes.
        access_log: One line a request.
    """

    name: str
    version: str
    host: str
    port: int
    threads: int
    queue: int
    max_body: int
    drain_seconds: float
    access_log: bool


def run(options: Options, load: Callable[[], Model]) -> int:
    """Serve until SIGTERM or SIGINT.

    The port answers at once (live, not ready); the model is loaded beside it, so that a model that
    takes minutes does not look like a server that hangs.

    Args:
        options: How the server runs.
        load: Loads the model; called once, in a thread of its own.

    Returns:
        Exit code: 0 after a graceful end, 1 when the model or the port could not be had.
    """
    pool = InferencePool(options.threads, options.queue)
    service = Service(options.name, options.version, pool, options.max_body)
    try:
        listener = listen(options.host, options.port)
    except OSError as error:
        _log.error("cannot listen on %s:%d: %s", options.host, options.port, error.strerror)
        return 1
    _log.info("listening on %s:%d", *listener.getsockname()[:2])
    config = uvicorn.Config(
        service.application(),
        http="httptools",
        ws="none",
        log_config=None,
        access_log=options.access_log,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    server = _DrainingServer(config, service, options.drain_seconds)
    with asyncio.Runner(loop_factory=config.get_loop_factory()) as runner:
        return runner.run(_serve(server, service, listener, load))


async def _serve(
    server: "_DrainingServer",
    service: Service,
    listener: socket.socket,
    load: Callable[[], Model],
) -> int:
    loading = asyncio.create_task(_load(service, load))
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    await asyncio.wait((loading, serving), return_when=asyncio.FIRST_COMPLETED)
    if not loading.done():
        loading.cancel()
        return 0
    try:
        loading.result()
    except ModelError as error:
        _log.error("%s", error)
        server.should_exit = True
        await serving
        return 1
    await serving
    return 0


async def _load(service: Service, load: Callable[[], Model]) -> None:
    start = time.monotonic()
    model = await asyncio.to_thread(load)
    service.served = ServedModel(service.name, service.version, model)
    seconds = time.monotonic() - start
    _log.info("model %s version %s ready in %.2f s", service.name, service.version, seconds)


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that takes connections, which wait until the server is up."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio turns Nagle's algorithm off only where the protocol is named: without it, and without
    # uvloop, every answer waits 40 ms for the client's delayed acknowledgement.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((host, port))
    listener.listen(BACKLOG)
    return listener


class _DrainingServer(uvicorn.Server):
    """A uvicorn server that keeps serving for a while after the first signal, unready.

    A second signal ends the wait. Unlike uvicorn's own handler, this one does not kill the process
    by the same signal in the end: a graceful end is exit code 0.
    """

    def __init__(self, config: uvicorn.Config, service: Service, drain_seconds: float) -> None:
        super().__init__(config)
        self._service = service
        self._drain_seconds = drain_seconds
        self._drain_until: float | None = None

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Turn unready at once and close the port later; called by the interpreter."""
        del frame
        if self._drain_until is None:
            self._service.draining = True
            self._drain_until = time.monotonic() + self._drain_seconds
            return
        self._drain_until = 0.0
        self.force_exit = self.should_exit and sig == signal.SIGINT

    async def on_tick(self, counter: int) -> bool:
        """End the main loop once the drain is over; uvicorn calls this every 0.1 s."""
        if self._drain_until is not None and time.monotonic() >= self._drain_until:
            self.should_exit = True
        return await super().on_tick(counter)
