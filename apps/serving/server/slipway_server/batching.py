"""Requests that wait together are joined into one run of the model, and split again.

Nobody waits for a batch to fill: a thread that becomes free takes what is waiting, so one request
at a time runs at once and alone.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, Protocol, TypeVar

import numpy as np

from slipway_server.models import Model
from slipway_server.tensors import BYTES, DATATYPES, Array, TensorSpec

MAX_ROWS: Final = 256
"""Largest number of rows that requests are joined to; a request with more runs alone."""

_PROBED_ROWS: Final = 2
_SEED: Final = 20

T_co = TypeVar("T_co", covariant=True)


class Inference(Protocol[T_co]):
    """One request, as it came over REST or gRPC. It is worked on in one thread.

    Attributes:
        outputs: Names of the outputs that it asks for, once it is read.
    """

    outputs: Sequence[str]

    def read(self) -> Mapping[str, Array]:
        """Return the model's inputs; a `RequestError` says what is wrong with the request."""

    def write(self, arrays: Sequence[Array]) -> T_co:
        """Return the answer with these outputs."""


def takes_batches(model: Model) -> bool:
    """Tell whether a model answers each row by itself, so that rows of requests can be joined.

    The first dimension of every input and output has to be free, and two rows have to give together
    what they give alone: a sequence is free in its first dimension too.
    """
    specs = (*model.inputs, *model.outputs)
    if not all(len(spec.shape) > 0 and spec.shape[0] == -1 for spec in specs):
        return False
    generator = np.random.default_rng(_SEED)
    rows = [_random_row(model.inputs, generator) for _ in range(_PROBED_ROWS)]
    names = [spec.name for spec in model.outputs]
    try:
        alone = [model.predict(row, names) for row in rows]
        together = model.predict(_join(rows), names)
    except Exception:  # noqa: BLE001 - a model may fail on numbers made up, in whatever way
        return False
    return all(
        _same(np.concatenate(parts), whole)
        for parts, whole in zip(zip(*alone, strict=True), together, strict=True)
    )


def run(model: Model, inferences: Sequence[Inference[Any]]) -> tuple[list[Any], Sequence[int]]:
    """Answer requests, those that fit together by one run of the model.

    A request that cannot be answered fails alone.

    Returns:
        By request its answer or its error; and how many requests each run of the model had.
    """
    answers: list[Any] = [None] * len(inferences)
    groups: dict[Any, list[tuple[int, Mapping[str, Array]]]] = {}
    for number, inference in enumerate(inferences):
        try:
            inputs = inference.read()
        except Exception as error:  # noqa: BLE001 - it is raised again to who asked, whatever it is
            answers[number] = error
        else:
            # What has no key for others is a group of its own.
            key = _key(inference, inputs) if len(inferences) > 1 else None
            groups.setdefault(number if key is None else key, []).append((number, inputs))
    sizes = []
    for group in groups.values():
        for part in _parts(group):
            sizes.append(len(part))
            _run_together(model, inferences, part, answers)
    return answers, sizes


def _run_together(
    model: Model,
    inferences: Sequence[Inference[Any]],
    part: Sequence[tuple[int, Mapping[str, Array]]],
    answers: list[Any],
) -> None:
    if len(part) > 1:
        try:
            outputs = model.predict(
                _join([inputs for _, inputs in part]), inferences[part[0][0]].outputs
            )
            ends = np.cumsum([_rows(inputs) for _, inputs in part])
            if all(len(array) == ends[-1] for array in outputs):
                pieces = zip(*(np.split(array, ends[:-1]) for array in outputs), strict=True)
                for (number, _), arrays in zip(part, pieces, strict=True):
                    answers[number] = inferences[number].write(arrays)
                return
        except Exception:  # noqa: BLE001, S110 - each is run alone and fails by itself
            pass
    for number, inputs in part:
        try:
            arrays = model.predict(inputs, inferences[number].outputs)
            answers[number] = inferences[number].write(arrays)
        except Exception as error:  # noqa: BLE001 - it is raised again to who asked
            answers[number] = error


def _parts(
    group: Sequence[tuple[int, Mapping[str, Array]]],
) -> list[list[tuple[int, Mapping[str, Array]]]]:
    """Split a group so that each part has a bounded number of rows."""
    parts: list[list[tuple[int, Mapping[str, Array]]]] = [[]]
    rows = 0
    for one in group:
        rows += (more := _rows(one[1]))
        if parts[-1] and rows > MAX_ROWS:
            parts.append([])
            rows = more
        parts[-1].append(one)
    return parts


def _key(inference: Inference[Any], inputs: Mapping[str, Array]) -> Any:
    """Return what requests have in common that can be joined; `None` where one has to run alone."""
    if len({len(array) for array in inputs.values()}) != 1:
        return None
    shapes = sorted((name, array.shape[1:]) for name, array in inputs.items())
    return tuple(inference.outputs), tuple(shapes)


def _rows(inputs: Mapping[str, Array]) -> int:
    return len(next(iter(inputs.values()), ()))


def _join(inputs: Sequence[Mapping[str, Array]]) -> dict[str, Array]:
    return {name: np.concatenate([one[name] for one in inputs]) for name in inputs[0]}


def _random_row(specs: Sequence[TensorSpec], generator: np.random.Generator) -> dict[str, Array]:
    row: dict[str, Array] = {}
    for spec in specs:
        shape = [1 if size == -1 else size for size in spec.shape]
        if spec.datatype == BYTES:
            texts = np.empty(shape, dtype=object)
            texts[...] = str(generator.integers(1000))
            row[spec.name] = texts
        elif DATATYPES[spec.datatype].kind == "f":
            row[spec.name] = generator.random(shape).astype(DATATYPES[spec.datatype])
        else:
            row[spec.name] = generator.integers(2, size=shape).astype(DATATYPES[spec.datatype])
    return row


def _same(one: Array, other: Array) -> bool:
    if one.shape != other.shape:
        return False
    if one.dtype.kind == "f":
        return bool(np.allclose(one, other, rtol=1e-3, atol=1e-5, equal_nan=True))
    return bool(np.array_equal(one, other))
