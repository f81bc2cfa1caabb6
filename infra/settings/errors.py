"""From pydantic's errors to lines that name the key and the way out."""

import difflib
import typing
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

NAMESPACE: Final = "slipway"

# What pydantic expects, in the words of someone who writes YAML.
_EXPECTED: Final[Mapping[str, str]] = {
    "string_type": "text",
    "int_type": "a whole number",
    "bool_type": "`true` or `false`",
    "tuple_type": "a list",
    "dict_type": "a mapping of names to entries",
    "model_type": "a mapping of keys to values (`{}` if it has none)",
    "model_attributes_type": "a mapping of keys to values (`{}` if it has none)",
}


class SettingsError(ValueError):
    """Settings that cannot be used.

    Attributes:
        errors: Every error, one line each, as `<key>: <what>; <way out>`.
    """

    def __init__(self, errors: Iterable[str]) -> None:
        self.errors = tuple(errors)
        super().__init__("\n".join(self.errors))


def key(*location: str | int) -> str:
    """Return the name of a key as a person finds it in a stack file."""
    text = ""
    for part in location:
        text += f"[{part}]" if isinstance(part, int) else f".{part}"
    return f"{NAMESPACE}:{text.removeprefix('.')}"


def suggest(word: str, known: Iterable[str]) -> str:
    """Return the way out of an unknown word: the nearest known one, else all of them."""
    names = sorted(known)
    near = difflib.get_close_matches(word, names, n=1)
    if near:
        return f"did you mean `{near[0]}`?"
    return f"known: {', '.join(names)}" if names else "remove it"


def lines(error: ValidationError, root: type[BaseModel]) -> list[str]:
    """Return one line for each of pydantic's errors, in the order of the stack file."""
    details = error.errors(include_url=False)
    # A list whose every entry is wrong is also reported as empty: only the entries help.
    wrong_lists = {detail["loc"][:-1] for detail in details if isinstance(detail["loc"][-1], int)}
    return [
        _line(detail, root)
        for detail in details
        if detail["type"] != "too_short" or detail["loc"] not in wrong_lists
    ]


def _line(detail: ErrorDetails, root: type[BaseModel]) -> str:
    location = [part for part in detail["loc"] if part != "[key]"]
    return f"{key(*_without_tag(location))}: {_words(detail, location, root)}"


def _without_tag(location: Sequence[str | int]) -> list[str | int]:
    """Drop the kind that pydantic puts into the location below a discriminated union."""
    shown = list(location)
    if len(shown) > 1 and shown[0] == "cluster":
        del shown[1]
    return shown


def _words(detail: ErrorDetails, location: Sequence[str | int], root: type[BaseModel]) -> str:
    kind, value, context = detail["type"], detail["input"], detail.get("ctx", {})
    if isinstance(value, Mapping) and set(value) == {"secure"}:
        return "is encrypted, but this key holds no secret; write it as plain text"
    match kind:
        case "value_error":
            return str(context["error"])
        case "missing":
            return "is missing; add it"
        case "extra_forbidden":
            return f"unknown key; {suggest(str(location[-1]), _known_keys(root, location[:-1]))}"
        case "literal_error":
            return f"{_shown(value)} is not known; choose from {_unquoted(context['expected'])}"
        case "union_tag_invalid":
            return (
                f"no cluster kind `{context['tag']}`; known: {_unquoted(context['expected_tags'])}"
            )
        case "union_tag_not_found":
            return "`kind` is missing; add `kind: local`"
        case "too_short":
            return "is empty; give at least one entry"
        case "greater_than_equal":
            return f"{_shown(value)} is too small; the smallest is {context['ge']}"
        case "less_than_equal":
            return f"{_shown(value)} is too large; the largest is {context['le']}"
        case _ if kind in _EXPECTED:
            return f"{_shown(value)} has the wrong type; write {_EXPECTED[kind]}"
        case _:
            return f"{detail['msg']}; correct the value"


def _unquoted(names: str) -> str:
    return names.replace("'", "")


def _shown(value: object) -> str:
    if value is None:
        return "an empty value"
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, list | tuple):
        return "a list"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def _known_keys(root: type[BaseModel], location: Sequence[str | int]) -> list[str]:
    """Return the keys of the model at a location, as they are spelt in YAML."""
    model: Any = root
    for part in location:
        model = _below(model, str(part))
    return [field.alias or name for name, field in model.model_fields.items()]


def _below(model: Any, part: str) -> Any:
    """Return the type that a key leads to: of a model's field, or of a mapping's values."""
    if isinstance(model, type) and issubclass(model, BaseModel):
        for name, field in model.model_fields.items():
            if part == (field.alias or name):
                return field.annotation
        # A tag of a discriminated union: the location repeats it, the type is already chosen.
        return model
    return typing.get_args(model)[1]
