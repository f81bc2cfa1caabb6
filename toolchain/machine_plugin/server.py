# ruff: noqa: N802 (the methods are named by the protocol)
"""The engine's plug-in protocol over the resources of this plug-in.

The provider base class in the Pulumi SDK is marked experimental, cannot send a value that is not
known in a preview, and cannot report a resource that exists but is not ready. This is the
generated service itself, with one thread per request, since every operation is a blocking one.
"""

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from typing import Any, TypeVar

import grpc
from google.protobuf import any_pb2, empty_pb2
from pulumi.runtime.proto import provider_pb2 as pb
from pulumi.runtime.proto import provider_pb2_grpc, status_pb2

from toolchain.errors import SlipwayError
from toolchain.machine_plugin import schema
from toolchain.machine_plugin.resource import (
    Call,
    CancelledError,
    Difference,
    Resource,
    UnfinishedError,
)
from toolchain.plugin.engine_log import EngineLog
from toolchain.plugin.properties import Properties, from_struct, plain, to_struct

WORKERS = 32
"""Requests at once: twice what the engine sends by default on 4 cores."""

CANCEL_SECONDS = 3.0
"""What an operation gets to end by itself after a cancellation."""

Result = TypeVar("Result")


class Servicer(provider_pb2_grpc.ResourceProviderServicer):
    """Answers the engine.

    Args:
        resources: Resource type by type token.
        log: Where messages go.
    """

    def __init__(self, resources: Mapping[str, Resource], log: EngineLog) -> None:
        self._resources = resources
        self._log = log
        self._operations = ThreadPoolExecutor(WORKERS, thread_name_prefix="operation")
        self._cancelled: Future[None] = Future()

    # What the engine asks before the first resource.

    def Handshake(
        self, request: pb.ProviderHandshakeRequest, context: grpc.ServicerContext
    ) -> pb.ProviderHandshakeResponse:
        """Say that secrets are understood."""
        return pb.ProviderHandshakeResponse(accept_secrets=True)

    def GetPluginInfo(
        self, request: empty_pb2.Empty, context: grpc.ServicerContext
    ) -> schema.PluginInfo:
        """Return the version."""
        return schema.PluginInfo(version=schema.VERSION)

    def GetSchema(
        self, request: pb.GetSchemaRequest, context: grpc.ServicerContext
    ) -> pb.GetSchemaResponse:
        """Return the package's schema."""
        return pb.GetSchemaResponse(schema=schema.text())

    def GetMapping(
        self, request: pb.GetMappingRequest, context: grpc.ServicerContext
    ) -> pb.GetMappingResponse:
        """Return that there is no mapping from another ecosystem."""
        return pb.GetMappingResponse()

    def GetMappings(
        self, request: pb.GetMappingsRequest, context: grpc.ServicerContext
    ) -> pb.GetMappingsResponse:
        """Return that there are none."""
        return pb.GetMappingsResponse()

    def CheckConfig(
        self, request: pb.CheckRequest, context: grpc.ServicerContext
    ) -> pb.CheckResponse:
        """Accept the provider's inputs: it has none of its own."""
        return pb.CheckResponse(inputs=request.news)

    def DiffConfig(self, request: pb.DiffRequest, context: grpc.ServicerContext) -> pb.DiffResponse:
        """Say that nothing in a provider's inputs changes its resources."""
        return pb.DiffResponse(changes=pb.DiffResponse.DIFF_NONE)

    def Configure(
        self, request: pb.ConfigureRequest, context: grpc.ServicerContext
    ) -> pb.ConfigureResponse:
        """Say that secrets and previews are understood."""
        return pb.ConfigureResponse(acceptSecrets=True, supportsPreview=True)

    # What it asks about a resource.

    def Check(self, request: pb.CheckRequest, context: grpc.ServicerContext) -> pb.CheckResponse:
        """See `Resource.check`."""
        with self._answering(context, request.urn):
            resource, call = self._resource(request.urn), self._call(request.urn)
            olds, news = _plain(request.olds), _plain(request.news)
            checked = self._run(lambda: resource.check(olds, news, call))
            failures = [
                pb.CheckFailure(property=failure.property, reason=failure.reason)
                for failure in checked.failures
            ]
            return pb.CheckResponse(inputs=to_struct(checked.inputs), failures=failures)
        return pb.CheckResponse()

    def Diff(self, request: pb.DiffRequest, context: grpc.ServicerContext) -> pb.DiffResponse:
        """See `Resource.diff`."""
        with self._answering(context, request.urn):
            resource, call = self._resource(request.urn), self._call(request.urn)
            state, inputs = _plain(request.olds), _plain(request.news)
            ignored = frozenset(request.ignoreChanges)
            return _diff_response(self._run(lambda: resource.diff(state, inputs, call)), ignored)
        return pb.DiffResponse()

    def Create(self, request: pb.CreateRequest, context: grpc.ServicerContext) -> pb.CreateResponse:
        """See `Resource.create`, and `Resource.plan` in a preview."""
        with self._answering(context, request.urn):
            resource, call = self._resource(request.urn), self._call(request.urn)
            inputs = _plain(request.properties)
            if request.preview:
                return pb.CreateResponse(properties=to_struct(resource.plan({}, inputs)))
            try:
                identifier, outputs = self._run(lambda: resource.create(inputs, call))
            except SlipwayError as error:
                left = resource.left_behind(inputs, call)
                if left is None:
                    raise
                raise UnfinishedError(str(error), *left) from error
            return pb.CreateResponse(id=identifier, properties=to_struct(outputs))
        return pb.CreateResponse()

    def Update(self, request: pb.UpdateRequest, context: grpc.ServicerContext) -> pb.UpdateResponse:
        """See `Resource.update`, and `Resource.plan` in a preview."""
        with self._answering(context, request.urn):
            resource, call = self._resource(request.urn), self._call(request.urn)
            inputs = _plain(request.news)
            if request.preview:
                # Secrets of the state keep their mark in what is planned from it.
                outputs = resource.plan(from_struct(request.olds), inputs)
            else:
                state = _plain(request.olds)
                outputs = self._run(lambda: resource.update(state, inputs, call))
            return pb.UpdateResponse(properties=to_struct(outputs))
        return pb.UpdateResponse()

    def Read(self, request: pb.ReadRequest, context: grpc.ServicerContext) -> pb.ReadResponse:
        """See `Resource.read`."""
        with self._answering(context, request.urn):
            resource = self._resource(request.urn)
            identifier, state = request.id, _plain(request.properties)
            live = self._run(lambda: resource.read(identifier, state))
            if live is None:
                return pb.ReadResponse()
            return pb.ReadResponse(
                id=identifier, properties=to_struct(live.outputs), inputs=to_struct(live.inputs)
            )
        return pb.ReadResponse()

    def Delete(self, request: pb.DeleteRequest, context: grpc.ServicerContext) -> empty_pb2.Empty:
        """See `Resource.delete`."""
        with self._answering(context, request.urn):
            resource, call = self._resource(request.urn), self._call(request.urn)
            identifier, state = request.id, _plain(request.properties)
            self._run(lambda: resource.delete(identifier, state, call))
        return empty_pb2.Empty()

    def Cancel(self, request: empty_pb2.Empty, context: grpc.ServicerContext) -> empty_pb2.Empty:
        """Make every operation that is under way end soon."""
        self.cancel()
        return empty_pb2.Empty()

    def cancel(self) -> None:
        """Make every operation that is under way end soon."""
        if not self._cancelled.done():
            self._cancelled.set_result(None)

    def _resource(self, urn: str) -> Resource:
        token = urn.split("::")[-2].rpartition("$")[2]
        try:
            return self._resources[token]
        except KeyError:
            known = ", ".join(sorted(self._resources))
            raise SlipwayError(f"there is no resource type {token}: use one of {known}") from None

    def _call(self, urn: str) -> Call:
        def report(line: str) -> None:
            if self._cancelled.done():
                raise CancelledError("cancelled")
            self._log.status(line, urn)

        def tell(line: str) -> None:
            self._log.message("info", line, urn)

        return Call(urn, report, tell)

    def _run(self, operation: Callable[[], Result]) -> Result:
        """Run an operation until it ends, or until shortly after a cancellation.

        Raises:
            CancelledError: It was cancelled and has not ended; it ends with the plug-in.
        """
        future = self._operations.submit(operation)
        either: list[Future[Any]] = [future, self._cancelled]
        wait(either, return_when=FIRST_COMPLETED)
        if not future.done():
            wait([future], timeout=CANCEL_SECONDS)
        if not future.done():
            raise CancelledError("cancelled: the next `make up` goes on from here")
        return future.result()

    @contextmanager
    def _answering(self, context: grpc.ServicerContext, urn: str) -> Iterator[None]:
        """Turn errors into answers of one line, and take the last status off the screen."""
        try:
            yield
        except UnfinishedError as error:
            context.abort_with_status(_Unfinished(error))
        except SlipwayError as error:
            context.abort(grpc.StatusCode.UNKNOWN, str(error))
        finally:
            self._log.status("", urn)


