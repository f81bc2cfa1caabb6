"""The engine's preview as typed changes.

Read from what `pulumi preview --json --show-replacement-steps` prints: the digest of
`pkg/display/json.go` in Pulumi 3.259.0. Secret values are `[secret]` there already.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from toolchain.kubernetes_plugin.diff import difference, parse_path

Operation = Literal["create", "update", "replace", "delete", "import", "forget"]
"""What happens to a resource; `forget` lets it be, and no longer manages it."""

SECRET: Final = "[secret]"
UNKNOWN: Final = "(known after the update)"

# What the engine writes for a value that an update computes (`computedValuePlaceholder`).
_UNKNOWN_VALUE: Final = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
_REPLACING: Final = ("replace", "create-replacement", "delete-replaced", "import-replacement")
_PLAIN: Final[Mapping[str, Operation]] = {
    "create": "create",
    "update": "update",
    "delete": "delete",
    "import": "import",
}
_SECRET_FIELDS: Final = ("data", "stringData")
_SECRETS: Final = ("kubernetes:core/v1:Secret", "kubernetes:core/v1:SecretPatch")


@dataclass(frozen=True)
class Field:
    """A changed property.

    Attributes:
        path: In the engine's notation: `spec.template.spec.containers[0].image`.
        old: Its value before; `None` where there was none.
        new: Its value after; `None` where there is none any more.
    """

    path: str
    old: Any
    new: Any


@dataclass(frozen=True)
class Change:
    """What happens to one resource.

    Attributes:
        operation: What happens to it.
        urn: Its URN.
        old: Its inputs before; empty when it is new.
        new: Its inputs after; empty when it goes.
        fields: The changed properties of an update or a replacement.
        reasons: Paths of the properties that force a replacement.
        protected: Whether the state protects it.
        deletes_first: Whether a replacement deletes the old one before it makes the new one.
        gone_with: URN of the resource that takes it along when it goes; empty when none does.
        provider: URN of its provider.
        dependencies: URNs of what it depends on.
    """

    operation: Operation
    urn: str
    old: Mapping[str, Any] = field(default_factory=dict)
    new: Mapping[str, Any] = field(default_factory=dict)
    fields: tuple[Field, ...] = ()
    reasons: tuple[str, ...] = ()
    protected: bool = False
    deletes_first: bool = False
    gone_with: str = ""
    provider: str = ""
    dependencies: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Its logical name."""
        return self.urn.rpartition("::")[2]

    @property
    def type(self) -> str:
        """Its type token."""
        return self.urn.split("::")[2].rpartition("$")[2]

    @property
    def destroys(self) -> bool:
        """Whether what exists goes."""
        return self.operation in ("replace", "delete")

    @property
    def inputs(self) -> Mapping[str, Any]:
        """Its inputs after the change, or before it when it goes."""
        return self.new or self.old

    @property
    def place(self) -> str:
        """Where a Kubernetes object is: its namespace and name; else the logical name.

        Of an object whose namespace is as new as itself, the namespace is not known yet.
        """
        metadata = self.inputs.get("metadata")
        if not self.type.startswith("kubernetes:") or not isinstance(metadata, Mapping):
            return self.name
        namespace, name = metadata.get("namespace"), metadata.get("name") or self.name
        if UNKNOWN in (namespace, name):
            return self.name
        return f"{namespace}/{name}" if isinstance(namespace, str) else str(name)


@dataclass(frozen=True)
class Problem:
    """An error or a warning of the engine.

    Attributes:
        severity: How grave it is.
        text: What it says, in one or more lines.
        name: Logical name of the resource that it is about; empty for none.
    """

    severity: Literal["error", "warning"]
    text: str
    name: str = ""


@dataclass(frozen=True)
class ChangeSet:
    """Everything that an update of a stack would do.

    Attributes:
        stack: Name of the stack.
        changes: What happens to each resource that does not stay as it is.
        unchanged: How many resources stay as they are.
        problems: What the engine complained of.
    """

    stack: str
    changes: tuple[Change, ...] = ()
    unchanged: int = 0
    problems: tuple[Problem, ...] = ()

    def of(self, *operations: Operation) -> list[Change]:
        """Return the changes of some kinds."""
        return [change for change in self.changes if change.operation in operations]

    def counts(self) -> dict[str, int]:
        """Return how many resources each operation concerns, in the order of a report."""
        order: tuple[Operation, ...] = (
            "replace",
            "delete",
            "create",
            "import",
            "update",
            "forget",
        )
        return {operation: len(self.of(operation)) for operation in order if self.of(operation)}

    @property
    def errors(self) -> list[Problem]:
        """The problems that make the preview fail."""
        return [problem for problem in self.problems if problem.severity == "error"]


def parse(stack: str, digest: Mapping[str, Any]) -> ChangeSet:
    """Return the changes of a preview.

    Args:
        stack: Name of the stack.
        digest: What the engine printed.

    Raises:
        KeyError: It is no such digest.
    """
    steps: dict[str, list[Mapping[str, Any]]] = {}
    for step in digest.get("steps") or []:
        steps.setdefault(step["urn"], []).append(step)
    changes = (_change(urn, of_one) for urn, of_one in steps.items())
    return ChangeSet(
        stack,
        tuple(change for change in changes if change is not None),
        int((digest.get("changeSummary") or {}).get("same", 0)),
        tuple(_problems(digest.get("diagnostics") or [])),
    )


