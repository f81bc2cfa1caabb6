"""What a resource of this plug-in answers, free of the engine's protocol."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from toolchain.errors import SlipwayError
from toolchain.plugin.properties import UNKNOWN, Properties
from toolchain.progress import Report


@dataclass(frozen=True)
class Failure:
    """An input that is refused.

    Attributes:
        reason: One line with the way out.
        property: The input; empty where the reason is about the machine or names its own key.
    """

    reason: str
    property: str = ""


@dataclass(frozen=True)
class Checked:
    """Inputs with what the plug-in adds to them, or the reasons why they are refused."""

    inputs: Properties
    failures: tuple[Failure, ...] = ()


@dataclass(frozen=True)
class Difference:
    """Why a resource is not as its inputs say.

    Attributes:
        updates: Properties whose change is made in place.
        replaces: Properties whose change makes the resource anew.
        delete_first: Whether a replaced resource is deleted before the new one is made.
        drifted: Those of the properties above that the machine changed, not the program; they
            are shown as added again.
    """

    updates: tuple[str, ...] = ()
    replaces: tuple[str, ...] = ()
    delete_first: bool = False
    drifted: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Call:
    """What goes with a request of the engine.

    Attributes:
        urn: The resource.
        report: Takes progress lines; raises `CancelledError` once the engine has cancelled.
        tell: Takes a line that stays on the screen.
        preview: Whether the engine only asks what would happen.
    """

    urn: str
    report: Report
    tell: Callable[[str], None]
    preview: bool = False

    @property
    def stack(self) -> str:
        """Name of the stack."""
        return self.urn.split("::")[0].rpartition(":")[2]

    @property
    def name(self) -> str:
        """Logical name of the resource."""
        return self.urn.rpartition("::")[2]


@dataclass(frozen=True)
class Live:
    """A resource as it was found on the machine."""

    inputs: Properties
    outputs: Properties


class CancelledError(SlipwayError):
    """The engine has cancelled the operation, on Ctrl-C for example."""


class UnfinishedError(SlipwayError):
    """A resource exists but is not ready; the next `up` goes on and `destroy` removes it.

    Attributes:
        identifier: Its id.
        outputs: What is known of it.
    """

    def __init__(self, reason: str, identifier: str, outputs: Mapping[str, Any]) -> None:
        super().__init__(reason)
        self.identifier = identifier
        self.outputs = dict(outputs)


class Resource(Protocol):
    """One resource type. Every method may raise `SlipwayError`."""

    def check(self, olds: Properties, news: Properties, call: Call) -> Checked:
        """Validate inputs and add what is computed from them alone.

        Args:
            olds: Checked inputs of the last update; empty for a new resource.
            news: Inputs of the program.
            call: The request.
        """
        ...

    def diff(self, state: Properties, inputs: Properties, call: Call) -> Difference:
        """Compare a resource's outputs, and what the machine has, with its checked inputs."""
        ...

    def plan(self, state: Properties, inputs: Properties) -> Properties:
        """Return the outputs to expect; `state` is empty for a resource that is not there yet."""
        ...

    def create(self, inputs: Properties, call: Call) -> tuple[str, Properties]:
        """Make the resource, or finish one whose making was interrupted: its id and outputs."""
        ...

    def left_behind(self, inputs: Properties, call: Call) -> tuple[str, Properties] | None:
        """Return what a failed or cancelled `create` left that `delete` has to remove."""
        ...

    def update(self, state: Properties, inputs: Properties, call: Call) -> Properties:
        """Bring a resource to its inputs; return its outputs."""
        ...

    def read(self, identifier: str, state: Properties) -> Live | None:
        """Return the resource as it is on the machine, or `None` if it is gone."""
        ...

    def delete(self, identifier: str, state: Properties, call: Call) -> None:
        """Remove the resource; one that is gone already is no error."""
        ...


@dataclass
class Inputs:
    """Reads inputs one by one and collects every failure."""

    values: Properties
    failures: list[Failure] = field(default_factory=list)

    def text(self, key: str, *, may_be_unknown: bool = False) -> str:
        """Return a text that is not empty; the empty text when it is refused or not known yet."""
        value = self.values.get(key)
        if value is UNKNOWN and may_be_unknown:
            return ""
        if isinstance(value, str) and value:
            return value
        if value is UNKNOWN:
            self.refuse(key, "it must be known before anything is created: give a plain text")
        else:
            self.refuse(key, f"it must be a text that is not empty, not {value!r}")
        return ""

    def refuse(self, key: str, reason: str) -> None:
        """Add a failure."""
        self.failures.append(Failure(reason, key))


def changed(state: Properties, inputs: Properties, *keys: str) -> tuple[str, ...]:
    """Return those of the keys whose input is not what the resource has; unknown counts as new."""
    return tuple(
        key for key in keys if inputs.get(key) is UNKNOWN or inputs.get(key) != state.get(key)
    )
