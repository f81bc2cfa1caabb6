"""Requirements on what is kept of a benchmark, and on the page that shows it."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

import bench.__main__ as command
from bench import figures, machine, report, results
from bench.report import aims, cluster, serving
from tests.unit.bench import sample

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "benchmarks.md").read_text()


def test_a_figure_is_the_median_of_its_rounds_with_the_least_and_the_most() -> None:
    rounds = [{"rest": {"1": {"p50_ms": value}}} for value in (3.0, 1.0, 2.0)]
    found = figures.combined(rounds)
    assert found == {"rest": {"1": {"p50_ms": [3.0, 1.0, 2.0]}}}
    assert figures.spread(found["rest"]["1"]["p50_ms"], 1, "ms") == "2.0 (1.0-3.0) ms"
    assert figures.spread([2.0], 1, "ms") == "2.0 ms"


def test_what_one_round_did_not_see_is_no_figure_of_it() -> None:
    rounds = [{"node/etcd": {"rss_mib": 1.0}}, {"node/runc": {"rss_mib": 2.0}}]
    assert figures.combined(rounds) == {
        "node/etcd": {"rss_mib": [1.0]},
        "node/runc": {"rss_mib": [2.0]},
    }


def test_the_file_is_named_after_the_processor_and_its_cores() -> None:
    assert machine.slug(sample.MACHINE) == "amd-epyc-7-2-cores"


def test_results_tell_neither_the_name_of_a_machine_nor_a_path() -> None:
    described = machine.describe()
    assert described.keys() == sample.MACHINE.keys()
    text = json.dumps({**described, **machine.moment()})
    assert Path("/proc/sys/kernel/hostname").read_text().strip() not in text
    assert str(ROOT) not in text


def test_a_section_that_is_measured_again_leaves_the_others(tmp_path: Path) -> None:
    file = results.ResultsFile(sample.MACHINE, tmp_path)
    file.record("server", sample.MOMENT, {"onnx": {"ready_s": [1.0]}})
    file.record("peers", sample.MOMENT, sample.PEERS)
    later = {"date": "2026-02-03 04:05 UTC", "load_before": 0.2}
    file.record("server", later, {"onnx": {"ready_s": [2.0]}})
    kept = file.read()["sections"]
    assert kept["server"] == {**later, "figures": {"onnx": {"ready_s": [2.0]}}}
    assert kept["peers"] == {**sample.MOMENT, "figures": sample.PEERS}


def test_another_number_of_models_is_added_to_those_measured_before(tmp_path: Path) -> None:
    file = results.ResultsFile(sample.MACHINE, tmp_path)
    file.record("growth", sample.MOMENT, {"1": {}, "10": {}})
    later = {"date": "2026-02-03 04:05 UTC", "load_before": 0.2}
    kept = file.record("growth", later, {"500": {}})["sections"]["growth"]
    assert {count: part["date"] for count, part in kept.items()} == {
        "1": sample.MOMENT["date"],
        "10": sample.MOMENT["date"],
        "500": later["date"],
    }


def test_what_is_written_around_the_tables_stays() -> None:
    page = "# Title\n\nby hand\n<!-- begin: objects -->\nold\n<!-- end: objects -->\nby hand too\n"
    found = report.filled(page, sample.results(), "some.json")
    assert found.startswith("# Title\n\nby hand\n<!-- begin: objects -->\nMeasured 2026")
    assert found.endswith("\n<!-- end: objects -->\nby hand too\n")
    assert "old" not in found
    assert report.filled(found, sample.results(), "some.json") == found


def test_the_page_has_the_tables_of_every_section() -> None:
    page = report.filled(PAGE, sample.results(), "some.json")
    blocks = re.findall(r"<!-- begin: (\S+) -->", page)
    assert sorted(blocks) == sorted(["machine", "aims", *command.SECTIONS])
    assert "`bench/results/some.json`: AMD EPYC(TM) 7 CPU @ 2.00GHz, 2 cores, 23.5 GiB" in page
    assert "load average before: 0.1." in page
    assert "| onnx | REST | 8 | 0.15 ms | 5868 | 1.28 ms | 2.73 ms | 0.05 ms |" in page
    assert "| `make up`: pulumi | 30.0 s |  |" in page
    assert "| beside the models | in all | 2 | 620 | 600 | 300 |" in page
    assert "| everything | in all | 3 | 720 | 690 | 345 |" in page
    assert "| first request to a model scaled to zero | 2.5 s |  |" in page
    assert "Ratio: 1.10." in page
    assert "| 500* | 55 | 5.0 s, 2.0 s |" in page


def test_a_section_that_was_not_measured_says_how_to() -> None:
    page = report.filled(PAGE, {"machine": sample.MACHINE, "sections": {}}, "some.json")
    assert 'Not measured on this machine: `make bench ARGS="--only stack"`.' in page
    assert page.count("| not measured |") == len(aims.AIMS)


def test_the_page_shows_what_is_kept_in_the_file_that_it_names() -> None:
    named = re.search(r"`bench/results/(\S+\.json)`", PAGE)
    assert named is not None
    kept = json.loads((results.FOLDER / named[1]).read_text())
    assert report.filled(PAGE, kept, named[1]) == PAGE


def test_peers_are_compared_by_the_medians_of_their_rounds() -> None:
    found = serving.rate(sample.PEERS["digits"], "slipway (onnx)", "rest", "8")
    assert found == pytest.approx(3000 / 150)
    assert (
        "| digits | slipway (onnx) | gRPC | 20.0 (30.7) | 20.0 (30.7) | 20.0 (30.7) |"
        in serving.peers({"figures": sample.PEERS})
    )


def test_what_the_gateway_adds_is_the_difference_to_the_pod() -> None:
    ways = sample.STACK["gateway"]
    assert cluster.gateway_adds_ms(ways, "1", "p50_ms") == pytest.approx(0.25)
    assert cluster.gateway_adds_ms(ways, "1", "p99_ms") == pytest.approx(1.25)


def test_every_aim_says_whether_it_is_met() -> None:
    rows = {aim.what: aim.row(_figures(aim.section)) for aim in aims.AIMS}
    assert rows["memory beside the models"][1:] == ("at most 1024 MiB", "600 MiB", "yes")
    assert rows["the gateway adds to p99, 1 at once"][1:] == ("at most 1 ms", "1.25 ms", "**no**")
    digits = rows["requests a second against MLServer 1.7.1: digits, REST, 32 at once"]
    assert digits[1:] == ("at least 15 times", "20.0 times", "yes")
    iris = rows["requests a second against MLServer 1.7.1: iris, REST, 1 at once"]
    assert iris[1:] == ("at least 3 times", "2.5 times", "**no**")


def _figures(section: str) -> Any:
    return sample.results()["sections"][section]["figures"]


def test_a_section_that_fails_says_so_in_one_line_and_the_others_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails(_: object) -> dict[str, Any]:
        raise AssertionError("the first line\nthe second line")

    (tmp_path / "page.md").write_text("<!-- begin: server -->\n<!-- end: server -->\n")
    monkeypatch.setattr(command, "ROOT", tmp_path)
    monkeypatch.setattr(command, "PAGE", tmp_path / "page.md")
    monkeypatch.setattr(command, "LOGS", tmp_path / "logs")
    monkeypatch.setattr(results, "FOLDER", tmp_path)
    measured = {"onnx": {**sample.served(1.0), "ready_s": 1.0}}
    monkeypatch.setattr(command, "SECTIONS", {"peers": fails, "server": lambda _: _one(measured)})
    assert command.main(["--rounds", "2"]) == 1
    line = next(one for one in capsys.readouterr().err.splitlines() if "failed" in one)
    assert line.startswith("bench: peers failed: the first line the second line; ")
    assert "the second line" in (tmp_path / "logs" / "bench-peers.log").read_text()
    assert "Measured" in (tmp_path / "page.md").read_text()


def _one(value: Any) -> Any:
    """Return figures as those of a single round."""
    if isinstance(value, dict):
        return {key: _one(part) for key, part in value.items()}
    return value[0] if isinstance(value, list) else value
