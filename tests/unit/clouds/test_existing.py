"""A cluster that somebody else made: found by its context, and left as it is."""

import base64
import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from infra.clusters.existing import one_context
from infra.settings import ExistingClusterSettings, SettingsError
from tests.unit import mocked_program

STACK = """
config:
  slipway:cluster:
    kind: existing
    context: shared
    registry: registry.example.com/ml/slipway
    traits: {traits}
"""
CONFIG: dict[str, Any] = {
    "clusters": [
        {"name": "a", "cluster": {"server": "https://a", "certificate-authority": "ca.pem"}},
        {"name": "b", "cluster": {"server": "https://b"}},
    ],
    "users": [
        {"name": "me", "user": {"token": "mine"}},
        {"name": "other", "user": {"token": "theirs"}},
    ],
    "contexts": [
        {"name": "one", "context": {"cluster": "a", "user": "me"}},
        {"name": "two", "context": {"cluster": "b", "user": "other"}},
        {"name": "broken", "context": {"cluster": "gone", "user": "me"}},
    ],
}


@pytest.fixture(name="path")
def _path(tmp_path: Path) -> Path:
    (tmp_path / "ca.pem").write_text("authority")
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump(CONFIG))
    return path


def _settings(context: str, path: Path | None = None) -> ExistingClusterSettings:
    return ExistingClusterSettings.model_validate(
        {
            "kind": "existing",
            "context": context,
            "registry": "registry.example.com/ml/slipway",
            **({"kubeconfig": str(path)} if path else {}),
        }
    )


def test_one_context_is_taken_with_its_files_and_nobody_elses_keys(path: Path) -> None:
    config = one_context(_settings("one", path))
    (cluster,) = config["clusters"]
    authority = base64.b64encode(b"authority").decode()
    assert cluster["cluster"] == {"server": "https://a", "certificate-authority-data": authority}
    assert config["current-context"] == "one"
    assert "theirs" not in yaml.safe_dump(config)


def test_kubeconfig_of_the_environment_is_the_default(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(path))
    assert one_context(_settings("two"))["clusters"][0]["name"] == "b"


def test_a_context_is_looked_for_in_every_file_that_the_environment_lists(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = path.with_name("first.yaml")
    first.write_text(yaml.safe_dump({"contexts": [{"name": "three", "context": {}}]}))
    listed = [path.with_name("gone.yaml"), first, path]
    monkeypatch.setenv("KUBECONFIG", os.pathsep.join(map(str, listed)))
    assert one_context(_settings("two"))["clusters"][0]["name"] == "b"
    with pytest.raises(SettingsError, match="did you mean `three`") as caught:
        one_context(_settings("thre"))
    assert str(first) in str(caught.value) and str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("context", "words"),
    [
        ("on", "has no context `on`; did you mean `one`?"),
        ("broken", "has no cluster or no user of the context `broken`; correct the file"),
    ],
)
def test_a_context_that_is_not_there_is_named(path: Path, context: str, words: str) -> None:
    with pytest.raises(SettingsError) as caught:
        one_context(_settings(context, path))
    (error,) = caught.value.errors
    assert error.startswith("slipway:cluster.context: ")
    assert error.endswith(words)


@pytest.mark.parametrize("content", [None, "[", "a text"])
def test_a_file_that_is_no_kubeconfig_is_named(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "config"
    if content is not None:
        path.write_text(content)
    with pytest.raises(SettingsError) as caught:
        one_context(_settings("one", path))
    (error,) = caught.value.errors
    assert error.startswith("slipway:cluster.kubeconfig: ")
    assert str(path) in error and "; correct the" in error


def test_a_missing_file_that_it_names_is_named(path: Path) -> None:
    (path.parent / "ca.pem").unlink()
    with pytest.raises(SettingsError, match=r"cannot read ca\.pem"):
        one_context(_settings("one", path))


@pytest.mark.parametrize(
    ("traits", "expected"),
    [
        ("{}", set()),
        ("{metricsServer: false}", {"MetricsServer"}),
        ("{loadBalancer: {addressPool: 192.0.2.0/28}}", {"LoadBalancer"}),
    ],
)
def test_the_stack_brings_what_the_cluster_lacks_and_nothing_that_it_has(
    traits: str, expected: set[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stack = STACK.replace("{traits}", traits)
    program = mocked_program.run_stack(stack, tmp_path, monkeypatch)
    brought = {one.type.rpartition(":")[2] for one in program.resources}
    assert brought & {"MetricsServer", "LoadBalancer"} == expected
    assert not any(one.type.startswith("aws:") for one in program.resources)
