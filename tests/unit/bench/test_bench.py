"""Requirements on what the benchmark compares and writes."""

import json
import os
import stat
from pathlib import Path
from typing import Any

from bench import memory, objects


def resource(kind: str, inputs: dict[str, Any], *, custom: bool = True) -> dict[str, Any]:
    return {"type": f"kubernetes:{kind}", "urn": kind, "custom": custom, "inputs": inputs}


def test_kubectl_gets_the_same_objects_without_pulumis_own_marks() -> None:
    secret = {objects.SECRET_MARK: "1b47", "plaintext": json.dumps({"token": "abc"})}
    inputs = {"kind": "Secret", "metadata": {"name": "a"}, "data": secret, "__defaults": []}
    resources = [
        resource("core/v1:Secret", inputs),
        resource("yaml/v2:ConfigFile", {"file": "crds.yaml"}, custom=False),
        {"type": "pulumi:providers:kubernetes", "custom": True, "inputs": {}},
        {"type": "slipway:machine:Image", "custom": True, "inputs": {}},
    ]
    assert objects.manifests({"deployment": {"resources": resources}}) == [
        {"kind": "Secret", "metadata": {"name": "a"}, "data": {"token": "abc"}}
    ]


def test_kubectl_makes_no_object_that_is_only_read() -> None:
    read = {**resource("core/v1:Secret", {"kind": "Secret"}), "external": True}
    assert objects.manifests({"deployment": {"resources": [read]}}) == []


def test_kubectl_makes_certificates_once_there_is_who_signs_them() -> None:
    signer = {"kind": "Deployment", "metadata": {"namespace": "cert-manager"}}
    # Its pods start once their certificate is there.
    server = {"kind": "Deployment", "metadata": {"namespace": "slipway-system"}}
    made: list[dict[str, Any]] = [
        {"kind": kind, "metadata": {}} for kind in ("Namespace", "HTTPRoute", "Certificate")
    ]
    namespace, route, certificate = made
    found = objects.steps([route, server, signer, certificate, namespace])
    assert [(step.makes, step.awaits) for step in found.values()] == [
        ([namespace], [namespace]),
        ([server, signer], [signer]),
        ([route, certificate], [route, certificate, server]),
    ]


def test_kubectl_waits_for_what_pulumi_waits_for() -> None:
    both = '["condition=Ready", "jsonpath={.status.revision}"]'
    several = {"annotations": {"pulumi.com/waitFor": both}}
    annotated = {"annotations": {"pulumi.com/waitFor": "condition=Programmed"}}
    found = objects.waits(
        [
            {"kind": "Certificate", "metadata": several},
            {"kind": "Deployment", "metadata": {}},
            {"kind": "Gateway", "metadata": annotated},
            {"kind": "ConfigMap", "metadata": {}},
        ]
    )
    assert [(condition, one["kind"]) for condition, one in found] == [
        ("condition=Ready", "Certificate"),
        ("jsonpath={.status.revision}", "Certificate"),
        ("condition=Available", "Deployment"),
        ("condition=Programmed", "Gateway"),
    ]


def test_files_with_secrets_are_closed_to_others(tmp_path: Path) -> None:
    path = objects.write(tmp_path / "all.json", [])
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_this_process_is_found_among_its_parents_children() -> None:
    assert os.getpid() in memory.descendants(os.getppid())


def test_a_process_belongs_to_the_node_to_the_platform_or_to_a_model() -> None:
    model, other = "cf9710ba-58d9-4bab-bbc8-de621782b6fe", "46120271-039f-4af7-9b5b-d529e514ae1a"
    pods: list[dict[str, Any]] = [
        {"metadata": {"uid": model, "labels": {"app.kubernetes.io/component": "model"}}},
        {"metadata": {"uid": other, "labels": {"app.kubernetes.io/component": "gateway"}}},
        {"metadata": {"uid": "0"}},
    ]
    models = memory.model_pods(pods)
    assert models == {model}
    line = "8:pids:/slipway-bench/kubepods/burstable/pod{}/094ea1c68478\n"
    assert memory.part_of(line.format(model), models) == memory.MODELS
    assert memory.part_of(line.format(other), models) == memory.PLATFORM
    assert memory.part_of("8:pids:/slipway-bench/node\n", models) == memory.NODE
