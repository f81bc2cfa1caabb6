"""A load of inference requests over gRPC.

grpcio's client takes more CPU than our server does: `client_cpu_ms` says how much.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import grpc
import numpy as np
from tritonclient.grpc import service_pb2

from apps.serving.holdout import Holdout
from bench import load
from bench.load import Ask, Bounds

_METHOD = "/inference.GRPCInferenceService/ModelInfer"
_TIMEOUT_SECONDS = 60


def measure(
    address: str, model: str, holdout: Holdout, *, clients: int, bounds: Bounds, pid: int
) -> dict[str, float]:
    """Send requests from several clients at once, each over a connection of its own.

    Args:
        address: Host and port.
        model: Name of the model.
        holdout: The rows that are sent, over and over, as raw FP32.
        clients: Connections that send at once.
        bounds: Where the load ends.
        pid: The server's process.

    Returns:
        What `bench.load.measure` returns.
    """
    messages = [_message(model, holdout, row) for row in holdout.rows]
    return load.drive(lambda: _connected(address, messages), clients, bounds, pid)


@contextmanager
def _connected(address: str, messages: Sequence[bytes]) -> Iterator[Ask]:
    own = [("grpc.use_local_subchannel_pool", 1)]
    with grpc.insecure_channel(address, options=own) as channel:
        infer: Any = channel.unary_unary(_METHOD)

        def ask(number: int) -> None:
            infer(messages[number % len(messages)], timeout=_TIMEOUT_SECONDS)

        yield ask


def _message(model: str, holdout: Holdout, row: Sequence[float]) -> bytes:
    request = service_pb2.ModelInferRequest(model_name=model)
    tensor = request.inputs.add(name=holdout.input.name, datatype="FP32")
    tensor.shape.extend([1, *holdout.input.shape_of_one_row])
    request.raw_input_contents.append(np.array(row, np.float32).tobytes())
    content: bytes = request.SerializeToString()
    return content
