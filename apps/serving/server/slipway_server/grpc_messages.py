"""The messages of the protocol over gRPC and of gRPC's health service, as classes of protobuf.

Built from the table below instead of generated code, so that neither a compiler nor a file of
somebody else is needed. Names and numbers are those of the protocol's `open_inference_grpc.proto`
(https://github.com/kserve/open-inference-protocol) and of `grpc/health/v1/health.proto`, whose own
package asks for a newer protobuf than Pulumi takes. Left out are `parameters`, of which the server
reads none: protobuf skips what it does not know.
"""

from typing import Any, Final

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

PACKAGE: Final = "inference"
SERVICE: Final = f"{PACKAGE}.GRPCInferenceService"

_TENSOR: Final = ("name string", "datatype string", "shape int64*")
_CONTENTS: Final = "contents InferTensorContents"

# By message: its fields as `name type`, `*` for repeated ones, with their numbers.
_MESSAGES: Final[dict[str, dict[int, str]]] = {
    "ServerLiveResponse": {1: "live bool"},
    "ServerReadyResponse": {1: "ready bool"},
    "ModelReadyRequest": {1: "name string", 2: "version string"},
    "ModelReadyResponse": {1: "ready bool"},
    "ServerMetadataResponse": {1: "name string", 2: "version string", 3: "extensions string*"},
    "ModelMetadataRequest": {1: "name string", 2: "version string"},
    "ModelMetadataResponse": {
        1: "name string",
        2: "versions string*",
        3: "platform string",
        4: "inputs ModelMetadataResponse.TensorMetadata*",
        5: "outputs ModelMetadataResponse.TensorMetadata*",
    },
    "ModelMetadataResponse.TensorMetadata": dict(enumerate(_TENSOR, 1)),
    "ModelInferRequest": {
        1: "model_name string",
        2: "model_version string",
        3: "id string",
        5: "inputs ModelInferRequest.InferInputTensor*",
        6: "outputs ModelInferRequest.InferRequestedOutputTensor*",
        7: "raw_input_contents bytes*",
    },
    "ModelInferRequest.InferInputTensor": dict(enumerate(_TENSOR, 1)) | {5: _CONTENTS},
    "ModelInferRequest.InferRequestedOutputTensor": {1: "name string"},
    "ModelInferResponse": {
        1: "model_name string",
        2: "model_version string",
        3: "id string",
        5: "outputs ModelInferResponse.InferOutputTensor*",
        6: "raw_output_contents bytes*",
    },
    "ModelInferResponse.InferOutputTensor": dict(enumerate(_TENSOR, 1)) | {5: _CONTENTS},
    "InferTensorContents": {
        1: "bool_contents bool*",
        2: "int_contents int32*",
        3: "int64_contents int64*",
        4: "uint_contents uint32*",
        5: "uint64_contents uint64*",
        6: "fp32_contents float*",
        7: "fp64_contents double*",
        8: "bytes_contents bytes*",
    },
    "HealthCheckRequest": {1: "service string"},
    # An enumeration, which is the same on the wire.
    "HealthCheckResponse": {1: "status int32"},
}


def _describe() -> descriptor_pb2.FileDescriptorProto:
    file = descriptor_pb2.FileDescriptorProto(
        name="slipway_server.proto", package=PACKAGE, syntax="proto3"
    )
    described: dict[str, descriptor_pb2.DescriptorProto] = {}
    for full_name, fields in _MESSAGES.items():
        outer, _, name = full_name.rpartition(".")
        message = described[outer].nested_type.add() if outer else file.message_type.add()
        message.name = name
        described[full_name] = message
        for number, field in fields.items():
            _describe_field(message.field.add(number=number), field)
    return file


def _describe_field(described: descriptor_pb2.FieldDescriptorProto, field: str) -> None:
    kinds = descriptor_pb2.FieldDescriptorProto
    described.name, kind = field.removesuffix("*").split()
    described.label = kinds.LABEL_REPEATED if field.endswith("*") else kinds.LABEL_OPTIONAL
    if kind in _MESSAGES:
        described.type_name = f".{PACKAGE}.{kind}"
        described.type = kinds.TYPE_MESSAGE
    else:
        described.type = kinds.Type.Value(f"TYPE_{kind.upper()}")


def _classes() -> dict[str, Any]:
    # A pool of our own: a client in the same process may bring the same names.
    pool = descriptor_pool.DescriptorPool()
    pool.Add(_describe())
    return {
        name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{PACKAGE}.{name}"))
        for name in _MESSAGES
    }


MESSAGES: Final = _classes()
"""Class by name of the message."""
