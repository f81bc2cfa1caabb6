"""What the server knows of a model, and the table of formats it can load."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from slipway_server.errors import ModelError
from slipway_server.tensors import Array, TensorSpec


class Model(Protocol):
    """A loaded model. `predict` is called from several threads at once."""

    @property
    def platform(self) -> str:
        """The protocol's platform, `<project>_<format>`."""

    @property
    def inputs(self) -> Sequence[TensorSpec]:
        """What the model takes."""

    @property
    def outputs(self) -> Sequence[TensorSpec]:
        """What the model answers with."""

    def predict(self, inputs: Mapping[str, Array], outputs: Sequence[str]) -> Sequence[Array]:
        """Run the model.

        Args:
            inputs: One array per entry of `self.inputs`, checked against its specification.
            outputs: Names out of `self.outputs`.

        Returns:
            One array per name, in the order of `outputs`.

        Raises:
            RequestError: The values are not what the model can work on.
        """


def _load_onnx(path: Path) -> Model:
    from slipway_server.onnx_model import OnnxModel

    return OnnxModel(path)


def _load_sklearn(path: Path) -> Model:
    from slipway_server.sklearn_model import load_joblib

    return load_joblib(path)


def _load_skops(path: Path) -> Model:
    from slipway_server.sklearn_model import load_skops

    return load_skops(path)


def _load_xgboost(path: Path) -> Model:
    from slipway_server import xgboost_model

    return xgboost_model.load(path)


def _load_lightgbm(path: Path) -> Model:
    from slipway_server import lightgbm_model

    return lightgbm_model.load(path)


def _load_text(path: Path) -> Model:
    from slipway_server.text_model import TextModel

    return TextModel(path)


FORMATS: Mapping[str, Callable[[Path], Model]] = {
    "huggingface": _load_text,
    "lightgbm": _load_lightgbm,
    "onnx": _load_onnx,
    "skops": _load_skops,
    "sklearn": _load_sklearn,
    "xgboost": _load_xgboost,
}
"""Loader by format. Each imports its runtime only when it is used: scikit-learn alone takes 1 s."""


def load(path: Path, model_format: str) -> Model:
    """Load a model and run it once, so that the first request pays for nothing.

    A scikit-learn file is a pickle, which runs code while it loads: it is only ever read when
    `sklearn` is asked for by name, never guessed from the file.

    Raises:
        ModelError: The file is missing or is not of that format.
    """
    if not path.exists():
        raise ModelError(f"{path}: no such model file")
    return FORMATS[model_format](path)
