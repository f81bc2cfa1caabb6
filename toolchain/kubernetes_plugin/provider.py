"""The operations of the plug-in on one resource, without the wire protocol.

Each follows the operation of the official plug-in of the same name. They may run in any thread,
many at once.
"""

import copy
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from toolchain.kubernetes_plugin import immutable, managed_fields, naming, state
from toolchain.kubernetes_plugin.apply import WriteError, Writer
from toolchain.kubernetes_plugin.client import Object
from toolchain.kubernetes_plugin.diff import Difference, difference
from toolchain.kubernetes_plugin.engine_log import Log
from toolchain.kubernetes_plugin.errors import ApiError, UnreachableError
from toolchain.kubernetes_plugin.naming import Autonaming, NamingError
from toolchain.kubernetes_plugin.properties import Properties, contains_unknown
from toolchain.kubernetes_plugin.readiness import (
    NotReady,
    check_ready,
    wait_until_deleted,
    wait_until_ready,
)
from toolchain.kubernetes_plugin.secret_marks import marked
from toolchain.kubernetes_plugin.session import Session
from toolchain.kubernetes_plugin.types import (
    HELM_RELEASE,
    ResourceType,
    name_of_urn,
    parse_token,
    type_of_urn,
)

_UNREACHABLE_STATE_HINT: Final = (
    "If the cluster was deleted, this resource can be removed from the state by running the "
    'operation again with the environment variable PULUMI_K8S_DELETE_UNREACHABLE set to "true"'
)


class OperationError(Exception):
    """An operation that failed and left nothing behind; one line for a person."""


class InitializationError(Exception):
    """An operation that wrote its object, which then did not become ready.

    Attributes:
        resource_id: Id of the resource.
        properties: State to store.
        reasons: Why, one line each.
        inputs: Inputs to store, where the operation read them.
    """

    def __init__(
        self,
        message: str,
        resource_id: str,
        properties: Properties,
        reasons: Sequence[str],
        inputs: Properties | None = None,
    ) -> None:
        """Keep what the engine stores."""
        super().__init__(message)
        self.resource_id = resource_id
        self.properties = properties
        self.reasons = list(reasons)
        self.inputs = inputs


@dataclass(frozen=True)
class Comparison:
    """What an update would change.

    Attributes:
        difference: The changed fields.
        replaces: Property paths that replace the object.
        delete_first: Whether the old object has to go before the new one can come.
    """

    difference: Difference
    replaces: list[str]
    delete_first: bool


@dataclass(frozen=True)
class Found:
    """What a read found; an empty id means that there is nothing (any more)."""

    resource_id: str = ""
    properties: Properties = field(default_factory=dict)
    inputs: Properties = field(default_factory=dict)


