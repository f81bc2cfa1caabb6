"""Property values between the engine and plain Python."""

import pytest
from google.protobuf import struct_pb2

from toolchain.plugin.properties import (
    UNKNOWN,
    Secret,
    contains_secret,
    contains_unknown,
    from_struct,
    plain,
    to_struct,
)


def test_everything_comes_back_as_it_went() -> None:
    values = {
        "text": "a",
        "none": None,
        "flag": True,
        "whole": 3,
        "part": 0.5,
        "list": [1, {"a": []}],
        "secret": Secret({"password": "x"}),
        "later": UNKNOWN,
        "deep": {"list": [Secret(UNKNOWN)]},
    }
    assert from_struct(to_struct(values)) == values


def test_whole_numbers_are_integers() -> None:
    struct = struct_pb2.Struct()
    struct.update({"port": 80.0})
    assert type(from_struct(struct)["port"]) is int


@pytest.mark.parametrize(
    "sentinel",
    ["1c4a061d-8072-4f0a-a4cb-0ff528b18fe7", "6a19a0b0-7e62-4c92-b797-7f8e31da9cc2"],
)
def test_an_unknown_value_of_any_type_is_unknown(sentinel: str) -> None:
    struct = struct_pb2.Struct()
    struct.update({"value": sentinel})
    assert from_struct(struct)["value"] is UNKNOWN


def test_plain_drops_secret_marks_and_keeps_unknowns() -> None:
    values = {"a": Secret([Secret("x"), UNKNOWN])}
    assert plain(values) == {"a": ["x", UNKNOWN]}


def test_a_secret_never_prints_itself() -> None:
    assert "hunter2" not in repr(Secret("hunter2"))


def test_secrets_and_unknowns_are_found_at_any_depth() -> None:
    values = {"a": [{"b": Secret({"c": UNKNOWN})}]}
    assert contains_secret(values)
    assert contains_unknown(values)
    assert not contains_secret(plain(values))
    assert not contains_unknown({"a": [1]})
