"""What holds for the program of every stack file."""

import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from infra.settings import stack_file
from tests.unit import mocked_program
from tests.unit.mocked_program import Program
from toolchain.local_cluster.spec import DISTRIBUTIONS

# A tag that is a version or a content hash, or a digest.
_FIXED_IMAGE = re.compile(r".+(@sha256:[0-9a-f]{64}|:(v?\d+(\.\d+)+[\w.+-]*|[0-9a-f]{12,}))")
_RECOMMENDED_LABELS = {
    "app.kubernetes.io/name",
    "app.kubernetes.io/instance",
    "app.kubernetes.io/component",
    "app.kubernetes.io/part-of",
    "app.kubernetes.io/managed-by",
}
# Published by the Gateway API, with labels of its own.
_THIRD_PARTY = {"kubernetes:apiextensions.k8s.io/v1:CustomResourceDefinition"}


# Packages whose resources all take an explicit provider.
_PACKAGES = ("aws", "azure-native", "gcp", "kubernetes", "slipway")


def _kind(path: Path) -> Any:
    return stack_file.read(path)["cluster"]["kind"]


@pytest.fixture(
    name="program",
    params=[
        (path, name)
        for path in (*mocked_program.STACK_FILES, *mocked_program.ON_DEMAND)
        for name in (DISTRIBUTIONS if _kind(path) == "local" else ["none"])
    ],
    ids=lambda param: f"{param[0].name}-{param[1]}",
    scope="module",
)
def _program(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Program:
    path, distribution = request.param
    folder = tmp_path_factory.mktemp("project")
    with pytest.MonkeyPatch.context() as monkeypatch:
        return mocked_program.run(path, folder, monkeypatch, distribution=distribution)


def test_there_is_a_stack_file_to_hold_the_program_to() -> None:
    assert mocked_program.STACK_FILES


def test_the_program_has_what_the_other_tests_look_at(program: Program) -> None:
    assert list(program.pods())
    for type_ in (
        "pulumi:providers:kubernetes",
        "kubernetes:core/v1:Namespace",
        "kubernetes:core/v1:Service",
    ):
        assert program.of_type(type_), type_


def test_every_resource_takes_an_explicit_provider(program: Program) -> None:
    for resource in program.resources:
        package = resource.type.split(":")[0]
        if package in _PACKAGES and (resource.is_custom or resource.is_remote):
            assert f"pulumi:providers:{package}::" in resource.provider, resource.label


def test_default_providers_are_disabled_in_every_stack_file() -> None:
    for path in mocked_program.STACK_FILES:
        assert 'pulumi:disable-default-providers: ["*"]' in path.read_text(), path.name


def test_no_two_resources_share_a_urn(program: Program) -> None:
    counts = Counter(resource.urn for resource in program.resources)
    assert [urn for urn, count in counts.items() if count > 1] == []


def test_no_two_objects_share_a_kind_and_a_name(program: Program) -> None:
    counts = Counter(
        (resource.type, metadata.get("namespace"), metadata.get("name", resource.urn))
        for resource in program.kubernetes()
        for metadata in [resource.inputs["metadata"]]
        # One without is named by the plug-in.
        if "name" in metadata
    )
    assert [name for name, count in counts.items() if count > 1] == []


def test_no_logical_name_holds_a_version_a_digest_or_an_index(program: Program) -> None:
    for resource in program.resources:
        assert not re.search(r"[0-9a-f]{12}|\d+\.\d+\.|-\d+$", resource.name), resource.label


def test_every_container_has_requests_and_limits(program: Program) -> None:
    for label, container in program.containers():
        for kind in ("requests", "limits"):
            assert set(container["resources"][kind]) == {"cpu", "memory"}, label


def test_every_object_of_ours_carries_the_recommended_labels(program: Program) -> None:
    for resource in program.kubernetes():
        if resource.type not in _THIRD_PARTY:
            assert set(resource.inputs["metadata"]["labels"]) >= _RECOMMENDED_LABELS, resource.label
    for resource, template in program.pods():
        assert set(template["metadata"]["labels"]) >= _RECOMMENDED_LABELS, resource.label


def test_a_selector_finds_its_pods_and_holds_no_version(program: Program) -> None:
    for resource, template in program.pods():
        if resource.type == mocked_program.INFERENCE_SERVICE:
            # KServe selects them by a label of its own.
            continue
        selector = resource.inputs["spec"]["selector"]["matchLabels"]
        assert set(selector) == {"app.kubernetes.io/name", "app.kubernetes.io/instance"}
        assert selector.items() <= template["metadata"]["labels"].items(), resource.label


def test_every_service_leads_to_pods_and_ports_that_exist(program: Program) -> None:
    pods = [template for _, template in program.pods()]
    for service in program.of_type("kubernetes:core/v1:Service"):
        spec = service.inputs["spec"]
        selected = [
            pod for pod in pods if spec["selector"].items() <= pod["metadata"]["labels"].items()
        ]
        assert len(selected) == 1, service.label
        names = {
            port["name"]
            for container in selected[0]["spec"]["containers"]
            for port in container["ports"]
        }
        assert {port["targetPort"] for port in spec["ports"]} <= names, service.label


def test_no_container_takes_a_floating_tag(program: Program) -> None:
    for label, container in program.containers():
        assert _FIXED_IMAGE.fullmatch(container["image"]), f"{label}: {container['image']}"
        assert container["imagePullPolicy"] == "IfNotPresent", label


def test_every_container_has_readiness_and_liveness_probes(program: Program) -> None:
    for resource, template in program.pods():
        for container in template["spec"]["containers"]:
            assert {"readinessProbe", "livenessProbe"} <= set(container), resource.label


def test_the_platform_goes_before_the_models_when_a_node_is_full(program: Program) -> None:
    values = {
        item.inputs["metadata"]["name"]: item.inputs["value"]
        for item in program.of_type("kubernetes:scheduling.k8s.io/v1:PriorityClass")
    }
    assert values["slipway-platform"] > values["slipway-models"] > 0
    for resource, template in program.pods():
        is_model = template["metadata"]["labels"]["app.kubernetes.io/component"] == "model"
        expected = "slipway-models" if is_model else "slipway-platform"
        assert template["spec"]["priorityClassName"] == expected, resource.label


def test_every_pod_meets_the_restricted_pod_security_standard(program: Program) -> None:
    for resource, template in program.pods():
        spec = template["spec"]
        context = spec["securityContext"]
        assert context["runAsNonRoot"] is True, resource.label
        assert context["runAsUser"] > 0, resource.label
        assert context["seccompProfile"] == {"type": "RuntimeDefault"}, resource.label
        assert not {"hostNetwork", "hostPID", "hostIPC"} & set(spec), resource.label
        assert not any("hostPath" in volume for volume in spec.get("volumes", [])), resource.label
    for label, container in program.containers():
        context = container["securityContext"]
        assert context["allowPrivilegeEscalation"] is False, label
        assert context["readOnlyRootFilesystem"] is True, label
        assert context["capabilities"] == {"drop": ["ALL"]}, label


def test_every_namespace_enforces_the_restricted_pod_security_standard(program: Program) -> None:
    for namespace in program.of_type("kubernetes:core/v1:Namespace"):
        labels = namespace.inputs["metadata"]["labels"]
        # Its speaker answers for addresses on the node's own link (docs/adr/0007).
        level = "privileged" if namespace.name == "metallb-system" else "restricted"
        assert labels["pod-security.kubernetes.io/enforce"] == level, namespace.label


def test_no_model_answers_without_encryption(program: Program) -> None:
    (gateway,) = program.of_type("kubernetes:gateway.networking.k8s.io/v1:Gateway")
    encrypted = {
        listener["name"]
        for listener in gateway.inputs["spec"]["listeners"]
        if listener["protocol"] == "HTTPS"
    }
    for route in program.of_type("kubernetes:gateway.networking.k8s.io/v1:HTTPRoute"):
        if route.inputs["metadata"]["namespace"] != "slipway-system":
            attached = {parent["sectionName"] for parent in route.inputs["spec"]["parentRefs"]}
            assert attached <= encrypted, route.label
    assert program.outputs["endpoint"].startswith("https://")
    for name, model in program.outputs["models"].items():
        assert model["url"].startswith("https://"), name


def test_the_kubeconfig_is_a_secret_wherever_it_goes(program: Program) -> None:
    assert program.secret_outputs == {"kubeconfig"}
    for provider in program.of_type("pulumi:providers:kubernetes"):
        assert "kubeconfig" in provider.secret_inputs, provider.label
    for cluster in program.of_type("slipway:machine:LocalCluster"):
        assert "kubeconfig" in cluster.secret_outputs, cluster.label


def test_the_kubernetes_provider_outlives_a_kubeconfig_that_a_preview_cannot_know(
    program: Program,
) -> None:
    for provider in program.of_type("pulumi:providers:kubernetes"):
        assert provider.inputs["clusterIdentifier"], provider.label


def test_no_input_holds_a_path_of_this_machine(
    program: Program, tmp_path_factory: pytest.TempPathFactory
) -> None:
    paths = (str(Path.home()), str(mocked_program.ROOT), str(tmp_path_factory.getbasetemp()))
    for resource in program.resources:
        for text in _texts(resource.inputs):
            assert not any(path in text for path in paths), f"{resource.label}: {text}"


def test_the_stack_shows_where_and_what_everything_is(
    program: Program,
) -> None:
    assert set(program.outputs) == {"endpoint", "ca", "models", "cluster", "kubeconfig"}
    shown = program.outputs["cluster"]
    # The version of a cluster that somebody else updates is not the stack's to say.
    assert ("version" in shown) is (shown["kind"] != "existing")
    for name, model in program.outputs["models"].items():
        assert set(model) - {"traffic"} == {"url", "version", "protocol"}, name
        assert model["url"].startswith(program.outputs["endpoint"]), name


def _texts(value: Any) -> list[str]:
    if isinstance(value, Mapping):
        return [text for item in value.values() for text in _texts(item)]
    if isinstance(value, list):
        return [text for item in value for text in _texts(item)]
    return [value] if isinstance(value, str) else []
