"""Models that are trained only to be measured."""

import json
import os
from pathlib import Path
from typing import Any

_TREES = 50


def train_iris(folder: Path) -> None:
    """Write `iris.onnx`, `iris.joblib` and `holdout.json` to a folder.

    Iris by logistic regression is small enough to show what a server itself costs.
    """
    # Else ONNX Runtime reports the model to its maker once it is imported.
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    import joblib
    import skl2onnx
    from skl2onnx.common.data_types import FloatTensorType
    from sklearn.datasets import load_iris
    from sklearn.linear_model import LogisticRegression

    rows, labels = load_iris(return_X_y=True)
    model = LogisticRegression(max_iter=1000).fit(rows, labels)
    joblib.dump(model, folder / "iris.joblib")
    onnx_model = skl2onnx.to_onnx(
        model,
        name="iris",
        initial_types=[("X", FloatTensorType([None, rows.shape[1]]))],
        options={id(model): {"zipmap": False}},
        target_opset=17,
    )
    (folder / "iris.onnx").write_bytes(onnx_model.SerializeToString())
    holdout = {
        "input": {"name": "X", "datatype": "FP32", "shape_of_one_row": [rows.shape[1]]},
        "output": "label",
        "rows": rows.tolist(),
        "expected": model.predict(rows).tolist(),
        "labels": labels.tolist(),
    }
    (folder / "holdout.json").write_text(json.dumps(holdout))


def train_boosters(folder: Path) -> None:
    """Write `digits.ubj` of XGBoost and `digits.txt` of LightGBM to a folder."""
    import lightgbm
    import xgboost
    from sklearn.datasets import load_digits

    rows, labels = load_digits(return_X_y=True)
    quiet: dict[str, Any] = {"n_estimators": _TREES, "n_jobs": 1}
    xgboost.XGBClassifier(**quiet).fit(rows, labels).save_model(folder / "digits.ubj")
    lightgbm.LGBMClassifier(**quiet, verbosity=-1).fit(rows, labels).booster_.save_model(
        folder / "digits.txt"
    )
