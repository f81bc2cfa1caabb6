"""How an operation on a resource can end, other than well."""

from collections.abc import Sequence

from toolchain.plugin.properties import Properties


class OperationError(Exception):
    """An operation that failed and changed nothing in the state; one line for a person."""


class InitializationError(Exception):
    """An operation that wrote its object, which then did not become what was waited for.

    The engine stores the object and, as long as it is not ready, updates it in every run.

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
