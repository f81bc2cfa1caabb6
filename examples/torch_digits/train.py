"""Trains a small network in PyTorch, and exports it to ONNX for the format `onnx`.

The data are scikit-learn's digits, as in `examples/digits`. It needs what `requirements.txt` beside
it names, torch among it. Run it as `python -m examples.torch_digits.train`; unless they are there,
it writes to `examples/torch_digits/build`:

- `torch_digits.onnx`: the model,
- `holdout.json`: the held-out rows, the predictions made here, and the true labels.

Another machine may write other bytes: how torch adds up depends on the processor.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

BUILD = Path(__file__).parent / "build"
MODEL = "torch_digits.onnx"
HOLDOUT = "holdout.json"

INPUT = "X"
OUTPUTS = ("label", "probabilities")

SEED = 20
HOLDOUT_SHARE = 0.25


def main() -> int:
    """Train and export unless the files are there."""
    if all((BUILD / name).is_file() for name in (HOLDOUT, MODEL)):
        _say(f"torch_digits: {BUILD.name}/{MODEL} is there")
        return 0
    try:
        from examples.torch_digits import _network
    except ModuleNotFoundError as error:
        raise SystemExit(
            f"error: {error.name} is missing: run `python -m examples.torch_digits.train` in an "
            "environment that has examples/torch_digits/requirements.txt, see docs/pytorch.md"
        ) from None
    train_x, test_x, train_y, test_y = _digits()
    network = _network.trained(train_x, train_y, SEED)
    model = _network.exported(network, test_x[:2], [INPUT], OUTPUTS)
    holdout = held_out(model, test_x, test_y, _network.labels_of(network, test_x))
    write(BUILD, model, holdout)
    right = sum(map(int.__eq__, holdout["expected"], holdout["labels"]))
    _say(f"torch_digits: trained, {right} of {len(test_y)} held-out images right")
    return 0


def held_out(model: bytes, rows: Any, labels: Any, predicted: Any) -> dict[str, Any]:
    """Return the held-out data of an exported model, which has to predict what its origin did.

    Args:
        model: The model in ONNX.
        rows: The rows, in FP32.
        labels: What is true, by row.
        predicted: What the model predicted before it was exported, by row.

    Raises:
        SystemExit: It does not, or it takes no other number of rows than it was exported with.
    """
    # Else ONNX Runtime reports the model to its maker once it is imported.
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    import numpy as np
    import onnxruntime

    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    free = session.get_inputs()[0].shape[0]
    if isinstance(free, int):
        raise SystemExit(
            f"error: the ONNX model takes {free} rows and no other number: export it with "
            "`dynamic_shapes`"
        )
    (expected,) = session.run([OUTPUTS[0]], {INPUT: rows})
    if not np.array_equal(expected, predicted):
        raise SystemExit("error: the ONNX model does not predict what the network in PyTorch does")
    return {
        "input": {"name": INPUT, "datatype": "FP32", "shape_of_one_row": list(rows.shape[1:])},
        "output": OUTPUTS[0],
        "rows": rows.tolist(),
        "expected": expected.tolist(),
        "labels": labels.tolist(),
    }


def write(build: Path, model: bytes, holdout: dict[str, Any]) -> None:
    """Write the files so that each is there whole or not at all.

    Args:
        build: Folder for them.
        model: The model in ONNX.
        holdout: Its held-out data.
    """
    build.mkdir(exist_ok=True)
    for name, content in ((HOLDOUT, json.dumps(holdout).encode()), (MODEL, model)):
        partial = build / f".{name}.{os.getpid()}"
        partial.write_bytes(content)
        partial.replace(build / name)


def _digits() -> tuple[Any, Any, Any, Any]:
    import numpy as np
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    images, labels = load_digits(return_X_y=True)
    split: tuple[Any, Any, Any, Any] = tuple(
        train_test_split(
            images.astype(np.float32),
            labels.astype(np.int64),
            test_size=HOLDOUT_SHARE,
            stratify=labels,
            random_state=SEED,
        )
    )
    return split


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")


if __name__ == "__main__":
    sys.exit(main())
