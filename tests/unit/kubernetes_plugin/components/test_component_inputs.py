from typing import Any

import pulumi
import pytest
from google.protobuf import json_format, struct_pb2
from pulumi.provider.experimental.property_value import PropertyValue, ResourceReference
from pulumi.runtime import rpc

from toolchain.kubernetes_plugin.components import inputs, wire
from toolchain.kubernetes_plugin.components.errors import ComponentError

SIGNATURE, OUTPUT = rpc._special_sig_key, rpc._special_output_value_sig


def received(values: dict[str, Any]) -> dict[str, PropertyValue]:
    """Return what the plug-in's server makes of inputs on the wire."""
    struct = struct_pb2.Struct()
    json_format.ParseDict(values, struct)
    wire.complete(struct)
    return PropertyValue.unmarshal_map(struct)


def test_plain_inputs_arrive_as_they_were_written() -> None:
    read = inputs.read(received({"a": {"b": [1, 1.5, True, None, "x"]}}))
    assert read.values == {"a": {"b": [1, 1.5, True, None, "x"]}}
    assert [type(item) for item in read.values["a"]["b"][:2]] == [int, float]
    assert read.secret == frozenset()


def test_an_input_that_holds_a_secret_is_remembered() -> None:
    secret = {SIGNATURE: rpc._special_secret_sig, "value": "hush"}
    read = inputs.read(received({"values": {"deep": [secret]}, "chart": "x"}))
    assert read.values["values"] == {"deep": ["hush"]}
    assert read.secret == {"values"}


@pytest.mark.parametrize(
    "value",
    [
        rpc.UNKNOWN,
        {"deep": [rpc.UNKNOWN]},
        {SIGNATURE: OUTPUT},
        {"deep": {SIGNATURE: OUTPUT, "dependencies": ["urn:a"]}},
    ],
)
def test_an_input_that_is_not_known_yet_is_found_at_any_depth(value: Any) -> None:
    assert not inputs.are_known(received({"values": value}))


def test_an_output_that_is_known_is_its_value() -> None:
    values = received({"name": {SIGNATURE: OUTPUT, "value": "x", "secret": True}})
    assert inputs.are_known(values)
    read = inputs.read(values)
    assert read.values == {"name": "x"}
    assert read.secret == {"name"}


def test_a_reference_to_a_child_is_what_every_sdk_reads() -> None:
    sent = json_format.MessageToDict(wire.reference("urn:a", "team/one").marshal())
    assert sent[SIGNATURE] == OUTPUT
    assert sent["dependencies"] == ["urn:a"]
    assert sent["value"] == {
        SIGNATURE: rpc._special_resource_sig,
        "urn": "urn:a",
        "id": "team/one",
    }


@pytest.mark.parametrize(
    ("read", "words"),
    [
        (lambda given: given.text("number"), "number: expected a string, got a int"),
        (lambda given: given.flag("text"), "text: expected true or false, got a str"),
        (lambda given: given.mapping("text"), "text: expected a mapping, got a str"),
        (lambda given: given.text("asset"), "asset: expected a string, got an asset"),
    ],
)
def test_an_input_of_the_wrong_type_is_named(read: Any, words: str) -> None:
    given = inputs.read(
        {
            "number": PropertyValue(1.0),
            "text": PropertyValue("x"),
            "asset": PropertyValue(pulumi.StringAsset("x")),
        }
    )
    with pytest.raises(ComponentError) as caught:
        read(given)
    assert str(caught.value) == words


def test_a_resource_is_no_input() -> None:
    with pytest.raises(ComponentError, match="pass its outputs"):
        inputs.read({"a": PropertyValue(ResourceReference("urn:a"))})
