"""An earlier state can be had back: it was kept before the update that spoiled it."""

import json
import stat
from pathlib import Path
from typing import Any

import pytest

from toolchain import backups
from toolchain.backups import Backups
from toolchain.errors import SlipwayError


def exported(*names: str, time: str = "now") -> dict[str, Any]:
    resources = [{"urn": name} for name in names]
    return {"version": 3, "deployment": {"manifest": {"time": time}, "resources": resources}}


def content(path: Path) -> list[str]:
    document = json.loads(path.read_text())
    return [resource["urn"] for resource in document["deployment"]["resources"]]


def test_the_newest_backup_is_the_last_state(tmp_path: Path) -> None:
    kept = Backups(tmp_path, "dev")
    kept.add(exported("a"))
    kept.add(exported("a", "b"))
    assert content(kept.find(None)) == ["a", "b"]
    assert content(kept.find(kept.all()[0].stem)) == ["a"]


def test_a_state_that_did_not_change_is_not_kept_again(tmp_path: Path) -> None:
    kept = Backups(tmp_path, "dev")
    assert kept.add(exported("a", time="yesterday")) is not None
    assert kept.add(exported("a", time="today")) is None
    assert len(kept.all()) == 1


def test_a_state_without_resources_is_none_to_keep(tmp_path: Path) -> None:
    assert Backups(tmp_path, "dev").add(exported()) is None
    assert Backups(tmp_path, "dev").add({"version": 3, "deployment": {}}) is None


def test_so_many_are_kept_and_the_oldest_go(tmp_path: Path) -> None:
    kept = Backups(tmp_path, "dev")
    for number in range(backups.KEPT + 3):
        kept.add(exported(str(number)))
    assert [content(path) for path in kept.all()] == [
        [str(number)] for number in range(3, backups.KEPT + 3)
    ]


def test_nobody_else_reads_a_backup(tmp_path: Path) -> None:
    path = Backups(tmp_path, "dev").add(exported("a"))
    assert path is not None
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_the_backups_of_a_stack_are_its_own(tmp_path: Path) -> None:
    Backups(tmp_path, "dev").add(exported("a"))
    with pytest.raises(SlipwayError, match="no backup of the stack prod"):
        Backups(tmp_path, "prod").find(None)


@pytest.mark.parametrize("name", ["yesterday", "../other/2026", ""])
def test_a_name_that_is_no_backup_is_an_error_that_names_the_newest(
    tmp_path: Path, name: str
) -> None:
    kept = Backups(tmp_path, "dev")
    path = kept.add(exported("a"))
    assert path is not None
    with pytest.raises(SlipwayError, match=path.stem):
        kept.find(name)


def test_a_backup_tells_when_it_was_made_and_what_it_holds(tmp_path: Path) -> None:
    path = Backups(tmp_path, "dev").add(exported("a", "b"))
    assert path is not None
    made, count = backups.read(path)
    assert count == 2
    assert made.strftime("%Y-%m-%dT%H-%M") in path.name
