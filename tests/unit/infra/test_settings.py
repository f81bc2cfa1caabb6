"""What the settings promise beyond the corpus of stack files."""

import contextvars
import hashlib
import json
from pathlib import Path
from typing import Any

import pulumi
import pytest
from pulumi.runtime import config as pulumi_config

from apps.serving.runtimes import RUNTIMES
from infra import settings
from infra.clusters import _BUILDERS as BUILDERS
from infra.settings.types import parse_quantity

CLUSTER = {"cluster": {"kind": "local"}}
DIGITS = {"team": "vision", "format": "onnx", "uri": "file:digits.onnx"}
ONNX = b"\x08\x0a\x12\x08skl2onnx"


def _load(values: dict[str, Any]) -> tuple[settings.Settings, dict[str, settings.Artifact]]:
    """Load settings as Pulumi hands them out, in a context of their own."""

    def load() -> tuple[settings.Settings, dict[str, settings.Artifact]]:
        pulumi_config.set_all_config(
            {name: json.dumps(value) if value else "" for name, value in values.items()}
        )
        return settings.load()

    return contextvars.Context().run(load)


def test_the_smallest_stack_is_a_cluster_with_the_defaults_of_a_laptop() -> None:
    parsed = settings.parse(CLUSTER)
    assert parsed.cluster.gateway_port == 8080
    assert parsed.cluster.distributions == ("k3s", "upstream")
    assert (parsed.teams, parsed.models) == ({}, {})


def test_settings_cannot_be_changed_after_they_were_checked() -> None:
    parsed = settings.parse(CLUSTER)
    with pytest.raises(ValueError, match="frozen"):
        parsed.cluster.name = "another"


def test_every_kind_of_cluster_that_the_settings_know_can_be_built() -> None:
    with pytest.raises(settings.SettingsError) as caught:
        settings.parse({"cluster": {"kind": "?"}})
    known = str(caught.value).partition("known: ")[2].split(", ")
    assert sorted(known) == sorted(BUILDERS)


def test_a_quantity_is_compared_by_its_value() -> None:
    assert parse_quantity("500m") < parse_quantity("0.75") < parse_quantity("2")
    assert parse_quantity("1G") < parse_quantity("1Gi")


def test_a_stack_file_can_be_checked_before_its_models_are_built(tmp_path: Path) -> None:
    path = tmp_path / "Pulumi.new.yaml"
    config = {"slipway:teams": {"vision": {}}, "slipway:models": {"digits": DIGITS}}
    path.write_text(json.dumps({"config": {"slipway:cluster": {"kind": "local"}, **config}}))
    assert settings.read_stack_file(path, check_files=False).models.keys() == {"digits"}
    with pytest.raises(settings.SettingsError, match="there is no file"):
        settings.read_stack_file(path)


def test_a_missing_stack_file_is_told_with_the_stacks_that_are_there(tmp_path: Path) -> None:
    (tmp_path / "Pulumi.local.yaml").write_text("config: {}")
    with pytest.raises(settings.SettingsError) as caught:
        settings.read_stack_file(tmp_path / "Pulumi.prod.yaml")
    assert caught.value.errors == ("Pulumi.prod.yaml: no such stack file; stacks here: local",)


def test_the_program_reads_what_the_stack_file_says_and_the_files_it_names(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "digits.onnx").write_bytes(ONNX)
    monkeypatch.chdir(tmp_path)
    raw = {**CLUSTER, "teams": {"vision": {}}, "models": {"digits": DIGITS}}
    loaded, files = _load({f"slipway:{name}": raw[name] for name in raw})
    assert loaded == settings.parse(raw)
    digest = hashlib.sha256(ONNX).hexdigest()
    assert files == {"digits": settings.Artifact("digits.onnx", digest, len(ONNX))}
    assert files["digits"].filename == "digits.onnx"


def test_pulumi_writes_an_empty_mapping_as_empty_text() -> None:
    loaded, files = _load({"slipway:cluster": {"kind": "local"}, "slipway:models": {}})
    assert (loaded.models, files) == ({}, {})


def test_the_program_prints_errors_without_a_traceback() -> None:
    with pytest.raises(pulumi.RunError, match="did you mean `models`"):
        _load({"slipway:cluster": {"kind": "local"}, "slipway:modles": {"a": 1}})


def test_the_program_refuses_a_secret_in_a_structured_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pulumi_config, "is_config_secret", lambda name: name == "slipway:models")
    with pytest.raises(pulumi.RunError, match="slipway:models: holds an encrypted value"):
        _load({"slipway:cluster": {"kind": "local"}, "slipway:models": {"a": 1}})


@pytest.mark.parametrize("name", RUNTIMES)
def test_no_file_is_taken_for_two_formats(name: str) -> None:
    heads = {"onnx": ONNX, "sklearn": b"\x80\x05\x95"}
    assert [other for other in RUNTIMES if RUNTIMES[other].recognises(heads[name])] == [name]
    assert not RUNTIMES[name].recognises(b"")
