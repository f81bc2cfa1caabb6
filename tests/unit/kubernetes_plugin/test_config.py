"""Configuration of a provider."""

from typing import Any

import pytest
import yaml

from toolchain.kubernetes_plugin import config, kubeconfig
from toolchain.plugin.properties import UNKNOWN, Secret

URN = "urn:pulumi:dev::p::pulumi:providers:kubernetes::k"


def contents(server: str = "https://one", token: str = "t") -> str:
    return yaml.safe_dump(
        {
            "current-context": "a",
            "contexts": [
                {"name": "a", "context": {"cluster": "one", "user": "u", "namespace": "team"}},
                {"name": "b", "context": {"cluster": "two", "user": "u"}},
            ],
            "clusters": [
                {"name": "one", "cluster": {"server": server}},
                {"name": "two", "cluster": {"server": "https://two"}},
            ],
            "users": [{"name": "u", "user": {"token": token}}],
        }
    )


def provider(**values: Any) -> dict[str, Any]:
    return values


@pytest.mark.parametrize(
    ("old", "new", "replaces"),
    [
        # Another token of the same cluster.
        ({"kubeconfig": contents()}, {"kubeconfig": Secret(contents(token="n"))}, ()),
        (
            {"kubeconfig": contents()},
            {"kubeconfig": contents("https://moved")},
            ("kubeconfig",),
        ),
        (
            {"kubeconfig": contents()},
            {"kubeconfig": contents(), "context": "b"},
            ("context",),
        ),
        ({"kubeconfig": contents()}, {"kubeconfig": UNKNOWN}, ("kubeconfig",)),
        # The identifier decides, also over what is not known yet.
        (
            {"kubeconfig": contents(), "clusterIdentifier": "x"},
            {"kubeconfig": UNKNOWN, "clusterIdentifier": "x"},
            (),
        ),
        (
            {"kubeconfig": contents(), "clusterIdentifier": "x"},
            {"kubeconfig": contents("https://moved"), "clusterIdentifier": "x"},
            (),
        ),
        (
            {"kubeconfig": contents(), "clusterIdentifier": "x"},
            {"kubeconfig": contents(), "clusterIdentifier": "y"},
            ("clusterIdentifier",),
        ),
        # An identifier that is not known yet may be another one.
        (
            {"kubeconfig": contents(), "clusterIdentifier": "x"},
            {"kubeconfig": UNKNOWN, "clusterIdentifier": UNKNOWN},
            ("clusterIdentifier", "kubeconfig"),
        ),
        # Adding or removing it is no reason by itself.
        (
            {"kubeconfig": contents()},
            {"kubeconfig": contents(), "clusterIdentifier": "x"},
            (),
        ),
        (
            {"kubeconfig": contents(), "clusterIdentifier": "x"},
            {"kubeconfig": contents()},
            (),
        ),
    ],
)
def test_a_provider_is_replaced_only_when_it_points_to_another_cluster(
    old: dict[str, Any], new: dict[str, Any], replaces: tuple[str, ...]
) -> None:
    assert config.changes(old, new).replaces == replaces


def test_the_same_configuration_is_no_change() -> None:
    same = {"kubeconfig": contents(), "namespace": "a"}
    assert config.changes(same, {**same, "kubeconfig": Secret(contents())}).changed == ()


def test_strict_mode_asks_for_kubeconfig_and_context_and_no_default_provider() -> None:
    failures = config.check(f"{URN.rpartition('::')[0]}::default_4_34_2", {"strictMode": "true"})
    assert [failure.property for failure in failures] == ["", "kubeconfig", "context"]
    given = {"strictMode": "true", "kubeconfig": UNKNOWN, "context": "a"}
    assert config.check(URN, given) == []


def test_rendering_to_a_folder_is_refused_by_name() -> None:
    (failure,) = config.check(URN, {"renderYamlToDirectory": "out"})
    assert failure.property == "renderYamlToDirectory"
    assert "renderYamlToDirectory" in failure.reason


def test_settings_come_from_the_provider_before_the_environment() -> None:
    variables = {
        "kubernetes:config:namespace": "team",
        "kubernetes:config:deleteUnreachable": "false",
        "kubernetes:config:kubeClientSettings": '{"timeout": 5}',
    }
    environment = {
        "PULUMI_K8S_DELETE_UNREACHABLE": "true",
        "PULUMI_K8S_UPSERT_EXISTING_OBJECTS": "true",
    }
    settings = config.read(variables, environment)
    assert settings.namespace == "team"
    assert not settings.delete_unreachable
    assert settings.upsert_existing_objects
    assert settings.server_side_apply
    assert settings.request_timeout == 5.0


def test_a_kubeconfig_is_read_from_contents_and_from_a_path(tmp_path: Any) -> None:
    path = tmp_path / "kubeconfig"
    path.write_text(contents())
    assert kubeconfig.parse(str(path)) == kubeconfig.parse(contents())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("no-such-file", "neither a file nor the contents"),
        ("a: [\n", "kubeconfig is not YAML"),
        ("- a\n- b\n", "not a YAML mapping"),
    ],
)
def test_a_kubeconfig_that_is_none_gives_one_clear_line(text: str, message: str) -> None:
    with pytest.raises(kubeconfig.KubeconfigError, match=message) as caught:
        kubeconfig.parse(text)
    assert "\n" not in str(caught.value)


def test_a_broken_kubeconfig_is_not_repeated_in_the_error() -> None:
    with pytest.raises(kubeconfig.KubeconfigError) as caught:
        kubeconfig.parse("token: hunter2: [\n")
    assert "hunter2" not in str(caught.value)


def test_context_and_cluster_can_be_chosen() -> None:
    chosen = kubeconfig.with_overrides(kubeconfig.parse(contents()), context="a", cluster="two")
    assert chosen["current-context"] == "a"
    assert kubeconfig.active_cluster(chosen) == {"server": "https://two"}
    assert (kubeconfig.active_context(chosen) or {})["namespace"] == "team"


@pytest.mark.parametrize(("context", "cluster", "missing"), [("x", "", '"x"'), ("", "y", '"y"')])
def test_a_context_or_cluster_that_does_not_exist_is_named(
    context: str, cluster: str, missing: str
) -> None:
    with pytest.raises(kubeconfig.KubeconfigError, match=missing):
        kubeconfig.with_overrides(kubeconfig.parse(contents()), context=context, cluster=cluster)
