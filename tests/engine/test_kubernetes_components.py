"""Manifests and charts as components of the stand-in plug-in, with the real engine."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.engine.workspace import ROOT, Workspace
from toolchain.kubernetes_plugin.cluster import Cluster

pytestmark = pytest.mark.engine

CHART = ROOT / "tests" / "fixtures" / "charts" / "shop"

MANIFEST = """
apiVersion: v1
kind: ConfigMap
metadata:
  name: settings
data:
  mode: "0644"
  date: 2026-11-24
---
apiVersion: example.com/v1
kind: Gear
metadata:
  name: big
  annotations:
    # The garbage collector takes up to 30 s to know a new kind, and is not needed for this one.
    pulumi.com/deletionPropagationPolicy: background
spec:
  teeth: 12
---
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata:
  name: gears.example.com
spec:
  group: example.com
  scope: Namespaced
  names: {kind: Gear, plural: gears}
  versions:
    - name: v1
      served: true
      storage: true
      schema:
        openAPIV3Schema:
          type: object
          properties:
            spec: {type: object, x-kubernetes-preserve-unknown-fields: true}
---
apiVersion: v1
kind: List
items:
  - apiVersion: v1
    kind: Secret
    metadata: {name: login, namespace: NAMESPACE}
    stringData: {password: correct-horse}
"""


def children(workspace: Workspace, parent: str) -> dict[str, dict[str, Any]]:
    """Return the state of a component's children by their logical names."""
    return {
        resource["urn"].rpartition("::")[2]: resource
        for resource in workspace.deployment()["resources"]
        if resource.get("parent", "").endswith(f"::{parent}")
    }


def test_a_config_group_makes_the_objects_of_its_manifests(
    workspace: Workspace, cluster: Cluster, namespace: str
) -> None:
    (workspace.folder / "manifests").mkdir()
    (workspace.folder / "manifests" / "all.yaml").write_text(
        MANIFEST.replace("NAMESPACE", namespace)
    )
    workspace.program(
        f"""
from pulumi_kubernetes.yaml.v2 import ConfigGroup
group = ConfigGroup("all", files=["manifests/*.yaml"], opts=opts, objs=[
    {{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {{"name": "listed",
      "namespace": "{namespace}"}}, "data": {{"replicas": "2"}}}}])
pulumi.export("count", group.resources.apply(len))
""",
        provider=f'{{"namespace": "{namespace}"}}',
    )
    planned = set(workspace.plan())
    workspace.up()

    made = children(workspace, "all")
    assert {name: resource["type"] for name, resource in made.items()} == {
        f"all:{namespace}/settings": "kubernetes:core/v1:ConfigMap",
        f"all:{namespace}/listed": "kubernetes:core/v1:ConfigMap",
        f"all:{namespace}/login": "kubernetes:core/v1:Secret",
        f"all:{namespace}/big": "kubernetes:example.com/v1:Gear",
        "all:gears.example.com": "kubernetes:apiextensions.k8s.io/v1:CustomResourceDefinition",
    }
    assert set(made) <= planned
    assert workspace.outputs()["count"] == 5
    stored = cluster.get("v1", "ConfigMap", "settings", namespace)
    assert stored is not None
    assert stored["data"] == {"mode": "0644", "date": "2026-11-24"}
    gear = cluster.get("example.com/v1", "Gear", "big", namespace)
    assert gear is not None
    assert gear["spec"] == {"teeth": 12}
    definition = made["all:gears.example.com"]["urn"]
    assert definition in made[f"all:{namespace}/big"]["dependencies"]
    assert "correct-horse" not in json.dumps(workspace.deployment())

    assert "unchanged" in workspace.up().text
    workspace.destroy()
    assert cluster.get("v1", "ConfigMap", "settings", namespace) is None


def test_a_chart_makes_what_helm_renders(
    workspace: Workspace, cluster: Cluster, namespace: str
) -> None:
    values = workspace.folder / "values.yaml"
    values.write_text("greeting: from the file\nreplicas: 3\n")
    workspace.program(f"""
from pulumi_kubernetes.helm.v4 import Chart
chart = Chart("store", chart="{CHART}", namespace="{namespace}", opts=opts,
              value_yaml_files=[pulumi.FileAsset("values.yaml")],
              values={{"greeting": "good day"}})
pulumi.export("count", chart.resources.apply(len))
""")
    workspace.up()

    made = children(workspace, "store")
    assert set(made) == {
        "store:widgets.shop.example.com",
        "store:store-reader",
        f"store:{namespace}/store-config",
        f"store:{namespace}/store-kept",
        f"store:{namespace}/store-login",
        f"store:{namespace}/store-widget",
    }
    config = cluster.get("v1", "ConfigMap", "store-config", namespace)
    assert config is not None
    assert config["data"] == {
        "greeting": "good day",
        "namespace": namespace,
        "kubernetes": cluster.version(),
        "hasDeployments": "true",
        "existing": "kube-system",
    }
    assert workspace.outputs()["count"] == 6
    assert "unchanged" in workspace.up().text
    # Where the chart lies differs from machine to machine.
    assert str(CHART) not in json.dumps(workspace.deployment())

    workspace.destroy()
    assert cluster.get("v1", "ConfigMap", "store-config", namespace) is None
    assert cluster.get("v1", "ConfigMap", "store-kept", namespace) is not None