class ResourceProvider:
    """The operations of one configured provider."""

    def __init__(self, session: Session, log: Log) -> None:
        """Work on a session; nothing is asked of the cluster yet."""
        self._session = session
        self._settings = session.settings
        self._log = log
        self._cancelled = threading.Event()

    def cancel(self) -> None:
        """Make every operation end soon."""
        self._cancelled.set()

    def check(
        self,
        urn: str,
        olds: Properties,
        news: Properties,
        *,
        seed: bytes = b"",
        autonaming: Autonaming | None = None,
    ) -> Properties:
        """Return the inputs of a resource with its name, namespace and secret marks.

        Args:
            urn: URN of the resource.
            olds: Last inputs; empty for a resource that is to be created.
            news: Inputs of the program.
            seed: What an automatic name is derived from.
            autonaming: What the engine's configuration asks of automatic names.

        Raises:
            OperationError: The resource cannot exist in this form.
        """
        if self._session.cluster is None and self._settings.skip_update_unreachable and olds:
            self._log.message(
                "warning", "cluster is unreachable and skipUpdateUnreachable is set: skipped", urn
            )
            return olds
        inputs = copy.deepcopy(state.to_kubernetes(news))
        kind = self._resource_type(urn, inputs)
        inputs.setdefault("apiVersion", kind.api_version)
        inputs.setdefault("kind", kind.kind)
        self._warn_of_reserved_annotations(urn, inputs)
        inputs = state.normalized(inputs)
        try:
            if olds:
                naming.keep_autoname(inputs, state.to_kubernetes(olds))
            elif not kind.patch:
                naming.assign_name(inputs, name_of_urn(urn), seed, autonaming)
        except NamingError as error:
            raise OperationError(str(error)) from error
        self._require_name(inputs, kind)
        self._set_namespace(inputs)
        if inputs["kind"] == state.CRD_KIND:
            self._session.discovery.declare(inputs)
        return marked(state.to_program(inputs), news)

    def _resource_type(self, urn: str, inputs: Mapping[str, Any]) -> ResourceType:
        token = type_of_urn(urn)
        if token == HELM_RELEASE:
            raise OperationError(
                "the stand-in kubernetes plug-in has no helm.sh/v3 Release: use a helm.sh/v4 Chart"
            )
        kind = inputs.get("kind")
        try:
            found = parse_token(token, kind if isinstance(kind, str) else None)
        except ValueError as error:
            raise OperationError(str(error)) from error
        if found.is_list:
            raise OperationError(
                f"{found.kind} cannot be created: declare its items as resources of their own"
            )
        if found.patch and not self._settings.server_side_apply:
            raise OperationError("a Patch resource needs enableServerSideApply on the provider")
        return found

    def _warn_of_reserved_annotations(self, urn: str, inputs: Object) -> None:
        if naming.annotation(inputs, naming.AUTONAMED):
            self._log.message(
                "warning",
                f'ignoring user-specified value for internal annotation "{naming.AUTONAMED}"',
                urn,
            )

    def _require_name(self, inputs: Object, kind: ResourceType) -> None:
        if kind.patch and not naming.is_named(inputs):
            raise OperationError("a Patch resource needs metadata.name: which object it patches")
        if not naming.is_named(inputs) and naming.metadata_of(inputs).get("generateName"):
            raise OperationError(
                "metadata.generateName is not supported with server-side apply: leave the name "
                "out to get an automatic one, or set metadata.name"
            )

    def _set_namespace(self, inputs: Object) -> None:
        metadata = inputs.setdefault("metadata", {})
        if not isinstance(metadata, dict) or metadata.get("namespace"):
            return
        if self._session.discovery.is_namespaced(inputs["apiVersion"], inputs["kind"]):
            metadata["namespace"] = self._session.namespace

    def diff(
        self, urn: str, olds: Properties, news: Properties, ignored: Sequence[str] = ()
    ) -> Comparison:
        """Return what an update would change, and whether it replaces the object.

        Args:
            urn: URN of the resource.
            olds: Stored state.
            news: New inputs.
            ignored: Property paths whose changes the program ignores.
        """
        stored = state.parse(olds)
        old = state.normalized(copy.deepcopy(stored.inputs))
        new = state.normalized(state.to_kubernetes(news))
        self._align_identity(old, new, stored.live)
        kind = self._resource_type(urn, new)
        replacing = (
            immutable.identity_paths()
            if kind.patch
            else immutable.replacing_paths(
                new,
                config_map_mutable=self._settings.config_map_mutable,
                secret_mutable=self._settings.secret_mutable,
            )
        )
        changes = difference(state.to_program(old), state.to_program(new), replacing).ignoring(
            ignored
        )
        replaces = changes.replaces
        if naming.annotated(new, naming.REPLACE_UNREADY) and self._is_unready(urn, stored.live):
            replaces.append(f'metadata.annotations["{naming.REPLACE_UNREADY}"]')
        same_place = naming.name_of(new) == naming.name_of(stored.live) and naming.namespace_of(
            new
        ) == naming.namespace_of(stored.live)
        delete_first = (
            bool(replaces) and naming.is_named(new) and not naming.is_autonamed(new) and same_place
        )
        return Comparison(changes, replaces, delete_first)

    def _align_identity(self, old: Object, new: Object, live: Object) -> None:
        """Make names and namespaces comparable: what the cluster chose counts as declared."""
        api_version, kind = str(new.get("apiVersion")), str(new.get("kind"))
        namespaced = self._session.discovery.is_namespaced(api_version, kind)
        for obj in (old, new):
            metadata = obj.get("metadata")
            if not isinstance(metadata, dict):
                continue
            if not namespaced:
                metadata.pop("namespace", None)
            elif not metadata.get("namespace"):
                metadata["namespace"] = "default"
        old_metadata = old.get("metadata")
        if naming.name_of(new) and naming.name_of(live) and isinstance(old_metadata, dict):
            old_metadata["name"] = naming.name_of(live)

    def _is_unready(self, urn: str, live: Object) -> bool:
        """Return whether a Job that asks to be replaced until it is ready has not completed."""
        if live.get("kind") != "Job":
            text = "the annotation pulumi.com/replaceUnready is only supported on a Job"
            self._log.message("warning", text, urn)
            return False
        if self._session.cluster is None:
            text = "cluster is unreachable: pulumi.com/replaceUnready was not looked at"
            self._log.message("warning", text, urn)
            return False
        job = self._session.cluster.get(
            live["apiVersion"], "Job", naming.name_of(live), naming.namespace_of(live)
        )
        if job is None:
            return False
        conditions = (job.get("status") or {}).get("conditions") or []
        return not any(
            condition.get("type") == "Complete" and condition.get("status") == "True"
            for condition in conditions
        )

    def create(
        self, urn: str, news: Properties, *, timeout: float = 0.0, preview: bool = False
    ) -> tuple[str, Properties]:
        """Create the object of a resource, wait for it, and return its id and state.

        Args:
            urn: URN of the resource.
            news: Inputs.
            timeout: Seconds to wait for the object; 0 for what its annotation or kind says.
            preview: Only say what it would be; the id is then "".

        Raises:
            OperationError: Nothing was created.
            InitializationError: It was created and did not become ready.
        """
        inputs = state.to_kubernetes(news)
        kind = self._resource_type(urn, inputs)
        if preview and not self._can_preview(inputs, kind):
            return "", news
        manager = self._field_manager(inputs, "")
        writer = self._writer(urn, inputs, manager, partial=kind.patch)
        try:
            if preview:
                planned = writer.preview_create(inputs)
                if planned is None:
                    return "", news
                planned.pop("status", None)
                return "", self._state(planned, inputs, news, inputs["apiVersion"], manager)
            live = writer.create(inputs)
        except (WriteError, ApiError, UnreachableError) as error:
            raise OperationError(str(error)) from error
        live = self._wait(urn, live, inputs, news, (inputs["apiVersion"], manager), timeout)
        self._note_definition(inputs)
        properties = self._state(live, inputs, news, inputs["apiVersion"], manager)
        return naming.identifier(live), properties

    def update(
        self,
        urn: str,
        olds: Properties,
        news: Properties,
        *,
        timeout: float = 0.0,
        ignored: Sequence[str] = (),
        preview: bool = False,
    ) -> Properties:
        """Update the object of a resource, wait for it, and return its state.

        Args:
            urn: URN of the resource.
            olds: Stored state.
            news: New inputs.
            timeout: Seconds to wait for the object; 0 for what its annotation or kind says.
            ignored: Property paths whose changes the program ignores.
            preview: Only say what it would be.

        Raises:
            OperationError: Nothing was changed.
            InitializationError: It was changed and did not become ready.
        """
        stored = state.parse(olds)
        inputs = state.normalized(state.to_kubernetes(news))
        kind = self._resource_type(urn, inputs)
        if preview and (
            contains_unknown(inputs)
            or not self._session.serves(inputs["apiVersion"], inputs["kind"])
        ):
            return news
        first_version = stored.initial_api_version or str(stored.inputs.get("apiVersion", ""))
        before = self._field_manager(stored.inputs, stored.field_manager)
        manager = self._field_manager(inputs, stored.field_manager)
        writer = self._writer(urn, inputs, manager, partial=kind.patch)
        try:
            current = self._live(inputs, naming.name_of(stored.live))
            if preview:
                planned = writer.preview_update(inputs, current, ignored)
                if planned is None:
                    return news
                return self._state(planned, inputs, news, first_version, manager)
            live = writer.update(inputs, current, ignored)
            if before != manager:
                writer.relinquish(live, before)
        except (WriteError, ApiError, UnreachableError) as error:
            raise OperationError(str(error)) from error
        live = self._wait(urn, live, inputs, news, (first_version, manager), timeout, updated=True)
        self._note_definition(inputs)
        return self._state(live, inputs, news, first_version, manager)

    def read(self, urn: str, resource_id: str, olds: Properties, inputs: Properties) -> Found:
        """Read the object of a resource as it is now.

        Args:
            urn: URN of the resource.
            resource_id: Its id.
            olds: Stored state; empty for an import.
            inputs: Stored inputs; empty for an import.

        Raises:
            OperationError: The cluster could not be asked.
            InitializationError: The object is there but not ready.
        """
        if self._session.cluster is None:
            return self._read_unreachable(urn, resource_id, olds, inputs)
        namespace, name = naming.split_identifier(resource_id)
        stored = state.parse(olds)
        last_inputs = state.to_kubernetes(inputs)
        kind = self._resource_type(urn, last_inputs or stored.live)
        api_version = str(last_inputs.get("apiVersion") or kind.api_version)
        imported = not last_inputs.get("kind")
        try:
            live = self._session.cluster.get(
                api_version, kind.kind, name, namespace or self._session.namespace
            )
        except (ApiError, UnreachableError) as error:
            raise OperationError(str(error)) from error
        if live is None:
            return Found()
        live_inputs = (
            state.imported_inputs(live)
            if imported
            else self._refreshed(last_inputs, stored.live, live)
        )
        manager = self._field_manager(live_inputs, stored.field_manager)
        first_version = stored.initial_api_version or api_version
        properties = self._state(live, live_inputs, inputs, first_version, manager)
        marked_inputs = marked(state.to_program(live_inputs), inputs)
        found = Found(resource_id, properties, marked_inputs)
        if not imported:
            self._check_ready(live, last_inputs, found)
        return found

    def _read_unreachable(
        self, urn: str, resource_id: str, olds: Properties, inputs: Properties
    ) -> Found:
        reason = f"configured Kubernetes cluster is unreachable: {self._session.unreachable}"
        self._log.message("warning", reason, urn)
        if self._settings.delete_unreachable:
            text = "deleteUnreachable is set: the resource leaves the state"
            self._log.message("info", text, urn)
            return Found()
        if self._settings.skip_update_unreachable:
            return Found(resource_id, olds, inputs)
        raise OperationError(
            "failed to read resource state due to unreachable cluster. " + _UNREACHABLE_STATE_HINT
        )

    def _refreshed(self, last_inputs: Object, last_live: Object, live: Object) -> Object:
        before = state.normalized(last_inputs)
        after = state.refreshed_inputs(before, last_live, live)
        return last_inputs if after == before else after

    def _check_ready(self, live: Object, inputs: Object, found: Found) -> None:
        try:
            check_ready(self._session.reached(), live, inputs)
        except NotReady as error:
            raise InitializationError(
                str(error), found.resource_id, found.properties, error.reasons, found.inputs
            ) from error

    def delete(self, urn: str, resource_id: str, olds: Properties, *, timeout: float = 0.0) -> None:
        """Delete the object of a resource and wait until it is gone.

        Args:
            urn: URN of the resource.
            resource_id: Its id.
            olds: Stored state.
            timeout: Seconds to wait; 0 for what its annotation says.

        Raises:
            OperationError: It could not be deleted.
            InitializationError: It is being deleted but still there.
        """
        if self._session.cluster is None:
            reason = f"configured Kubernetes cluster is unreachable: {self._session.unreachable}"
            if self._settings.delete_unreachable:
                self._log.message("warning", reason, urn)
                return
            raise OperationError(f"{reason}. {_UNREACHABLE_STATE_HINT}")
        stored = state.parse(olds)
        kind = self._resource_type(urn, stored.inputs or stored.live)
        try:
            self._delete(urn, resource_id, stored, kind, timeout)
        except NotReady as error:
            properties = {**olds, **state.to_program(error.live)}
            raise InitializationError(str(error), resource_id, properties, error.reasons) from error
        except (WriteError, ApiError, UnreachableError) as error:
            raise OperationError(str(error)) from error

    def _delete(
        self,
        urn: str,
        resource_id: str,
        stored: state.State,
        kind: ResourceType,
        timeout: float,
    ) -> None:
        cluster = self._session.reached()
        if kind.patch:
            manager = self._field_manager(stored.inputs, stored.field_manager)
            self._writer(urn, stored.inputs, manager, partial=True).relinquish(stored.live, manager)
            return
        namespace, name = naming.split_identifier(resource_id)
        api_version = str(stored.live.get("apiVersion") or kind.api_version)
        live = cluster.get(api_version, kind.kind, name, namespace)
        if live is None:
            return
        policy = naming.deletion_propagation(stored.inputs)
        cluster.delete(api_version, kind.kind, name, namespace, propagation=policy)
        wait_until_deleted(
            cluster,
            live,
            timeout=timeout,
            report=lambda line: self._log.status(line, urn),
            cancelled=self._cancelled,
        )
        self._log.status("", urn)

    def _can_preview(self, inputs: Object, kind: ResourceType) -> bool:
        return (
            not contains_unknown(inputs)
            and not kind.patch
            and self._settings.server_side_apply
            and self._session.serves(inputs["apiVersion"], inputs["kind"])
        )

    def _field_manager(self, inputs: Object, stored: str) -> str:
        if not self._settings.server_side_apply:
            return managed_fields.CREATE_MANAGER
        chosen = naming.annotation(inputs, naming.PATCH_FIELD_MANAGER)
        return chosen or stored or naming.new_field_manager()

    def _writer(self, urn: str, inputs: Object, manager: str, *, partial: bool) -> Writer:
        force = naming.annotated(inputs, naming.PATCH_FORCE) or self._settings.patch_force
        return Writer(
            cluster=self._session.reached(),
            field_manager=manager,
            force=force,
            upsert=self._settings.upsert_existing_objects,
            partial=partial,
            report=lambda line: self._log.status(line, urn),
            cancelled=self._cancelled,
        )

    def _live(self, inputs: Object, name: str) -> Object:
        api_version, kind = inputs["apiVersion"], inputs["kind"]
        namespace = naming.namespace_of(inputs) or self._session.namespace
        found = self._session.reached().get(api_version, kind, name, namespace)
        if found is None:
            raise WriteError(
                f"update of {kind} {naming.identifier(inputs)} failed: it does not exist (any "
                "more); run `pulumi refresh`, and the next `pulumi up` creates it anew"
            )
        return found

    def _wait(
        self,
        urn: str,
        live: Object,
        inputs: Object,
        news: Properties,
        origin: tuple[str, str],
        timeout: float,
        *,
        updated: bool = False,
    ) -> Object:
        try:
            ready = wait_until_ready(
                self._session.reached(),
                live,
                inputs,
                timeout=timeout,
                report=lambda line: self._log.status(line, urn),
                cancelled=self._cancelled,
                operation="update" if updated else "create",
            )
        except NotReady as error:
            properties = self._state(error.live, inputs, news, *origin)
            raise InitializationError(
                str(error), naming.identifier(live), properties, error.reasons
            ) from error
        self._log.status("", urn)
        return ready

    def _note_definition(self, inputs: Object) -> None:
        """Let the next resource of a kind that was just defined ask the server again."""
        if inputs.get("kind") == state.CRD_KIND:
            self._session.discovery.forget(str((inputs.get("spec") or {}).get("group", "")))

    def _state(
        self,
        live: Object,
        inputs: Object,
        news: Properties,
        initial_api_version: str,
        manager: str,
    ) -> Properties:
        return state.build(
            live,
            inputs,
            news,
            initial_api_version=initial_api_version,
            field_manager=manager,
        )
