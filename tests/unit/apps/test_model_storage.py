"""How models that are stored elsewhere get into their pods."""

from dataclasses import replace
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import pytest

from infra.clusters import local
from infra.contract import ClusterTraits, IdentityMetadata, TokenServer, Workload
from tests.unit import mocked_program
from tests.unit.mocked_program import ROOT, Program

STACK = (ROOT / "tests/config/local.happy.storage.yaml").read_text()
DIGEST, COMMIT = "a" * 64, "b" * 40
DOWNLOADED = ("bucket", "forest", "google", "azure", "web", "hub")
METADATA = (
    # Of every cloud, and the second for AWS's tasks.
    *("169.254.169.254", "169.254.170.2", "fe80::a9fe:a9fe"),
    # AWS's over IPv6, and its agent for pods.
    *("fd00:ec2::254", "169.254.170.23", "fd00:ec2::23"),
    *("168.63.129.16", "169.254.169.252", "fd20:ce::254"),
)
REFERENCE = f"registry.example:5000/ml/digits:v3@sha256:{DIGEST}"


def _run(folder: Path, monkeypatch: pytest.MonkeyPatch, stack: str = STACK) -> Program:
    return mocked_program.run_stack(stack, folder, monkeypatch)


@pytest.fixture(name="program", scope="module")
def _program(tmp_path_factory: pytest.TempPathFactory) -> Program:
    with pytest.MonkeyPatch.context() as monkeypatch:
        return _run(tmp_path_factory.mktemp("stack"), monkeypatch)


def _template(program: Program, model: str) -> Any:
    found = program.of_type("kubernetes:apps/v1:Deployment")
    (deployment,) = [resource for resource in found if resource.name == model]
    return deployment.inputs["spec"]["template"]


def _step(program: Program, model: str) -> Any:
    (step,) = _template(program, model)["spec"]["initContainers"]
    return step


def _volume(program: Program, model: str) -> Any:
    return _template(program, model)["spec"]["volumes"][0]


def _server(program: Program, model: str) -> Any:
    (server,) = _template(program, model)["spec"]["containers"]
    return server


def test_a_step_downloads_the_model_into_a_volume_that_the_server_cannot_write(
    program: Program,
) -> None:
    assert _volume(program, "bucket") == {"name": "model", "emptyDir": {"sizeLimit": "500Mi"}}
    assert _step(program, "bucket")["args"] == [
        "--uri=s3://models/vision/digits.onnx",
        "--into=/models",
        "--name=digits.onnx",
        f"--sha256={DIGEST}",
        f"--limit={500 * 2**20}",
    ]
    assert _step(program, "bucket")["volumeMounts"][0] == {"name": "model", "mountPath": "/models"}
    server = _server(program, "bucket")
    assert server["volumeMounts"][0] == {"name": "model", "mountPath": "/models", "readOnly": True}
    assert "--model-path=/models/digits.onnx" in server["args"]


@pytest.mark.parametrize("model", DOWNLOADED)
def test_every_store_is_downloaded_from_by_one_image(program: Program, model: str) -> None:
    assert _step(program, model)["image"].startswith("slipway.local/model-storage:")
    images = [image.name for image in program.of_type("slipway:machine:Image")]
    assert images.count("model-storage") == 1


def test_the_download_gets_the_keys_and_the_endpoint_and_the_server_gets_neither(
    program: Program,
) -> None:
    env = {variable["name"]: variable for variable in _step(program, "bucket")["env"]}
    assert env["AWS_ENDPOINT_URL"]["value"] == "http://s3.example.com:9000"
    assert env["AWS_DEFAULT_REGION"]["value"] == "eu-central-1"
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        assert env[name]["valueFrom"]["secretKeyRef"]["key"] == name
    for model, name in (
        ("google", "GOOGLE_APPLICATION_CREDENTIALS"),
        ("azure", "AZURE_STORAGE_ACCESS_KEY"),
        ("hub", "HF_TOKEN"),
    ):
        (variable,) = _step(program, model)["env"]
        assert variable["name"] == variable["valueFrom"]["secretKeyRef"]["key"] == name
    for model in DOWNLOADED:
        assert not any(
            "valueFrom" in variable for variable in _server(program, model).get("env", [])
        )
    assert _step(program, "web").get("env", []) == []


