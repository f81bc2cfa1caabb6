"""What the settings promise beyond the corpus of stack files."""

import contextvars
import hashlib
import json
from pathlib import Path
from typing import Any

import pulumi
import pytest
from pulumi.runtime import config as pulumi_config

from apps.serving.runtimes import RUNTIMES, Runtime
from infra import digests, settings
from infra.settings.types import parse_quantity

CLUSTER = {"cluster": {"kind": "local"}}
DIGITS = {"team": "vision", "format": "onnx", "uri": "file:digits.onnx"}
ONNX = b"\x08\x0a\x12\x08skl2onnx"


Loaded = tuple[settings.Settings, dict[str, settings.Artifact], dict[str, "pulumi.Output[str]"]]


def _load(values: dict[str, Any]) -> Loaded:
    """Load settings as Pulumi hands them out, in a context of their own."""

    def load() -> Loaded:
        pulumi_config.set_all_config(
            {name: json.dumps(value) if value else "" for name, value in values.items()}
        )
        return settings.load()

    return contextvars.Context().run(load)


def test_the_smallest_stack_is_a_cluster_with_the_defaults_of_a_laptop() -> None:
    parsed = settings.parse(CLUSTER)
    assert isinstance(parsed.cluster, settings.LocalClusterSettings)
    assert parsed.cluster.ports == (8080, 8443)
    assert parsed.cluster.distributions == ("k3s", "upstream")
    assert (parsed.teams, parsed.models) == ({}, {})


def test_settings_cannot_be_changed_after_they_were_checked() -> None:
    parsed = settings.parse(CLUSTER)
    with pytest.raises(ValueError, match="frozen"):
        parsed.cluster.name = "another"


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


def test_a_stack_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    folder, other = tmp_path / "Pulumi.folder.yaml", tmp_path / "Pulumi.other.yaml"
    folder.mkdir()
    other.write_bytes(b"\xff\xfe")
    with pytest.raises(settings.SettingsError, match=r"Pulumi\.folder\.yaml: cannot be read: Is a"):
        settings.read_stack_file(folder)
    with pytest.raises(settings.SettingsError, match=r"Pulumi\.other\.yaml: is not text in UTF-8"):
        settings.read_stack_file(other)


def test_the_program_reads_what_the_stack_file_says_and_the_files_it_names(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "digits.onnx").write_bytes(ONNX)
    monkeypatch.chdir(tmp_path)
    raw = {**CLUSTER, "teams": {"vision": {}}, "models": {"digits": DIGITS}}
    loaded, files, secrets = _load({f"slipway:{name}": raw[name] for name in raw})
    assert loaded == settings.parse(raw)
    digest = hashlib.sha256(ONNX).hexdigest()
    assert files == {"digits": settings.Artifact("file:digits.onnx", digest, digest[:12], "1Mi")}
    assert files["digits"].name == "digits.onnx"
    assert secrets == {}


def test_pulumi_writes_an_empty_mapping_as_empty_text() -> None:
    loaded, files, _ = _load({"slipway:cluster": {"kind": "local"}, "slipway:models": {}})
    assert (loaded.models, files) == ({}, {})


def test_the_program_prints_errors_without_a_traceback() -> None:
    with pytest.raises(pulumi.RunError, match="did you mean `models`"):
        _load({"slipway:cluster": {"kind": "local"}, "slipway:modles": {"a": 1}})


def test_the_program_refuses_a_secret_in_a_structured_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pulumi_config, "is_config_secret", lambda name: name == "slipway:models")
    with pytest.raises(pulumi.RunError, match="slipway:models: holds an encrypted value"):
        _load({"slipway:cluster": {"kind": "local"}, "slipway:models": {"a": 1}})


@pytest.mark.parametrize(
    "name", [name for name, row in RUNTIMES.items() if not (row.custom or row.files)]
)
def test_no_file_is_taken_for_two_formats(name: str) -> None:
    heads = {
        "onnx": ONNX,
        "sklearn": b"\x80\x05\x95",
        "skops": b"PK\x03\x04",
        "xgboost": b'{"learner":{"att',
        "llm": b"GGUF\x03\x00\x00\x00",
        "lightgbm": b"tree\nversion=v4\n",
    }
    known = [other for other, row in RUNTIMES.items() if not (row.custom or row.files)]
    assert [other for other in known if RUNTIMES[other].recognises(heads[name])] == [name]
    assert not RUNTIMES[name].recognises(b"")


FOLDERS = Runtime(content="a folder", recipe="model-server", files=("model.onnx", "a/b"))


def _errors_of_a_folder(monkeypatch: pytest.MonkeyPatch, root: Path) -> tuple[str, ...]:
    monkeypatch.setattr(settings.artifacts, "RUNTIMES", {**RUNTIMES, "onnx": FOLDERS})
    model = settings.ModelSettings(team="vision", format="onnx", uri="file:models/minilm")
    try:
        found = settings.artifacts.read(
            {"minilm": model}, {"vision": settings.TeamSettings()}, root
        )
    except settings.SettingsError as error:
        return error.errors
    assert found["minilm"].digest == digests.of(root / "models" / "minilm")
    assert found["minilm"].volume_size == "1Mi"
    assert found["minilm"].is_folder
    return ()


def test_a_model_of_a_format_of_folders_has_the_files_of_its_format(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert _errors_of_a_folder(monkeypatch, tmp_path) == (
        "slipway:models.minilm.uri: there is no folder `models/minilm`, and a folder is one; "
        "correct the path",
    )
    folder = tmp_path / "models" / "minilm"
    (folder / "a").mkdir(parents=True)
    (folder / "model.onnx").write_bytes(b"weights")
    assert _errors_of_a_folder(monkeypatch, tmp_path) == (
        "slipway:models.minilm.format: `models/minilm` is not a folder; add `a/b` to it, or "
        "correct `uri` or `format`",
    )
    (folder / "a" / "b").write_bytes(b"more")
    assert _errors_of_a_folder(monkeypatch, tmp_path) == ()
