"""`make bench`: measures the stack, the server and its peers, and writes docs/benchmarks.md.

What is measured is kept by kind of machine in bench/results, a section at a time.
"""

import argparse
import sys
import tempfile
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from bench import by_kubectl, growth, machine, peers, report, server, stack
from bench.figures import combined
from bench.results import ResultsFile
from bench.section import Context, Section

ROOT: Final = Path(__file__).parents[1]
PAGE: Final = ROOT / "docs" / "benchmarks.md"
LOGS: Final = ROOT / ".state"
_SHOWN: Final = 200

SECTIONS: Final[Mapping[str, Section]] = {
    "server": server.measure,
    "peers": peers.measure,
    "growth": growth.measure,
    "objects": by_kubectl.measure,
    "stack": stack.measure,
}
"""Sections by name, in the order in which they run: those that need no cluster first."""


def main(arguments: Sequence[str]) -> int:
    """Measure, keep the results and write the page; return 1 where a section failed."""
    values = _parse(arguments)
    described = machine.describe()
    file = ResultsFile(described)
    failed = 0
    for name in values.only or SECTIONS:
        moment = machine.moment()
        _say(f"{name}: load average {moment['load_before']} before")
        try:
            rounds = [_round(SECTIONS[name], values.models) for _ in range(values.rounds)]
        except Exception as error:  # noqa: BLE001 - the other sections are measured all the same
            failed = 1
            _say(f"{name} failed: {_line(error)}; all of it is in {_kept(name)}")
            continue
        results = file.record(name, moment, combined(rounds))
        PAGE.write_text(report.filled(PAGE.read_text(), results, file.path.name))
        _say(f"{name}: wrote {file.path.relative_to(ROOT)} and {PAGE.relative_to(ROOT)}")
    return failed


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument(
        "--only", choices=SECTIONS, nargs="+", help="measure these; results of others stay"
    )
    parser.add_argument(
        "--rounds", type=_positive, default=3, help="times each section runs (default: %(default)s)"
    )
    parser.add_argument(
        "--models",
        type=_counts,
        default=growth.COUNTS,
        help="numbers of models in the section growth, as 1,10,100; from"
        f" {growth.WRITTEN_ONCE} on with PULUMI_SKIP_CHECKPOINTS",
    )
    return parser.parse_args(arguments)


def _round(measure: Section, models: Sequence[int]) -> Mapping[str, object]:
    with tempfile.TemporaryDirectory(prefix="slipway-bench-") as folder:
        return measure(Context(Path(folder), _say, models))


def _line(error: Exception) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def _kept(section: str) -> Path:
    """Write the error that is being handled to a file, and return the file's path."""
    LOGS.mkdir(exist_ok=True)
    path = LOGS / f"bench-{section}.log"
    path.write_text(traceback.format_exc())
    return path.relative_to(ROOT)


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return value


def _counts(text: str) -> tuple[int, ...]:
    return tuple(_positive(part) for part in text.split(","))


def _say(line: str) -> None:
    sys.stderr.write(f"bench: {line}\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
