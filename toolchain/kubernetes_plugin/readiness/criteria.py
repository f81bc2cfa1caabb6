"""`pulumi.com/waitFor`: criteria that a program states itself.

The annotation is one expression, or a JSON list of expressions that all have to hold:
`jsonpath={.status.phase}`, `jsonpath={.status.phase}=Running`, `condition=Ready` or
`condition=Ready=False`. The syntax is that of `kubectl wait`, in its strict form, as documented for
the official plug-in.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from jsonpath_rfc9535 import JSONPathEnvironment, JSONPathError, JSONPathQuery, JSONValue

from toolchain.kubernetes_plugin.readiness.fields import (
    Document,
    documents,
    is_observed,
    number,
    pluck,
    text,
)
from toolchain.kubernetes_plugin.readiness.verdict import Pending, Ready, Related, Verdict

WAIT_FOR = "pulumi.com/waitFor"

# Stands for "==" of a filter while an expression is split at its single "=".
_EQUALS = "\0"

_PATHS = JSONPathEnvironment()


class InvalidCriterionError(ValueError):
    """An expression that cannot be understood; the message names the annotation and the way out."""

    def __init__(self, expression: str, problem: str) -> None:
        """Name the expression and what is wrong with it."""
        super().__init__(f"annotation {WAIT_FOR}: {expression!r} {problem}")


@dataclass(frozen=True)
class PathCriterion:
    """A JSONPath that has to select something, or a certain value.

    Attributes:
        expression: The path as it was written, with its braces.
        query: The compiled path.
        value: The value that the first match must have; `None` accepts any.
    """

    expression: str
    query: JSONPathQuery
    value: str | None

    def judge(self, obj: Document) -> Verdict:
        """Judge the object's current state."""
        wanted = self.expression if self.value is None else f"{self.expression}={self.value}"
        if pluck(obj, "status", "observedGeneration") is not None and not is_observed(obj):
            return Pending(f"Waiting for {wanted} (the controller has not seen the change)")
        node = self.query.find_one(cast(JSONValue, dict(obj)))
        if node is None:
            return Pending(f"Waiting for {wanted} (it selects nothing)")
        if self.value is None:
            return Ready(f"Found {wanted}")
        found = _shown(node.value)
        if found == self.value:
            return Ready(f"Found {wanted}")
        return Pending(f"Waiting for {wanted} (found {found!r})")


@dataclass(frozen=True)
class ConditionCriterion:
    """A condition in the object's status that has to have a certain status.

    Attributes:
        kind: Type of the condition; upper and lower case are the same.
        status: Status it must have; upper and lower case are the same.
    """

    kind: str
    status: str = "True"

    def judge(self, obj: Document) -> Verdict:
        """Judge the object's current state."""
        wanted = f"condition {self.kind}={self.status}"
        for entry in documents(obj, "status", "conditions"):
            if text(entry, "type").lower() != self.kind.lower():
                continue
            if _is_stale(obj, entry):
                return Pending(f"Waiting for {wanted} (the controller has not seen the change)")
            if text(entry, "status").lower() == self.status.lower():
                return Ready(f"Found {wanted}")
            said = text(entry, "message") or text(entry, "reason") or text(entry, "status")
            return Pending(f"Waiting for {wanted} (found {text(entry, 'status')}: {said})")
        return Pending(f"Waiting for {wanted} (the object has no such condition)")


Criterion = PathCriterion | ConditionCriterion


def parse(annotation: str) -> tuple[Criterion, ...]:
    """Read the value of the annotation.

    Raises:
        InvalidCriterionError: It holds no expression, or one that cannot be understood.
    """
    try:
        listed: Any = json.loads(annotation)
    except json.JSONDecodeError:
        listed = None
    is_list = isinstance(listed, list) and all(isinstance(item, str) for item in listed)
    expressions = listed if is_list else [annotation]
    if not expressions:
        raise InvalidCriterionError(
            annotation, "lists no criterion; list one or drop the annotation"
        )
    return tuple(_criterion(expression) for expression in expressions)


def judge_all(criteria: Sequence[Criterion]) -> Callable[[Document, Related], Verdict]:
    """Return the status function that is ready when every criterion holds."""

    def judge(obj: Document, related: Related) -> Verdict:
        del related
        verdicts = [criterion.judge(obj) for criterion in criteria]
        for verdict in verdicts:
            if not isinstance(verdict, Ready):
                return verdict
        return verdicts[-1]

    return judge


def _criterion(expression: str) -> Criterion:
    prefix, _, rest = expression.partition("=")
    if prefix == "jsonpath":
        return _path(expression, rest)
    if prefix == "condition" and rest:
        kind, _, status = rest.partition("=")
        return ConditionCriterion(kind, status or "True")
    raise InvalidCriterionError(expression, 'must start with "jsonpath=" or "condition="')


def _path(expression: str, rest: str) -> PathCriterion:
    parts = [part.replace(_EQUALS, "==") for part in rest.replace("==", _EQUALS).split("=")]
    path = parts[0].strip()
    if len(parts) > 2 or (len(parts) == 2 and not parts[1]):
        raise InvalidCriterionError(expression, "must be {.path} or {.path}=value")
    if path.startswith("'"):
        raise InvalidCriterionError(expression, "must not carry the quotes of a shell")
    if not (path.startswith("{") and path.endswith("}")):
        raise InvalidCriterionError(expression, "must have its path in braces: {.path}")
    inner = path[1:-1].strip()
    try:
        query = _PATHS.compile(inner if inner.startswith("$") else f"${inner}")
    except JSONPathError as error:
        raise InvalidCriterionError(expression, f"is no JSONPath: {error}") from error
    return PathCriterion(path, query, parts[1] if len(parts) == 2 else None)


def _is_stale(obj: Document, entry: Document) -> bool:
    observed = number(entry, "observedGeneration", default=-1)
    if observed < 0:
        observed = number(obj, "status", "observedGeneration", default=-1)
    return 0 <= observed < number(obj, "metadata", "generation")


def _shown(value: object) -> str:
    """Write a value as a person writes it after the `=`: booleans as `true`, not `True`."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Mapping | list):
        return json.dumps(value)
    return str(value)
