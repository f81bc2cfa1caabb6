"""The plug-in as the engine speaks to it: the resource provider protocol over gRPC.

The SDK's own provider server carries components. Its resource operations are replaced, because it
passes on neither automatic names of the engine's configuration nor partial failures.
"""

import asyncio
import functools
import sys
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, Literal, NoReturn, TypeVar

import grpc
import grpc.aio
from google.protobuf import empty_pb2
from pulumi.provider.experimental.provider import (
    ConstructRequest,
    ConstructResponse,
    Provider,
)
from pulumi.provider.experimental.server import ProviderServicer
from pulumi.runtime import proto
from pulumi.runtime._grpc_settings import _GRPC_CHANNEL_OPTIONS
from pulumi.runtime.proto import provider_pb2_grpc, status_pb2

from infra import versions
from toolchain.kubernetes_plugin import (
    checking,
    comparing,
    components,
    config,
    invokes,
    reading,
    session,
    writing,
)
from toolchain.kubernetes_plugin.context import ProviderContext
from toolchain.kubernetes_plugin.diff import Change
from toolchain.kubernetes_plugin.errors import ClusterError
from toolchain.kubernetes_plugin.kubeconfig import KubeconfigError
from toolchain.kubernetes_plugin.naming import Autonaming
from toolchain.kubernetes_plugin.outcome import InitializationError, OperationError
from toolchain.plugin.engine_log import EngineLog
from toolchain.plugin.properties import from_struct, to_struct

VERSION: Final = versions.PULUMI_KUBERNETES
"""Version of the official plug-in that this one stands in for."""

NOTICE: Final = (
    f"stand-in for the official kubernetes plug-in {VERSION} "
    "(why: docs/adr/0003-stand-in-kubernetes-plugin.md)"
)

_THREADS: Final = 128
"""Operations at once; the engine runs 16 a core by default, and a waiting one holds its thread."""

_AUTONAMING_MODES: Final[dict[int, Literal["propose", "enforce", "disable"]]] = {
    0: "propose",
    1: "enforce",
    2: "disable",
}

_CHANGE_KINDS: Final = {
    (Change.ADD, False): proto.PropertyDiff.ADD,
    (Change.ADD, True): proto.PropertyDiff.ADD_REPLACE,
    (Change.UPDATE, False): proto.PropertyDiff.UPDATE,
    (Change.UPDATE, True): proto.PropertyDiff.UPDATE_REPLACE,
    (Change.DELETE, False): proto.PropertyDiff.DELETE,
    (Change.DELETE, True): proto.PropertyDiff.DELETE_REPLACE,
}

Result = TypeVar("Result")
Handler = Callable[["Servicer", Any, Any], Coroutine[Any, Any, Any]]


def _reporting(handler: Handler) -> Handler:
    """Turn what went wrong into an answer that the engine shows as one line."""

    @functools.wraps(handler)
    async def answer(servicer: "Servicer", request: Any, context: Any) -> Any:
        try:
            return await handler(servicer, request, context)
        except InitializationError as error:
            await _abort_partially(context, error)
        except (OperationError, KubeconfigError, ClusterError) as error:
            await context.abort(grpc.StatusCode.UNKNOWN, str(error))

    return answer


async def _abort_partially(context: Any, error: InitializationError) -> NoReturn:
    """Answer that the object exists, so that the engine stores it and updates it the next time."""
    detail = proto.ErrorResourceInitFailed(
        id=error.resource_id,
        properties=to_struct(error.properties),
        reasons=[str(error), *error.reasons],
        inputs=None if error.inputs is None else to_struct(error.inputs),
    )
    code = grpc.StatusCode.UNKNOWN
    status = status_pb2.Status(code=code.value[0], message=str(error))
    status.details.add().Pack(detail)
    metadata = (("grpc-status-details-bin", status.SerializeToString()),)
    context.set_trailing_metadata(metadata)
    await context.abort(code, str(error), metadata)
    raise AssertionError("abort does not return")


class Components(Provider):
    """Components that the plug-in makes itself: manifests and charts."""

    def __init__(self, servicer: "Servicer") -> None:
        """Make components for the provider that a servicer has configured."""
        self._servicer = servicer

    async def construct(self, request: ConstructRequest) -> ConstructResponse:
        """Make a component and its children."""
        return await components.construct(
            request.resource_type,
            request.name,
            request.inputs,
            request.options,
            self._servicer.configured,
        )


