"""Random forests of scikit-learn, without what it spends on each call.

scikit-learn hands every tree to joblib, and copies its settings and filters warnings for each: 2.7
ms of CPU for a row and 50 trees, whose own work takes 0.15 ms. That work is public: `tree_.predict`
of each of `estimators_`, of which `predict_proba` and a regressor's `predict` are documented to be
the mean (https://scikit-learn.org/stable/modules/ensemble.html#random-forests).
"""

import sys
from typing import Any

import numpy as np

from slipway_server.tensors import Array

_KINDS = (
    "RandomForestClassifier",
    "ExtraTreesClassifier",
    "RandomForestRegressor",
    "ExtraTreesRegressor",
)
_PROBED_ROWS = 3
_SEED = 20


class Forest:
    """A fitted forest with one target.

    Args:
        estimator: The forest.
    """

    def __init__(self, estimator: Any) -> None:
        self._trees = [one.tree_ for one in estimator.estimators_]
        self._classes: Array | None = getattr(estimator, "classes_", None)

    def answer(self, rows: Array) -> dict[str, Array] | None:
        """Return all outputs by name, as the estimator's methods do.

        `None` where it has to be asked itself: it may refuse values that are no finite numbers, or
        know what a missing one means.
        """
        with np.errstate(over="ignore"):
            # What a tree takes.
            narrow = rows.astype(np.float32)
        if len(narrow) == 0 or not np.isfinite(narrow).all():
            return None
        mean = np.zeros((len(narrow), 1 if self._classes is None else len(self._classes)))
        for tree in self._trees:
            mean += tree.predict(narrow)
        mean /= len(self._trees)
        if self._classes is None:
            return {"variable": mean[:, 0]}
        return {"label": self._classes.take(mean.argmax(axis=1)), "probabilities": mean}


def of(estimator: Any) -> Forest | None:
    """Return an estimator's forest; `None` where it is none, or answers otherwise than its trees.

    Estimators that an older scikit-learn has saved may keep something else in their trees.
    """
    # A forest has brought its module along; for others it is not loaded, which takes 0.2 s.
    ensemble = sys.modules.get("sklearn.ensemble")
    kinds = tuple(getattr(ensemble, name) for name in _KINDS) if ensemble else ()
    # Not a class derived from one, which may answer as it likes.
    if type(estimator) not in kinds or estimator.n_outputs_ != 1:
        return None
    forest = Forest(estimator)
    rows = np.random.default_rng(_SEED).normal(size=(_PROBED_ROWS, estimator.n_features_in_))
    found = forest.answer(rows) or {}
    methods = {"variable": "predict", "label": "predict", "probabilities": "predict_proba"}
    same = all(
        np.array_equal(array, getattr(estimator, methods[name])(rows))
        for name, array in found.items()
    )
    return forest if same else None
