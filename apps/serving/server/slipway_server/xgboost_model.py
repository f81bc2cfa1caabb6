"""XGBoost models in its own JSON or UBJSON."""

import json
from functools import partial
from pathlib import Path

import xgboost

from slipway_server.booster_model import BoosterModel, read
from slipway_server.errors import ModelError

_PROBABILITIES = frozenset({"binary:logistic", "multi:softprob"})
"""Objectives that compute probabilities."""
_NONE = "not a model saved by XGBoost as JSON or UBJSON, or damaged"


def load(path: Path) -> BoosterModel:
    """Load a model.

    Raises:
        ModelError: The file is not one of XGBoost's.
    """
    # The request threads are the parallelism.
    booster = xgboost.Booster({"nthread": 1})
    content = read(path)
    # XGBoost ends the process over some files that are none.
    if not content.startswith((b'{"', b"{L")) or not content.endswith(b"}"):
        raise ModelError(f"{path}: {_NONE}")
    try:
        booster.load_model(bytearray(content))
        config = json.loads(booster.save_config())
    except (xgboost.core.XGBoostError, ValueError):
        raise ModelError(f"{path}: {_NONE}") from None
    booster.set_param({"nthread": 1})
    objective = config["learner"]["objective"]["name"]
    return BoosterModel(
        platform="xgboost_booster",
        datatype="FP32",
        features=booster.num_features(),
        classifies=objective in _PROBABILITIES,
        compute=partial(booster.inplace_predict, validate_features=False),
    )
