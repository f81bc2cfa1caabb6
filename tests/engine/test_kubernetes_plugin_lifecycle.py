"""The stand-in kubernetes plug-in under the real engine, against a real API server."""

import re

import pytest

from tests.engine.workspace import Workspace
from toolchain.kubernetes_plugin.cluster import MERGE_PATCH, Cluster
from toolchain.previews.model import Field

pytestmark = pytest.mark.engine

WEB = """
settings = k8s.core.v1.ConfigMap("settings", metadata={{"namespace": "{namespace}"}},
    data={{"colour": "{colour}"}}, opts=opts)
web = k8s.apps.v1.Deployment("web",
    metadata={{"name": "web", "namespace": "{namespace}",
               "annotations": {{"pulumi.com/skipAwait": "true"}}}},
    spec={{"replicas": {replicas}, "selector": {{"match_labels": {{"app": "{app}"}}}},
          "template": {{"metadata": {{"labels": {{"app": "{app}"}}}}, "spec": {{"containers": [
              {{"name": "web", "image": "slipway.local/web:1",
                "resources": {{"limits": {{"cpu": "0.5", "memory": "1024Mi"}}}},
                "env_from": [{{"config_map_ref": {{"name": settings.metadata.name}}}}]}}]}}}}}},
    opts=opts)
pulumi.export("settings", settings.metadata.name)
"""

MAP = """
k8s.core.v1.ConfigMap("map", metadata={{"name": "map", "namespace": "{namespace}"}},
    data={{"colour": "{colour}"}}, opts=opts)
"""


def web(namespace: str, *, colour: str = "red", replicas: int = 1, app: str = "web") -> str:
    return WEB.format(namespace=namespace, colour=colour, replicas=replicas, app=app)


def test_a_second_up_changes_nothing(workspace: Workspace, namespace: str) -> None:
    workspace.program(web(namespace))
    workspace.up()
    assert workspace.plan() == {}
    assert "4 unchanged" in workspace.up().text


def test_one_changed_value_is_the_whole_plan(workspace: Workspace, namespace: str) -> None:
    workspace.program(web(namespace))
    workspace.up()
    workspace.program(web(namespace, replicas=3))
    changed = workspace.plan()
    assert list(changed) == ["web"]
    assert changed["web"]["op"] == "update"
    assert list(changed["web"]["detailedDiff"]) == ["spec.replicas"]


def test_an_automatic_name_stays_and_a_changed_map_rolls_its_pods(
    workspace: Workspace, cluster: Cluster, namespace: str
) -> None:
    workspace.program(web(namespace))
    workspace.up()
    first = workspace.outputs()["settings"]
    assert re.fullmatch(r"settings-[0-9a-f]{8}", first)
    workspace.up()
    assert workspace.outputs()["settings"] == first
    live = cluster.get("v1", "ConfigMap", first, namespace)
    assert live is not None
    assert live["metadata"]["annotations"]["pulumi.com/autonamed"] == "true"

    workspace.program(web(namespace, colour="blue"))
    plan = workspace.plan()
    assert plan["web"]["op"] == "update"
    workspace.up()
    second = workspace.outputs()["settings"]
    assert second != first
    assert cluster.get("v1", "ConfigMap", first, namespace) is None
    deployment = cluster.get("apps/v1", "Deployment", "web", namespace)
    assert deployment is not None
    container = deployment["spec"]["template"]["spec"]["containers"][0]
    assert container["envFrom"][0]["configMapRef"]["name"] == second


def test_an_immutable_field_replaces_a_fixed_name_after_its_deletion(
    workspace: Workspace, cluster: Cluster, namespace: str
) -> None:
    workspace.program(web(namespace))
    workspace.up()
    before = workspace.resource("web")["outputs"]["metadata"]["uid"]
    workspace.program(web(namespace, app="shop"))
    assert "spec.selector.matchLabels.app" in workspace.plan()["web"]["replaceReasons"]
    workspace.up()
    live = cluster.get("apps/v1", "Deployment", "web", namespace)
    assert live is not None
    assert live["metadata"]["uid"] != before
    assert live["spec"]["selector"]["matchLabels"] == {"app": "shop"}


def test_destroy_leaves_nothing(workspace: Workspace, cluster: Cluster, namespace: str) -> None:
    workspace.program(web(namespace))
    workspace.up()
    workspace.destroy()
    assert cluster.get("apps/v1", "Deployment", "web", namespace) is None
    names = [item["metadata"]["name"] for item in cluster.list("v1", "ConfigMap", namespace)]
    assert [name for name in names if name.startswith("settings")] == []
    assert "resources" not in workspace.deployment()


