"""Where our own pods run; those of charts are in `tests/engine/test_upstream_charts.py`."""

from pathlib import Path

import pytest

from tests.unit import placed_program


def test_every_pod_runs_where_the_cluster_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = placed_program.run(tmp_path, monkeypatch)
    lacking = {
        resource.name: placed_program.unplaced(template["spec"])
        for resource, template in program.pods()
    }
    assert len(lacking) >= 6
    assert {name: fields for name, fields in lacking.items() if fields} == {}
