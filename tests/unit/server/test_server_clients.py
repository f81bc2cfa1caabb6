"""Requirements on clients that others wrote: they work as they are."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import tritonclient.http as triton_http
from tritonclient.utils import InferenceServerException

from slipway_server.tensors import Array
from tests.unit.server.process import ServerProcess


@pytest.fixture(scope="module")
def rows(digits: Path) -> Array:
    holdout = json.loads((digits / "holdout.json").read_text())
    return np.array(holdout["rows"], np.float32)


@pytest.fixture(scope="module")
def expected(digits: Path) -> list[int]:
    labels: list[int] = json.loads((digits / "holdout.json").read_text())["expected"]
    return labels


@pytest.fixture(scope="module")
def triton(digits_server: ServerProcess) -> Iterator[triton_http.InferenceServerClient]:
    with triton_http.InferenceServerClient(f"127.0.0.1:{digits_server.port}") as client:
        yield client


def test_tritons_http_client_reads_health_and_metadata(
    triton: triton_http.InferenceServerClient,
) -> None:
    assert triton.is_server_live()
    assert triton.is_server_ready()
    assert triton.is_model_ready("digits")
    assert triton.is_model_ready("digits", "1")
    assert not triton.is_model_ready("cats")
    assert triton.get_server_metadata()["extensions"] == ["binary_tensor_data"]
    assert triton.get_model_metadata("digits")["inputs"][0]["datatype"] == "FP32"


@pytest.mark.parametrize("binary_input", [True, False])
@pytest.mark.parametrize("binary_output", [True, False, None])
def test_tritons_http_client_infers_in_binary_and_in_json(
    triton: triton_http.InferenceServerClient,
    rows: Array,
    expected: list[int],
    binary_input: bool,
    binary_output: bool | None,
) -> None:
    tensor = triton_http.InferInput("X", list(rows.shape), "FP32")
    tensor.set_data_from_numpy(rows, binary_data=binary_input)
    outputs = None
    if binary_output is not None:
        names = ("label", "probabilities")
        outputs = [triton_http.InferRequestedOutput(name, binary_output) for name in names]
    result = triton.infer("digits", [tensor], request_id="a-7", outputs=outputs)
    assert result.as_numpy("label").tolist() == expected
    assert result.as_numpy("probabilities").shape == (len(rows), 10)
    assert result.get_response()["id"] == "a-7"


def test_tritons_http_client_is_told_what_is_wrong(
    triton: triton_http.InferenceServerClient,
) -> None:
    tensor = triton_http.InferInput("X", [1, 2], "FP32")
    tensor.set_data_from_numpy(np.zeros((1, 2), np.float32))
    with pytest.raises(InferenceServerException, match=r"has shape \[1, 2\]"):
        triton.infer("digits", [tensor])
