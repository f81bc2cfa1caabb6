"""LightGBM models in its own text format."""

import re
from functools import partial
from pathlib import Path

import lightgbm

from slipway_server.booster_model import BoosterModel, read
from slipway_server.errors import ModelError

_PROBABILITIES = frozenset({"binary", "multiclass", "multiclassova"})
"""Objectives that compute probabilities."""
_OBJECTIVE = re.compile(r"^objective=(\w+)", re.MULTILINE)


def load(path: Path) -> BoosterModel:
    """Load a model.

    Raises:
        ModelError: The file is not one of LightGBM's.
    """
    text = read(path).decode("utf-8", "replace")
    # LightGBM ends the process over some files that are none.
    if not text.startswith("tree\n") or "\nend of trees\n" not in text:
        raise ModelError(f"{path}: not a model saved by LightGBM as text, or damaged")
    try:
        booster = lightgbm.Booster(model_str=text)
    except (lightgbm.basic.LightGBMError, ValueError):
        raise ModelError(f"{path}: not a model saved by LightGBM as text, or damaged") from None
    objective = _OBJECTIVE.search(text)
    return BoosterModel(
        platform="lightgbm_booster",
        datatype="FP64",
        features=booster.num_feature(),
        classifies=objective is not None and objective.group(1) in _PROBABILITIES,
        # The request threads are the parallelism.
        compute=partial(booster.predict, num_threads=1),
    )
