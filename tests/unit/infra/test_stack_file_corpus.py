"""Stack files that are accepted, and stack files that are refused with the words they expect.

A file in `tests/config` is a test: `<kind>.happy*.yaml` is accepted, `<kind>.error.<field>.yaml` is
refused with exactly the errors of its `# expect:` lines.
"""

from pathlib import Path

import pytest

from infra import settings

CORPUS = Path(__file__).parents[2] / "config"
HAPPY = sorted(CORPUS.glob("*.happy*.yaml"))
ERRORS = sorted(CORPUS.glob("*.error.*.yaml"))

# What the stack files may name: the beginnings of real files.
FILES = {
    "digits.onnx": b"\x08\x0a\x12\x08skl2onnx",
    "forest.joblib": b"\x80\x04\x95\x1f\x00\x00\x00\x00\x00\x00\x00",
    "holdout.json": b"{}",
    "notes.txt": b"the model is on the other machine",
    "v2.onnx": b"\x08\x0a\x12\x08skl2onnx",
    "pointer.onnx": b"version https://git-lfs.github.com/spec/v1\n",
}


@pytest.fixture(name="project", scope="module")
def _project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("project")
    (folder / "models").mkdir()
    for name, content in FILES.items():
        (folder / "models" / name).write_bytes(content)
    for path in [*HAPPY, *ERRORS]:
        (folder / path.name).write_text(path.read_text())
    return folder


@pytest.mark.parametrize("name", [path.name for path in HAPPY])
def test_a_happy_stack_file_is_accepted(project: Path, name: str) -> None:
    assert settings.read_stack_file(project / name).cluster.kind == name.split(".")[0]


@pytest.mark.parametrize("name", [path.name for path in ERRORS])
def test_a_wrong_stack_file_is_refused_in_the_words_it_expects(project: Path, name: str) -> None:
    lines = (project / name).read_text().splitlines()
    expected = [line.removeprefix("# expect: ") for line in lines if line.startswith("# expect: ")]
    with pytest.raises(settings.SettingsError) as caught:
        settings.read_stack_file(project / name)
    assert list(caught.value.errors) == expected


def test_every_file_of_the_corpus_is_a_test() -> None:
    assert sorted(CORPUS.iterdir()) == sorted([*HAPPY, *ERRORS])


def test_an_error_is_one_line_with_a_way_out(project: Path) -> None:
    for path in ERRORS:
        with pytest.raises(settings.SettingsError) as caught:
            settings.read_stack_file(project / path.name)
        for error in caught.value.errors:
            assert "\n" not in error, error
            assert "; " in error, error
