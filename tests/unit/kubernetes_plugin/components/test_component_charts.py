import asyncio
import base64
import json
import os
from pathlib import Path
from typing import Any

import pulumi
import pytest

from infra import versions
from toolchain.kubernetes_plugin.components.capabilities import Capabilities, of
from toolchain.kubernetes_plugin.components.chart import rendering_of
from toolchain.kubernetes_plugin.components.errors import ComponentError
from toolchain.kubernetes_plugin.components.helm import Helm, Rendered, Rendering, explanation
from toolchain.kubernetes_plugin.components.inputs import Inputs
from toolchain.kubernetes_plugin.discovery import Discovery
from toolchain.kubernetes_plugin.errors import ApiError

KNOWN = Capabilities("v1.37.2", ("v1", "apps/v1/Deployment"))


def rendering(
    folder: Path, capabilities: Capabilities | None = KNOWN, secret: str = "", **values: Any
) -> Rendering:
    """Return the call of helm for a chart with these inputs."""
    given = Inputs({"chart": "./shop", **values}, frozenset({secret} - {""}))
    return asyncio.run(rendering_of(given, "store", folder, "default", capabilities))


def option(rendering: Rendering, name: str) -> list[str]:
    """Return the values of an option."""
    pairs = zip(rendering.options, rendering.options[1:], strict=False)
    return [value for key, value in pairs if key == name]


def test_a_chart_is_rendered_as_its_own_release_without_hooks_and_with_definitions(
    tmp_path: Path,
) -> None:
    made = rendering(tmp_path)
    assert (made.chart, made.release) == ("./shop", "store")
    assert made.options[:3] == ("--no-hooks", "--dry-run=server", "--include-crds")
    assert option(made, "--namespace") == ["default"]
    assert option(made, "--kube-version") == ["v1.37.2"]
    assert option(made, "--api-versions") == ["v1", "apps/v1/Deployment"]


def test_without_a_cluster_a_chart_is_rendered_for_the_pinned_kubernetes(tmp_path: Path) -> None:
    made = rendering(tmp_path, capabilities=None)
    assert "--dry-run=client" in made.options
    assert option(made, "--kube-version") == [versions.KUBERNETES]


def test_every_input_has_its_option(tmp_path: Path) -> None:
    made = rendering(
        tmp_path,
        name="other",
        namespace="team",
        skipCrds=True,
        version="1.2",
        devel=True,
        dependencyUpdate=True,
        verify=True,
        plainHttp=True,
        keyring=pulumi.FileAsset("/keys.gpg"),
        postRenderer={"command": "sed", "args": ["-e", "s/a/b/"]},
        repositoryOpts={"repo": "https://charts.example", "caFile": pulumi.FileAsset("/ca.pem")},
    )
    assert made.release == "other"
    assert "--include-crds" not in made.options
    assert option(made, "--namespace") == ["team"]
    assert option(made, "--version") == ["1.2"]
    assert "--devel" not in made.options
    assert {"--dependency-update", "--verify", "--plain-http"} <= set(made.options)
    assert option(made, "--keyring") == ["/keys.gpg"]
    assert option(made, "--post-renderer") == ["sed"]
    assert option(made, "--post-renderer-args") == ["-e", "s/a/b/"]
    assert made.repository.url == "https://charts.example"
    assert made.repository.flags == ("--ca-file", "/ca.pem")


def test_stated_values_come_after_files_and_assets_become_their_contents(tmp_path: Path) -> None:
    script = tmp_path / "script.sh"
    script.write_text("echo hello")
    made = rendering(
        tmp_path,
        valueYamlFiles=[pulumi.FileAsset("first.yaml"), pulumi.StringAsset("a: 1")],
        values={"script": pulumi.FileAsset(str(script)), "list": [{"n": 1}]},
    )
    first, second, third = option(made, "--values")
    assert first == "first.yaml"
    assert Path(second).read_text() == "a: 1"
    assert json.loads(Path(third).read_text()) == {"script": "echo hello", "list": [{"n": 1}]}


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"chart": None}, "chart: name the chart"),
        ({"values": {"a": pulumi.FileAsset("/no/such/file")}}, "values.a: cannot be read"),
        ({"values": {"a": [pulumi.FileArchive("/tmp")]}}, "values.a[0]: an archive cannot"),
        ({"keyring": "keys.gpg"}, "keyring: expected an asset"),
        ({"valueYamlFiles": ["values.yaml"]}, "valueYamlFiles: expected an asset"),
        ({"values": {"a": pulumi.RemoteAsset("ftp://x/y")}}, "only http:// and https://"),
    ],
)
def test_an_input_that_cannot_be_used_is_named(
    tmp_path: Path, values: dict[str, Any], words: str
) -> None:
    with pytest.raises(ComponentError) as caught:
        rendering(tmp_path, **values)
    assert words in str(caught.value)