def test_a_secret_value_of_a_chart_stays_secret_wherever_it_is_rendered(
    workspace: Workspace, cluster: Cluster, namespace: str
) -> None:
    workspace.program(f"""
from pulumi_kubernetes.helm.v4 import Chart
chart = Chart("store", chart="{CHART}", namespace="{namespace}", opts=opts,
              values={{"password": pulumi.Output.secret("correct-horse"),
                       "greeting": pulumi.Output.secret("battery-staple")}},
              resource_prefix="")
""")
    done = workspace.up()
    config = cluster.get("v1", "ConfigMap", "store-config", namespace)
    assert config is not None
    assert config["data"]["greeting"] == "battery-staple"
    for shown in (done.text, json.dumps(workspace.deployment()), workspace.preview().text):
        assert "battery-staple" not in shown
        assert "correct-horse" not in shown


def test_a_component_that_cannot_be_made_gives_one_clear_line(workspace: Workspace) -> None:
    workspace.program(f"""
from pulumi_kubernetes.helm.v4 import Chart
Chart("store", chart="{CHART}", values={{"fail": "choose a size"}}, opts=opts)
""")
    done = workspace.pulumi("preview", "--stack", "tests", expect=None)
    assert done.code != 0
    lines = [line for line in done.text.splitlines() if "choose a size" in line]
    assert lines
    assert all("resource 'store' has a problem: chart " in line for line in lines)
    assert "construction.py" not in done.text


def test_children_get_the_provider_of_their_component_and_no_wait_if_asked(
    workspace: Workspace, cluster: Cluster, namespace: str
) -> None:
    workspace.program("""
from pulumi_kubernetes.yaml.v2 import ConfigFile
ConfigFile("apps", file="deployment.yaml", opts=opts, skip_await=True, resource_prefix="")
""")
    (workspace.folder / "deployment.yaml").write_text(
        f"""
apiVersion: apps/v1
kind: Deployment
metadata: {{name: web, namespace: {namespace}}}
spec:
  selector: {{matchLabels: {{app: web}}}}
  template:
    metadata: {{labels: {{app: web}}}}
    spec: {{containers: [{{name: web, image: "registry.example/web:1"}}]}}
"""
    )
    workspace.up()
    resource = workspace.resource(f"{namespace}/web")
    assert resource["provider"].split("::")[3] == "cluster"
    assert resource["inputs"]["metadata"]["annotations"]["pulumi.com/skipAwait"] == "true"


def test_a_preview_with_unknown_inputs_says_that_it_is_incomplete(
    workspace: Workspace, namespace: str
) -> None:
    workspace.program(f"""
from pulumi_kubernetes.yaml.v2 import ConfigGroup
first = k8s.core.v1.ConfigMap("first", metadata={{"namespace": "{namespace}"}}, opts=opts)
unknown = first.id.apply(lambda id: f'''
apiVersion: v1
kind: ConfigMap
metadata: {{{{name: after-{{id.rpartition("/")[2]}}, namespace: {namespace}}}}}
''')
ConfigGroup("later", yaml=unknown, opts=opts)
""")
    assert "Preview is incomplete" in workspace.preview().text
    workspace.up()
    assert len(children(workspace, "later")) == 1


def test_a_preview_without_a_cluster_shows_the_children(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path, _unreachable())
    workspace.program(f"""
from pulumi_kubernetes.helm.v4 import Chart
Chart("store", chart="{CHART}", namespace="team", opts=opts)
""")
    planned = workspace.plan()
    assert "store:team/store-config" in planned
    assert "store:team/store-widget" in planned
    assert "store:store-reader" in planned


def _unreachable() -> str:
    return json.dumps(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "none",
            "clusters": [{"name": "none", "cluster": {"server": "https://127.0.0.1:1"}}],
            "users": [{"name": "none", "user": {"token": "none"}}],
            "contexts": [{"name": "none", "context": {"cluster": "none", "user": "none"}}],
        }
    )
