"""Requirements on models in the files of XGBoost, LightGBM and skops, which run no code."""

from pathlib import Path
from typing import Any

import joblib
import lightgbm
import numpy as np
import pytest
import skops.io
import xgboost
from sklearn import ensemble
from sklearn.base import BaseEstimator
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from apps.serving.runtimes import RUNTIMES
from slipway_server import models
from slipway_server.errors import ModelError, RequestError
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


class Contrary(ensemble.RandomForestClassifier):  # type: ignore[misc]
    """Predicts the least probable class."""

    def predict_proba(self, rows: Any) -> Any:
        """Return the probabilities the other way round."""
        return super().predict_proba(rows)[:, ::-1]


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


FORESTS = {
    "RandomForestClassifier": "three",
    "ExtraTreesClassifier": "two",
    "RandomForestRegressor": "number",
    "ExtraTreesRegressor": "number",
}


def grown(kind: str, path: Path) -> tuple[Any, Any, models.Model]:
    """Return a forest, the rows it was fitted on, and what the server loads of it."""
    rows, targets = DATA[FORESTS[kind]](return_X_y=True)
    estimator = getattr(ensemble, kind)(n_estimators=TREES, random_state=1, n_jobs=-1)
    estimator.fit(rows, targets)
    joblib.dump(estimator, path)
    return estimator, rows, models.load(path, "sklearn")


@pytest.mark.parametrize("kind", FORESTS)
def test_a_forest_answers_as_the_estimator_does_to_the_last_bit(tmp_path: Path, kind: str) -> None:
    estimator, rows, model = grown(kind, tmp_path / "model.joblib")
    names = [spec.name for spec in model.outputs]
    found = dict(zip(names, model.predict({"X": rows}, names), strict=True))
    # The sums of several threads come in any order.
    estimator.n_jobs = 1
    for name, array in found.items():
        method = estimator.predict_proba if name == "probabilities" else estimator.predict
        assert np.array_equal(array, method(rows))


@pytest.mark.parametrize("kind", FORESTS)
def test_the_trees_of_a_forest_are_asked_without_scikit_learns_detours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    _, rows, model = grown(kind, tmp_path / "model.joblib")
    for method in ("predict", "predict_proba"):
        monkeypatch.setattr(getattr(ensemble, kind), method, None, raising=False)
    assert len(model.predict({"X": rows[:1]}, [model.outputs[0].name])[0]) == 1


def test_a_forest_refuses_an_infinite_number(tmp_path: Path) -> None:
    _, rows, model = grown("RandomForestClassifier", tmp_path / "model.joblib")
    with pytest.raises(RequestError, match="the model cannot work on these inputs"):
        model.predict({"X": np.full((1, rows.shape[1]), np.inf)}, ["label"])


def test_a_forest_that_knows_missing_numbers_is_asked_what_they_mean(tmp_path: Path) -> None:
    rows, targets = load_iris(return_X_y=True)
    missing = np.where(rows > 6, np.nan, rows)
    estimator = ensemble.RandomForestClassifier(n_estimators=TREES, random_state=1)
    joblib.dump(estimator.fit(missing, targets), tmp_path / "model.joblib")
    model = models.load(tmp_path / "model.joblib", "sklearn")
    (labels,) = model.predict({"X": missing}, ["label"])
    assert np.array_equal(labels, estimator.predict(missing))


def test_a_forest_whose_trees_mean_something_else_is_asked_itself(tmp_path: Path) -> None:
    rows, targets = load_iris(return_X_y=True)
    estimator = Contrary(n_estimators=TREES, random_state=1).fit(rows, targets)
    joblib.dump(estimator, tmp_path / "model.joblib")
    model = models.load(tmp_path / "model.joblib", "sklearn")
    (labels,) = model.predict({"X": rows}, ["label"])
    assert np.array_equal(labels, estimator.predict(rows))


def test_an_estimator_starts_no_threads_or_processes_of_its_own(tmp_path: Path) -> None:
    rows, targets = load_iris(return_X_y=True)
    nearest = KNeighborsClassifier(n_jobs=-1)
    joblib.dump(make_pipeline(StandardScaler(), nearest).fit(rows, targets), tmp_path / "model")
    loaded: list[Any] = []
    load = joblib.load

    def kept(path: Path) -> Any:
        loaded.append(load(path))
        return loaded[0]

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(joblib, "load", kept)
        models.load(tmp_path / "model", "sklearn")
    assert loaded[0][-1].n_jobs == 1
