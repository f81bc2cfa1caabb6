"""The stand-in kubernetes plug-in when something is in the way."""

import os
import signal
from functools import partial
from pathlib import Path

import pytest
import yaml

from tests import waiting
from tests.engine.workspace import Workspace
from toolchain.kubernetes_plugin.cluster import Cluster

pytestmark = pytest.mark.engine

until = partial(waiting.until, patience=60.0, pause=0.05)

MAP = """
k8s.core.v1.ConfigMap("map", metadata={{"name": "map", "namespace": "{namespace}"{annotations}}},
    data={{"colour": "{colour}"}}, opts=opts)
"""
FORCE = ', "annotations": {"pulumi.com/patchForce": "true"}'
MUTABLE = "{'enable_config_map_mutable': True}"

# There are no nodes, so its pod never runs.
WAITING = """
k8s.apps.v1.Deployment("web", metadata={{"name": "web", "namespace": "{namespace}"{annotations}}},
    spec={{"selector": {{"match_labels": {{"app": "web"}}}},
          "template": {{"metadata": {{"labels": {{"app": "web"}}}},
                       "spec": {{"containers": [{{"name": "web", "image": "web:1"}}]}}}}}},
    opts=pulumi.ResourceOptions(provider=provider,
                                custom_timeouts=pulumi.CustomTimeouts(create="{create}")))
"""
SKIP = ', "annotations": {"pulumi.com/skipAwait": "true"}'


def config_map(namespace: str, colour: str = "red", annotations: str = "") -> str:
    return MAP.format(namespace=namespace, colour=colour, annotations=annotations)


def foreign_map(namespace: str, colour: str) -> dict[str, object]:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "map", "namespace": namespace},
        "data": {"colour": colour},
    }


def test_an_object_that_exists_is_not_adopted_unawares(
    workspace: Workspace, cluster: Cluster, namespace: str
) -> None:
    cluster.create(foreign_map(namespace, "grey"), field_manager="someone")
    workspace.program(config_map(namespace))
    text = workspace.up(expect=1).text
    assert f"ConfigMap {namespace}/map already exists in the cluster" in text
    assert "pulumi import" in text
    assert "Traceback" not in text
    live = cluster.get("v1", "ConfigMap", "map", namespace)
    assert live is not None
    assert live["data"] == {"colour": "grey"}


def test_an_object_that_exists_is_adopted_where_the_provider_says_so(
    workspace: Workspace, cluster: Cluster, namespace: str
) -> None:
    cluster.create(foreign_map(namespace, "red"), field_manager="someone")
    workspace.program(config_map(namespace), "{'upsert_existing_objects': True}")
    workspace.up()
    live = cluster.get("v1", "ConfigMap", "map", namespace)
    assert live is not None
    managers = [entry["manager"] for entry in live["metadata"]["managedFields"]]
    assert any(manager.startswith("pulumi-kubernetes-") for manager in managers)


def test_a_field_conflict_names_the_other_owner_and_the_way_out(
    workspace: Workspace, cluster: Cluster, namespace: str
) -> None:
    workspace.program(config_map(namespace), MUTABLE)
    workspace.up()
    cluster.apply(foreign_map(namespace, "grey"), field_manager="rival", force=True)
    workspace.program(config_map(namespace, "blue"), MUTABLE)
    text = workspace.up(expect=1).text
    assert '.data.colour (conflict with "rival")' in text
    assert 'pulumi.com/patchForce: "true"' in text

    workspace.program(config_map(namespace, "blue", FORCE), MUTABLE)
    workspace.up()
    live = cluster.get("v1", "ConfigMap", "map", namespace)
    assert live is not None
    assert live["data"] == {"colour": "blue"}


def test_what_the_server_would_refuse_shows_in_the_preview(
    workspace: Workspace, namespace: str
) -> None:
    workspace.program(
        f"""
k8s.core.v1.Service("bad", metadata={{"name": "bad", "namespace": "{namespace}"}},
    spec={{"ports": [{{"port": 99999}}], "selector": {{"app": "x"}}}}, opts=opts)
"""
    )
    text = workspace.preview(expect=1).text
    assert "spec.ports[0].port: Invalid value: 99999" in text
    assert "Traceback" not in text


