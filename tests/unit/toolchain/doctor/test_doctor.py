"""What the doctor says of a stack as a whole."""

from pathlib import Path

import pytest

from tests.unit.toolchain.doctor.clis import Clis
from toolchain import doctor, host, project
from toolchain.doctor import machine
from toolchain.errors import SlipwayError


@pytest.fixture(autouse=True)
def nothing_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "plugin", lambda report: [])
    monkeypatch.setattr(machine, "pinned", lambda names, *, every: [])


def _lines(stack: str, clis: Clis) -> tuple[int, list[str]]:
    lines: list[str] = []
    return doctor.run(stack, lines.append, lambda line: None, clis.ask), lines


def test_a_stack_that_is_not_there_is_one_error(clis: Clis) -> None:
    with pytest.raises(SlipwayError, match="STACK=prod: there is no"):
        _lines("prod", clis)


@pytest.mark.parametrize("stack", ["eks", "aks", "gke", "existing"])
def test_a_stack_on_a_cloud_is_not_judged_by_what_a_local_cluster_needs(
    stack: str, clis: Clis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(host, "is_root", lambda: False)
    monkeypatch.setattr(host, "memory", lambda: 1)
    monkeypatch.setattr(host, "ADMIN_PATH", ())
    code, lines = _lines(stack, clis)
    assert not any("root" in line.split() or "memory" in line for line in lines)
    assert any("not checked: " in line for line in lines)
    problems = [line for line in lines if line.startswith("missing ")]
    assert code == (1 if problems else 0)
    assert lines[-1] == (f"{len(problems)} missing" if problems else "nothing is missing")
    assert all("is not on PATH" in line for line in problems)


def test_every_error_of_a_stack_file_is_missing(
    clis: Clis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "Pulumi.prod.yaml").write_text(
        "config:\n  slipway:cluster: {kind: eks, vpcCidr: 10.0.0.1/16}\n  slipway:taems: {}\n"
    )
    monkeypatch.setattr(project, "ROOT", tmp_path)
    code, lines = _lines("prod", clis)
    assert code == 1
    problems = [line for line in lines if line.startswith("missing ")]
    assert any("vpcCidr" in line for line in problems)
    assert any("taems" in line for line in problems)
