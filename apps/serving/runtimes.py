"""The serving runtimes: one row per model format.

Plain data without a Pulumi import, because the settings check a stack file against it too.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

# Of the server in `apps/serving/server`.
PORT: Final = 8080
PROTOCOL: Final = "open-inference-v2"

# Field tags that may follow `ir_version` in a serialised ONNX ModelProto (onnx.proto): producer,
# its version, domain, model version, doc string, graph, opsets, metadata.
_ONNX_NEXT_FIELDS: Final = frozenset({0x12, 0x1A, 0x22, 0x28, 0x32, 0x3A, 0x42, 0x72})
# The newest pickle protocol of Python 3.11.
_PICKLE_NEWEST: Final = 5
# joblib's compressors: zlib, gzip, bz2, xz, lzma.
_COMPRESSED: Final = (b"\x78", b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"\x5d\x00")


@dataclass(frozen=True)
class Runtime:
    """How the models of one format are served.

    Attributes:
        recipe: Recipe of the server image in `toolchain/images`.
        content: What a file of this format is, in words.
        recognises: Whether a file that starts with these bytes can be of this format; 16 suffice.
        args: From the model's name, its version and the path of its file in the pod to the server's
            arguments.
    """

    recipe: str
    content: str
    recognises: Callable[[bytes], bool]
    args: Callable[[str, str, str], list[str]]


def _is_onnx(head: bytes) -> bool:
    """Tell an ONNX file by its first field, the version of its format, and the tag after it."""
    return len(head) >= 3 and head[0] == 0x08 and head[1] < 0x80 and head[2] in _ONNX_NEXT_FIELDS


def _is_sklearn(head: bytes) -> bool:
    pickled = len(head) >= 2 and head[0] == 0x80 and 2 <= head[1] <= _PICKLE_NEWEST
    return pickled or head.startswith(_COMPRESSED)


def _server_args(model_format: str) -> Callable[[str, str, str], list[str]]:
    def args(name: str, version: str, path: str) -> list[str]:
        return [
            f"--model-name={name}",
            f"--model-version={version}",
            f"--model-path={path}",
            f"--format={model_format}",
            f"--port={PORT}",
        ]

    return args


RUNTIMES: Final[Mapping[str, Runtime]] = {
    "onnx": Runtime(
        recipe="model-server",
        content="an ONNX model",
        recognises=_is_onnx,
        args=_server_args("onnx"),
    ),
    "sklearn": Runtime(
        recipe="model-server",
        content="a pickled scikit-learn model",
        recognises=_is_sklearn,
        args=_server_args("sklearn"),
    ),
}
