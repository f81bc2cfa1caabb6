"""Asks a model by the clients of KServe's SDK, over REST and over gRPC, as a process of its own.

Its libraries clash with the project's; `tests/cluster/peers.py` has them. What it is asked stands
in the JSON object of its only argument, and it prints what it heard as one:

`url`: URL of the model's endpoint without the protocol's path; `target`: the gateway's host and
port; `ca`: file with the certificate of its authority; `headers`: of the calls over gRPC; `model`:
the model's name; `rows`: rows of its input `X` in FP32.
"""

import asyncio
import json
import ssl
import sys
from pathlib import Path
from typing import Any

import grpc
import numpy as np
from kserve import InferInput, InferRequest, InferResponse
from kserve.inference_client import InferenceGRPCClient, InferenceRESTClient, RESTConfig


def labels(answer: InferResponse) -> list[int]:
    (output,) = [output for output in answer.outputs if output.name == "label"]
    found: list[int] = output.as_numpy().tolist()
    return found


async def main(asked: dict[str, Any]) -> dict[str, Any]:
    model, ca = asked["model"], Path(asked["ca"])
    rows = np.array(asked["rows"], np.float32)

    def request(binary: bool) -> InferRequest:
        tensor = InferInput("X", list(rows.shape), "FP32")
        tensor.set_data_from_numpy(rows, binary_data=binary)
        return InferRequest(model, [tensor])

    config = RESTConfig(protocol="v2", verify=ssl.create_default_context(cafile=str(ca)))
    rest = InferenceRESTClient(config)
    credentials = grpc.ssl_channel_credentials(ca.read_bytes())
    over_grpc = InferenceGRPCClient(asked["target"], creds=credentials)
    headers = tuple(asked["headers"].items())
    heard = {
        "rest_ready": await rest.is_model_ready(asked["url"], model),
        "rest": labels(await rest.infer(asked["url"], request(binary=False), model)),
        "rest_binary": labels(await rest.infer(asked["url"], request(binary=True), model)),
        "grpc_ready": await over_grpc.is_model_ready(model, headers=headers),
        "grpc": labels(await over_grpc.infer(request(binary=False), headers=headers)),
    }
    await rest.close()
    await over_grpc.close()
    return heard


if __name__ == "__main__":
    sys.stdout.write(json.dumps(asyncio.run(main(json.loads(sys.argv[1])))))
