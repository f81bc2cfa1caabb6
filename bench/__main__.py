"""`make bench`: measures the stack, the server and its peers, and writes docs/benchmarks.md."""

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench import growth, machine, peers, report, server, stack

ROOT = Path(__file__).parents[1]
RESULTS = Path(__file__).parent / "results"
PAGE = ROOT / "docs" / "benchmarks.md"


def main(arguments: Sequence[str]) -> int:
    """Measure and write the page."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument(
        "--only", choices=("stack", "server", "peers", "growth"), help="measure one; write no page"
    )
    parser.add_argument("--rounds", type=int, default=3, help="default: %(default)s")
    values = parser.parse_args(arguments)

    results: dict[str, Any] = {"machine": machine.describe()}
    with tempfile.TemporaryDirectory(prefix="slipway-bench-") as folder:
        if values.only in (None, "server"):
            _say("the model server by itself")
            results["server"] = server.measure()
        if values.only in (None, "peers"):
            results["peers"] = peers.measure(_say)
        if values.only in (None, "growth"):
            results["growth"] = growth.measure(Path(folder), _say)
        if values.only in (None, "stack"):
            results["stack"] = stack.measure(Path(folder) / "slipway", values.rounds, _say)

    RESULTS.mkdir(exist_ok=True)
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    path = RESULTS / f"{stamp}.json"
    path.write_text(json.dumps(results, indent=1) + "\n")
    page = report.page(results)
    if values.only is None:
        PAGE.write_text(page)
        _say(f"wrote {PAGE.relative_to(ROOT)}")
    sys.stdout.write(page)
    return 0


def _say(line: str) -> None:
    sys.stderr.write(f"bench: {line}\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
