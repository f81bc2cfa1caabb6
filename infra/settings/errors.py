"""From pydantic's errors to lines that name the key and the way out."""

import difflib
import types
import typing
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any, Final

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from infra.settings.plain import is_encrypted

NAMESPACE: Final = "slipway"

# What pydantic expects, in the words of someone who writes YAML.
_EXPECTED: Final[Mapping[str, str]] = {
    "string_type": "text",
    "int_type": "a whole number",
    "float_type": "a number",
    "bool_type": "`true` or `false`",
    "tuple_type": "a list",
    "dict_type": "a mapping of names to entries",
    "model_type": "a mapping of keys to values (`{}` if it has none)",
    "model_attributes_type": "a mapping of keys to values (`{}` if it has none)",
}

# Where a key chooses between models by their `kind`, and where pydantic puts the choice below it.
_TAGS: Final[Mapping[tuple[str, ...], int]] = {
    ("cluster",): 1,
    ("platform", "secrets", "stores"): 4,
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
    for place, tag in _TAGS.items():
        if tuple(shown[: len(place)]) == place and len(shown) > tag:
            del shown[tag]
    return shown


def _words(detail: ErrorDetails, location: Sequence[str | int], root: type[BaseModel]) -> str:
    kind, value, context = detail["type"], detail["input"], detail.get("ctx", {})
    if is_encrypted(value):
        return "is encrypted, but this key holds no secret; write it as plain text"
    match kind:
        case "value_error":
            return str(context["error"])
        case "missing":
            return "is missing; add it"
        case "extra_forbidden" if location[-1] == "secure":
            return "only a flat key holds an encrypted value; write `{config: <key>}` here"
        case "extra_forbidden":
            return f"unknown key; {suggest(str(location[-1]), _known_keys(root, location[:-1]))}"
        case "literal_error":
            return f"{_shown(value)} is not known; choose from {_unquoted(context['expected'])}"
        case "union_tag_invalid":
            known = _unquoted(context["expected_tags"])
            return f"no {_chosen(location)} kind `{context['tag']}`; known: {known}"
        case "union_tag_not_found":
            return f"`kind` is missing; add it, known: {', '.join(_kinds(root, location))}"
        case "too_short":
            return "is empty; give at least one entry"
        case "greater_than_equal":
            return f"{_shown(value)} is too small; the smallest is {context['ge']}"
        case "less_than_equal":
            return f"{_shown(value)} is too large; the largest is {context['le']}"
        case _ if kind in _EXPECTED:
            # Whoever writes a secret where its source belongs should not read it in a log.
            shown = "a value" if "secrets" in location[:-1] else _shown(value)
            return f"{shown} has the wrong type; write {_EXPECTED[kind]}"
        case _:
            return f"{detail['msg']}; correct the value"


def _chosen(location: Sequence[str | int]) -> str:
    """Return what a `kind` at a location chooses."""
    return "cluster" if location[0] == "cluster" else "store"


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


def _kinds(root: type[BaseModel], location: Sequence[str | int]) -> list[str]:
    """Return the values of `kind` among which a union at a location tells its models apart."""
    union: Any = root
    for part in location:
        union = _below(union, str(part))
    return [
        kind
        for model in typing.get_args(union) or (union,)
        for kind in typing.get_args(model.model_fields["kind"].annotation)
    ]


def _below(model: Any, part: str) -> Any:
    """Return the type that a key leads to: of a model's field, or of a mapping's values.

    Below a discriminated union the key is the tag of one of its models.
    """
    if typing.get_origin(model) is types.UnionType:
        tags = {typing.get_args(m.model_fields["kind"].annotation)[0]: m for m in _members(model)}
        return tags[part]
    if isinstance(model, type) and issubclass(model, BaseModel):
        for name, field in model.model_fields.items():
            if part == (field.alias or name):
                return _bare(field.annotation)
        # A tag of a discriminated union: the location repeats it, the type is already chosen.
        return model
    return _bare(typing.get_args(model)[1])


def _bare(annotation: Any) -> Any:
    """Return a type without its constraints, and of an optional value the value's."""
    if typing.get_origin(annotation) is Annotated:
        return _bare(typing.get_args(annotation)[0])
    if types.NoneType in typing.get_args(annotation):
        return _bare(_members(annotation)[0])
    return annotation


def _members(union: Any) -> list[Any]:
    return [member for member in typing.get_args(union) if member is not types.NoneType]
