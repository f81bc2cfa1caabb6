"""A predictor of one's own with KServe's Python SDK, to copy: digits, and when it is in doubt.

It runs the ONNX model of `examples/digits` and adds what the model does not say: whether the
label is certain. `ModelServer` reads the arguments that the runtime `kserve` gives.
"""

import argparse
from typing import Any

import numpy as np
import onnxruntime
from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from kserve import InferOutput, InferRequest, InferResponse, Model, ModelServer, model_server
from kserve.errors import InvalidInput
from kserve.utils.utils import generate_uuid

CERTAIN = 0.5
"""A label is certain from this probability on."""

PIXELS = 64


class Digits(Model):  # type: ignore[misc]
    """Answers with a label, and whether it is certain.

    Args:
        name: Name of the model.
        path: The model in ONNX.
    """

    def __init__(self, name: str, path: str) -> None:
        super().__init__(name)
        options = onnxruntime.SessionOptions()
        # Its own threads would get more cores than the pod has.
        options.intra_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(
            path, options, providers=["CPUExecutionProvider"]
        )
        self.ready = True

    def get_input_types(self) -> list[dict[str, Any]]:
        """Return the inputs, for the model's metadata; the SDK says nothing by itself."""
        return [{"name": "X", "datatype": "FP32", "shape": [-1, PIXELS]}]

    def get_output_types(self) -> list[dict[str, Any]]:
        """Return the outputs likewise."""
        return [
            {"name": "label", "datatype": "INT64", "shape": [-1]},
            {"name": "certain", "datatype": "BOOL", "shape": [-1]},
        ]

    def predict(
        self, payload: InferRequest, headers: Any = None, response_headers: Any = None
    ) -> InferResponse:
        """Return the labels of the rows.

        Raises:
            InvalidInput: The request is not what the model takes; its client gets status 400. Any
                other exception is a 500.
        """
        rows = _rows(payload)
        labels, probabilities = self._session.run(["label", "probabilities"], {"X": rows})
        outputs = []
        for name, datatype, values in (
            ("label", "INT64", labels),
            ("certain", "BOOL", probabilities.max(axis=1) >= CERTAIN),
        ):
            output = InferOutput(name, list(values.shape), datatype)
            output.set_data_from_numpy(values, binary_data=payload.from_grpc)
            outputs.append(output)
        return InferResponse(
            payload.id or generate_uuid(), self.name, outputs, from_grpc=payload.from_grpc
        )


def _rows(payload: InferRequest) -> Any:
    given = [tensor for tensor in payload.inputs if tensor.name == "X"]
    if len(given) != 1 or given[0].datatype != "FP32":
        raise InvalidInput("the model takes one input `X` in FP32")
    try:
        rows = given[0].as_numpy()
    except (TypeError, ValueError) as error:
        raise InvalidInput(f"the data of `X` are not what its shape says: {error}") from error
    if rows.ndim != 2 or rows.shape[1] != PIXELS:
        raise InvalidInput(f"`X` has shape {list(rows.shape)}, the model takes [-1, {PIXELS}]")
    return np.ascontiguousarray(rows, np.float32)


@model_server.app.exception_handler(RequestValidationError)  # type: ignore[untyped-decorator]
def _malformed(request: Request, error: RequestValidationError) -> JSONResponse:
    """Answer a malformed request as the protocol has it; the SDK has 422 and other words."""
    del request
    return JSONResponse({"error": f"malformed request: {error.errors()[0]['msg']}"}, 400)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(parents=[model_server.parser])
    parser.add_argument("--model_dir", required=True)
    options = parser.parse_args()
    # Without lines in the log for each request.
    ModelServer(enable_latency_logging=False).start([Digits(options.model_name, options.model_dir)])
