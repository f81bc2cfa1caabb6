"""The model that the shared stack serves, and further versions of it."""

from pathlib import Path
from typing import Final

from apps.serving.client import infer_request
from apps.serving.holdout import Holdout
from tests.cluster.checkout import Checkout

_FOLDER: Final = "examples/digits/build"


def version(checkout: Checkout, name: str) -> str:
    """Make a file of the same model that is another version of it, and return its `uri`.

    Args:
        checkout: Where the model is.
        name: Name of the version, at most 127 characters.
    """
    content = (checkout.folder / _FOLDER / "digits.onnx").read_bytes()
    # The field `doc_string` of a serialised ONNX model.
    note = b"\x32" + bytes([len(name)]) + name.encode()
    path = f"{_FOLDER}/digits-{name}.onnx"
    (checkout.folder / path).write_bytes(content + note)
    return f"file:{path}"


def requests(checkout: Checkout) -> list[bytes]:
    """Return bodies of inference requests."""
    holdout = Holdout.read(checkout.folder / _FOLDER / "holdout.json")
    return [infer_request(holdout, row) for row in holdout.rows[:20]]


def servers(checkout: Checkout, version_: str) -> list[int]:
    """Return the processes of the servers of a version, at least one."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes().split(b"\0")
            groups = (process / "cgroup").read_text()
        except OSError:
            continue
        # Other clusters of the machine may serve the same version.
        here = f"/slipway-{checkout.cluster}/" in groups
        if here and f"--model-version={version_}".encode() in command:
            found.append(int(process.name))
    assert found, f"no server of version {version_} runs"
    return found
