"""Requirements on the libraries in the servers' images."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
SERVER = ROOT / "apps/serving/server"
SOURCES = ("common.in", "requirements.in", "estimators.in", "text.in")
_PIN = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)", re.MULTILINE)


def pins(text: str) -> dict[str, str]:
    return dict(_PIN.findall(text))


def test_the_tests_run_on_the_versions_that_the_image_has() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    examples = pins("\n".join(project["optional-dependencies"]["examples"]))
    direct = pins("".join((SERVER / name).read_text() for name in SOURCES))
    assert direct
    assert {name: examples.get(name) for name in direct} == direct


@pytest.mark.parametrize(
    "name",
    [
        "server/requirements",
        "server/estimators",
        "server/text",
        "llm_server/requirements",
        "storage_initializer/requirements",
        "../../examples/kserve_predictor/requirements",
    ],
)
def test_the_lock_file_pins_all_that_is_asked_for_by_hash(name: str) -> None:
    source = SERVER.parent / f"{name}.in"
    lock = source.with_suffix(".lock").read_text()
    locked = pins(lock)
    text = source.read_text()
    if "-r common.in" in text:
        text += (SERVER / "common.in").read_text()
    direct = pins(text)
    assert {name: locked.get(name) for name in direct} == direct
    blocks = re.split(r"^(?=[A-Za-z0-9])", lock, flags=re.MULTILINE)[1:]
    assert len(blocks) == len(locked)
    assert all("--hash=sha256:" in block for block in blocks)
    assert "://" not in lock
