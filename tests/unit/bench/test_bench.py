"""Requirements on what the benchmark compares and writes."""

import json
import os
import stat
from pathlib import Path
from typing import Any

from bench import memory, objects, report
from tests.unit.bench import sample


def resource(kind: str, inputs: dict[str, Any], *, custom: bool = True) -> dict[str, Any]:
    return {"type": f"kubernetes:{kind}", "urn": kind, "custom": custom, "inputs": inputs}


def test_kubectl_gets_the_same_objects_without_pulumis_own_marks() -> None:
    secret = {objects.SECRET_MARK: "1b47", "plaintext": json.dumps({"token": "abc"})}
    inputs = {"kind": "Secret", "metadata": {"name": "a"}, "data": secret, "__defaults": []}
    resources = [
        resource("core/v1:Secret", inputs),
        resource("yaml/v2:ConfigFile", {"file": "crds.yaml"}, custom=False),
        {"type": "pulumi:providers:kubernetes", "custom": True, "inputs": {}},
        {"type": "slipway:machine:Image", "custom": True, "inputs": {}},
    ]
    assert objects.manifests({"deployment": {"resources": resources}}) == [
        {"kind": "Secret", "metadata": {"name": "a"}, "data": {"token": "abc"}}
    ]


def test_kubectl_waits_for_what_pulumi_waits_for() -> None:
    annotated = {"annotations": {"pulumi.com/waitFor": "condition=Programmed"}}
    found = objects.waits(
        [
            {"kind": "Deployment", "metadata": {}},
            {"kind": "Gateway", "metadata": annotated},
            {"kind": "ConfigMap", "metadata": {}},
        ]
    )
    assert [(condition, one["kind"]) for condition, one in found] == [
        ("condition=Available", "Deployment"),
        ("condition=Programmed", "Gateway"),
    ]


def test_files_with_secrets_are_closed_to_others(tmp_path: Path) -> None:
    path = objects.write(tmp_path / "all.json", [])
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_this_process_is_found_among_its_parents_children() -> None:
    assert os.getpid() in memory.descendants(os.getppid())


def test_the_page_says_where_its_figures_come_from() -> None:
    page = report.page(sample.RESULTS)
    assert "2 cores, 23.5 GiB" in page
    assert "| `make up`: pulumi | 30.0 s | 75% |  |" in page
    assert "Ratio of the medians 1.10 (aim: 1.15)." in page
    assert "| in all | 3 | 350 MiB | 300 MiB |" in page
    assert "| digits (onnx), 8 at once | 5868 | 1.28 ms | 2.73 ms | 0.17 ms |" in page
