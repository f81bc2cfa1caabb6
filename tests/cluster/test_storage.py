"""Models that are stored elsewhere, on real pods: they arrive, they are pinned, they are refused.

The tests run in the order of this file, while NetworkPolicies are enforced.
"""

import hashlib
import http.server
import json
import threading
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from infra import naming
from infra.platform.namespace import SYSTEM
from tests.cluster import model_image
from tests.cluster.checkout import Checkout
from tests.cluster.connections import assert_connects
from tests.cluster.enforcement import enforced, metadata_server
from tests.cluster.object_store import ACCESS_KEY, REGION, ObjectStore
from tests.running import Run
from tests.waiting import until
from toolchain import local_cluster
from toolchain.kubernetes_plugin.cluster import Cluster
from toolchain.local_cluster import Brings, state

pytestmark = pytest.mark.cluster

TEAM, STORED, MIRRORED = "library", "stored", "mirrored"
# A claim has to be there before its model, and so has its team.
OLD_TEAM, CLAIMED, SHIPPED = "vision", "claimed", "shipped"
CLAIM = "models-of-the-tests"
BUCKET, KEY = "models", "vision/digits.onnx"
# Field 6 of a serialised ONNX ModelProto, its description: another file, and the same network.
DESCRIPTION, CLAIMED_DESCRIPTION = b"\x32\x03new", b"\x32\x03old"
SECRET_KEY = uuid.uuid4().hex
FAST = {"cpu": "100m", "memory": "256Mi", "storage": "64Mi"}


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@pytest.fixture(scope="module")
def model(checkout: Checkout, served: Run) -> bytes:
    """The example's model."""
    return (checkout.folder / "examples/digits/build/digits.onnx").read_bytes()


@pytest.fixture(scope="module")
def store(
    checkout: Checkout, model: bytes, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ObjectStore]:
    """A store outside the cluster, with a model."""
    server = ObjectStore(checkout.cluster, tmp_path_factory.mktemp("store"), SECRET_KEY)
    server.put(BUCKET, KEY, model)
    yield server
    server.stop()


