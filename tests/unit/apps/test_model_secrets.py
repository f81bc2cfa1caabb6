"""What a model's pods get of their team's secrets."""

from pathlib import Path
from typing import Any

import pytest

from infra.platform.secrets.stored_secret import go_duration
from tests.unit import mocked_program
from tests.unit.mocked_program import Program

VALUES = ("planted-label-token", "planted-archive-token", "planted-store-key")
STACK = f"""
config:
  slipway:cluster: {{kind: local}}
  slipway:labelToken: {{secure: {VALUES[0]}}}
  slipway:archiveToken: {{secure: {VALUES[1]}}}
  slipway:storeKey: {{secure: {VALUES[2]}}}
  slipway:platform:
    secrets:
      stores:
        aws: {{kind: aws, region: eu-central-1, endpoint: "https://vpce.example.org"}}
        keyed:
          kind: aws
          region: eu-central-1
          endpoint: "https://vpce.example.org"
          accessKeyId: AKIA
          credentials: {{config: storeKey}}
        azure: {{kind: azure, vaultUrl: "https://ml.vault.azure.net"}}
        gcp: {{kind: gcp, project: ml-prod}}
        vault: {{kind: vault, server: "https://vault.example.org:8200", role: slipway}}
      refreshInterval: 15m
  slipway:teams:
    vision:
      secrets:
        labels: {{LABEL_TOKEN: {{config: labelToken}}}}
        archive: {{ARCHIVE_TOKEN: {{config: archiveToken}}}}
    text:
      secrets:
        mixed:
          FROM_CONFIG: {{config: labelToken}}
          FROM_AWS: {{store: aws, path: prod/labels, property: token}}
          ALSO_FROM_AWS: {{store: aws, path: prod/other}}
          FROM_KEYED: {{store: keyed, path: prod/labels}}
          FROM_AZURE: {{store: azure, path: labels}}
          FROM_GCP: {{store: gcp, path: labels}}
          FROM_VAULT: {{store: vault, path: labels, property: token}}
    # Joined by a hyphen its name would meet those of `vision` and `labels`.
    vision-labels:
      secrets:
        own: {{LABEL_TOKEN: {{config: labelToken}}}}
  slipway:models:
    digits: {{team: vision, format: onnx, uri: file:digits.onnx, secrets: [labels]}}
    plain: {{team: vision, format: onnx, uri: file:digits.onnx}}
    mixed: {{team: text, format: onnx, uri: file:digits.onnx, secrets: [mixed]}}
"""


@pytest.fixture(name="program", scope="module")
def _program(tmp_path_factory: pytest.TempPathFactory) -> Program:
    with pytest.MonkeyPatch.context() as monkeypatch:
        return _run(tmp_path_factory.mktemp("stack"), monkeypatch, STACK)


def _run(folder: Path, monkeypatch: pytest.MonkeyPatch, stack: str) -> Program:
    return mocked_program.run_stack(stack, folder, monkeypatch)


def _container(program: Program, model: str) -> dict[str, Any]:
    (found,) = [r for r in program.of_type("kubernetes:apps/v1:Deployment") if r.name == model]
    container = found.inputs["spec"]["template"]["spec"]["containers"][0]
    assert isinstance(container, dict)
    return container


def test_a_model_gets_exactly_the_variables_of_the_secrets_it_names(program: Program) -> None:
    assert [variable["name"] for variable in _container(program, "digits")["env"]] == [
        "LABEL_TOKEN"
    ]
    assert "env" not in _container(program, "plain")


def test_a_variable_is_a_reference_and_never_a_value(program: Program) -> None:
    (variable,) = _container(program, "digits")["env"]
    assert variable["valueFrom"]["secretKeyRef"]["key"] == "LABEL_TOKEN"
    for resource in program.resources:
        if resource.type != "kubernetes:core/v1:Secret":
            assert not any(value in str(resource.inputs) for value in VALUES), resource.label


def test_a_secret_has_an_automatic_name_so_that_a_changed_value_rolls_the_pods(
    program: Program,
) -> None:
    secrets = program.of_type("kubernetes:core/v1:Secret")
    assert {secret.name for secret in secrets} == {
        "vision.labels",
        "vision.archive",
        "vision-labels.own",
        "text.mixed",
        "text.keyed.credentials",
    }
    for secret in secrets:
        assert "name" not in secret.inputs["metadata"], secret.label
        assert secret.inputs["immutable"] is True, secret.label
        assert secret.inputs["metadata"]["namespace"] == secret.name.partition(".")[0]


def test_the_values_are_marked_as_secrets_for_the_engine(program: Program) -> None:
    for secret in program.of_type("kubernetes:core/v1:Secret"):
        assert "stringData" in secret.secret_inputs, secret.label


