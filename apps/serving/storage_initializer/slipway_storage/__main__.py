"""Command line of the init step."""

import argparse
import logging
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from slipway_storage.bringing import Order, bring
from slipway_storage.errors import StorageError

# What Google's clients take as the path of a file, and a secret of a team as the file's content.
_GOOGLE_KEY = "GOOGLE_APPLICATION_CREDENTIALS"


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Read the command line; a mistake ends the process with one line and exit code 2."""
    parser = argparse.ArgumentParser(
        prog="slipway_storage", description="Bring a model from where it is stored into a folder."
    )
    parser.add_argument("--uri", required=True)
    parser.add_argument("--into", required=True, type=Path, help="an empty folder")
    parser.add_argument("--name", required=True, help="name of the file or folder in it")
    parser.add_argument("--folder", action="store_true", help="the model is a folder")
    parser.add_argument("--sha256", default="", help="what its digest has to be")
    parser.add_argument("--limit", required=True, type=int, help="room for it, in bytes")
    parser.add_argument("--termination-log", type=Path, default=Path("/dev/termination-log"))
    return parser.parse_args(arguments)


def main(arguments: Sequence[str]) -> int:
    """Bring the model and return the exit code."""
    values = parse(arguments)
    logging.basicConfig(
        stream=sys.stderr, level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s"
    )
    logging.getLogger("slipway_storage").setLevel(logging.INFO)
    _write_google_key(Path("/tmp/google-key.json"))

    def fail(error: StorageError) -> None:
        logging.getLogger("slipway_storage").error("%s", error)
        # Kubernetes shows what stands there in the pod's status.
        values.termination_log.write_text(f"{error}\n")

    def end(error: StorageError) -> None:
        fail(error)
        os._exit(1)

    order = Order(values.uri, values.into, values.name, values.folder, values.sha256, values.limit)
    try:
        bring(order, end)
    except StorageError as error:
        fail(error)
        return 1
    return 0


def _write_google_key(path: Path) -> None:
    """Put a key that is given as a variable into a file, for which Google's clients look."""
    value = os.environ.get(_GOOGLE_KEY, "")
    if value.lstrip().startswith("{"):
        path.touch(mode=0o600)
        path.write_text(value)
        os.environ[_GOOGLE_KEY] = str(path)


if __name__ == "__main__":
    # PID 1 ignores the signal otherwise, and its pod has as long to end as its server may take.
    signal.signal(signal.SIGTERM, lambda *_: os._exit(128 + signal.SIGTERM))
    sys.exit(main(sys.argv[1:]))
