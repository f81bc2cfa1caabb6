"""Writing objects: create, update, delete, and what the server may answer.

Creates are plain POSTs, so that an object that exists already is an error and not adopted;
updates are server-side applies. Both are what the official plug-in does since 4.29.
"""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from toolchain.kubernetes_plugin import managed_fields, naming
from toolchain.kubernetes_plugin.client import Object
from toolchain.kubernetes_plugin.cluster import JSON_PATCH, Cluster
from toolchain.kubernetes_plugin.diff import parse_path
from toolchain.kubernetes_plugin.errors import ApiError, ClusterError, KindNotServedError
from toolchain.kubernetes_plugin.state import CRD_KIND

Report = Callable[[str], None]

_PATIENCE_SECONDS: Final = 30.0
"""How long a create waits for what something else is about to bring or to remove."""

_FIRST_DELAY_SECONDS: Final = 0.1
_LONGEST_DELAY_SECONDS: Final = 2.0


class WriteError(Exception):
    """A write that the server refused; the message says what can be done about it."""


class AlreadyExistsError(WriteError):
    """A create of an object that exists."""


@dataclass(frozen=True)
class Writer:
    """Writes the object of one resource.

    Attributes:
        cluster: The cluster.
        field_manager: Name under which the resource owns fields.
        force: Whether field conflicts are won.
        upsert: Whether a create may meet an object that exists.
        partial: Whether the resource manages a part of an object that it does not own.
        report: Called with one line of progress.
        cancelled: Set when the operation has to stop.
    """

    cluster: Cluster
    field_manager: str
    force: bool
    upsert: bool
    partial: bool
    report: Report
    cancelled: threading.Event

    def create(self, obj: Object) -> Object:
        """Create an object and return it as stored.

        A namespace or a kind that is missing is waited for, as charts and manifests are often
        written in an order that the cluster does not accept; so is the end of a predecessor whose
        deletion nobody waited for (`pulumi.com/skipAwait`).

        Raises:
            AlreadyExistsError: The object exists.
            WriteError: The server refused it.
        """
        waited, delay = 0.0, _FIRST_DELAY_SECONDS
        while True:
            try:
                return self._create(obj, dry_run=False)
            except (KindNotServedError, ApiError) as error:
                if not _may_pass(error) or waited >= _PATIENCE_SECONDS:
                    raise _create_error(obj, error) from error
                self.report(f"waiting, since creation failed: {error}")
            if self.cancelled.wait(delay):
                raise WriteError(f"creation of {naming.identifier(obj)} was cancelled")
            waited, delay = waited + delay, min(delay * 2, _LONGEST_DELAY_SECONDS)

    def preview_create(self, obj: Object) -> Object | None:
        """Return the object as a create would store it, or `None` if that cannot be told yet.

        Raises:
            WriteError: The server would refuse it.
        """
        try:
            return self._create(obj, dry_run=True)
        except KindNotServedError:
            return None
        except ApiError as error:
            untellable = error.not_found or error.forbidden or error.already_exists
            if untellable or _has_no_dry_run(error):
                return None
            raise _create_error(obj, error) from error

    def _create(self, obj: Object, *, dry_run: bool) -> Object:
        if self.upsert or self.partial:
            # In a preview a conflict may be with the very object that is about to be replaced.
            return self._apply(obj, force=self.force or dry_run, dry_run=dry_run)
        manager = managed_fields.CREATE_MANAGER
        return self.cluster.create(obj, field_manager=manager, dry_run=dry_run)

    def update(self, obj: Object, live: Object, ignored: Sequence[str]) -> Object:
        """Update an object and return it as stored.

        Args:
            obj: New inputs.
            live: The object as it is.
            ignored: Property paths whose changes the program ignores.

        Raises:
            WriteError: The server refused it.
        """
        patch = None if self.partial else managed_fields.takeover(live, self.field_manager)
        try:
            if patch is not None:
                live = self.cluster.patch(live, patch, media_type=JSON_PATCH)
            return self._update(obj, live, ignored, dry_run=False)
        except (KindNotServedError, ApiError) as error:
            raise _update_error(obj, error) from error

    def preview_update(self, obj: Object, live: Object, ignored: Sequence[str]) -> Object | None:
        """Return the object as an update would store it, or `None` if that cannot be told.

        Raises:
            WriteError: The server would refuse it.
        """
        try:
            return self._update(obj, live, ignored, dry_run=True)
        except ApiError as error:
            if error.forbidden or _has_no_dry_run(error):
                return None
            raise _update_error(obj, error) from error

    def _update(
        self, obj: Object, live: Object, ignored: Sequence[str], *, dry_run: bool
    ) -> Object:
        if obj.get("kind") == CRD_KIND:
            return self._replace(obj, live, dry_run=dry_run)
        keys = [[str(element) for element in parse_path(path)] for path in ignored]
        wanted = managed_fields.with_ignored(obj, live, self.field_manager, keys)
        force = self.force or managed_fields.must_force(live, preview=dry_run)
        return self._apply(wanted, force=force, dry_run=dry_run)

    def _replace(self, obj: Object, live: Object, *, dry_run: bool) -> Object:
        """Put a definition in place of the stored one: its schema is one value, not many fields."""
        version = naming.metadata_of(live).get("resourceVersion")
        versioned = {**obj, "metadata": {**naming.metadata_of(obj), "resourceVersion": version}}
        return self.cluster.replace(versioned, field_manager=self.field_manager, dry_run=dry_run)

    def _apply(self, obj: Object, *, force: bool, dry_run: bool) -> Object:
        try:
            return self.cluster.apply(
                obj, field_manager=self.field_manager, force=force, dry_run=dry_run
            )
        except ApiError as error:
            if error.conflict:
                raise WriteError(self._conflict(obj, error)) from error
            raise

    def _conflict(self, obj: Object, error: ApiError) -> str:
        """Return who owns what, and the ways out."""
        found = [
            f"{cause.get('field', '')} ({cause.get('message', '')})"
            for cause in error.causes
            if cause.get("reason") == "FieldManagerConflict"
        ]
        fields = ", ".join(found) or str(error)
        return (
            f"server-side apply field conflict detected on {naming.identifier(obj)}: the resource, "
            f'managed by field manager "{self.field_manager}", had an apply conflict on {fields}. '
            "Leave these fields to their owner (remove them from the program or ignore their "
            f'changes), or take them over with the annotation {naming.PATCH_FORCE}: "true"'
        )

    def relinquish(self, live: Object, manager: str) -> None:
        """Give up every field that a manager owns on an object, and keep the object.

        Raises:
            WriteError: A field is required and has no other owner.
        """
        empty: Object = {
            "apiVersion": live["apiVersion"],
            "kind": live["kind"],
            "metadata": {"name": naming.name_of(live)},
        }
        if naming.namespace_of(live):
            empty["metadata"]["namespace"] = naming.namespace_of(live)
        try:
            self.cluster.apply(empty, field_manager=manager)
        except ApiError as error:
            if error.not_found:
                return
            required = [cause["field"] for cause in error.causes if _is_required(cause)]
            if not required:
                raise
            raise WriteError(
                f"this Patch resource manages a required field ({', '.join(required)}), so it "
                "cannot be deleted: set retain_on_delete, or hand the field to another owner first"
            ) from error


