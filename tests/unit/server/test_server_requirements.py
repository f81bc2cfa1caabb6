"""Requirements on the libraries in the server's image."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[3]
SERVER = ROOT / "apps/serving/server"
_PIN = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)", re.MULTILINE)


def pins(text: str) -> dict[str, str]:
    return dict(_PIN.findall(text))


def test_the_tests_run_on_the_versions_that_the_image_has() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    examples = pins("\n".join(project["optional-dependencies"]["examples"]))
    direct = pins((SERVER / "requirements.in").read_text())
    assert direct
    assert {name: examples.get(name) for name in direct} == direct


def test_the_lock_file_pins_all_that_is_asked_for_by_hash() -> None:
    lock = (SERVER / "requirements.lock").read_text()
    locked = pins(lock)
    direct = pins((SERVER / "requirements.in").read_text())
    assert {name: locked.get(name) for name in direct} == direct
    blocks = re.split(r"^(?=[A-Za-z0-9])", lock, flags=re.MULTILINE)[1:]
    assert len(blocks) == len(locked)
    assert all("--hash=sha256:" in block for block in blocks)
    assert "://" not in lock
