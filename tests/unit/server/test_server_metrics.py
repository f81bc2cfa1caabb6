"""Requirements on what Prometheus reads of the server."""

import asyncio
import http.client
from typing import Any

import grpc
import pytest

from slipway_server.grpc_messages import MESSAGES, SERVICE
from slipway_server.service import Service
from tests.unit.server.process import ServerProcess
from tests.unit.server.test_server_process import wait_until

ROW = {"inputs": [{"name": "X", "shape": [1, 64], "datatype": "FP32", "data": [0] * 64}]}
COUNT = "slipway_inference_requests_total"


def figures(server: ServerProcess) -> dict[str, float]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    connection.request("GET", "/metrics")
    response = connection.getresponse()
    assert response.status == 200
    assert response.getheader("content-type", "").startswith("text/plain; version=")
    lines = response.read().decode().splitlines()
    connection.close()
    pairs = [line.rpartition(" ") for line in lines if not line.startswith("#")]
    return {name: float(value) for name, _, value in pairs}


def test_requests_are_counted_by_protocol_and_code(digits_server: ServerProcess) -> None:
    before = figures(digits_server)
    assert digits_server.ask("POST", "/v2/models/digits/infer", ROW).status == 200
    assert digits_server.ask("POST", "/v2/models/digits/infer", b"{").status == 400
    with grpc.insecure_channel(f"127.0.0.1:{digits_server.grpc_port}") as channel:
        infer: Any = channel.unary_unary(f"/{SERVICE}/ModelInfer")
        request = MESSAGES["ModelInferRequest"](model_name="cats").SerializeToString()
        with pytest.raises(grpc.RpcError):
            infer(request, timeout=30)
    after = figures(digits_server)
    for labels in (
        'protocol="rest",code="200"',
        'protocol="rest",code="400"',
        'protocol="grpc",code="404"',
    ):
        names = [
            name
            for name in after
            if name.startswith(COUNT) and all(label in name for label in labels.split(","))
        ]
        (name,) = names
        assert after[name] == before.get(name, 0) + 1, name
    seconds = 'slipway_inference_duration_seconds_count{protocol="rest"}'
    assert after[seconds] == before[seconds] + 2


def test_a_client_that_leaves_is_no_error_of_the_server(digits_server: ServerProcess) -> None:
    def left() -> float:
        return figures(digits_server).get(f'{COUNT}{{code="499",protocol="rest"}}', 0)

    before = left()
    connection = digits_server.connect()
    connection.putrequest("POST", "/v2/models/digits/infer")
    connection.putheader("content-length", "100")
    connection.endheaders(b"{")
    connection.close()
    wait_until(lambda: left() == before + 1, "the client is counted")


def test_a_call_that_is_cancelled_is_no_error_of_the_server() -> None:
    service = Service("digits", "1", threads=1, queue=0, max_body=1, timeout=None)

    async def cancelled() -> None:
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(service.measured("grpc", cancelled()))
    assert b'requests_total{code="499",protocol="grpc"} 1.0' in service.metrics.text()
    service.close()


def test_the_load_the_queue_and_the_process_are_shown(digits_server: ServerProcess) -> None:
    found = figures(digits_server)
    assert found["slipway_model_load_seconds"] > 0
    assert found["slipway_inference_in_progress"] == 0
    assert found["slipway_inference_queue_length"] == 0
    assert found["process_resident_memory_bytes"] > 0
    digits_server.ask("POST", "/v2/models/digits/infer", ROW)
    runs = "slipway_inference_batch_requests_count"
    assert figures(digits_server)[runs] == found[runs] + 1
