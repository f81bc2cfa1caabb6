"""Resource types come from the pinned manifests, whole but for the texts that explain them."""

from pathlib import Path

import pulumi
import pytest

from infra.platform.definitions import read_definitions, without_descriptions
from tests.unit import mocked_program
from toolchain import programs
from toolchain.errors import ToolchainError

_MANIFEST = """\
# A comment alone is a document without content.
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata:
  name: zebras.example.com
  annotations:
    controller-gen.kubebuilder.io/version: v0.20.0
spec:
  group: example.com
  conversion:
    strategy: Webhook
  versions:
    - name: v1
      schema:
        openAPIV3Schema:
          description: A striped animal.
          type: object
status: {}
---
apiVersion: v1
kind: ServiceAccount
metadata:
  name: keeper
"""


def test_definitions_keep_annotations_and_conversion_and_lose_their_texts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bases").mkdir()
    (tmp_path / "bases" / "a.yaml").write_text(_MANIFEST)
    (tmp_path / "b.yaml").write_text(_MANIFEST.replace("zebra", "ant"))
    monkeypatch.setattr(programs, "path", lambda name: {"zoo-crds": tmp_path}[name])
    ants, zebras = read_definitions("zoo-crds")
    assert ants["metadata"]["name"] == "ants.example.com"
    assert zebras["metadata"]["annotations"] == {"controller-gen.kubebuilder.io/version": "v0.20.0"}
    assert zebras["spec"]["conversion"] == {"strategy": "Webhook"}
    schema = zebras["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    assert schema == {"type": "object"}


def test_manifests_that_cannot_be_had_are_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(name: str) -> Path:
        raise ToolchainError(f"{name} cannot be had on this machine")

    monkeypatch.setattr(programs, "path", refuse)
    with pytest.raises(pulumi.RunError, match="zoo-crds cannot be had"):
        read_definitions("zoo-crds")


def test_a_schema_keeps_everything_but_the_texts_that_explain_it() -> None:
    field = {"type": "string", "maxLength": 64, "description": "A text for people."}
    schema = {"description": "A text.", "properties": {"description": field, "items": [field]}}
    bare = {"type": "string", "maxLength": 64}
    assert without_descriptions(schema) == {"properties": {"description": bare, "items": [bare]}}


def test_a_stack_of_before_keeps_the_gateway_apis_types(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = mocked_program.run(mocked_program.LOCAL_STACK_FILE, tmp_path, monkeypatch)
    [component] = [item for item in program.resources if item.name == "gateway-api"]
    assert component.type == "slipway:platform:Definitions"
    assert component.former_types == {"slipway:platform:GatewayApi"}