def test_texts_of_secret_inputs_are_kept_out_of_messages(tmp_path: Path) -> None:
    made = rendering(
        tmp_path, secret="values", values={"password": "correct-horse", "n": [1, "yes"]}
    )
    assert made.secrets == ("correct-horse",)
    said = 'Error: template: shop/a.yaml:1: "correct-horse" is too short\nhelm.go:84: [debug]'
    assert explanation(said, made.secrets) == (
        'template: shop/a.yaml:1: "[secret]" is too short helm.go:84: [debug]'
    )


def test_a_failure_without_a_word_is_still_one_line() -> None:
    assert explanation("", ()) == "it gave no reason"


FAKE_HELM = """#!/bin/sh
echo "$@" >> "$LOG"
env | grep '^HELM_\\|^KUBECONFIG=' >> "$LOG"
case "$1" in
repo) cat > "$LOG.stdin" ;;
dependency) mkdir -p "$3/charts/base" ;;
template)
    for chart in "$@"; do :; done
    if [ -f "$chart/Chart.lock" ] && [ ! -d "$chart/charts/base" ]; then
        echo "Error: found in Chart.yaml, but missing in charts/ directory: base" >&2
        exit 1
    fi
    [ "$chart" = broken ] && { echo "Error: values don't meet the
 specifications" >&2; exit 1; }
    echo "WARNING: This chart is deprecated" >&2
    echo "kind: ConfigMap" ;;
esac
"""


class FakeHelm:
    """A `helm` that writes down how it was called."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.log = folder / "log"
        self.program = folder / "helm"
        self.program.write_text(FAKE_HELM)
        self.program.chmod(0o755)
        self.files = folder / "files"
        self.files.mkdir()
        for name in [name for name in os.environ if name.startswith("HELM_")]:
            monkeypatch.delenv(name)
        monkeypatch.setenv("LOG", str(self.log))

    def render(self, chart: str, **repository: Any) -> Rendered:
        made = rendering(self.files, chart=chart, repositoryOpts=repository)
        return asyncio.run(Helm(self.program, self.files).template(made))


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeHelm:
    return FakeHelm(tmp_path, monkeypatch)


def test_what_helm_renders_and_warns_of_comes_back(fake: FakeHelm) -> None:
    assert fake.render("./shop") == Rendered("kind: ConfigMap\n", ("This chart is deprecated",))


def test_helms_words_are_one_line(fake: FakeHelm) -> None:
    with pytest.raises(ComponentError) as caught:
        fake.render("broken")
    assert str(caught.value) == (
        "chart broken: helm cannot render it: values don't meet the specifications"
    )


def test_a_public_repository_is_an_option(fake: FakeHelm) -> None:
    fake.render("shop", repo="https://charts.example")
    assert "template --repo https://charts.example" in fake.log.read_text()


def test_the_password_of_a_repository_is_no_argument(fake: FakeHelm) -> None:
    fake.render("shop", repo="https://charts.example", username="me", password="correct-horse")
    log = fake.log.read_text()
    assert "correct-horse" not in log
    assert Path(f"{fake.log}.stdin").read_text() == "correct-horse"
    assert "repo add slipway https://charts.example --username me --password-stdin" in log
    assert "-- store slipway/shop" in log
    assert f"HELM_REPOSITORY_CONFIG={fake.files}/repositories.yaml" in log


def test_the_password_of_a_registry_is_no_argument(fake: FakeHelm) -> None:
    fake.render("oci://registry.example:5000/charts/shop", username="me", password="correct-horse")
    log = fake.log.read_text()
    assert "correct-horse" not in log
    login = json.loads((fake.files / "registry.json").read_text())
    encoded = login["auths"]["registry.example:5000"]["auth"]
    assert base64.b64decode(encoded) == b"me:correct-horse"
    assert f"HELM_REGISTRY_CONFIG={fake.files}/registry.json" in log


def test_locked_dependencies_that_are_missing_are_fetched(fake: FakeHelm, tmp_path: Path) -> None:
    chart = tmp_path / "locked"
    chart.mkdir()
    (chart / "Chart.lock").write_text("dependencies: []\n")
    assert fake.render(str(chart)).manifest == "kind: ConfigMap\n"
    assert f"dependency build {chart}" in fake.log.read_text()


def test_capabilities_are_every_version_and_kind_that_the_server_lists() -> None:
    answers: dict[str, dict[str, Any]] = {
        "/version": {"gitVersion": "v1.37.2"},
        "/api": {"versions": ["v1"]},
        "/apis": {
            "groups": [
                {"versions": [{"groupVersion": "apps/v1"}]},
                {"versions": [{"groupVersion": "metrics.k8s.io/v1beta1"}]},
            ]
        },
        "/api/v1": {
            "resources": [{"name": "pods", "kind": "Pod"}, {"name": "pods/log", "kind": "Pod"}]
        },
        "/apis/apps/v1": {"resources": [{"name": "deployments", "kind": "Deployment"}]},
    }

    def get(path: str) -> dict[str, Any]:
        if path not in answers:
            raise ApiError(503, {"message": "the server is currently unable to handle the request"})
        return answers[path]

    assert of(Discovery(get)) == Capabilities(
        "v1.37.2",
        ("v1", "v1/Pod", "apps/v1", "apps/v1/Deployment", "metrics.k8s.io/v1beta1"),
    )
