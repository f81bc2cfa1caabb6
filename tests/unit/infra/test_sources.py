"""What a model's URI may be, and what it says."""

from pathlib import Path
from typing import Any

import pytest

from infra.settings import (
    ModelSettings,
    SettingsError,
    TeamSettings,
    artifacts,
    sources,
    storage,
)
from infra.settings.storage import StorageSettings

DIGEST = "a" * 64
AZURE = "https://ml.blob.core.windows.net"


@pytest.mark.parametrize(
    ("uri", "kind", "path"),
    [
        ("file:models/digits.onnx", "file", "models/digits.onnx"),
        ("s3://models/a/digits.onnx", "s3", "a/digits.onnx"),
        ("gs://models/digits.onnx", "gs", "digits.onnx"),
        ("https://ml.blob.core.windows.net/models/a/digits.onnx", "azure", "a/digits.onnx"),
        ("https://example.com:8443/a/digits.onnx", "https", "a/digits.onnx"),
        ("http://10.0.0.1/digits.onnx", "https", "digits.onnx"),
        ("http://10.0.0.1:65535/digits.onnx", "https", "digits.onnx"),
        (f"hf://owner/model:{'b' * 40}", "hf", "model"),
        ("pvc://claim/a/digits.onnx", "pvc", "a/digits.onnx"),
        (f"oci://ghcr.io/ml/digits@sha256:{DIGEST}/models/m.onnx", "oci", "models/m.onnx"),
    ],
)
def test_a_uri_says_where_a_model_is(uri: str, kind: str, path: str) -> None:
    assert sources.kind(uri) == kind
    assert sources.problem(uri) is None
    assert sources.of(uri).path(uri) == path
    assert sources.of(uri).name(uri) == path.rpartition("/")[2]


@pytest.mark.parametrize(
    "uri",
    [
        "s3://models",
        "s3://models/",
        "s3://models/a/",
        "s3://models/../other/digits.onnx",
        "s3://models//digits.onnx",
        "s3://models/./digits.onnx",
        "https://user:secret@example.com/digits.onnx",
        "https://example.com/digits.onnx?sig=secret",
        "https://example.com:0/digits.onnx",
        "https://example.com:65536/digits.onnx",
        "https://ml.blob.core.windows.net/digits.onnx",
        "hf://owner/model:main",
        "hf://owner/model",
        "pvc://claim",
        "oci://ghcr.io/ml/digits:v1/models/m.onnx",
        f"oci://ghcr.io/ml/digits@sha256:{DIGEST}",
    ],
)
def test_a_uri_that_leads_elsewhere_holds_a_secret_or_may_move_is_refused(uri: str) -> None:
    assert sources.kind(uri) is None
    assert "is not written like" in (sources.problem(uri) or "")


@pytest.mark.parametrize(
    ("uri", "endpoint", "port"),
    [
        ("s3://models/digits.onnx", None, 443),
        ("s3://models/digits.onnx", "http://minio.example", 80),
        ("s3://models/digits.onnx", "https://minio.example:9000", 9000),
        ("gs://models/digits.onnx", "https://minio.example:9000", 443),
        ("https://example.com:8443/digits.onnx", None, 8443),
        ("http://example.com/digits.onnx", None, 80),
    ],
)
def test_the_port_of_a_download_is_the_stores(uri: str, endpoint: str | None, port: int) -> None:
    assert storage.port(uri, StorageSettings(endpoint=endpoint)) == port


@pytest.mark.parametrize(
    ("uri", "model_format", "downloaded", "is_folder"),
    [
        ("s3://models/minilm", "huggingface", "s3://models/minilm/", True),
        ("gs://models/minilm", "huggingface", "gs://models/minilm/", True),
        (f"{AZURE}/models/minilm", "huggingface", f"{AZURE}/models/minilm/", True),
        # One file in its store, of which the step makes a folder.
        ("s3://models/minilm.tar.gz", "huggingface", "s3://models/minilm.tar.gz", True),
        (f"{AZURE}/models/minilm.zip", "huggingface", f"{AZURE}/models/minilm.zip", True),
        ("https://example.com/minilm.zip", "huggingface", "https://example.com/minilm.zip", True),
        ("s3://models/digits.onnx", "onnx", "s3://models/digits.onnx", False),
        # What is there is a folder, whoever serves it.
        (f"hf://owner/minilm:{'b' * 40}", "custom", f"hf://owner/minilm:{'b' * 40}", True),
    ],
)
def test_a_folder_is_downloaded_without_what_only_begins_alike(
    uri: str, model_format: str, downloaded: str, is_folder: bool, tmp_path: Path
) -> None:
    model: dict[str, Any] = {
        "team": "vision",
        "format": model_format,
        "uri": uri,
        "sha256": DIGEST,
    }
    if model_format == "custom":
        model["container"] = {"image": "example.com/server:1"}
    models = {"minilm": ModelSettings.model_validate(model)}
    (found,) = artifacts.read(models, {"vision": TeamSettings()}, tmp_path).values()
    assert (found.download_uri, found.is_folder) == (downloaded, is_folder)


def test_a_canary_of_the_same_key_keeps_its_storage_and_has_its_own_pin(tmp_path: Path) -> None:
    model = {
        "team": "vision",
        "format": "onnx",
        "uri": "s3://models/digits.onnx",
        "sha256": DIGEST,
        "storage": "minio",
        "canary": {"sha256": "b" * 64, "weight": 10},
    }
    teams = {"vision": TeamSettings.model_validate({"storage": {"minio": {"region": "eu"}}})}
    models = {"digits": ModelSettings.model_validate(model)}
    found = artifacts.read(models, teams, tmp_path)
    assert {name: artifact.version for name, artifact in found.items()} == {
        "digits": DIGEST[:12],
        "digits-canary": "b" * 12,
    }
    assert {artifact.storage for artifact in found.values()} == {StorageSettings(region="eu")}


def test_a_stored_folder_is_called_like_its_model_where_its_server_asks_for_it(
    tmp_path: Path,
) -> None:
    model = {
        "team": "vision",
        "format": "triton",
        "uri": "s3://models/another",
        "version": "1",
        "container": {"image": "nvcr.io/nvidia/tritonserver:25.10-py3"},
        "resources": {"gpu": 1},
    }
    models = {"detector": ModelSettings.model_validate(model)}
    with pytest.raises(SettingsError) as caught:
        artifacts.check(models, {"vision": TeamSettings()}, tmp_path)
    assert list(caught.value.errors) == [
        "slipway:models.detector.uri: the folder `s3://models/another` has to be called `detector`,"
        " like the model; rename one of them"
    ]
