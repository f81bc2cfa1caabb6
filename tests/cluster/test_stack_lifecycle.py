"""The main job on real pods, as its users do it: up, predict, change, break, recover, down.

The tests run in the order of this file: each leaves the stack as the next one expects it. The file
comes after the others that share the stack, since it ends with the stack's destruction.
"""

import base64
import json
import os
import re
import shlex
import signal
import subprocess
import urllib.error
import urllib.request
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests import waiting
from tests.cluster.checkout import Checkout
from tests.running import Run
from toolchain import local_cluster
from toolchain.local_cluster import node

pytestmark = pytest.mark.cluster

PATIENCE_SECONDS = 120.0
HELD_OUT = 450


until = partial(waiting.until, patience=PATIENCE_SECONDS, pause=0.05)


def call(checkout: Checkout, url: str, document: Any = None) -> tuple[int, Any]:
    """Return the status and the JSON of an answer of whoever has the gateway's certificate."""
    body = None if document is None else json.dumps(document).encode()
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
    try:
        context = checkout.gateway().context()
        with urllib.request.urlopen(request, timeout=10, context=context) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())


def kubectl(checkout: Checkout, *arguments: str) -> str:
    """Run kubectl on the stack's cluster."""
    return checkout.kubectl(*arguments).text


def changes(checkout: Checkout) -> list[tuple[str, str, list[str]]]:
    """Return what a preview would do: operation, resource, changed properties."""
    return [
        (step["op"], step["urn"].rpartition("$")[2], sorted(step.get("detailedDiff") or {}))
        for step in checkout.plan()
    ]


def assert_predicts(run: Run) -> None:
    """Hold that the whole held-out split went through the gateway as it went offline."""
    assert re.search(rf"\b{HELD_OUT} of {HELD_OUT}\b", run.text), run.text


def test_make_up_ends_with_every_held_out_prediction_equal_to_the_offline_one(served: Run) -> None:
    assert_predicts(served)
    for figure in ("accuracy", "p50", "p99"):
        assert figure in served.text


