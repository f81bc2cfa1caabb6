"""scikit-learn models, saved by joblib or by skops.

Tensors carry the names that skl2onnx gives them (`X`; `label` and `probabilities`; `variable`), so
a client does not notice when a model moves from one format to the other.
"""

import logging
import lzma
import pickle
import struct
import warnings
import zipfile
import zlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import joblib
import numpy as np
from sklearn.base import BaseEstimator, is_classifier
from sklearn.exceptions import InconsistentVersionWarning

from slipway_server import forest
from slipway_server.errors import ModelError, RequestError
from slipway_server.tensors import BYTES, Array, TensorSpec, datatype_of

_log = logging.getLogger(__name__)

INPUT = "X"
_FREE = -1

# What reading a file that is no pickle, or a damaged or truncated one, ends in; the text of these
# errors ("8") tells a person nothing.
_NO_PICKLE = (
    pickle.UnpicklingError,
    ArithmeticError,
    EOFError,
    LookupError,
    MemoryError,
    OSError,
    TypeError,
    ValueError,
    lzma.LZMAError,
    struct.error,
    zlib.error,
)


class SklearnModel:
    """A fitted estimator or pipeline that has `predict`.

    Args:
        path: Where it comes from.
        estimator: What was loaded from there.
        platform: The protocol's platform.
    """

    def __init__(self, path: Path, estimator: Any, platform: str) -> None:
        if not isinstance(estimator, BaseEstimator) or not hasattr(estimator, "predict"):
            kind = type(estimator).__name__
            raise ModelError(f"{path}: holds a {kind}, not a model with predict()")
        self.platform = platform
        features = getattr(estimator, "n_features_in_", None)
        if features is None:
            # A pipeline that starts with a text vectorizer: it takes strings, one a row.
            self.inputs = (TensorSpec(INPUT, BYTES, (_FREE,)),)
            probe: Array = np.array([""], dtype=object)
        else:
            self.inputs = (TensorSpec(INPUT, "FP64", (_FREE, int(features))),)
            probe = np.zeros((1, int(features)))
        _run_in_one_thread(estimator)
        self._methods = _methods(estimator)
        self._forest = forest.of(estimator)
        self.outputs = tuple(self._output_spec(path, name, probe) for name in self._methods)

    def predict(self, inputs: Mapping[str, Array], outputs: Sequence[str]) -> Sequence[Array]:
        """Call the estimator once per requested output, a forest once; see `Model.predict`."""
        rows = inputs[INPUT]
        answer = self._forest.answer(rows) if self._forest else None
        if answer is not None:
            return [answer[name] for name in outputs]
        try:
            return [np.asarray(self._methods[name](rows)) for name in outputs]
        except ValueError as error:
            raise RequestError(f"the model cannot work on these inputs: {_line(error)}") from None

    def _output_spec(self, path: Path, name: str, probe: Array) -> TensorSpec:
        """Describe an output by what a prediction on zeros looks like; this also warms up."""
        try:
            result = self.predict({INPUT: probe}, [name])[0]
            return TensorSpec(name, datatype_of(result), (_FREE, *result.shape[1:]))
        except RequestError as error:
            raise ModelError(f"{path}: {error}") from None
        except KeyError:
            raise ModelError(f"{path}: the protocol cannot carry output '{name}'") from None


def load_skops(path: Path) -> SklearnModel:
    """Load a model that skops saved, in which no code runs while it loads.

    Raises:
        ModelError: The file is not one of skops, or holds types other than those of scikit-learn
            and numpy, which skops trusts.
    """
    import skops.io
    from skops.io.exceptions import UntrustedTypesFoundException

    try:
        estimator = skops.io.load(path, trusted=[])
    except UntrustedTypesFoundException as error:
        raise ModelError(f"{path}: {_line(error)}") from None
    except (*_NO_PICKLE, AttributeError, ImportError, zipfile.BadZipFile):
        raise ModelError(f"{path}: not a scikit-learn model saved by skops, or damaged") from None
    return SklearnModel(path, estimator, "sklearn_skops")


def load_joblib(path: Path) -> SklearnModel:
    """Load a model that joblib saved: a pickle, which runs code while it loads.

    Raises:
        ModelError: The file is not one of joblib, or needs code that is not here.
    """
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", InconsistentVersionWarning)
        try:
            estimator = joblib.load(path)
        except (ImportError, AttributeError) as error:
            raise ModelError(
                f"{path}: needs code that this server does not have: {_line(error)}"
            ) from None
        except _NO_PICKLE:
            raise ModelError(
                f"{path}: not a scikit-learn model saved by joblib, or damaged"
            ) from None
    if caught:
        _log.warning("%s: %s", path, _line(caught[0].message))
    return SklearnModel(path, estimator, "sklearn_joblib")


def _run_in_one_thread(estimator: Any) -> None:
    """Keep an estimator from threads or processes of its own.

    The request threads are the parallelism, and what `n_jobs=-1` starts takes longer than the few
    rows of a request.
    """
    for part in (estimator, *(step for _, step in getattr(estimator, "steps", ()))):
        if hasattr(part, "n_jobs"):
            part.n_jobs = 1


def _methods(estimator: Any) -> dict[str, Callable[[Array], Any]]:
    if not is_classifier(estimator):
        return {"variable": estimator.predict}
    methods: dict[str, Callable[[Array], Any]] = {"label": estimator.predict}
    # One array per target, so no tensor, where there are several targets.
    several_targets = isinstance(getattr(estimator, "classes_", None), list)
    if hasattr(estimator, "predict_proba") and not several_targets:
        methods["probabilities"] = estimator.predict_proba
    return methods


def _line(error: object) -> str:
    text = " ".join(str(error).split())
    return text or type(error).__name__
