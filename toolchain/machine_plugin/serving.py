"""Serves the plug-in until the engine ends it, or ends itself."""

import os
import signal
import stat
import sys
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import NoReturn

import grpc
from pulumi.runtime.proto import provider_pb2_grpc

from toolchain.machine_plugin.resource import Resource
from toolchain.machine_plugin.server import WORKERS, Servicer
from toolchain.plugin.engine_log import EngineLog

STOP_SECONDS = 3.0
"""What requests get to answer in at the end: the engine kills a plug-in after 5 s."""


def serve(resources: Mapping[str, Resource], engine: str) -> NoReturn:
    """Serve an engine; does not return.

    Args:
        resources: Resource type by type token.
        engine: `host:port` of the engine.
    """
    stopping = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopping.set())
    _stop_with_the_engine(stopping)
    servicer = Servicer(resources, EngineLog(engine))
    server = grpc.server(ThreadPoolExecutor(WORKERS, thread_name_prefix="request"))
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    # The engine reads the port from the first line, and nothing else.
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    stopping.wait()
    servicer.cancel()
    server.stop(STOP_SECONDS).wait()
    # An operation that does not end would keep its thread, and so the process.
    os._exit(0)


def _stop_with_the_engine(stopping: threading.Event) -> None:
    """Stop once the engine is gone, however it ended: its end of our standard input closes then.

    An orphan would go on changing the machine while the next `up` does the same.
    """
    if not stat.S_ISFIFO(os.fstat(sys.stdin.fileno()).st_mode):
        return

    def watch() -> None:
        while os.read(sys.stdin.fileno(), 4096):
            continue
        stopping.set()

    threading.Thread(target=watch, name="engine", daemon=True).start()
