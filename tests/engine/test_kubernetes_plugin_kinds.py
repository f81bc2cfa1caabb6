"""Secrets, definitions of kinds, and parts of objects under the real engine."""

import json

import pytest

from tests.engine.workspace import Workspace
from toolchain.kubernetes_plugin.cluster import MERGE_PATCH, Cluster

pytestmark = pytest.mark.engine

SECRET = """
secret = k8s.core.v1.Secret("secret", metadata={{"namespace": "{namespace}"}},
    string_data={{"password": "{password}"}}, opts=opts)
k8s.core.v1.ConfigMap("map", metadata={{"name": "map", "namespace": "{namespace}"}},
    data={{"token": pulumi.Output.secret("{password}"), "open": "yes"}}, opts=opts)
pulumi.export("password", secret.data["password"])
"""

READ = """
secret = k8s.core.v1.Secret.get("secret", "{namespace}/found", opts=opts)
pulumi.export("password", secret.data["password"])
"""

MUTABLE = """
k8s.core.v1.Secret("secret", metadata={{"name": "mutable", "namespace": "{namespace}"}},
    string_data={{"password": "declared"}}, opts=opts)
"""

WIDGETS = """
definition = k8s.apiextensions.v1.CustomResourceDefinition("widgets",
    metadata={{"name": "widgets.{group}"}},
    spec={{"group": "{group}", "scope": "Namespaced",
          "names": {{"plural": "widgets", "singular": "widget", "kind": "Widget"}},
          "versions": [{{"name": "v1", "served": True, "storage": True,
              "schema": {{"open_apiv3_schema": {{"type": "object",
                  "x_kubernetes_preserve_unknown_fields": True}}}}}}]}},
    opts=opts)
k8s.apiextensions.CustomResource("widget", api_version="{group}/v1", kind="Widget",
    metadata={{"name": "widget", "namespace": "{namespace}"}}, spec={{"size": {size}}},
    opts=pulumi.ResourceOptions(provider=provider, depends_on=[definition]))
"""

LABEL = """
k8s.core.v1.NamespacePatch("label",
    metadata={{"name": "{namespace}", "labels": {{"team": "vision"}}}}, opts=opts)
"""


def test_secrets_never_show(workspace: Workspace, namespace: str) -> None:
    password = "correct-horse-battery"
    encoded = "Y29ycmVjdC1ob3JzZS1iYXR0ZXJ5"
    workspace.program(SECRET.format(namespace=namespace, password=password))
    texts = [workspace.preview().text, workspace.up().text]
    workspace.program(SECRET.format(namespace=namespace, password=f"{password}-2"))
    texts += [workspace.preview().text, workspace.refresh().text]
    texts.append(json.dumps(workspace.deployment()))
    for text in texts:
        assert password not in text
        assert encoded not in text
    assert workspace.outputs()["password"] == encoded


def test_a_secret_that_the_program_only_reads_never_shows(
    workspace: Workspace, cluster: Cluster, namespace: str
) -> None:
    password, encoded = "correct-horse-battery", "Y29ycmVjdC1ob3JzZS1iYXR0ZXJ5"
    cluster.create(
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "found", "namespace": namespace},
            "stringData": {"password": password},
        },
        field_manager="tests",
    )
    workspace.program(READ.format(namespace=namespace))
    texts = [workspace.preview().text, workspace.up().text, workspace.refresh().text]
    texts.append(json.dumps(workspace.deployment()))
    for text in texts:
        assert password not in text
        assert encoded not in text
    assert workspace.outputs()["password"] == encoded


def test_drift_of_a_secret_never_shows(
    workspace: Workspace, cluster: Cluster, namespace: str
) -> None:
    workspace.program(MUTABLE.format(namespace=namespace))
    workspace.up()
    live = cluster.get("v1", "Secret", "mutable", namespace)
    assert live is not None
    cluster.patch(live, {"stringData": {"password": "drifted-password"}}, media_type=MERGE_PATCH)
    texts = [workspace.refresh("--diff").text, workspace.preview().text]
    texts.append(json.dumps(workspace.deployment()))
    for text in texts:
        assert "drifted-password" not in text
        assert "ZHJpZnRlZC1wYXNzd29yZA" not in text


def test_a_secret_field_keeps_the_rest_of_its_object_readable(
    workspace: Workspace, namespace: str
) -> None:
    workspace.program(SECRET.format(namespace=namespace, password="hidden"))
    workspace.up()
    data = workspace.resource("map")["outputs"]["data"]
    assert data["open"] == "yes"
    assert "ciphertext" in data["token"]


def test_a_definition_and_its_first_resource_come_in_one_up(
    workspace: Workspace, cluster: Cluster, namespace: str
) -> None:
    group = f"{namespace}.example.org"
    workspace.program(WIDGETS.format(group=group, namespace=namespace, size=1))
    assert workspace.plan()["widget"]["op"] == "create"
    workspace.up()
    live = cluster.get(f"{group}/v1", "Widget", "widget", namespace)
    assert live is not None
    assert live["spec"] == {"size": 1}
    assert workspace.plan() == {}

    workspace.program(WIDGETS.format(group=group, namespace=namespace, size=2))
    steps = workspace.plan()
    assert list(steps["widget"]["detailedDiff"]) == ["spec.size"]
    workspace.up()
    workspace.destroy()
    assert cluster.get(f"{group}/v1", "Widget", "widget", namespace) is None


def test_a_patch_owns_its_fields_only(
    workspace: Workspace, cluster: Cluster, namespace: str
) -> None:
    workspace.program(LABEL.format(namespace=namespace))
    workspace.up()
    live = cluster.get("v1", "Namespace", namespace)
    assert live is not None
    assert live["metadata"]["labels"]["team"] == "vision"
    workspace.destroy()
    live = cluster.get("v1", "Namespace", namespace)
    assert live is not None
    assert "team" not in live["metadata"]["labels"]


def test_the_default_namespace_is_the_providers(
    workspace: Workspace, cluster: Cluster, namespace: str
) -> None:
    body = 'k8s.core.v1.ConfigMap("map", metadata={"name": "map"}, data={}, opts=opts)'
    workspace.program(body, f"{{'namespace': '{namespace}'}}")
    workspace.up()
    assert cluster.get("v1", "ConfigMap", "map", namespace) is not None
    assert workspace.resource("map")["id"] == f"{namespace}/map"


def test_manifests_of_the_older_components_are_decoded(
    workspace: Workspace, cluster: Cluster, namespace: str
) -> None:
    manifest = (
        "{apiVersion: v1, kind: List, items: ["
        "{apiVersion: v1, kind: ConfigMap, metadata: {name: one}, data: {a: b}}]}"
    )
    workspace.program(
        "from pulumi_kubernetes.yaml import ConfigGroup\n"
        f"ConfigGroup('group', yaml=['{manifest}'], opts=opts)",
        f"{{'namespace': '{namespace}'}}",
    )
    workspace.up()
    assert cluster.get("v1", "ConfigMap", "one", namespace) is not None
    assert workspace.plan() == {}


def test_a_list_and_a_release_are_refused_with_the_way_out(
    workspace: Workspace, namespace: str
) -> None:
    workspace.program("k8s.helm.v3.Release('shop', chart='shop', opts=opts)")
    assert "use a helm.sh/v4 Chart" in workspace.preview(expect=1).text
    workspace.program("k8s.core.v1.ConfigMapList('maps', items=[], opts=opts)")
    assert "declare its items as resources of their own" in workspace.preview(expect=1).text