def test_the_curl_line_that_make_up_prints_works_as_printed(served: Run) -> None:
    lines = [line.strip() for line in served.text.splitlines() if line.strip().startswith("curl ")]
    assert len(lines) == 1, served.text
    done = subprocess.run(shlex.split(lines[0]), capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["outputs"]


def test_the_outputs_tell_where_everything_is_and_hide_the_kubeconfig(
    checkout: Checkout, served: Run
) -> None:
    found = checkout.outputs()
    assert found["endpoint"] == checkout.endpoint
    assert found["models"]["digits"]["url"].startswith(checkout.endpoint)
    assert set(found["models"]["digits"]) == {"url", "version", "protocol"}
    assert found["cluster"]["distribution"] in ("k3s", "upstream")
    assert found["cluster"]["version"].startswith("v1.")
    assert found["kubeconfig"] == "[secret]"


def test_the_model_answers_the_open_inference_protocol(checkout: Checkout, served: Run) -> None:
    url = checkout.outputs()["models"]["digits"]["url"]
    status, metadata = call(checkout, url)
    assert status == 200
    assert metadata["name"] == "digits"
    (tensor,) = metadata["inputs"]
    assert tensor["shape"] == [-1, 64]
    row = {"name": tensor["name"], "datatype": tensor["datatype"], "shape": [1, 64]}
    status, answer = call(
        checkout, f"{url}/infer", {"id": "7", "inputs": [{**row, "data": [0.0] * 64}]}
    )
    assert status == 200
    assert answer["id"] == "7"
    assert answer["model_name"] == "digits"
    status, refusal = call(checkout, f"{url}/infer", {"inputs": [{**row, "data": [0.0]}]})
    assert status == 400
    assert "error" in refusal
    assert "Traceback" not in json.dumps(refusal)


def test_no_private_key_is_in_the_state_a_preview_or_the_log_of_up(
    checkout: Checkout, served: Run
) -> None:
    found = local_cluster.read(checkout.cluster)
    assert found is not None
    user = yaml.safe_load(found.kubeconfig)["users"][0]["user"]
    encoded = user["client-key-data"]
    secrets = [encoded, *base64.b64decode(encoded).decode().splitlines()[1:-1]]
    shown = [
        served.text,
        json.dumps(checkout.state()),
        checkout.pulumi("preview", "--diff").text,
    ]
    assert not [secret for secret in secrets for text in shown if secret in text]


def test_a_stack_that_is_up_has_nothing_to_change(checkout: Checkout, served: Run) -> None:
    assert changes(checkout) == []
    before = kubectl(checkout, "get", "pods", "--all-namespaces", "--output=name")
    up = checkout.pulumi("up", "--yes", "--skip-preview", "--expect-no-changes")
    assert " unchanged" in up.text
    assert kubectl(checkout, "get", "pods", "--all-namespaces", "--output=name") == before


def test_a_preview_shows_exactly_the_value_that_was_changed(
    checkout: Checkout, served: Run
) -> None:
    checkout.configure({"models": {"digits": {"replicas": 2}}})
    assert sorted(changes(checkout)) == [
        # With a pod to spare, a drain is told to take one at a time.
        ("create", "kubernetes:policy/v1:PodDisruptionBudget::digits", []),
        ("update", "kubernetes:apps/v1:Deployment::digits", ["spec.replicas"]),
    ]
    checkout.pulumi("up", "--yes", "--skip-preview")
    ready = "jsonpath={.items[0].status.readyReplicas}"
    selector = "--selector=app.kubernetes.io/instance=digits"
    found = kubectl(checkout, "get", "deployments", "-A", selector, f"--output={ready}")
    assert found == "2"
    assert changes(checkout) == []


def test_a_changed_server_rolls_the_pods(checkout: Checkout, served: Run) -> None:
    image = "jsonpath={.items[*].spec.containers[*].image}"
    selector = "--selector=app.kubernetes.io/instance=digits"
    arguments = ("get", "pods", "-A", selector, f"--output={image}")
    before = set(kubectl(checkout, *arguments).split())
    source = checkout.folder / "apps/serving/server/slipway_server/__init__.py"
    source.write_text(source.read_text() + "\n# A change of the server.\n")
    assert [what for what in changes(checkout) if "Deployment" in what[1]] == [
        (
            "update",
            "kubernetes:apps/v1:Deployment::digits",
            ["spec.template.spec.containers[0].image"],
        )
    ]
    assert_predicts(checkout.slipway("up"))

    def after() -> set[str]:
        return set(kubectl(checkout, *arguments).split())

    until(lambda: len(after()) == 1 and after().isdisjoint(before), "pods of the new image alone")


def engine_below(process: subprocess.Popen[bytes]) -> int | None:
    """Return the process id of the engine that a command runs, if it runs."""
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            words = (entry / "cmdline").read_bytes().split(b"\0")
            session = int((entry / "stat").read_text().rpartition(")")[2].split()[3])
        except (FileNotFoundError, ProcessLookupError):
            continue
        if session == process.pid and words[0].endswith(b"/pulumi"):
            return int(entry.name)
    return None


def kill_engine_while(checkout: Checkout, log: Path, begun: Callable[[], object]) -> None:
    """Run `make up`, and kill its engine with signal 9 once something has begun."""
    process = checkout.start("up", log=log)
    until(begun, f"the update in {log.read_text()[-2000:]}")
    engine = engine_below(process)
    assert engine is not None, log.read_text()
    os.kill(engine, signal.SIGKILL)
    assert process.wait(timeout=PATIENCE_SECONDS) != 0


def test_an_up_whose_engine_was_killed_is_finished_by_the_next(
    checkout: Checkout, served: Run, tmp_path: Path
) -> None:
    checkout.configure({"teams": {"audio": {}}, "models": {"digits": {"replicas": 1}}})
    log = tmp_path / "up.log"
    kill_engine_while(
        checkout, log, lambda: log.exists() and "Namespace" in log.read_text(errors="replace")
    )
    assert_predicts(checkout.slipway("up"))
    assert changes(checkout) == []
    namespaces = kubectl(checkout, "get", "namespaces", "--output=name")
    assert "audio" in namespaces


def test_a_node_that_stopped_is_started_by_the_next_up(checkout: Checkout, served: Run) -> None:
    before = checkout.outputs()["cluster"]
    node.end(checkout.cluster)
    assert local_cluster.status(checkout.cluster).state == "stopped"
    assert_predicts(checkout.slipway("up"))
    assert checkout.outputs()["cluster"] == before
    assert changes(checkout) == []


def test_down_leaves_nothing_behind(checkout: Checkout, served: Run) -> None:
    checkout.slipway("down")
    assert local_cluster.leftovers(checkout.cluster) == []
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(checkout.endpoint, timeout=5)


def test_a_first_up_whose_engine_was_killed_is_finished_by_the_next_and_destroyed_whole(
    checkout: Checkout, served: Run, tmp_path: Path
) -> None:
    log = tmp_path / "up.log"
    kill_engine_while(
        checkout,
        log,
        lambda: log.exists() and "Deployment traefik creating" in log.read_text(errors="replace"),
    )
    assert_predicts(checkout.slipway("up"))
    assert changes(checkout) == []
    checkout.slipway("down")
    assert local_cluster.leftovers(checkout.cluster) == []
