"""Trains the digits classifier that the local stack serves, and the data that checks it.

The data are scikit-learn's 1,797 handwritten digits, eight by eight pixels of 0 to 16. Run it as
`python -m examples.digits.train`; it writes to `examples/digits/build`:

- `digits.onnx`: the model for the server's `onnx` format,
- `digits.joblib`: the same model for its `sklearn` format,
- `holdout.json`: the held-out rows, the predictions made here, and the true labels.

The same script and library versions always write the same bytes, so that the model's digest, which
is its version on the cluster, does not change from one machine or run to the next.
"""

import hashlib
import json
import os
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

BUILD = Path(__file__).parent / "build"
FILES = ("digits.onnx", "digits.joblib", "holdout.json")
STAMP = "stamp"
LIBRARIES = ("joblib", "numpy", "onnx", "onnxruntime", "scikit-learn", "skl2onnx")

SEED = 20
TREES = 50
HOLDOUT_SHARE = 0.25
OPSET = 17
"""ONNX operator set: old enough for any runtime of the last years, and all a forest needs."""


def main() -> int:
    """Train unless the files of this very script and these libraries are already there."""
    stamp = _stamp()
    present = all((BUILD / name).is_file() for name in (*FILES, STAMP))
    if present and (BUILD / STAMP).read_text() == stamp:
        _say(f"digits: {BUILD.name}/ is up to date")
        return 0
    BUILD.mkdir(exist_ok=True)
    (BUILD / STAMP).unlink(missing_ok=True)
    accuracy, rows = _train(BUILD)
    _write(BUILD / STAMP, lambda path: path.write_text(stamp))
    _say(f"digits: trained, accuracy {accuracy:.4f} on {rows} held-out images")
    return 0


def _stamp() -> str:
    """Return what the files depend on: this script and the libraries."""
    script = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()
    return json.dumps({"script": script, **{name: version(name) for name in LIBRARIES}}, indent=1)


def _train(build: Path) -> tuple[float, int]:
    """Train, convert, predict offline and write; return the accuracy and the number of rows."""
    # Else ONNX Runtime reports the model to its maker once it is imported.
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    # Imported here so that a run with nothing to do takes 0.1 s instead of 2 s.
    import joblib
    import numpy as np
    import onnxruntime
    import skl2onnx
    from skl2onnx.common.data_types import FloatTensorType
    from sklearn.datasets import load_digits
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.model_selection import train_test_split

    images, labels = load_digits(return_X_y=True)
    train_x, test_x, train_y, test_y = train_test_split(
        images, labels, test_size=HOLDOUT_SHARE, stratify=labels, random_state=SEED
    )
    forest = RandomForestClassifier(n_estimators=TREES, random_state=SEED).fit(train_x, train_y)
    onnx_model = skl2onnx.to_onnx(
        forest,
        name="digits",
        initial_types=[("X", FloatTensorType([None, train_x.shape[1]]))],
        options={id(forest): {"zipmap": False}},
        target_opset=OPSET,
    )
    onnx_bytes = onnx_model.SerializeToString(deterministic=True)

    session = onnxruntime.InferenceSession(onnx_bytes, providers=["CPUExecutionProvider"])
    (expected,) = session.run(["label"], {"X": test_x.astype(np.float32)})
    if not np.array_equal(expected, forest.predict(test_x)):
        raise SystemExit("error: the ONNX model does not predict what the scikit-learn model does")

    holdout = {
        "input": {"name": "X", "datatype": "FP32", "shape_of_one_row": [test_x.shape[1]]},
        "output": "label",
        "rows": test_x.tolist(),
        "expected": expected.tolist(),
        "labels": test_y.tolist(),
    }
    _write(build / "digits.onnx", lambda path: path.write_bytes(onnx_bytes))
    _write(build / "digits.joblib", lambda path: joblib.dump(forest, path))
    _write(build / "holdout.json", lambda path: path.write_text(json.dumps(holdout)))
    return float(np.mean(expected == test_y)), len(test_y)


def _write(path: Path, write: Callable[[Path], Any]) -> None:
    """Write a file so that it is there whole or not at all."""
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    write(partial)
    partial.replace(path)


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")


if __name__ == "__main__":
    sys.exit(main())