def test_a_refresh_finds_drift_and_the_next_up_repairs_it(
    workspace: Workspace, cluster: Cluster, namespace: str
) -> None:
    workspace.program(MAP.format(namespace=namespace, colour="red"))
    workspace.up()
    live = cluster.get("v1", "ConfigMap", "map", namespace)
    assert live is not None
    cluster.patch(live, {"data": {"colour": "grey"}}, media_type=MERGE_PATCH)
    workspace.refresh()
    assert workspace.resource("map")["inputs"]["data"] == {"colour": "grey"}
    assert workspace.plan()["map"]["replaceReasons"] == ["data.colour"]
    workspace.up()
    repaired = cluster.get("v1", "ConfigMap", "map", namespace)
    assert repaired is not None
    assert repaired["data"] == {"colour": "red"}


def test_drift_is_named_field_by_field_and_nothing_of_the_clusters_own_is_drift(
    workspace: Workspace, cluster: Cluster, namespace: str
) -> None:
    workspace.program(web(namespace) + MAP.format(namespace=namespace, colour="red"))
    workspace.up()
    assert workspace.drift().changes == ()
    live = cluster.get("apps/v1", "Deployment", "web", namespace)
    assert live is not None
    cluster.patch(live, {"spec": {"replicas": 5}}, media_type=MERGE_PATCH)
    cluster.delete("v1", "ConfigMap", "map", namespace)
    found = workspace.drift()
    assert {change.place: change.operation for change in found.changes} == {
        f"{namespace}/web": "update",
        f"{namespace}/map": "delete",
    }
    (changed,) = found.of("update")
    assert changed.fields == (Field("spec.replicas", 1, 5),)


def test_a_refresh_of_what_the_server_rewrote_finds_no_drift(
    workspace: Workspace, namespace: str
) -> None:
    # The server keeps `0.5` as `500m` and `1024Mi` as `1Gi`.
    workspace.program(web(namespace))
    workspace.up()
    assert "~" not in workspace.refresh().text.split("Resources:")[1]
    assert workspace.plan() == {}


def test_an_object_that_is_gone_is_created_anew_after_a_refresh(
    workspace: Workspace, cluster: Cluster, namespace: str
) -> None:
    workspace.program(MAP.format(namespace=namespace, colour="red"))
    workspace.up()
    cluster.delete("v1", "ConfigMap", "map", namespace, propagation="Background")
    workspace.refresh()
    assert workspace.plan()["map"]["op"] == "create"
    workspace.up()
    assert cluster.get("v1", "ConfigMap", "map", namespace) is not None


def test_an_existing_object_is_imported_and_then_managed(
    workspace: Workspace, cluster: Cluster, namespace: str
) -> None:
    cluster.create(
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "map", "namespace": namespace},
            "data": {"colour": "red"},
        },
        field_manager="someone",
    )
    imported = "opts=pulumi.ResourceOptions(provider=provider, import_='{}/map')"
    body = MAP.format(namespace=namespace, colour="red")
    workspace.program(body.replace("opts=opts", imported.format(namespace)))
    workspace.up()
    inputs = workspace.resource("map")["inputs"]
    assert inputs["data"] == {"colour": "red"}
    assert inputs["metadata"] == {"name": "map", "namespace": namespace}
    workspace.program(body)
    assert workspace.plan() == {}


def test_ignored_changes_leave_the_live_value(
    workspace: Workspace, cluster: Cluster, namespace: str
) -> None:
    ignoring = "opts=pulumi.ResourceOptions(provider=provider, ignore_changes=['spec.replicas']))"
    workspace.program(web(namespace))
    workspace.up()
    live = cluster.get("apps/v1", "Deployment", "web", namespace)
    assert live is not None
    cluster.patch(live, {"spec": {"replicas": 5}}, media_type=MERGE_PATCH)
    changed = web(namespace, colour="blue", replicas=2)
    head, _, tail = changed.rpartition("opts=opts)")
    workspace.program(head + ignoring + tail)
    workspace.up()
    live = cluster.get("apps/v1", "Deployment", "web", namespace)
    assert live is not None
    assert live["spec"]["replicas"] == 5


def test_a_changed_map_is_updated_in_place_where_the_provider_says_so(
    workspace: Workspace, cluster: Cluster, namespace: str
) -> None:
    mutable = "{'enable_config_map_mutable': True}"
    workspace.program(MAP.format(namespace=namespace, colour="red"), mutable)
    workspace.up()
    workspace.program(MAP.format(namespace=namespace, colour="blue"), mutable)
    assert workspace.plan()["map"]["op"] == "update"
    workspace.up()
    live = cluster.get("v1", "ConfigMap", "map", namespace)
    assert live is not None
    assert live["data"] == {"colour": "blue"}