def test_a_refusal_does_not_repeat_a_secret(workspace: Workspace, namespace: str) -> None:
    workspace.program(
        f"""
k8s.core.v1.Service("bad", metadata={{"name": "bad", "namespace": "{namespace}"}},
    spec={{"type": pulumi.Output.secret("hunter2-type"), "ports": [{{"port": 80}}]}}, opts=opts)
"""
    )
    for text in (workspace.preview(expect=1).text, workspace.up(expect=1).text):
        assert 'Unsupported value: "[secret]"' in text
        assert "hunter2" not in text


def test_a_preview_without_a_cluster_is_a_plain_diff_and_an_up_says_why_it_fails(
    workspace: Workspace, namespace: str
) -> None:
    config = yaml.safe_load(workspace.kubeconfig)
    workspace.program(config_map(namespace))
    workspace.up()
    config["clusters"][0]["cluster"]["server"] = "https://127.0.0.1:1"
    gone = {"TEST_KUBECONFIG": yaml.safe_dump(config)}
    workspace.program(config_map(namespace, "blue"))
    preview = workspace.pulumi("preview", "--diff", "--stack", "tests", variables=gone)
    assert '"red" => "blue"' in preview.text
    text = workspace.pulumi(
        "up", "--yes", "--skip-preview", "--stack", "tests", expect=1, variables=gone
    ).text
    assert "configured Kubernetes cluster is unreachable" in text
    assert "Traceback" not in text


def test_an_object_that_did_not_become_ready_is_kept_and_updated(
    workspace: Workspace, namespace: str
) -> None:
    workspace.program(WAITING.format(namespace=namespace, annotations="", create="3s"))
    text = workspace.up(expect=1).text
    assert "'web' timed out waiting to be Ready" in text
    failed = workspace.resource("web")
    assert failed["initErrors"]
    workspace.program(WAITING.format(namespace=namespace, annotations=SKIP, create="3s"))
    assert workspace.plan()["web"]["op"] == "update"
    workspace.up()
    ready = workspace.resource("web")
    assert ready["outputs"]["metadata"]["uid"] == failed["outputs"]["metadata"]["uid"]
    assert "initErrors" not in ready


def test_a_killed_engine_takes_its_plug_in_along_and_the_object_can_be_adopted(
    workspace: Workspace, cluster: Cluster, namespace: str, tmp_path: Path
) -> None:
    workspace.program(WAITING.format(namespace=namespace, annotations="", create="5m"))
    log = tmp_path / "up.log"
    engine = workspace.start("up", "--yes", "--skip-preview", "--stack", "tests", log=log)
    until(
        lambda: cluster.get("apps/v1", "Deployment", "web", namespace) is not None, "the Deployment"
    )
    children = _children_of(engine.pid)
    plugins = [pid for pid, command in children.items() if "toolchain.kubernetes_plugin" in command]
    assert plugins
    os.kill(engine.pid, signal.SIGKILL)
    engine.wait()
    until(lambda: not any(_is_alive(pid) for pid in plugins), "the end of the plug-ins")
    # The language host does outlive its engine.
    for pid in filter(_is_alive, children):
        os.kill(pid, signal.SIGTERM)
    workspace.cancel()
    pending = workspace.deployment()["pending_operations"]
    assert [operation["type"] for operation in pending] == ["creating"]

    # The way of `toolchain.recovery`: the next update may meet what exists.
    workspace.program(WAITING.format(namespace=namespace, annotations=SKIP, create="5m"))
    adopting = {"PULUMI_K8S_UPSERT_EXISTING_OBJECTS": "true"}
    arguments = ("up", "--yes", "--skip-preview", "--stack", "tests")
    workspace.pulumi(*arguments, variables=adopting)
    assert workspace.resource("web")["id"] == f"{namespace}/web"


def _children_of(parent: int) -> dict[int, str]:
    """Return the process ids and command lines of a process's children."""
    found = {}
    for folder in Path("/proc").iterdir():
        if not folder.name.isdecimal():
            continue
        try:
            ppid = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            command = (folder / "cmdline").read_text()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if ppid == parent:
            found[int(folder.name)] = command
    return found


def _is_alive(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()
