"""Requirements on the way from PyTorch to a served model; torch itself need not be there."""

import sys
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from apps.serving.holdout import Holdout
from apps.serving.runtimes import RUNTIMES
from examples.torch_digits import train
from slipway_server.onnx_model import OnnxModel

ROWS = np.random.default_rng(20).random((7, 64)).astype(np.float32)
WEIGHTS = np.random.default_rng(21).random((64, 10)).astype(np.float32)
LABELS = (ROWS @ WEIGHTS).argmax(axis=1)


def exported(rows: str | int = "batch") -> bytes:
    """A network of one layer, with the inputs and outputs of the example."""
    graph = helper.make_graph(
        [
            helper.make_node("MatMul", ["X", "weights"], ["numbers"]),
            helper.make_node("ArgMax", ["numbers"], ["label"], axis=1, keepdims=0),
            helper.make_node("Softmax", ["numbers"], ["probabilities"], axis=1),
        ],
        "digits",
        [helper.make_tensor_value_info("X", TensorProto.FLOAT, [rows, 64])],
        [
            helper.make_tensor_value_info("label", TensorProto.INT64, [rows]),
            helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, [rows, 10]),
        ],
        [numpy_helper.from_array(WEIGHTS, "weights")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    content: bytes = model.SerializeToString(deterministic=True)
    return content


def test_an_exported_network_and_its_held_out_rows_are_what_is_served_and_checked(
    tmp_path: Path,
) -> None:
    holdout = train.held_out(exported(), ROWS, LABELS, LABELS)
    train.write(tmp_path, exported(), holdout)
    assert Holdout.read(tmp_path / train.HOLDOUT).expected == LABELS.tolist()
    assert_served(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [train.HOLDOUT, train.MODEL]


def test_a_network_that_was_exported_for_one_number_of_rows_is_refused() -> None:
    with pytest.raises(SystemExit, match="takes 2 rows and no other number: export it with"):
        train.held_out(exported(2), ROWS, LABELS, LABELS)


def test_an_export_that_predicts_something_else_is_refused() -> None:
    with pytest.raises(SystemExit, match="does not predict what the network in PyTorch does"):
        train.held_out(exported(), ROWS, LABELS, np.roll(LABELS, 1))


def test_without_torch_one_line_says_where_to_train(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(train, "BUILD", tmp_path / "build")
    monkeypatch.delitem(sys.modules, "examples.torch_digits._network", raising=False)
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(SystemExit, match=r"^error: torch is missing: run `python -m .*`"):
        train.main()


def test_files_that_are_there_need_no_torch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train.write(tmp_path, exported(), train.held_out(exported(), ROWS, LABELS, LABELS))
    monkeypatch.setattr(train, "BUILD", tmp_path)
    monkeypatch.setitem(sys.modules, "torch", None)
    assert train.main() == 0


def test_it_is_checked_with_the_libraries_that_serve_it() -> None:
    root = Path(train.__file__).parents[2]
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    pins = (Path(train.__file__).parent / "requirements.txt").read_text().splitlines()
    for library in ("numpy", "onnx", "onnxruntime", "scikit-learn"):
        (pin,) = [line for line in pins if line.startswith(f"{library}==")]
        assert pin in project["optional-dependencies"]["examples"]


def test_the_network_is_trained_exported_and_served(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("torch", reason="torch is several gigabytes, see docs/pytorch.md")
    build = tmp_path / "build"
    monkeypatch.setattr(train, "BUILD", build)
    assert train.main() == 0
    assert_served(build)
    holdout = Holdout.read(build / train.HOLDOUT)
    right = sum(expected == label for _, expected, label in holdout.examples())
    assert right / len(holdout.rows) > 0.93


def assert_served(build: Path) -> None:
    """Hold that the server takes the model, and predicts what the held-out data say."""
    path = build / train.MODEL
    assert RUNTIMES["onnx"].recognises(path.read_bytes()[:16])
    onnx.checker.check_model(onnx.load(path))
    model = OnnxModel(path)
    (taken,) = model.inputs
    assert (taken.name, taken.datatype, taken.shape) == ("X", "FP32", (-1, 64))
    assert [(found.name, found.shape) for found in model.outputs] == [
        ("label", (-1,)),
        ("probabilities", (-1, 10)),
    ]
    holdout = Holdout.read(build / train.HOLDOUT)
    for count in (1, len(holdout.rows)):
        rows: Any = np.array(holdout.rows[:count], np.float32)
        labels, probabilities = model.predict({"X": rows}, ["label", "probabilities"])
        assert labels.tolist() == holdout.expected[:count]
        assert np.allclose(probabilities.sum(axis=1), 1)
