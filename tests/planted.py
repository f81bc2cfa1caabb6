"""Finds a planted value in what a run has written, in the forms that programs write values in."""

import base64
import json
from urllib.parse import quote, quote_plus


def spellings(value: str) -> frozenset[str]:
    """Return the forms of a value: as it is, escaped, and encoded at any place of a longer text.

    Args:
        value: At least 12 characters, so that no form of it is found by chance.
    """
    assert len(value) >= 12, "too short to be found for certain"
    raw = value.encode()
    quoted = json.dumps(value)[1:-1]
    forms = {value, quoted, json.dumps(quoted)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1]}
    forms |= {quote(value), quote(value, safe=""), quote_plus(value), raw.hex(), raw.hex().upper()}
    # `%q` of Go, and the representation of Python.
    forms |= {repr(value)[1:-1], repr(raw)[2:-1]}
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        for before in range(3):
            # Of a text that is encoded with others, only the whole groups are sure.
            encoded = encode(b"\0" * before + raw).decode().rstrip("=")
            forms.add(encoded[(4 if before else 0) : len(encoded) // 4 * 4])
    return frozenset(forms)


def found(value: str, text: str) -> list[str]:
    """Return the pieces of a text that show a value, with what stands around them."""
    places = (text.find(form) for form in spellings(value))
    return [text[max(0, place - 120) : place + 80] for place in places if place >= 0]
