"""The search for planted values finds them: a search that finds nothing proves nothing."""

import base64
import json
import urllib.parse
from collections.abc import Callable

import pytest

from tests.planted import found

VALUE = 'pl4nted-"value"/+é'

FORMS: dict[str, Callable[[str], str]] = {
    "plain": str,
    "JSON": json.dumps,
    "JSON in UTF-8": lambda value: json.dumps(value, ensure_ascii=False),
    "JSON in JSON": lambda value: json.dumps(json.dumps(value)),
    "URL": urllib.parse.quote,
    "query": urllib.parse.quote_plus,
    "base64": lambda value: base64.b64encode(value.encode()).decode(),
    "base64 of more": lambda value: base64.b64encode(f"x{value}y".encode()).decode(),
    "base64 of JSON": lambda value: base64.b64encode(f'{{"k": {value}'.encode()).decode(),
    "URL-safe base64": lambda value: base64.urlsafe_b64encode(value.encode()).decode(),
    "hex": lambda value: value.encode().hex(),
    "Python": repr,
}


@pytest.mark.parametrize("form", FORMS)
def test_a_planted_value_is_found_in_every_form(form: str) -> None:
    assert found(VALUE, f"before {FORMS[form](VALUE)} after")


def test_nothing_is_found_where_nothing_was_planted() -> None:
    assert found(VALUE, f"before {FORMS['base64']('something else altogether')} after") == []
