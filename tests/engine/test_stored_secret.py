"""How values that stay in a store reach Pulumi as a digest, and another digest as another Secret.

External Secrets is played by a thread: `tests/cluster/test_secrets.py` has the real one.
"""

import base64
import hashlib
import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from tests.engine.workspace import ROOT, Workspace
from toolchain.kubernetes_plugin.cluster import Cluster
from toolchain.kubernetes_plugin.errors import ClusterError

pytestmark = pytest.mark.engine

Object = dict[str, Any]

API = "external-secrets.io/v1"
PROGRAM = """
import sys
sys.path.insert(0, "{root}")
from infra.platform.secrets import stored_secret
from infra.platform.secrets.stored_secret import StoredSecret, StoredSecretArgs
stored_secret.PATIENCE = pulumi.CustomTimeouts(create="20s")
from infra.settings import SecretSource

store = k8s.core.v1.ConfigMap("store", metadata={{"namespace": "{namespace}"}}, opts=opts)
stored = StoredSecret("vision.labels.main", StoredSecretArgs(
    namespace="{namespace}", secret="labels", store="main", refresh_seconds=3600, ready=store,
    sources={{name: SecretSource(store="main", path=name) for name in {variables}}},
), opts=pulumi.ResourceOptions(providers=[provider]))
k8s.core.v1.ConfigMap("pods", metadata={{"name": "pods", "namespace": "{namespace}"}},
    data={{"secret": stored.name}}, opts=opts)
pulumi.export("secret", stored.name)
"""


class Store:
    """A store, and a controller that copies its values like External Secrets."""

    def __init__(self, cluster: Cluster, namespace: str) -> None:
        self.values = {"TOKEN": "planted-first-value", "OTHER": "planted-other-value"}
        self._cluster, self._namespace = cluster, namespace
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def stop(self) -> None:
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._ended.wait(0.05):
            try:
                for item in self._cluster.list(API, "ExternalSecret", self._namespace):
                    self._copy(item)
            except ClusterError:
                continue  # The kind comes with the test, and objects go while they are looked at.

    def _copy(self, item: Object) -> None:
        name, spec = item["metadata"]["name"], item["spec"]
        paths = {entry["secretKey"]: entry["remoteRef"]["key"] for entry in spec["data"]}
        if not paths.keys() <= self.values.keys():
            return
        values = {variable: self.values[path] for variable, path in paths.items()}
        template = spec.get("target", {}).get("template")
        if template is None and self._cluster.get("v1", "Secret", name, self._namespace):
            return
        if template is not None:
            digest = hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()
            values = {"digest": digest[:10]}
        self._cluster.apply(self._secret(item, values), field_manager="external-secrets")
        ready = {"conditions": [{"type": "Ready", "status": "True"}]}
        if item.get("status") != ready:
            self._cluster.patch(item, {"status": ready}, media_type="application/merge-patch+json")

    def _secret(self, item: Object, values: dict[str, str]) -> Object:
        owner = {"apiVersion": API, "kind": "ExternalSecret", "uid": item["metadata"]["uid"]}
        metadata = {
            "name": item["metadata"]["name"],
            "namespace": self._namespace,
            "ownerReferences": [{**owner, "name": item["metadata"]["name"]}],
        }
        data = {key: base64.b64encode(value.encode()).decode() for key, value in values.items()}
        return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": data}


@pytest.fixture
def store(cluster: Cluster, namespace: str) -> Iterator[Store]:
    """A store with its controller."""
    anything = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    names = {"plural": "externalsecrets", "singular": "externalsecret", "kind": "ExternalSecret"}
    version = {
        "name": "v1",
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": anything},
    }
    cluster.apply(
        {
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {"name": "externalsecrets.external-secrets.io"},
            "spec": {
                "group": "external-secrets.io",
                "scope": "Namespaced",
                "names": names,
                "versions": [version],
            },
        },
        field_manager="tests",
    )
    running = Store(cluster, namespace)
    yield running
    running.stop()


def program(namespace: str, *variables: str) -> str:
    return PROGRAM.format(root=ROOT, namespace=namespace, variables=list(variables))


def test_a_rotation_is_another_secret_at_the_next_up_and_no_value_reaches_pulumi(
    workspace: Workspace, cluster: Cluster, namespace: str, store: Store
) -> None:
    workspace.program(program(namespace, "TOKEN"))
    texts = [workspace.preview().text, workspace.up().text]
    first = workspace.outputs()["secret"]
    assert workspace.plan() == {}

    store.values["TOKEN"] = "planted-second-value"
    plan: dict[str, Any] = {}
    for _ in range(20):
        if plan := workspace.plan():
            break
    assert set(plan) == {"vision.labels.main", "pods"}
    texts += [workspace.preview().text, workspace.up().text, workspace.refresh().text]
    second = workspace.outputs()["secret"]
    assert second != first
    assert cluster.get(API, "ExternalSecret", first, namespace) is None
    copied = cluster.get("v1", "Secret", second, namespace)
    assert copied is not None
    assert base64.b64decode(copied["data"]["TOKEN"]) == b"planted-second-value"
    texts.append(json.dumps(workspace.deployment()))
    encoded = [base64.b64encode(text.encode()).decode() for text in store.values.values()]
    for text in texts:
        assert "planted" not in text
        assert not [value for value in encoded if value in text]
    assert workspace.plan() == {}
    workspace.destroy()


def test_another_variable_is_never_looked_for_in_an_old_copy(
    workspace: Workspace, cluster: Cluster, namespace: str, store: Store
) -> None:
    workspace.program(program(namespace, "TOKEN"))
    workspace.up()
    workspace.program(program(namespace, "TOKEN", "OTHER"))
    workspace.up()
    copied = cluster.get("v1", "Secret", workspace.outputs()["secret"], namespace)
    assert copied is not None
    assert set(copied["data"]) == {"TOKEN", "OTHER"}
    workspace.destroy()


def test_what_failed_for_a_wrong_path_is_well_with_the_old_one_again(
    workspace: Workspace, cluster: Cluster, namespace: str, store: Store
) -> None:
    workspace.program(program(namespace, "TOKEN"))
    workspace.up()
    first = workspace.outputs()["secret"]
    workspace.program(program(namespace, "TOKEN", "MISSING"))
    assert "vision.labels.main.digest-" in workspace.up(expect=1).text
    workspace.program(program(namespace, "TOKEN"))
    workspace.up()
    copied = cluster.get("v1", "Secret", workspace.outputs()["secret"], namespace)
    assert copied is not None
    assert set(copied["data"]) == {"TOKEN"}
    assert workspace.outputs()["secret"] == first
    assert workspace.plan() == {}
    workspace.destroy()