def test_what_pins_a_model_is_in_its_pods_and_its_version(program: Program) -> None:
    expected = {
        "bucket": ({"slipway.local/model-digest": DIGEST}, DIGEST[:12]),
        "forest": ({"slipway.local/model-version": "3"}, "3"),
        "google": ({"slipway.local/model-version": "v1.2"}, "v1.2"),
        "hub": ({"slipway.local/model-version": COMMIT[:12]}, COMMIT[:12]),
        "claim": ({"slipway.local/model-version": "3"}, "3"),
        "image": ({"slipway.local/model-digest": DIGEST}, DIGEST[:12]),
    }
    found = {
        model: (
            _template(program, model)["metadata"]["annotations"],
            program.outputs["models"][model]["version"],
        )
        for model in expected
    }
    assert {
        model: (
            {key: annotations[key] for key in annotations if "model-" in key},
            version,
        )
        for model, (annotations, version) in found.items()
    } == expected


@pytest.mark.parametrize(
    ("old", "new", "model"),
    [
        (f"sha256: {DIGEST}\n      storage", f"sha256: {'c' * 64}\n      storage", "bucket"),
        ("forest.joblib, version: 3", "forest.joblib, version: 4", "forest"),
        ("digits.onnx, version: v1.2", "digits.onnx, version: v2", "google"),
        ("digits.onnx, version: v3", "digits.onnx, version: v4", "azure"),
        (f"sha256: {DIGEST}}}", f"sha256: {'c' * 64}}}", "web"),
        (COMMIT, "c" * 40, "hub"),
        ("digits.onnx, version: 3", "digits.onnx, version: 4", "claim"),
        (f"@sha256:{DIGEST}", f"@sha256:{'c' * 64}", "image"),
    ],
)
def test_a_changed_pin_rolls_the_pods_of_its_model_alone(
    program: Program,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    old: str,
    new: str,
    model: str,
) -> None:
    assert STACK.count(old) == 1
    changed = _run(tmp_path, monkeypatch, STACK.replace(old, new))
    models = (*DOWNLOADED, "claim", "image")
    rolled = [name for name in models if _template(program, name) != _template(changed, name)]
    assert rolled == [model]


def _policies(program: Program) -> dict[str, Any]:
    """The policies of models that are downloaded, by model."""
    return {
        policy.inputs["metadata"]["name"].removesuffix(".storage"): policy.inputs["spec"]
        for policy in program.of_type("kubernetes:networking.k8s.io/v1:NetworkPolicy")
        if policy.inputs["metadata"]["name"].endswith(".storage")
    }


def _reaches(policy: Any, address: str, port: int) -> bool:
    """Tell whether an address outside the cluster may be connected to."""
    return any(
        ip_address(address) in ip_network(peer["ipBlock"]["cidr"])
        and not any(
            ip_address(address) in ip_network(block) for block in peer["ipBlock"].get("except", [])
        )
        for rule in policy["egress"]
        for peer in rule["to"]
        if "ipBlock" in peer and port in [item["port"] for item in rule["ports"]]
    )


def _with(monkeypatch: pytest.MonkeyPatch, **changed: Any) -> None:
    """Let the cluster have other traits."""
    traits = local._traits

    def other(*arguments: Any) -> ClusterTraits:
        return replace(traits(*arguments), **changed)

    monkeypatch.setattr(local, "_traits", other)


