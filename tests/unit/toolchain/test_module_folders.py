"""Charts and manifests are whole folders of a pinned module, completed as a release does it."""

import json
import stat
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from toolchain import installation
from toolchain.errors import ToolchainError
from toolchain.sources import gobuild
from toolchain.sources.base import Program, Session
from toolchain.sources.gobuild import Edit, GoBuild, GoModule, ModuleFolder, Replacement

# Plays `go`: knows where the one module lies, and "builds" a program out of a file of its copy.
FAKE_GO = """\
#!/bin/sh
case "$1 $2" in
"env GOVERSION") echo go1.99.0 ;;
"mod download") echo "$4" >>"$FAKE_GO_LOG"; printf '{"Dir": "%s"}' "$FAKE_MODULE" ;;
list*) ;;
build*)
    while [ "$1" != "-o" ]; do shift; done
    cat go.mod source/stores.go >"$2" ;;
*) exit 1 ;;
esac
"""


@pytest.fixture(autouse=True)
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A downloaded module with a chart, as a module cache keeps it: read-only."""
    go = tmp_path / "bin" / "go"
    go.parent.mkdir()
    go.write_text(FAKE_GO)
    go.chmod(go.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{go.parent}:/usr/bin:/bin")
    monkeypatch.setenv("FAKE_GO_LOG", str(tmp_path / "go.log"))
    pins = tmp_path / "pins" / "tool"
    pins.mkdir(parents=True)
    for name in ("go.mod", "go.sum"):
        (pins / name).write_text("module example.com/pin\n\ngo 1.26.0\n")
    monkeypatch.setattr(gobuild, "MODULES", pins.parent)
    folder = tmp_path / "module"
    (folder / "charts/tool/templates").mkdir(parents=True)
    (folder / "charts/tool/Chart.yaml").write_text("version: v0.0.0\nappVersion: v0.0.0\n")
    (folder / "charts/tool/templates/pod.yaml").write_text("kind: Pod\n")
    (folder / "charts/tool/templates/notes.txt").write_text("Thank you.\n")
    (folder / "stores.go").write_text("all of them\n")
    (pins / "ours.go").write_text("ours\n")
    for path in folder.rglob("*.*"):
        path.chmod(0o444)
    monkeypatch.setenv("FAKE_MODULE", str(folder))
    return folder


def chart(*edits: Edit) -> Program:
    folder = ModuleFolder("example.com/tool", "charts/tool", edits)
    build = GoModule(folder="tool", packages=(), folders=(folder,))
    return Program("tool-chart", "1.2.3", (), None, (GoBuild((build,), disk=1, seconds=1),))


def obtain(program: Program, lines: list[str]) -> Path:
    with ExitStack() as stack:
        return installation.obtain(program, Session(lines.append, stack))


def test_a_folder_of_a_module_is_there_without_a_build(lines: list[str], tmp_path: Path) -> None:
    folder = obtain(chart(), lines)
    assert (folder / "templates/pod.yaml").read_text() == "kind: Pod\n"
    assert (tmp_path / "go.log").read_text() == "example.com/tool\n"


def test_what_a_release_completes_is_completed(lines: list[str]) -> None:
    folder = obtain(chart(Edit("Chart.yaml", "v0.0.0", "v{version}")), lines)
    assert (folder / "Chart.yaml").read_text() == "version: v1.2.3\nappVersion: v1.2.3\n"


def test_a_text_that_is_not_there_is_an_error_and_leaves_nothing(lines: list[str]) -> None:
    program = chart(Edit("Chart.yaml", "v9.9.9", ""))
    with pytest.raises(ToolchainError, match=r"charts/tool/Chart\.yaml has no 'v9\.9\.9'"):
        obtain(program, lines)
    assert installation.installed(program) is None


def tool(path: str, **changes: Any) -> Program:
    files = ((path, "ours.go"),)
    replacement = Replacement("tool", "example.com/tool", files, **changes)
    build = GoModule("tool", ("example.com/tool",), output="tool", replacement=replacement)
    return Program("tool", "1.2.3", ("tool",), None, (GoBuild((build,), disk=1, seconds=1),))


def test_a_module_is_built_with_files_of_the_project_in_it(
    lines: list[str], module: Path, tmp_path: Path
) -> None:
    folder = obtain(tool("stores.go"), lines)
    assert (folder / "tool").read_text() == "module example.com/pin\n\ngo 1.26.0\nours\n"
    assert (module / "stores.go").read_text() == "all of them\n"
    assert sorted(path.name for path in (tmp_path / "pins/tool").iterdir()) == [
        "go.mod",
        "go.sum",
        "ours.go",
    ]


def test_a_part_of_a_module_can_be_left_out(lines: list[str], tmp_path: Path) -> None:
    with ExitStack() as stack:
        session = Session(lines.append, stack)
        only = (("charts/tool/templates", ("pod.yaml",)),)
        cuts = (("charts/tool/Chart.yaml", r"appVersion.*\n"),)
        installation.obtain(tool("stores.go", only=only, cuts=cuts), session)
        changed = session.shared[gobuild.WORKSPACE] / "replaced/tool/source/charts/tool"
        assert [path.name for path in (changed / "templates").iterdir()] == ["pod.yaml"]
        assert (changed / "Chart.yaml").read_text() == "version: v0.0.0\n"


@pytest.mark.parametrize(
    ("path", "changes", "missing"),
    [
        ("moved.go", {}, r"example\.com/tool has no moved\.go"),
        ("stores.go", {"only": ((".", ("a.go",)),)}, r"example\.com/tool has no \./a\.go"),
        ("stores.go", {"cuts": (("stores.go", "x"),)}, r"nothing to cut out of stores\.go"),
    ],
)
def test_what_is_to_change_and_is_gone_is_an_error(
    lines: list[str], path: str, changes: dict[str, Any], missing: str
) -> None:
    with pytest.raises(ToolchainError, match=missing):
        obtain(tool(path, **changes), lines)


@pytest.mark.parametrize("harm", ["changed", "removed", "added"])
def test_a_folder_that_is_no_longer_as_it_was_is_made_again(lines: list[str], harm: str) -> None:
    program = chart()
    folder = obtain(program, lines)
    pod = folder / "templates/pod.yaml"
    if harm == "removed":
        pod.unlink()
    else:
        (pod if harm == "changed" else folder / "templates/more.yaml").write_text("kind: Job\n")
    assert installation.installed(program) is None
    assert obtain(program, lines) == folder
    assert pod.read_text() == "kind: Pod\n"
    assert not (folder / "templates/more.yaml").exists()


def test_the_record_names_every_file(lines: list[str]) -> None:
    folder = obtain(chart(), lines)
    record = json.loads((folder / ".slipway.json").read_text())
    assert sorted(record["files"]) == [
        "Chart.yaml",
        "templates/notes.txt",
        "templates/pod.yaml",
    ]