class Servicer(ProviderServicer):
    """Answers one engine; the engine starts one plug-in for each provider resource."""

    def __init__(self, engine_address: str) -> None:
        """Prepare to answer; nothing is connected yet.

        Args:
            engine_address: `host:port` of the engine.
        """
        super().__init__([], VERSION, Components(self), engine_address)
        self._log = EngineLog(engine_address)
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="operation")
        self._context: ProviderContext | None = None

    async def _run(self, function: Callable[..., Result], *args: Any, **kwargs: Any) -> Result:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._pool, functools.partial(function, *args, **kwargs))

    @property
    def configured(self) -> ProviderContext:
        """The configured provider.

        Raises:
            OperationError: The engine has not configured it yet.
        """
        if self._context is None:
            raise OperationError("the kubernetes provider is not configured yet")
        return self._context

    async def Cancel(self, request: Any, context: Any) -> empty_pb2.Empty:  # noqa: N802
        """Make every operation end soon."""
        if self._context is not None:
            self._context.cancelled.set()
        return empty_pb2.Empty()

    async def Construct(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Make a component and its children."""
        components.complete(request.inputs)
        return await super().Construct(request, context)

    @_reporting
    async def GetSchema(self, request: Any, context: Any) -> NoReturn:  # noqa: N802
        """Say that there is no schema; the engine asks for one to generate code."""
        raise OperationError(
            "the stand-in kubernetes plug-in has no schema to generate code from: "
            "add --generate-code=false to `pulumi import`"
        )

    @_reporting
    async def Invoke(self, request: Any, context: Any) -> proto.InvokeResponse:  # noqa: N802
        """Call a function."""
        arguments = from_struct(request.args)
        result = await self._run(invokes.invoke, self.configured, request.tok, arguments)
        response = proto.InvokeResponse()
        # `return` is no name in Python.
        getattr(response, "return").CopyFrom(to_struct(result))
        return response

    @_reporting
    async def CheckConfig(self, request: Any, context: Any) -> proto.CheckResponse:  # noqa: N802
        """Check a provider's inputs."""
        failures = config.check(request.urn, from_struct(request.news))
        return proto.CheckResponse(
            inputs=request.news,
            failures=[proto.CheckFailure(property=f.property, reason=f.reason) for f in failures],
        )

    @_reporting
    async def DiffConfig(self, request: Any, context: Any) -> proto.DiffResponse:  # noqa: N802
        """Compare a provider's inputs."""
        found = config.changes(from_struct(request.olds), from_struct(request.news))
        return proto.DiffResponse(
            changes=_changes(bool(found.changed)), diffs=found.changed, replaces=found.replaces
        )

    @_reporting
    async def Configure(self, request: Any, context: Any) -> proto.ConfigureResponse:  # noqa: N802
        """Connect to the provider's cluster."""
        settings = config.read(dict(request.variables))
        self._context = ProviderContext(await self._run(session.connect, settings), self._log)
        await self._run(self._log.message, "info", NOTICE, request.urn)
        return proto.ConfigureResponse(
            acceptSecrets=True, supportsPreview=True, supports_autonaming_configuration=True
        )

    @_reporting
    async def Check(self, request: Any, context: Any) -> proto.CheckResponse:  # noqa: N802
        """Check a resource's inputs."""
        autonaming = None
        if request.HasField("autonaming"):
            mode = _AUTONAMING_MODES[request.autonaming.mode]
            autonaming = Autonaming(mode, request.autonaming.proposed_name)
        inputs = await self._run(
            checking.check,
            self.configured,
            request.urn,
            from_struct(request.olds),
            from_struct(request.news),
            seed=request.randomSeed,
            autonaming=autonaming,
        )
        return proto.CheckResponse(inputs=to_struct(inputs))

    @_reporting
    async def Diff(self, request: Any, context: Any) -> proto.DiffResponse:  # noqa: N802
        """Compare a resource's inputs."""
        found = await self._run(
            comparing.compare,
            self.configured,
            request.urn,
            from_struct(request.olds),
            from_struct(request.news),
            list(request.ignoreChanges),
        )
        detailed = {
            path: proto.PropertyDiff(
                kind=_CHANGE_KINDS[change.change, change.replaces], inputDiff=True
            )
            for path, change in found.difference.fields.items()
        }
        return proto.DiffResponse(
            changes=_changes(bool(detailed or found.replaces)),
            replaces=found.replaces,
            deleteBeforeReplace=found.delete_first,
            detailedDiff=detailed,
            hasDetailedDiff=True,
        )

    @_reporting
    async def Create(self, request: Any, context: Any) -> proto.CreateResponse:  # noqa: N802
        """Create a resource."""
        resource_id, properties = await self._run(
            writing.create,
            self.configured,
            request.urn,
            from_struct(request.properties),
            timeout=request.timeout,
            preview=request.preview,
        )
        return proto.CreateResponse(id=resource_id, properties=to_struct(properties))

    @_reporting
    async def Update(self, request: Any, context: Any) -> proto.UpdateResponse:  # noqa: N802
        """Update a resource."""
        properties = await self._run(
            writing.update,
            self.configured,
            request.urn,
            from_struct(request.olds),
            from_struct(request.news),
            timeout=request.timeout,
            ignored=list(request.ignoreChanges),
            preview=request.preview,
        )
        return proto.UpdateResponse(properties=to_struct(properties))

    @_reporting
    async def Read(self, request: Any, context: Any) -> proto.ReadResponse:  # noqa: N802
        """Read a resource."""
        found = await self._run(
            reading.read,
            self.configured,
            request.urn,
            request.id,
            from_struct(request.properties),
            from_struct(request.inputs),
        )
        if not found.resource_id:
            return proto.ReadResponse()
        return proto.ReadResponse(
            id=found.resource_id,
            properties=to_struct(found.properties),
            inputs=to_struct(found.inputs),
        )

    @_reporting
    async def Delete(self, request: Any, context: Any) -> empty_pb2.Empty:  # noqa: N802
        """Delete a resource."""
        await self._run(
            writing.delete,
            self.configured,
            request.urn,
            request.id,
            from_struct(request.properties),
            timeout=request.timeout,
        )
        return empty_pb2.Empty()


def _changes(changed: bool) -> Any:
    return proto.DiffResponse.DIFF_SOME if changed else proto.DiffResponse.DIFF_NONE


async def serve(engine_address: str) -> None:
    """Serve one engine until it ends; the port goes to standard output first."""
    server = grpc.aio.server(options=_GRPC_CHANNEL_OPTIONS)
    servicer = Servicer(engine_address)
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    await server.wait_for_termination()
