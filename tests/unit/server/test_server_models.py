"""Requirements on what models of each format say of themselves and answer."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
from onnx import TensorProto, helper
from sklearn.datasets import load_iris
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.naive_bayes import MultinomialNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from slipway_server import models
from slipway_server.errors import ModelError, RequestError
from slipway_server.models import Model
from slipway_server.tensors import TensorSpec


def saved(tmp_path: Path, estimator: Any) -> Model:
    joblib.dump(estimator, tmp_path / "model.joblib")
    return models.load(tmp_path / "model.joblib", "sklearn")


@pytest.mark.parametrize(
    ("model_format", "content", "words"),
    [
        ("onnx", None, "no such model file"),
        ("sklearn", None, "no such model file"),
        ("onnx", b"not a model", "not an ONNX model, or damaged: "),
        ("onnx", b"", "not an ONNX model, or damaged: "),
        ("onnx", "digits.joblib", "not an ONNX model, or damaged: "),
        ("sklearn", b"not a model", "not a scikit-learn model saved by joblib, or damaged"),
        ("sklearn", b"", "not a scikit-learn model saved by joblib, or damaged"),
        ("sklearn", "digits.onnx", "not a scikit-learn model saved by joblib, or damaged"),
        ("sklearn", b"\x80\x04cnowhere\nThing\n.", "needs code that this server does not have"),
        ("sklearn", b"\x80\x04K\x07.", "holds a int, not a model with predict()"),
    ],
)
def test_a_file_that_is_not_of_its_format_is_refused_in_one_line(
    tmp_path: Path, digits: Path, model_format: str, content: bytes | str | None, words: str
) -> None:
    path = tmp_path / "model"
    if content is not None:
        path.write_bytes((digits / content).read_bytes() if isinstance(content, str) else content)
    with pytest.raises(ModelError) as caught:
        models.load(path, model_format)
    assert str(caught.value).startswith(f"{path}: {words}")
    assert "\n" not in str(caught.value)


def test_a_truncated_model_is_refused(tmp_path: Path, digits: Path) -> None:
    for file, model_format in (("digits.onnx", "onnx"), ("digits.joblib", "sklearn")):
        path = tmp_path / file
        whole = (digits / file).read_bytes()
        path.write_bytes(whole[: len(whole) // 2])
        with pytest.raises(ModelError, match="or damaged"):
            models.load(path, model_format)


def test_a_classifier_has_labels_and_probabilities(tmp_path: Path) -> None:
    x, y = load_iris(return_X_y=True)
    names = np.array(["setosa", "versicolor", "virginica"])[y]
    estimator = make_pipeline(StandardScaler(), LogisticRegression()).fit(x, names)
    model = saved(tmp_path, estimator)
    assert model.inputs == (TensorSpec("X", "FP64", (-1, 4)),)
    assert model.outputs == (
        TensorSpec("label", "BYTES", (-1,)),
        TensorSpec("probabilities", "FP64", (-1, 3)),
    )
    (labels,) = model.predict({"X": x}, ["label"])
    assert np.array_equal(labels, estimator.predict(x))


def test_a_regressor_has_one_variable(tmp_path: Path) -> None:
    model = saved(tmp_path, LinearRegression().fit([[0.0, 1.0], [1.0, 1.0]], [1.0, 3.0]))
    assert model.inputs == (TensorSpec("X", "FP64", (-1, 2)),)
    assert model.outputs == (TensorSpec("variable", "FP64", (-1,)),)


def test_a_classifier_of_several_targets_has_labels_only(tmp_path: Path) -> None:
    estimator = KNeighborsClassifier(1).fit([[0.0], [1.0]], [[0, 1], [1, 0]])
    assert saved(tmp_path, estimator).outputs == (TensorSpec("label", "INT64", (-1, 2)),)


def test_a_pipeline_over_text_takes_one_string_a_row(tmp_path: Path) -> None:
    estimator = make_pipeline(CountVectorizer(), MultinomialNB()).fit(["good", "bad"], [1, 0])
    model = saved(tmp_path, estimator)
    assert model.inputs == (TensorSpec("X", "BYTES", (-1,)),)
    text = np.array(["good good", "so bad"], dtype=object)
    assert model.predict({"X": text}, ["label"])[0].tolist() == [1, 0]


def test_values_that_the_estimator_refuses_are_the_clients_error(tmp_path: Path) -> None:
    model = saved(tmp_path, LinearRegression().fit([[0.0]], [1.0]))
    with pytest.raises(RequestError, match="cannot work on these inputs: Input X contains NaN"):
        model.predict({"X": np.array([[np.nan]])}, ["variable"])


def test_a_model_of_another_library_version_is_served_with_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    estimator = LinearRegression().fit([[0.0]], [1.0])
    joblib.dump(estimator, tmp_path / "model.joblib")
    content = (tmp_path / "model.joblib").read_bytes()
    from sklearn import __version__ as current

    older = "0" + current[1:]
    (tmp_path / "model.joblib").write_bytes(content.replace(current.encode(), older.encode()))
    assert models.load(tmp_path / "model.joblib", "sklearn").outputs
    assert f"from version {older}" in caplog.text


def test_an_estimator_that_was_never_fitted_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="is not fitted yet"):
        saved(tmp_path, LinearRegression())


def onnx_file(tmp_path: Path, op: str, **types: tuple[int, list[Any]]) -> Path:
    tensors = {
        name: helper.make_tensor_value_info(name, kind, shape)
        for name, (kind, shape) in types.items()
    }
    outputs = [tensors.pop("Y")]
    node = helper.make_node(op, list(types)[: len(tensors)], ["Y"])
    graph = helper.make_graph([node], "test", list(tensors.values()), outputs)
    opsets = [helper.make_opsetid("", 17)]
    path = tmp_path / "model.onnx"
    path.write_bytes(
        helper.make_model(graph, opset_imports=opsets, ir_version=8).SerializeToString()
    )
    return path


def test_free_dimensions_of_an_onnx_model_are_minus_one(tmp_path: Path) -> None:
    path = onnx_file(
        tmp_path,
        "Add",
        A=(TensorProto.FLOAT16, ["batch", 3]),
        B=(TensorProto.FLOAT16, [None, 3]),
        Y=(TensorProto.FLOAT16, ["batch", 3]),
    )
    model = models.load(path, "onnx")
    assert model.inputs == (TensorSpec("A", "FP16", (-1, 3)), TensorSpec("B", "FP16", (-1, 3)))
    assert model.outputs == (TensorSpec("Y", "FP16", (-1, 3)),)


def test_strings_go_through_an_onnx_model(tmp_path: Path) -> None:
    string = (TensorProto.STRING, ["n"])
    model = models.load(onnx_file(tmp_path, "Identity", X=string, Y=string), "onnx")
    assert model.inputs == (TensorSpec("X", "BYTES", (-1,)),)
    (result,) = model.predict({"X": np.array(["a", "\u00e9"], dtype=object)}, ["Y"])
    assert result.tolist() == ["a", "\u00e9"]


def test_values_that_an_onnx_model_refuses_are_the_clients_error(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = onnx_file(
        tmp_path,
        "Gather",
        A=(TensorProto.FLOAT, [3]),
        I=(TensorProto.INT64, ["n"]),
        Y=(TensorProto.FLOAT, ["n"]),
    )
    model = models.load(path, "onnx")
    assert caplog.text == ""
    inputs = {"A": np.ones(3, np.float32), "I": np.array([7])}
    with pytest.raises(RequestError, match=r"these inputs: .*out of data bounds"):
        model.predict(inputs, ["Y"])


def test_a_datatype_that_the_protocol_cannot_carry_is_named(tmp_path: Path) -> None:
    bfloat = (TensorProto.BFLOAT16, [1])
    with pytest.raises(ModelError, match=r"'X' is a tensor\(bfloat16\)"):
        models.load(onnx_file(tmp_path, "Identity", X=bfloat, Y=bfloat), "onnx")


def test_the_runtime_reports_no_model_to_its_maker_whatever_the_environment_says() -> None:
    script = "import slipway_server.models, os; print(os.environ['ORT_DISABLE_TELEMETRY'])"
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "ORT_DISABLE_TELEMETRY": "0"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "1"
