"""The charts of the publishers' modules are whole: the pinned helm renders them."""

import json
import subprocess
from typing import Any

import pytest
import yaml

from infra import versions
from infra.platform.definitions import read_definitions
from slipway_policy.exemptions import EXEMPTIONS
from slipway_policy.rule import Resource
from slipway_policy.rules import RULES, broken
from tests.unit import placed_program
from toolchain import programs
from toolchain.kubernetes_plugin.components import children

pytestmark = pytest.mark.engine

# The value that leaves the resource types to `Definitions`.
WITHOUT_TYPES = {
    "cert-manager": "crds.enabled=false",
    "external-secrets": "installCRDs=false",
    "metallb": "crds.enabled=false,frrk8s.enabled=false",
    "metrics-server": "",
}
TYPES = {
    "cert-manager-crds": ("certificates.cert-manager.io", "challenges.acme.cert-manager.io"),
    "external-secrets-crds": (
        "externalsecrets.external-secrets.io",
        "clustersecretstores.external-secrets.io",
    ),
    "keda-crds": ("scaledobjects.keda.sh", "triggerauthentications.keda.sh"),
    "metallb-crds": ("ipaddresspools.metallb.io", "l2advertisements.metallb.io"),
}


@pytest.mark.parametrize("name", versions.CHARTS)
def test_a_chart_is_rendered_at_its_pinned_version_without_resource_types(name: str) -> None:
    folder = programs.path(f"{name}-chart")
    described = yaml.safe_load((folder / "Chart.yaml").read_text())
    assert described["version"] == versions.CHARTS[name]
    done = _helm(name, "--set", WITHOUT_TYPES[name])
    assert done.returncode == 0, done.stderr
    kinds = {item["kind"] for item in yaml.safe_load_all(done.stdout) if item}
    assert "Deployment" in kinds
    assert "CustomResourceDefinition" not in kinds


@pytest.fixture(name="rendered", scope="module")
def _rendered(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Any]]:
    """The objects of each chart that the program asks for, with the values that it gives."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        program = placed_program.run(tmp_path_factory.mktemp("stack"), monkeypatch)
    folder = tmp_path_factory.mktemp("values")
    objects = {}
    for asked in program.of_type("kubernetes:helm.sh/v4:Chart"):
        name = asked.inputs["name"]
        values = folder / f"{name}.json"
        values.write_text(json.dumps(asked.inputs["values"]))
        namespace = asked.inputs["namespace"]
        done = _helm(name, "--values", str(values), "--namespace", namespace)
        assert done.returncode == 0, done.stderr
        objects[name] = [item for item in yaml.safe_load_all(done.stdout) if item]
    return objects


def test_every_pod_of_a_chart_runs_where_the_cluster_says(rendered: dict[str, list[Any]]) -> None:
    assert rendered.keys() == versions.CHARTS.keys()
    pods = {
        f"{name}: {item['metadata']['name']}": item["spec"]["template"]["spec"]
        for name, objects in rendered.items()
        for item in objects
        if "template" in item.get("spec", {})
    }
    assert len(pods) >= 7
    lacking = {label: placed_program.unplaced(pod) for label, pod in pods.items()}
    assert {label: fields for label, fields in lacking.items() if fields} == {}


def test_every_object_of_a_chart_keeps_the_rules_of_the_policy_pack(
    rendered: dict[str, list[Any]],
) -> None:
    resources = [
        Resource(children.type_token(item), children.logical_name(item, name), item)
        for name, objects in rendered.items()
        for item in objects
        # The plug-in leaves hooks out.
        if "helm.sh/hook" not in (item["metadata"].get("annotations") or {})
    ]
    assert [
        f"{rule.name}: {resource.type} {resource.name}: {violation}"
        for resource in resources
        for rule in RULES
        for violation in broken(rule, resource)
    ] == []
    checks = {rule.name: rule.check for rule in RULES}
    for exemption in EXEMPTIONS:
        if ":" in exemption.name:
            (found,) = (
                one for one in resources if (one.type, one.name) == (exemption.type, exemption.name)
            )
            assert list(checks[exemption.rule](found)), f"no longer needed: {exemption}"


@pytest.mark.parametrize("program", TYPES)
def test_the_types_of_a_controller_are_read_from_its_module(program: str) -> None:
    definitions = {item["metadata"]["name"]: item for item in read_definitions(program)}
    assert definitions.keys() >= set(TYPES[program])
    for definition in definitions.values():
        assert not any("{{" in text for text in _texts(definition))


def _helm(name: str, *options: str) -> subprocess.CompletedProcess[str]:
    """Render a chart."""
    chart = programs.path(f"{name}-chart")
    common = ["--skip-crds", "--kube-version", versions.KUBERNETES]
    return subprocess.run(
        [programs.path("helm"), "template", name, chart, *common, *options],
        capture_output=True,
        text=True,
        check=False,
    )


def _texts(value: object) -> list[str]:
    if isinstance(value, dict):
        return [text for item in value.values() for text in _texts(item)]
    if isinstance(value, list):
        return [text for item in value for text in _texts(item)]
    return [value] if isinstance(value, str) else []