def _create_error(obj: Object, error: ClusterError) -> WriteError:
    who = f"{obj.get('kind')} {naming.identifier(obj)}"
    if isinstance(error, KindNotServedError):
        return _not_served(f"creation of {who}", error)
    if isinstance(error, ApiError) and error.already_exists:
        return AlreadyExistsError(
            f"{who} already exists in the cluster ({error}). If a resource was renamed in the "
            "program, give it an alias; to manage some fields of an object that something else "
            f"owns, use a {obj.get('kind')}Patch resource; to adopt it, use `pulumi import`; after "
            "an interrupted run, `pulumi refresh` asks about pending creates; to always adopt, set "
            "upsertExistingObjects on the provider"
        )
    return WriteError(f"{who} was not successfully created by the Kubernetes API server: {error}")


def _update_error(obj: Object, error: ClusterError) -> WriteError:
    who = f"{obj.get('kind')} {naming.identifier(obj)}"
    if isinstance(error, KindNotServedError):
        return _not_served(f"update of {who}", error)
    hint = ""
    if isinstance(error, ApiError) and error.invalid and "immutable" in str(error):
        hint = "; name the field in replace_on_changes to replace the object instead"
    return WriteError(f"update of {who} failed: {error}{hint}")


def _not_served(what: str, error: KindNotServedError) -> WriteError:
    return WriteError(
        f"{what} failed because the Kubernetes API server reported that the apiVersion for this "
        f"resource does not exist. Verify that any required CRDs have been created: {error}"
    )


def _may_pass(error: ClusterError) -> bool:
    """Return whether a create that was refused can succeed a moment later."""
    if isinstance(error, KindNotServedError):
        return True
    if not isinstance(error, ApiError):
        return False
    return error.not_found or (error.already_exists and "object is being deleted" in str(error))


def _has_no_dry_run(error: ApiError) -> bool:
    """Return whether a webhook or an aggregated server cannot take part in a dry run."""
    return error.code == 400 and "does not support dry run" in str(error)


def _is_required(cause: dict[str, str]) -> bool:
    return cause.get("reason") == "FieldValueRequired" and bool(cause.get("field"))
