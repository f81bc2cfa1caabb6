"""Requirements on models in the files of XGBoost, LightGBM and skops, which run no code."""

from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import pytest
import skops.io
import xgboost
from sklearn.base import BaseEstimator
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris
from sklearn.linear_model import LogisticRegression

from apps.serving.runtimes import RUNTIMES
from slipway_server import models
from slipway_server.errors import ModelError
from slipway_server.tensors import TensorSpec

DATA = {"two": load_breast_cancer, "three": load_iris, "number": load_diabetes}
TREES = 5


def fitted(library: str, task: str) -> tuple[Any, Any]:
    """Return an estimator and the rows it was fitted on."""
    rows, targets = DATA[task](return_X_y=True)
    quiet: dict[str, Any] = {"n_estimators": TREES, "n_jobs": 1}
    if library == "xgboost":
        kind = xgboost.XGBRegressor if task == "number" else xgboost.XGBClassifier
    else:
        kind = lightgbm.LGBMRegressor if task == "number" else lightgbm.LGBMClassifier
        quiet["verbosity"] = -1
    return kind(**quiet).fit(rows, targets), rows


def saved(estimator: Any, path: Path) -> Path:
    booster = estimator.booster_ if path.suffix == ".txt" else estimator
    booster.save_model(path)
    return path


@pytest.mark.parametrize("task", DATA)
@pytest.mark.parametrize(
    ("library", "suffix"), [("xgboost", "json"), ("xgboost", "ubj"), ("lightgbm", "txt")]
)
def test_a_booster_answers_as_its_library_does(
    tmp_path: Path, library: str, suffix: str, task: str
) -> None:
    estimator, rows = fitted(library, task)
    path = saved(estimator, tmp_path / f"model.{suffix}")
    assert RUNTIMES[library].recognises(path.read_bytes()[:16])
    model = models.load(path, library)
    datatype = "FP32" if library == "xgboost" else "FP64"
    assert model.inputs == (TensorSpec("X", datatype, (-1, rows.shape[1])),)
    inputs = {"X": rows.astype(np.float32 if library == "xgboost" else np.float64)}
    if task == "number":
        assert model.outputs == (TensorSpec("variable", datatype, (-1,)),)
        (values,) = model.predict(inputs, ["variable"])
        assert values == pytest.approx(estimator.predict(rows), rel=1e-6)
        return
    classes = {"two": 2, "three": 3}[task]
    assert model.outputs == (
        TensorSpec("label", "INT64", (-1,)),
        TensorSpec("probabilities", datatype, (-1, classes)),
    )
    probabilities, labels = model.predict(inputs, ["probabilities", "label"])
    assert np.array_equal(labels, estimator.predict(rows))
    assert probabilities == pytest.approx(estimator.predict_proba(rows), abs=1e-6)


def test_a_missing_number_is_one_to_a_booster_too(tmp_path: Path) -> None:
    estimator, rows = fitted("xgboost", "three")
    model = models.load(saved(estimator, tmp_path / "model.ubj"), "xgboost")
    missing = np.full((1, rows.shape[1]), np.nan, np.float32)
    (labels,) = model.predict({"X": missing}, ["label"])
    assert np.array_equal(labels, estimator.predict(missing))


def test_a_model_of_skops_answers_as_the_estimator_does(tmp_path: Path) -> None:
    rows, targets = load_iris(return_X_y=True)
    estimator = LogisticRegression(max_iter=1000).fit(rows, targets)
    path = tmp_path / "model.skops"
    skops.io.dump(estimator, path)
    assert RUNTIMES["skops"].recognises(path.read_bytes()[:16])
    model = models.load(path, "skops")
    assert model.platform == "sklearn_skops"
    (labels,) = model.predict({"X": rows}, ["label"])
    assert np.array_equal(labels, estimator.predict(rows))


class Stranger(BaseEstimator):  # type: ignore[misc]
    """An estimator of nobody's library."""


def test_a_type_that_skops_does_not_trust_is_named_and_not_loaded(tmp_path: Path) -> None:
    skops.io.dump(Stranger(), tmp_path / "model.skops")
    with pytest.raises(ModelError, match=r"model\.skops: .*Stranger"):
        models.load(tmp_path / "model.skops", "skops")


@pytest.mark.parametrize("model_format", ["xgboost", "lightgbm", "skops"])
@pytest.mark.parametrize("content", [b"", b"x", b"{}", b"PK\3\4", b"tree\nend of trees\n"])
def test_a_file_that_is_none_of_theirs_is_refused_in_one_line(
    tmp_path: Path, model_format: str, content: bytes
) -> None:
    (tmp_path / "model").write_bytes(content)
    with pytest.raises(ModelError, match=r"not a .* saved by") as caught:
        models.load(tmp_path / "model", model_format)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["model.ubj", "model.txt"])
def test_half_a_model_is_refused(tmp_path: Path, name: str) -> None:
    library = "lightgbm" if name.endswith("txt") else "xgboost"
    path = saved(fitted(library, "three")[0], tmp_path / name)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ModelError, match="or damaged"):
        models.load(path, library)
