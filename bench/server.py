"""The model server by itself, as a process on loopback ports: the example in each format."""

from functools import partial
from typing import Final

from apps.serving.holdout import Holdout
from bench import models, process
from bench.figures import Round
from bench.section import Context
from examples.digits import train

FILES: Final = {
    "onnx": "digits.onnx",
    "sklearn": "digits.joblib",
    "xgboost": "digits.ubj",
    "lightgbm": "digits.txt",
}
"""File by format."""


def measure(context: Context) -> Round:
    """Return by format what `process.measured` does."""
    train.main()
    holdout = Holdout.read(train.BUILD / "holdout.json")
    models.train_boosters(context.folder)
    found = {}
    for model_format, file in FILES.items():
        context.report(f"digits ({model_format})")
        trained = train.BUILD / file
        path = trained if trained.exists() else context.folder / file
        command = partial(process.slipway, path, model_format, "digits")
        found[model_format] = process.measured(command, "digits", holdout)
    return found
