"""Messages to the engine, which shows them beside the resource they are about."""

import sys
import threading
from typing import Literal, Protocol

import grpc
from pulumi.runtime.proto import engine_pb2, engine_pb2_grpc

Severity = Literal["info", "warning", "error"]

_SEVERITIES = {
    "info": engine_pb2.INFO,
    "warning": engine_pb2.WARNING,
    "error": engine_pb2.ERROR,
}
_TIMEOUT_SECONDS = 10.0


class Log(Protocol):
    """Where messages go."""

    def message(self, severity: Severity, text: str, urn: str = "") -> None:
        """Show a message that stays."""
        ...

    def status(self, text: str, urn: str) -> None:
        """Show what a resource is doing right now; the next status replaces it, "" removes it."""
        ...


class EngineLog:
    """Sends messages to the engine that started the plug-in."""

    def __init__(self, address: str) -> None:
        """Connect to an engine.

        Args:
            address: `host:port` of the engine.
        """
        self._stub = engine_pb2_grpc.EngineStub(grpc.insecure_channel(address))
        self._lock = threading.Lock()
        self._last_status: dict[str, str] = {}

    def message(self, severity: Severity, text: str, urn: str = "") -> None:
        """Show a message that stays."""
        self._send(_SEVERITIES[severity], text, urn, ephemeral=False)

    def status(self, text: str, urn: str) -> None:
        """Show what a resource is doing right now; a repeated status is sent once."""
        with self._lock:
            if self._last_status.get(urn, "") == text:
                return
            self._last_status[urn] = text
        self._send(engine_pb2.INFO, text, urn, ephemeral=True)

    def _send(
        self, severity: engine_pb2.LogSeverity.ValueType, text: str, urn: str, *, ephemeral: bool
    ) -> None:
        request = engine_pb2.LogRequest(
            severity=severity, message=text, urn=urn, ephemeral=ephemeral
        )
        try:
            self._stub.Log(request, timeout=_TIMEOUT_SECONDS)
        except grpc.RpcError as error:
            # An engine that is going away takes no messages; the operation itself must not fail
            # because of that, and the engine collects what a plug-in writes to stderr.
            sys.stderr.write(f"message not delivered ({error.code()}): {text}\n")
