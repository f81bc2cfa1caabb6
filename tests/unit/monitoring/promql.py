"""Which series an expression reads: enough of PromQL's grammar for our own files."""

import re

_STRING = re.compile(r'"(?:[^"\\]|\\.)*"')
_MATCHERS = re.compile(r"\{[^{}]*\}")
_RANGE = re.compile(r"\[[^\]]*\]")
_LABELS = re.compile(r"\b(by|without|on|ignoring|group_left|group_right)\s*\([^()]*\)")
_WORD = re.compile(r"(?<![\w:.])([a-zA-Z_:][\w:]*)(\s*\()?")
_KEYWORDS = {"and", "or", "unless", "bool", "offset", "by", "without", "on", "group_left"}
_NUMBERS = {"inf", "nan"}


def series(expression: str) -> set[str]:
    """Return the names of the series that an expression reads."""
    text = _STRING.sub('""', expression)
    for pattern in (_MATCHERS, _RANGE, _LABELS):
        text = pattern.sub(" ", text)
    return {
        word
        for word, call in _WORD.findall(text)
        if not call and word not in _KEYWORDS and word.lower() not in _NUMBERS
    }