@pytest.fixture(scope="module")
def mirror(
    checkout: Checkout, model: bytes, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """URL of a web server outside the cluster, with the same model."""
    folder = tmp_path_factory.mktemp("web")
    (folder / "digits.onnx").write_bytes(model)
    record = state.load(checkout.cluster)
    assert record is not None
    host = str(record.network.host_ip)
    handler = partial(http.server.SimpleHTTPRequestHandler, directory=str(folder))
    with http.server.ThreadingHTTPServer((host, 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://{host}:{server.server_port}"
        server.shutdown()


@pytest.fixture(scope="module")
def claim(
    checkout: Checkout, model: bytes, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Path]:
    """The folder of a volume with the same model, which a claim of a team is bound to."""
    file = tmp_path_factory.mktemp("claim") / "digits.onnx"
    file.write_bytes(model + CLAIMED_DESCRIPTION)
    folder = local_cluster.put_model(
        checkout.cluster, file, sha256(model + CLAIMED_DESCRIPTION)
    ).parent
    objects = file.with_name("claim.json")
    objects.write_text(json.dumps(volume_of(folder)))
    checkout.kubectl("apply", "--filename", str(objects))
    yield folder
    checkout.kubectl("delete", "--filename", str(objects))


@pytest.fixture(scope="module")
def image(
    checkout: Checkout, served: Run, model: bytes, tmp_path_factory: pytest.TempPathFactory
) -> str:
    """Reference of an image with the same model, which the node has."""
    folder = tmp_path_factory.mktemp("image")
    (folder / "digits.onnx").write_bytes(model)
    archive = folder / "image.tar"
    reference = model_image.write(
        archive, "registry.example/ml/digits", {"models/digits.onnx": folder / "digits.onnx"}
    )
    local_cluster.import_image(checkout.cluster, archive, print)
    return reference


@pytest.fixture(scope="module")
def stack(
    checkout: Checkout,
    brings: Brings,
    store: ObjectStore,
    mirror: str,
    claim: Path,
    image: str,
    model: bytes,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Checkout]:
    """The shared stack, with a model from each of these."""
    file = checkout.folder / "Pulumi.local.yaml"
    before = file.read_text()
    with ExitStack() as running:
        if not brings.network_policies:
            log = tmp_path_factory.mktemp("enforcement") / "kube-router.log"
            running.enter_context(enforced(checkout.cluster, log))
        checkout.pulumi("config", "set", "--secret", "slipway:s3Id", ACCESS_KEY)
        checkout.pulumi("config", "set", "--secret", "slipway:s3Key", SECRET_KEY)
        keys = {
            "AWS_ACCESS_KEY_ID": {"config": "s3Id"},
            "AWS_SECRET_ACCESS_KEY": {"config": "s3Key"},
        }
        storage = {"endpoint": store.url, "region": REGION, "secret": "s3"}
        common = {"team": TEAM, "format": "onnx", "sha256": sha256(model), "resources": FAST}
        mounted = {"team": OLD_TEAM, "format": "onnx", "resources": FAST}
        checkout.configure(
            {
                "teams": {TEAM: {"secrets": {"s3": keys}, "storage": {"minio": storage}}},
                "models": {
                    STORED: {**common, "uri": f"s3://{BUCKET}/{KEY}", "storage": "minio"},
                    MIRRORED: {**common, "uri": f"{mirror}/digits.onnx"},
                    CLAIMED: {**mounted, "uri": f"pvc://{CLAIM}/digits.onnx", "version": "v1"},
                    SHIPPED: {**mounted, "uri": f"oci://{image}/models/digits.onnx"},
                },
            }
        )
        checkout.pulumi("up", "--yes", "--skip-preview")
        checkout.await_routes(STORED, MIRRORED)
        yield checkout
    file.write_text(before)
    checkout.pulumi("up", "--yes", "--skip-preview")


def volume_of(folder: Path) -> dict[str, Any]:
    """Return a volume over a folder of the node, and the claim that it is kept for."""
    spec = {
        "accessModes": ["ReadWriteOnce"],
        "storageClassName": "",
    }
    volume = {
        **spec,
        "capacity": {"storage": "1Mi"},
        "hostPath": {"path": str(folder), "type": "Directory"},
        "claimRef": {"name": CLAIM, "namespace": OLD_TEAM},
    }
    asked = {**spec, "volumeName": CLAIM, "resources": {"requests": {"storage": "1Mi"}}}
    return {
        "apiVersion": "v1",
        "kind": "List",
        "items": [
            {
                "apiVersion": "v1",
                "kind": "PersistentVolume",
                "metadata": {"name": CLAIM},
                "spec": volume,
            },
            {
                "apiVersion": "v1",
                "kind": "PersistentVolumeClaim",
                "metadata": {"name": CLAIM, "namespace": OLD_TEAM},
                "spec": asked,
            },
        ],
    }


def pods(checkout: Checkout, model: str) -> dict[str, dict[str, Any]]:
    """Return a model's pods by name, those on their way out left aside."""
    selector = f"app.kubernetes.io/instance={model}"
    listed = checkout.kubectl("get", "pods", "-n", TEAM, "-l", selector, "-o", "json").text
    return {
        pod["metadata"]["name"]: pod
        for pod in json.loads(listed)["items"]
        if "deletionTimestamp" not in pod["metadata"]
    }


def metadata(checkout: Checkout, model: str, team: str = TEAM) -> dict[str, Any]:
    """Return what a model says of itself, through the gateway."""
    url = f"{checkout.endpoint}/{team}/{model}/v2/models/{model}"
    context = checkout.gateway().context()
    with urllib.request.urlopen(url, timeout=10, context=context) as answer:
        found = json.loads(answer.read())
    assert isinstance(found, dict)
    return found


def test_models_are_served_from_a_bucket_and_from_a_web_server(
    stack: Checkout, model: bytes
) -> None:
    version = sha256(model)[:12]
    outputs = stack.outputs()["models"]
    for name in (STORED, MIRRORED):
        assert metadata(stack, name)["versions"] == [version]
        assert outputs[name]["version"] == version
    assert stack.plan() == []


def test_models_are_served_from_a_claim_and_from_an_image_that_their_pods_cannot_write(
    stack: Checkout, image: str
) -> None:
    digest = image.rpartition(":")[2]
    for name, version in ((CLAIMED, "v1"), (SHIPPED, digest[:12])):
        assert metadata(stack, name, OLD_TEAM)["versions"] == [version]
        write = ("python3", "-c", "open('/models/new', 'w')")
        refused = stack.kubectl(
            "exec", "-n", OLD_TEAM, f"deployment/{name}", "--", *write, expect=None
        )
        assert "Read-only file system: '/models/new'" in refused.text


def test_the_keys_reach_the_step_that_downloads_and_not_the_server(stack: Checkout) -> None:
    (pod,) = pods(stack, STORED).values()
    (step,) = pod["spec"]["initContainers"]
    (server,) = pod["spec"]["containers"]
    assert {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"} <= {env["name"] for env in step["env"]}
    assert not server.get("env")
    assert SECRET_KEY not in json.dumps(pod)


def test_a_download_is_barred_from_what_tells_the_node_its_secrets(
    stack: Checkout, store: ObjectStore, cluster: Cluster
) -> None:
    """At the very port of its store: a store may redirect to anywhere."""
    target = urlsplit(store.url)
    with metadata_server(stack.cluster, target.port or 80) as metadata:
        # Others show that it answers.
        assert_connects(cluster, SYSTEM, {metadata: "open"})
        expected = {f"{target.hostname}:{target.port}": "open", metadata: "closed"}
        assert_connects(cluster, TEAM, expected, naming.selector("model", STORED))


def test_a_changed_pin_rolls_the_pods_of_its_model_and_of_no_other(
    stack: Checkout, store: ObjectStore, model: bytes
) -> None:
    before = {name: set(pods(stack, name)) for name in (STORED, MIRRORED)}
    changed = model + DESCRIPTION
    store.put(BUCKET, KEY, changed)
    # What is stored under the same key is nothing that the settings say.
    assert stack.plan() == []
    stack.configure({"models": {STORED: {"sha256": sha256(changed)}}})
    stack.pulumi("up", "--yes", "--skip-preview")
    assert not set(pods(stack, STORED)) & before[STORED]
    assert set(pods(stack, MIRRORED)) == before[MIRRORED]
    # A pod that goes serves on until the gateway has it off its list.
    until(
        lambda: metadata(stack, STORED)["versions"] == [sha256(changed)[:12]],
        "answers of the changed model",
    )
    assert stack.plan() == []


def test_a_wrong_digest_and_a_missing_model_fail_up_in_words_while_the_old_pods_serve_on(
    stack: Checkout, mirror: str, claim: Path
) -> None:
    source = stack.folder / "apps/serving/workload.py"
    before = source.read_text()
    patience = "_DEADLINE_SLACK_SECONDS: Final = 60"
    assert patience in before
    # The step fails within seconds: no need to wait for the 240 that a server may take, but 20.
    source.write_text(before.replace(patience, "_DEADLINE_SLACK_SECONDS: Final = -220"))
    wrong = {
        STORED: {"sha256": "0" * 64},
        MIRRORED: {"uri": f"{mirror}/digit.onnx"},
        CLAIMED: {"uri": f"pvc://{CLAIM}/vision/digit.onnx"},
    }
    try:
        with stack.changed({"models": wrong}):
            failed = stack.pulumi("up", "--yes", "--skip-preview", expect=None)
    finally:
        source.write_text(before)
    assert failed.code != 0
    assert f"s3://{BUCKET}/{KEY}: checksum mismatch, its SHA-256 is " in failed.text, failed.text
    assert f"{mirror}/digit.onnx: not found; correct `uri`" in failed.text, failed.text
    assert "/models/vision/digit.onnx: no such model file" in failed.text, failed.text
    for name, team in ((STORED, TEAM), (MIRRORED, TEAM), (CLAIMED, OLD_TEAM)):
        assert metadata(stack, name, team)["name"] == name
    # Nothing was made on the volume where the model was looked for.
    assert [path.name for path in claim.iterdir()] == ["digits.onnx"]