class _Unfinished(grpc.Status):
    """The status that tells the engine to keep a resource although its creation failed."""

    def __init__(self, error: UnfinishedError) -> None:
        detail = any_pb2.Any()
        detail.Pack(
            pb.ErrorResourceInitFailed(
                id=error.identifier,
                properties=to_struct(error.outputs),
                reasons=[str(error)],
            )
        )
        self.code = grpc.StatusCode.UNKNOWN
        self.details = str(error)
        status = status_pb2.Status(code=self.code.value[0], message=self.details, details=[detail])
        self.trailing_metadata = (("grpc-status-details-bin", status.SerializeToString()),)


def _plain(struct: Any) -> Properties:
    """Return properties without secret marks: no input of this plug-in is a secret."""
    values: Properties = plain(from_struct(struct))
    return values


def _diff_response(difference: Difference, ignored: frozenset[str]) -> pb.DiffResponse:
    updates = [key for key in difference.updates if key not in ignored]
    replaces = [key for key in difference.replaces if key not in ignored]
    update = (pb.PropertyDiff.UPDATE, pb.PropertyDiff.ADD)
    replace = (pb.PropertyDiff.UPDATE_REPLACE, pb.PropertyDiff.ADD_REPLACE)
    kinds = {**dict.fromkeys(updates, update), **dict.fromkeys(replaces, replace)}
    return pb.DiffResponse(
        changes=pb.DiffResponse.DIFF_SOME if kinds else pb.DiffResponse.DIFF_NONE,
        replaces=replaces,
        diffs=list(kinds),
        deleteBeforeReplace=difference.delete_first,
        detailedDiff={
            key: pb.PropertyDiff(kind=drift if key in difference.drifted else change)
            for key, (change, drift) in kinds.items()
        },
        hasDetailedDiff=True,
    )
