"""Which fields of an object the engine keeps encrypted, and keeping them out of messages.

What a Secret holds is always secret. Elsewhere secretness follows the inputs: a field that was
secret in the program is secret in what comes back from the cluster.
"""

import base64
import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any, Final

from toolchain.plugin.properties import Properties, Secret, contains_secret, plain

_SECRET_FIELDS: Final = ("data", "stringData")
_HIDDEN: Final = "[secret]"
_SHORTEST_HIDDEN: Final = 4
"""Shorter texts are left in messages: hiding each `1` would hide the message."""

LAST_APPLIED: Final = "kubectl.kubernetes.io/last-applied-configuration"


def marked(values: Mapping[str, Any], inputs: Mapping[str, Any] | None) -> Properties:
    """Return a copy of plain values with the secrets marked.

    Args:
        values: Plain values, of an object or of its inputs.
        inputs: Inputs of the program with their own secret marks. Of a list that holds a secret,
            the whole list is marked: the cluster may reorder it.
    """
    result = dict(values)
    if result.get("kind") == "Secret":
        _mark_secret_kind(result)
    return _marked_as(inputs or {}, result)


def _marked_as(inputs: Mapping[str, Any], values: Mapping[str, Any]) -> Properties:
    result = dict(values)
    for key, given in inputs.items():
        if key not in result:
            continue
        value = result[key]
        if isinstance(value, Mapping) and isinstance(given, Mapping):
            result[key] = _marked_as(given, value)
        elif not isinstance(value, Secret) and contains_secret(given):
            result[key] = Secret(value)
    return result


def _mark_secret_kind(obj: Properties) -> None:
    for key in _SECRET_FIELDS:
        if key in obj and not isinstance(obj[key], Secret):
            obj[key] = Secret(obj[key])
    metadata = obj.get("metadata")
    annotations = metadata.get("annotations") if isinstance(metadata, Mapping) else None
    if isinstance(metadata, Mapping) and isinstance(annotations, Mapping):
        # `kubectl apply` keeps a copy of everything it sent in this annotation.
        hidden = {key: Secret(v) if key == LAST_APPLIED else v for key, v in annotations.items()}
        obj["metadata"] = {**metadata, "annotations": hidden}


def redacted(text: str, inputs: Mapping[str, Any]) -> str:
    """Return a message of the API server without the secrets of the inputs that it is about.

    The server quotes the values that it refuses.
    """
    for secret in sorted(set(_secret_texts(marked(inputs, inputs), False)), key=len, reverse=True):
        text = text.replace(secret, _HIDDEN)
    return text


def _secret_texts(value: Any, secret: bool) -> Iterator[str]:
    if isinstance(value, Secret):
        yield from _secret_texts(plain(value), True)
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _secret_texts(item, secret)
    elif isinstance(value, list):
        for item in value:
            yield from _secret_texts(item, secret)
    elif secret and isinstance(value, str):
        yield from (known for known in _spellings(value) if len(known) >= _SHORTEST_HIDDEN)


def _spellings(value: str) -> Iterator[str]:
    """Return a secret as the server may write it: as it is, quoted, or decoded."""
    texts = [value]
    # What is not base64, or not of a text, has only itself to hide.
    with suppress(ValueError):
        texts.append(base64.b64decode(value, validate=True).decode())
    for text in texts:
        yield text
        yield json.dumps(text, ensure_ascii=False)[1:-1]
