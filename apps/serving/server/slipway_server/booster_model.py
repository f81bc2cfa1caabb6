"""Boosted trees of XGBoost and LightGBM, from the libraries' own files, which run no code.

Tensors carry the names that skl2onnx gives them, as those of scikit-learn models do. The files hold
no names of classes: a label is the number of its class.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from slipway_server.errors import ModelError
from slipway_server.tensors import DATATYPES, Array, TensorSpec

INPUT = "X"
_FREE = -1


class BoosterModel:
    """A booster that takes rows of numbers; NaN is a missing one.

    Args:
        platform: The protocol's platform.
        datatype: Datatype of the rows, and of what is computed.
        features: Numbers a row.
        classifies: Whether the booster computes probabilities: of the second of two classes, or one
            a class. Otherwise its values are the answer.
        compute: The booster's own prediction; called from several threads at once.
    """

    def __init__(
        self,
        platform: str,
        datatype: str,
        features: int,
        classifies: bool,
        compute: Callable[[Array], Any],
    ) -> None:
        self.platform = platform
        self.inputs = (TensorSpec(INPUT, datatype, (_FREE, features)),)
        self._classifies = classifies
        self._compute = compute
        # This warms up too.
        row = self._answer(np.zeros((1, features), DATATYPES[datatype]))
        datatypes = {name: "INT64" if name == "label" else datatype for name in row}
        self.outputs = tuple(
            TensorSpec(name, datatypes[name], (_FREE, *array.shape[1:]))
            for name, array in row.items()
        )

    def predict(self, inputs: Mapping[str, Array], outputs: Sequence[str]) -> Sequence[Array]:
        """Run the booster once, whatever is asked; see `Model.predict`."""
        answer = self._answer(inputs[INPUT])
        return [answer[name] for name in outputs]

    def _answer(self, rows: Array) -> dict[str, Array]:
        values: Array = self._compute(rows)
        if not self._classifies:
            return {"variable": values}
        if values.ndim == 1:
            values = np.stack((1 - values, values), axis=1)
        return {"label": values.argmax(axis=1), "probabilities": values}


def read(path: Path) -> bytes:
    """Return what a model file holds.

    Raises:
        ModelError: It cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path}: {error.strerror}") from None
