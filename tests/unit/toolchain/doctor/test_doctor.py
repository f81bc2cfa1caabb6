"""What the doctor says of a stack as a whole."""

from importlib import metadata
from pathlib import Path

import pytest

from tests.unit.toolchain.doctor.clis import Clis, with_level
from toolchain import doctor, download, env, host, project
from toolchain.doctor import machine
from toolchain.errors import SlipwayError


@pytest.fixture(autouse=True)
def nothing_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "plugin", lambda report: [])
    monkeypatch.setattr(machine, "pinned", lambda names, *, every: [])
    monkeypatch.setattr(download, "refusal", lambda url: None)
    monkeypatch.setattr(metadata, "version", lambda package: "1.2.3")
    monkeypatch.delenv("PULUMI_PLUGIN_DOWNLOAD_URL_OVERRIDES", raising=False)


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


def test_the_engines_plug_in_for_a_cloud_is_there_or_can_be_had(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[str] = []

    def refuse(url: str) -> str:
        asked.append(url)
        return "its publisher does not answer"

    assert machine.provider("aws").level == "note"
    monkeypatch.setattr(download, "refusal", refuse)
    assert (
        "does not answer; set PULUMI_PLUGIN_DOWNLOAD_URL_OVERRIDES" in machine.provider("aws").text
    )
    assert machine.provider("aws").level == "missing"
    assert "/pulumi-resource-aws-v1.2.3-linux-" in asked[0]
    folder = env.pulumi_home() / "plugins" / "resource-aws-v1.2.3"
    folder.mkdir(parents=True)
    assert machine.provider("aws").level == "ok"
    # So it is while the engine installs it, and after that has failed.
    folder.with_name(f"{folder.name}.partial").touch()
    assert machine.provider("aws").level == "missing"


@pytest.mark.parametrize(
    ("stack", "package"), [("eks", "aws"), ("aks", "azure-native"), ("gke", "gcp")]
)
def test_a_stack_needs_the_plug_in_of_its_own_cloud(stack: str, package: str, clis: Clis) -> None:
    plugs = [line for line in _lines(stack, clis)[1] if " plug-in 1.2.3" in line]
    assert plugs == [
        f"note    {package} plug-in 1.2.3: not yet; the engine takes it from its publisher"
    ]


def test_a_plug_in_on_path_is_one(clis: Clis, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "refusal", lambda url: "its publisher does not answer")
    clis.add("pulumi-resource-aws")
    assert with_level([machine.provider("aws")], str(clis.folder)) == "note"


def test_a_cloud_without_its_python_package_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(package: str) -> str:
        raise metadata.PackageNotFoundError(package)

    monkeypatch.setattr(metadata, "version", absent)
    assert (
        with_level([machine.provider("gcp")], "the Python package pulumi-gcp is not") == "missing"
    )
