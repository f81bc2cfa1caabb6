"""A load of inference requests over gRPC."""

import time
from collections.abc import Sequence
from typing import Any

import grpc
import numpy as np
from tritonclient.grpc import service_pb2

from apps.serving.holdout import Holdout
from bench import load

_METHOD = "/inference.GRPCInferenceService/ModelInfer"
_TIMEOUT_SECONDS = 60


def measure(
    address: str, model: str, holdout: Holdout, *, clients: int, requests: int, pid: int
) -> dict[str, Any]:
    """Send requests from several clients at once, each over a connection of its own.

    Args:
        address: Host and port.
        model: Name of the model.
        holdout: The rows that are sent, over and over, as raw FP32.
        clients: Connections that send at once.
        requests: Requests in all.
        pid: The server's process.

    Returns:
        What `bench.load.measure` returns.
    """
    messages = [_message(model, holdout, row) for row in holdout.rows]

    def send(count: int, latencies: list[float]) -> None:
        _send(address, messages, count, latencies)

    return load.drive(send, address, clients=clients, requests=requests, pid=pid)


def _send(address: str, messages: Sequence[bytes], count: int, latencies: list[float]) -> None:
    own = [("grpc.use_local_subchannel_pool", 1)]
    with grpc.insecure_channel(address, options=own) as channel:
        infer: Any = channel.unary_unary(_METHOD)
        # The connection is not part of the first request.
        infer(messages[0], timeout=_TIMEOUT_SECONDS)
        for number in range(count):
            start = time.perf_counter()
            infer(messages[number % len(messages)], timeout=_TIMEOUT_SECONDS)
            latencies.append(time.perf_counter() - start)


def _message(model: str, holdout: Holdout, row: Sequence[float]) -> bytes:
    request = service_pb2.ModelInferRequest(model_name=model)
    tensor = request.inputs.add(name=holdout.input.name, datatype="FP32")
    tensor.shape.extend([1, *holdout.input.shape_of_one_row])
    request.raw_input_contents.append(np.array(row, np.float32).tobytes())
    content: bytes = request.SerializeToString()
    return content
