"""Which models the end of `make up` asks: none is woken that passed as it is."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from apps.serving import check
from infra.settings import Settings
from tests.unit.mocked_program import ONNX

STACK = """
config:
  slipway:cluster: {kind: local}
  slipway:teams: {vision: {}}
  slipway:models:
    awake: {team: vision, format: onnx, uri: file:m.onnx}
    idle: {team: vision, format: onnx, uri: file:m.onnx, scaling: {min: 0, max: 1}}
"""
VERSION = "0a1b2c3d4e5f"

Up = Callable[..., list[str]]


@pytest.fixture(name="up")
def _up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Up:
    """The end of `make up`: which models it asks."""
    monkeypatch.chdir(tmp_path)
    server = tmp_path / "apps/serving/server.py"
    server.parent.mkdir(parents=True)
    (tmp_path / "m.onnx").write_bytes(ONNX)

    def up(
        *,
        ca: str = "one",
        version: str = VERSION,
        code: str = "",
        fails: bool = False,
        by: str = "make up",
    ) -> list[str]:
        asked: list[str] = []

        def protocols(settings: Settings, *_: Any) -> list[str]:
            asked.extend(settings.models)
            return ["it failed"] if fails else []

        monkeypatch.setattr(check, "check_protocols", protocols)
        monkeypatch.setattr(check, "check_stack", lambda *_: [])
        server.write_text(code)
        (tmp_path / "Pulumi.local.yaml").write_text(STACK)
        models = {name: {"url": "https://x", "version": version} for name in ("awake", "idle")}
        (tmp_path / "outputs.json").write_text(json.dumps({"ca": ca, "models": models}))
        flags = ["--let-sleep"] if by == "make up" else []
        assert check.main([*flags, "--outputs", "outputs.json"]) == int(fails)
        return asked

    return up


def test_a_model_without_pods_is_asked_once_and_others_at_every_up(up: Up) -> None:
    assert up() == ["awake", "idle"]
    assert up() == ["awake"]
    assert up() == ["awake"]


@pytest.mark.parametrize("change", [{"ca": "two"}, {"version": "1"}, {"code": "changed"}])
def test_a_model_without_pods_is_asked_after_a_change_of_it(up: Up, change: dict[str, str]) -> None:
    up()
    assert "idle" in up(**change)


def test_a_model_without_pods_that_failed_is_asked_again(up: Up) -> None:
    up(fails=True)
    assert "idle" in up()


def test_who_asks_by_hand_asks_all(up: Up) -> None:
    up()
    assert up(by="hand") == ["awake", "idle"]


def test_a_damaged_memory_is_none(up: Up, tmp_path: Path) -> None:
    up()
    (tmp_path / ".state/checked.json").write_text("[")
    assert "idle" in up()
