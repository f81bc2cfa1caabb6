"""Requirements on joining requests that wait."""

import asyncio
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
from onnx import TensorProto
from sklearn.linear_model import LinearRegression

from slipway_server import batching, models
from slipway_server.batching import MAX_ROWS, takes_batches
from slipway_server.errors import RequestError
from slipway_server.pool import InferencePool
from slipway_server.tensors import Array, TensorSpec
from tests.unit.server.test_server_models import onnx_file


class Doubling:
    """Doubles rows, and refuses negative ones."""

    platform = "test"
    inputs = (TensorSpec("X", "FP64", (-1, 2)),)
    outputs = (TensorSpec("Y", "FP64", (-1, 2)), TensorSpec("Z", "FP64", (-1,)))

    def __init__(self) -> None:
        self.runs: list[int] = []

    def predict(self, inputs: Mapping[str, Array], outputs: Sequence[str]) -> Sequence[Array]:
        rows = inputs["X"]
        self.runs.append(len(rows))
        if (rows < 0).any():
            raise RequestError("a negative number")
        made = {"Y": rows * 2, "Z": rows.sum(axis=1)}
        return [made[name] for name in outputs]


class Summing(Doubling):
    """Takes a sequence, whatever its first dimension looks like."""

    def predict(self, inputs: Mapping[str, Array], outputs: Sequence[str]) -> Sequence[Array]:
        return [array / array.sum() for array in super().predict(inputs, outputs)]


class Choosing(Doubling):
    """Fails, as no model should, on what is not the number of a row that it has."""

    def predict(self, inputs: Mapping[str, Array], outputs: Sequence[str]) -> Sequence[Array]:
        raise IndexError(str(inputs["X"]))


class Ask:
    """A request for some rows of one value."""

    def __init__(self, value: float, rows: int = 1, outputs: Sequence[str] = ("Y",)) -> None:
        self.outputs = outputs
        self._rows = np.full((rows, 2), value)

    def read(self) -> Mapping[str, Array]:
        if np.isnan(self._rows).any():
            raise RequestError("not a number")
        return {"X": self._rows}

    def write(self, arrays: Sequence[Array]) -> list[Any]:
        return [array.tolist() for array in arrays]


def test_requests_that_wait_together_are_one_run_and_get_their_own_rows() -> None:
    model = Doubling()
    answers, sizes = batching.run(model, [Ask(1), Ask(2, rows=2), Ask(3)])
    assert answers == [[[[2, 2]]], [[[4, 4], [4, 4]]], [[[6, 6]]]]
    assert (model.runs, sizes) == ([4], [3])


def test_a_bad_request_fails_alone() -> None:
    model = Doubling()
    answers, _ = batching.run(model, [Ask(1), Ask(-1), Ask(float("nan")), Ask(2)])
    assert [answers[0], answers[3]] == [[[[2, 2]]], [[[4, 4]]]]
    assert [str(answer) for answer in answers[1:3]] == ["a negative number", "not a number"]


def test_requests_for_other_outputs_are_another_run() -> None:
    model = Doubling()
    answers, sizes = batching.run(model, [Ask(1), Ask(2, outputs=("Z",)), Ask(3)])
    assert answers == [[[[2, 2]]], [[4]], [[[6, 6]]]]
    assert sorted(sizes) == [1, 2]


def test_a_run_has_a_bounded_number_of_rows() -> None:
    model = Doubling()
    answers, _ = batching.run(model, [Ask(1, rows=MAX_ROWS // 2 + 1) for _ in range(3)])
    assert all(isinstance(answer, list) for answer in answers)
    assert max(model.runs) <= MAX_ROWS


def test_an_answer_that_cannot_be_written_fails_alone() -> None:
    class Unwritable(Ask):
        def write(self, arrays: Sequence[Array]) -> list[Any]:
            raise ArithmeticError("a defect")

    answers, _ = batching.run(Doubling(), [Ask(1), Unwritable(2)])
    assert answers[0] == [[[2, 2]]]
    assert isinstance(answers[1], ArithmeticError)


def test_rows_are_joined_only_where_each_is_answered_by_itself(
    tmp_path: Path, digits: Path
) -> None:
    assert takes_batches(Doubling())
    assert not takes_batches(Summing())
    assert not takes_batches(Choosing())
    joblib.dump(LinearRegression().fit([[0.0], [1.0]], [1.0, 3.0]), tmp_path / "model.joblib")
    assert takes_batches(models.load(tmp_path / "model.joblib", "sklearn"))
    assert takes_batches(models.load(digits / "digits.onnx", "onnx"))
    fixed = (TensorProto.FLOAT, [3])
    assert not takes_batches(models.load(onnx_file(tmp_path, "Identity", X=fixed, Y=fixed), "onnx"))
    sequence = (TensorProto.FLOAT, ["n"])
    path = onnx_file(tmp_path, "Softmax", X=sequence, Y=sequence)
    assert not takes_batches(models.load(path, "onnx"))


@pytest.mark.parametrize("batches", [True, False])
def test_a_free_thread_takes_what_waits_where_the_model_allows_it(batches: bool) -> None:
    started, release = threading.Event(), threading.Event()
    sizes: list[int] = []

    def run(inferences: Sequence[Any]) -> Sequence[Any]:
        sizes.append(len(inferences))
        started.set()
        release.wait(30)
        return list(inferences)

    async def ask() -> None:
        pool = InferencePool(1, 8, run, lambda: batches)
        inferences: list[Any] = [Ask(number) for number in range(5)]
        tasks = [asyncio.create_task(pool.answer(inferences[0]))]
        await asyncio.to_thread(started.wait, 30)
        tasks += [asyncio.create_task(pool.answer(one)) for one in inferences[1:]]
        await asyncio.sleep(0)
        assert (pool.pending, pool.waiting) == (5, 4)
        release.set()
        answers = await asyncio.gather(*tasks)
        pool.close()
        assert answers == inferences

    asyncio.run(ask())
    assert sizes == ([1, 4] if batches else [1] * 5)