def test_no_download_reaches_what_tells_a_machine_its_secrets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _with(monkeypatch, address_families=("IPv4", "IPv6"))
    policies = _policies(_run(tmp_path, monkeypatch))
    assert set(policies) == set(DOWNLOADED)
    for model, policy in policies.items():
        (port,) = {item["port"] for rule in policy["egress"] for item in rule["ports"]}
        assert _reaches(policy, "203.0.113.7", port), model
        assert _reaches(policy, "2001:db8::7", port), model
        for address in METADATA:
            assert not _reaches(policy, address, port), (model, address)


def test_a_download_reaches_what_gives_its_account_tokens_and_nothing_else_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def identity(workload: Workload) -> IdentityMetadata:
        del workload
        return IdentityMetadata(token_servers=(TokenServer("169.254.170.23", 80),))

    _with(monkeypatch, identity=identity)
    for model, policy in _policies(_run(tmp_path, monkeypatch)).items():
        assert _reaches(policy, "169.254.170.23", 80), model
        assert not _reaches(policy, "169.254.170.23", 443), model
        assert not _reaches(policy, "169.254.169.254", 80), model


def test_policies_name_addresses_only_of_families_that_pods_have(program: Program) -> None:
    for policy in _policies(program).values():
        blocks = [peer.get("ipBlock", {}) for rule in policy["egress"] for peer in rule["to"]]
        assert [block["cidr"] for block in blocks if block] == ["0.0.0.0/0"]


def test_a_models_pods_reach_the_store_and_nothing_more(program: Program) -> None:
    policies = _policies(program)
    # So that what is not downloaded reaches the DNS alone.
    assert set(policies) == set(DOWNLOADED)
    for model in DOWNLOADED:
        port = 9000 if model == "bucket" else 443
        (rule,) = policies[model]["egress"]
        assert rule["ports"] == [{"protocol": "TCP", "port": port}]
        # Wherever it is, also in the cluster.
        assert {"namespaceSelector": {}} in rule["to"]
        selector = policies[model]["podSelector"]["matchLabels"]
        assert selector.items() <= _template(program, model)["metadata"]["labels"].items()
        assert selector["app.kubernetes.io/instance"] == model


def test_no_pod_starts_before_it_may_reach_the_store(program: Program) -> None:
    urns = {resource.name: resource.urn for resource in program.resources}
    (deployment,) = [
        resource
        for resource in program.of_type("kubernetes:apps/v1:Deployment")
        if resource.name == "bucket"
    ]
    assert urns["bucket-storage"] in deployment.dependencies


def test_a_large_model_is_given_the_time_that_its_download_takes(program: Program) -> None:
    found = {
        resource.name: resource.inputs["spec"].get("progressDeadlineSeconds", 0)
        for resource in program.of_type("kubernetes:apps/v1:Deployment")
    }
    assert found["bucket"] - found["claim"] == 25
    assert found["web"] - found["claim"] == 103


def test_a_claim_is_mounted_as_a_whole_and_read_only(program: Program) -> None:
    source = {"claimName": "models", "readOnly": True}
    assert _volume(program, "claim") == {"name": "model", "persistentVolumeClaim": source}
    server = _server(program, "claim")
    assert server["volumeMounts"][0] == {"name": "model", "mountPath": "/models", "readOnly": True}
    assert "--model-path=/models/vision/digits.onnx" in server["args"]
    assert "initContainers" not in _template(program, "claim")["spec"]


def test_a_model_in_an_image_is_mounted_by_the_kubelet(program: Program) -> None:
    source = {"reference": REFERENCE, "pullPolicy": "IfNotPresent"}
    assert _volume(program, "image") == {"name": "model", "image": source}
    assert "--model-path=/models/models/digits.onnx" in _server(program, "image")["args"]
    assert "initContainers" not in _template(program, "image")["spec"]


def test_a_cluster_without_image_volumes_refuses_such_a_model_with_a_way_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _with(monkeypatch, image_volumes=False)
    with pytest.raises(Exception, match=r"slipway:models\.image\.uri: the cluster does not mount"):
        _run(tmp_path, monkeypatch)
