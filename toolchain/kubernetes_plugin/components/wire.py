"""Values between the engine and a component, where the SDK's own conversion falls short.

The SDK's `PropertyValue` can neither read nor write a value that is not known yet, and it writes
references to resources under keys that no other part of Pulumi reads (SDK 3.259.0).
"""

from typing import Final

import pulumi
from google.protobuf import struct_pb2
from pulumi.provider.experimental.property_value import PropertyValue
from pulumi.runtime import rpc

UNKNOWN: Final = PropertyValue(rpc.UNKNOWN)
"""A value that is not known yet."""


def complete(inputs: struct_pb2.Struct) -> None:
    """Fill in what the engine leaves out of the outputs among a component's inputs.

    An output without a value is one that is not known yet; the SDK requires a value, the list of
    dependencies and the secret mark.

    Args:
        inputs: Inputs of a component, changed in place.
    """
    for value in inputs.fields.values():
        _complete(value)


def is_unknown(value: PropertyValue) -> bool:
    """Whether a value, without looking inside it, is one that is not known yet."""
    return value.value == rpc.UNKNOWN


def reference(urn: str, resource_id: str) -> PropertyValue:
    """Return a reference to a resource.

    Args:
        urn: URN of the resource.
        resource_id: Its id; "" while that is not known.
    """
    fields = {
        rpc._special_sig_key: rpc._special_resource_sig,
        "urn": urn,
        "id": resource_id,
    }
    return PropertyValue(
        {key: PropertyValue(text) for key, text in fields.items()}, dependencies=[urn]
    )


async def reference_to(resource: pulumi.CustomResource) -> PropertyValue:
    """Return a reference to a registered resource; in a preview its id may not be known."""
    urn = str(await resource.urn.future())
    is_known = await resource.id.is_known()
    return reference(urn, str(await resource.id.future()) if is_known else "")


def _complete(value: struct_pb2.Value) -> None:
    kind = value.WhichOneof("kind")
    if kind == "list_value":
        for item in value.list_value.values:
            _complete(item)
    elif kind == "struct_value":
        fields = value.struct_value.fields
        signature = rpc._special_sig_key
        if signature in fields and (
            fields[signature].string_value == rpc._special_output_value_sig
        ):
            _complete_output(value.struct_value)
        for item in fields.values():
            _complete(item)


def _complete_output(output: struct_pb2.Struct) -> None:
    fields = output.fields
    if "value" not in fields:
        fields["value"].string_value = rpc.UNKNOWN
    if "secret" not in fields:
        fields["secret"].bool_value = False
    if "dependencies" not in fields:
        fields["dependencies"].list_value.SetInParent()