def _stores(program: Program) -> dict[str, dict[str, Any]]:
    found = program.of_type("kubernetes:external-secrets.io/v1:SecretStore")
    return {item.inputs["metadata"]["name"]: dict(item.inputs) for item in found}


def _external_secret(program: Program, name: str) -> dict[str, Any]:
    found = program.of_type("kubernetes:external-secrets.io/v1:ExternalSecret")
    (inputs,) = [dict(item.inputs) for item in found if item.name == name]
    return inputs


def test_a_value_of_a_store_never_reaches_pulumi_but_a_digest_of_it_does(program: Program) -> None:
    watch = _external_secret(program, "text.mixed.aws.digest")["spec"]
    assert list(watch["target"]["template"]["data"]) == ["digest"]
    assert "sha256sum | trunc 10" in watch["target"]["template"]["data"]["digest"]
    assert watch["refreshInterval"] == "15m0s"


@pytest.mark.parametrize(
    ("seconds", "text"), [(30, "30s"), (90, "1m30s"), (900, "15m0s"), (3600, "1h0m0s")]
)
def test_a_time_is_written_as_external_secrets_would_write_it_anew(seconds: int, text: str) -> None:
    assert go_duration(seconds) == text


def test_a_copy_belongs_to_a_digest_and_never_changes(program: Program) -> None:
    copy = _external_secret(program, "text.mixed.aws")
    assert copy["metadata"]["annotations"]["slipway.local/digest"] == "0123456789"
    assert copy["spec"]["target"] == {"immutable": True}
    assert copy["spec"]["refreshPolicy"] == "CreatedOnce"
    assert copy["spec"]["data"] == [
        {
            "secretKey": "FROM_AWS",
            "remoteRef": {"key": "prod/labels", "property": "token"},
        },
        {"secretKey": "ALSO_FROM_AWS", "remoteRef": {"key": "prod/other"}},
    ]


def test_what_a_store_is_asked_with_has_automatic_names(program: Program) -> None:
    for item in program.of_type("kubernetes:external-secrets.io/v1:ExternalSecret"):
        assert "name" not in item.inputs["metadata"], item.label


def test_a_variable_comes_from_the_secret_of_its_source(program: Program) -> None:
    sources = {
        variable["name"]: variable["valueFrom"]["secretKeyRef"]["name"]
        for variable in _container(program, "mixed")["env"]
    }
    assert sources["FROM_CONFIG"].startswith("text.mixed-")
    assert sources["FROM_AWS"] == sources["ALSO_FROM_AWS"]
    assert sources["FROM_AWS"].startswith("text.mixed.aws-")
    assert sources["FROM_VAULT"].startswith("text.mixed.vault-")
    assert len(sources) == 7


def test_a_team_reads_a_store_with_its_own_identity_and_without_a_key(program: Program) -> None:
    stores = _stores(program)
    providers = {name: store["spec"]["provider"] for name, store in stores.items()}
    account = {"serviceAccountRef": {"name": "models"}}
    assert {store["metadata"]["namespace"] for store in stores.values()} == {"text"}
    assert providers["aws"]["aws"]["auth"] == {"jwt": account}
    assert providers["azure"]["azurekv"] == {
        "vaultUrl": "https://ml.vault.azure.net",
        "authType": "WorkloadIdentity",
        **account,
    }
    assert providers["gcp"]["gcpsm"]["auth"] == {"workloadIdentity": account}
    assert providers["vault"]["vault"]["auth"] == {
        "kubernetes": {"mountPath": "kubernetes", "role": "slipway", **account}
    }


def test_a_key_to_a_store_is_a_reference_to_a_secret(program: Program) -> None:
    auth = _stores(program)["keyed"]["spec"]["provider"]["aws"]["auth"]
    assert auth["secretRef"]["secretAccessKeySecretRef"]["key"] == "key"
    (secret,) = [s for s in program.kubernetes() if s.name == "text.keyed.credentials"]
    assert secret.inputs["stringData"] == {"id": "AKIA", "key": VALUES[2]}


def test_what_is_asked_of_a_store_is_waited_for(program: Program) -> None:
    for kind in ("ExternalSecret", "SecretStore"):
        for item in program.of_type(f"kubernetes:external-secrets.io/v1:{kind}"):
            annotations = item.inputs["metadata"]["annotations"]
            assert annotations["pulumi.com/waitFor"] == "condition=Ready", item.label


def test_external_secrets_is_there_when_there_is_a_store(program: Program, tmp_path: Path) -> None:
    assert program.of_type("slipway:platform:ExternalSecrets")
    with pytest.MonkeyPatch.context() as monkeypatch:
        without = _run(tmp_path, monkeypatch, "config: {'slipway:cluster': {kind: local}}")
    assert not without.of_type("slipway:platform:ExternalSecrets")
