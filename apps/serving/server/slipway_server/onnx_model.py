"""Models in ONNX, run by ONNX Runtime on the CPU."""

import logging
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from onnxruntime.capi import onnxruntime_pybind11_state as ort_errors

from slipway_server.errors import ModelError, RequestError
from slipway_server.tensors import BYTES, DATATYPES, Array, TensorSpec

_log = logging.getLogger(__name__)

_DATATYPES = {
    "tensor(bool)": "BOOL",
    "tensor(int8)": "INT8",
    "tensor(int16)": "INT16",
    "tensor(int32)": "INT32",
    "tensor(int64)": "INT64",
    "tensor(uint8)": "UINT8",
    "tensor(uint16)": "UINT16",
    "tensor(uint32)": "UINT32",
    "tensor(uint64)": "UINT64",
    "tensor(float16)": "FP16",
    "tensor(float)": "FP32",
    "tensor(double)": "FP64",
    "tensor(string)": BYTES,
}

_PREFIX = re.compile(r"^(\[ONNXRuntimeError\] : )?(\d+ : [A-Z_]+ : )?")

# ONNX Runtime's exceptions have no common base of their own.
_RUN_ERRORS = (
    ort_errors.InvalidArgument,
    ort_errors.RuntimeException,
    ort_errors.Fail,
    ort_errors.EPFail,
)
_LOAD_ERRORS = (
    ort_errors.InvalidProtobuf,
    ort_errors.InvalidGraph,
    ort_errors.InvalidArgument,
    ort_errors.NoSuchFile,
    ort_errors.NotImplemented,
    ort_errors.RuntimeException,
    ort_errors.Fail,
)


class OnnxModel:
    """An ONNX model in one inference session, which is safe to run from several threads."""

    platform = "onnx_onnxv1"

    def __init__(self, path: Path) -> None:
        try:
            self._session = onnxruntime.InferenceSession(
                path, _session_options(), providers=["CPUExecutionProvider"]
            )
        except _LOAD_ERRORS as error:
            raise ModelError(f"{path}: not an ONNX model, or damaged: {_reason(error)}") from None
        self.inputs = tuple(_spec(path, node) for node in self._session.get_inputs())
        self.outputs = tuple(_spec(path, node) for node in self._session.get_outputs())
        self._warm_up()

    def predict(self, inputs: Mapping[str, Array], outputs: Sequence[str]) -> Sequence[Array]:
        """Run the session; see `Model.predict`."""
        try:
            results: list[Array] = self._session.run(list(outputs), dict(inputs))
        except _RUN_ERRORS as error:
            raise RequestError(f"the model cannot work on these inputs: {_reason(error)}") from None
        return results

    def _warm_up(self) -> None:
        """Run once on zeros, every free dimension being 1.

        Zeros may be outside what a model accepts (an empty string, a token that does not exist):
        that says nothing about real requests, so it is reported and the model is served.
        """
        zeros = {spec.name: _zeros(spec) for spec in self.inputs}
        try:
            self.predict(zeros, [spec.name for spec in self.outputs])
        except RequestError as error:
            _log.warning("warm-up on zeros failed, the first request will be slower: %s", error)


def _session_options() -> onnxruntime.SessionOptions:
    options = onnxruntime.SessionOptions()
    # The request threads are the parallelism: a pool of ONNX Runtime's own under each of them would
    # oversubscribe the cores, and its threads spin while they wait.
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return options


def _spec(path: Path, node: Any) -> TensorSpec:
    datatype = _DATATYPES.get(node.type)
    if datatype is None:
        way_out = " (convert a classifier with zipmap off)" if "map(" in node.type else ""
        raise ModelError(
            f"{path}: '{node.name}' is a {node.type}, which the protocol cannot carry{way_out}"
        )
    # A free dimension is a name or None in ONNX.
    return TensorSpec(
        node.name, datatype, tuple(size if isinstance(size, int) else -1 for size in node.shape)
    )


def _zeros(spec: TensorSpec) -> Array:
    shape = [1 if size == -1 else size for size in spec.shape]
    if spec.datatype == BYTES:
        return np.full(shape, "", dtype=object)
    return np.zeros(shape, dtype=DATATYPES[spec.datatype])


def _reason(error: Exception) -> str:
    """Return ONNX Runtime's message as one line, without its prefix of error codes."""
    return _PREFIX.sub("", " ".join(str(error).split()))
