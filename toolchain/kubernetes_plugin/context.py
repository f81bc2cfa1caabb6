"""What the operations of one configured provider share."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from toolchain.kubernetes_plugin import managed_fields, naming, state
from toolchain.kubernetes_plugin.apply import Writer
from toolchain.kubernetes_plugin.client import Object
from toolchain.kubernetes_plugin.config import Settings
from toolchain.kubernetes_plugin.outcome import OperationError
from toolchain.kubernetes_plugin.session import Session
from toolchain.kubernetes_plugin.types import HELM_RELEASE, ResourceType, parse_token, type_of_urn
from toolchain.plugin.engine_log import Log, Severity
from toolchain.plugin.properties import Properties


@dataclass(frozen=True)
class ProviderContext:
    """One configured provider.

    Attributes:
        session: The cluster that it works on.
        log: Where messages to the user go.
        cancelled: Set when every operation has to stop.
    """

    session: Session
    log: Log
    cancelled: threading.Event = field(default_factory=threading.Event)

    @property
    def settings(self) -> Settings:
        """How the provider behaves."""
        return self.session.settings

    def say(self, severity: Severity, text: str, urn: str) -> None:
        """Show a message beside a resource."""
        self.log.message(severity, text, urn)

    def reporter(self, urn: str) -> Callable[[str], None]:
        """Return what takes progress lines of a resource."""
        return lambda line: self.log.status(line, urn)

    def resource_type(self, urn: str, inputs: Mapping[str, Any]) -> ResourceType:
        """Return the kind of a resource.

        Raises:
            OperationError: It is none that can be created.
        """
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
        if found.patch and not self.settings.server_side_apply:
            raise OperationError("a Patch resource needs enableServerSideApply on the provider")
        return found

    def field_manager(self, inputs: Object, stored: str) -> str:
        """Return the name under which a resource owns fields.

        Args:
            inputs: Inputs of the resource, whose annotation may name it.
            stored: Name in its state; "" if it has none yet.
        """
        if not self.settings.server_side_apply:
            return managed_fields.CREATE_MANAGER
        chosen = naming.annotation(inputs, naming.PATCH_FIELD_MANAGER)
        return chosen or stored or naming.new_field_manager()

    def writer(self, urn: str, inputs: Object, manager: str, *, partial: bool) -> Writer:
        """Return what writes the object of a resource.

        Args:
            urn: URN of the resource.
            inputs: Its inputs, whose annotation may ask to win conflicts.
            manager: Name under which it owns fields.
            partial: Whether it manages a part of an object that it does not own.

        Raises:
            UnreachableError: The cluster cannot be reached.
        """
        return Writer(
            cluster=self.session.reached(),
            field_manager=manager,
            force=naming.annotated(inputs, naming.PATCH_FORCE) or self.settings.patch_force,
            upsert=self.settings.upsert_existing_objects,
            partial=partial,
            report=self.reporter(urn),
            cancelled=self.cancelled,
        )


@dataclass(frozen=True)
class Origin:
    """What a state keeps of how its object came to be.

    Attributes:
        api_version: `apiVersion` that it was created with.
        manager: Name under which the resource owns its fields.
    """

    api_version: str
    manager: str

    def state(self, live: Object, inputs: Object, news: Properties) -> Properties:
        """Return the state to store for an object.

        Args:
            live: The object.
            inputs: The inputs that led to it, plain.
            news: Inputs of the program with their secret marks.
        """
        return state.build(
            live, inputs, news, initial_api_version=self.api_version, field_manager=self.manager
        )