def _change(urn: str, steps: Sequence[Mapping[str, Any]]) -> Change | None:
    operations = [str(step["op"]) for step in steps]
    old_state = _first(steps, "oldState")
    operation = _operation(operations, old_state)
    new_state = {} if operation == "delete" else _first(reversed(steps), "newState")
    if operation is None or not (new_state or old_state).get("custom"):
        # A component is nothing but its children.
        return None
    old, new = _inputs(old_state), _inputs(new_state)
    compared = operation in ("update", "replace")
    return Change(
        operation,
        urn,
        old,
        new,
        tuple(_fields(_first(steps, "detailedDiff"), old, new, old_state)) if compared else (),
        tuple(str(key) for key in _first_list(steps, "replaceReasons")),
        bool(old_state.get("protect")),
        operation == "replace" and _deletes_first(operations),
        str(old_state.get("deletedWith") or ""),
        str((new_state or old_state).get("provider") or "").rpartition("::")[0],
        tuple((new_state or old_state).get("dependencies") or ()),
    )


def _operation(operations: Sequence[str], old: Mapping[str, Any]) -> Operation | None:
    """Return what the steps of a resource come to; `None` when it stays as it is."""
    if "create-replacement" in operations or "replace" in operations:
        return "replace"
    if "import-replacement" in operations:
        return "replace"
    # The old half of a replacement that was interrupted goes: what counts is already there.
    if "delete-replaced" in operations:
        return None
    for operation in operations:
        if operation == "delete" and old.get("retainOnDelete"):
            return "forget"
        if operation in _PLAIN:
            return _PLAIN[operation]
    return None


def _deletes_first(operations: Sequence[str]) -> bool:
    made = [place for place, name in enumerate(operations) if name == "create-replacement"]
    gone = [place for place, name in enumerate(operations) if name == "delete-replaced"]
    return bool(made and gone) and gone[0] < made[0]


def _first(steps: Iterable[Mapping[str, Any]], key: str) -> Mapping[str, Any]:
    return next((step[key] for step in steps if step.get(key)), {})


def _first_list(steps: Iterable[Mapping[str, Any]], key: str) -> Sequence[Any]:
    return next((step[key] for step in steps if step.get(key)), ())


def _inputs(state: Mapping[str, Any]) -> dict[str, Any]:
    """Return the inputs of a state for a person: values of secrets hidden, unknown ones named."""
    inputs = dict(_readable(state.get("inputs") or {}))
    if state.get("type") in _SECRETS:
        for name in _SECRET_FIELDS:
            if isinstance(inputs.get(name), Mapping):
                inputs[name] = dict.fromkeys(inputs[name], SECRET)
    return inputs


def _readable(value: Any) -> Any:
    if isinstance(value, Mapping):
        shown = {key: item for key, item in value.items() if not str(key).startswith("__")}
        return {key: _readable(item) for key, item in shown.items()}
    if isinstance(value, list):
        return [_readable(item) for item in value]
    return UNKNOWN if value == _UNKNOWN_VALUE else value


def _fields(
    detailed: Mapping[str, Any],
    old: Mapping[str, Any],
    new: Mapping[str, Any],
    old_state: Mapping[str, Any],
) -> Iterator[Field]:
    """Yield what changed, as the provider names it; else as the inputs differ."""
    outputs = _inputs({**old_state, "inputs": old_state.get("outputs") or {}})
    if not detailed or not all(map(_is_path, detailed)):
        detailed = {path: {"inputDiff": True} for path in difference(old, new).fields}
    for path in sorted(detailed):
        before = old if detailed[path].get("inputDiff") else outputs
        was, now = at(before, path), at(new, path)
        if was is None and before is outputs:
            was = at(old, path)
        if was == now and not _hidden(was):
            # The provider compares more than the inputs show, its own version for one.
            continue
        yield Field(path, was, now)


def _is_path(text: str) -> bool:
    try:
        parse_path(text)
    except ValueError:
        return False
    return True


def _hidden(value: Any) -> bool:
    """Tell whether something secret or unknown is in a value: equal ones may differ then."""
    if isinstance(value, Mapping):
        return any(_hidden(item) for item in value.values())
    if isinstance(value, list):
        return any(_hidden(item) for item in value)
    return value in (SECRET, UNKNOWN)


def at(value: Any, path: str) -> Any:
    """Return what is at a path of the engine's notation; `None` where nothing is."""
    for element in parse_path(path):
        if isinstance(value, Mapping):
            value = value.get(str(element))
        elif isinstance(value, list) and isinstance(element, int):
            value = value[element] if element < len(value) else None
        else:
            return None
    return value


def _problems(diagnostics: Iterable[Mapping[str, Any]]) -> Iterator[Problem]:
    for diagnostic in diagnostics:
        severity = diagnostic.get("severity")
        text = str(diagnostic.get("message") or "").strip()
        if severity in ("error", "warning") and text:
            name = str(diagnostic.get("urn") or "").rpartition("::")[2]
            yield Problem(severity, text.removeprefix(f"{severity}: "), name)
