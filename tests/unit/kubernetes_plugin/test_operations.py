"""Operations of a provider whose cluster cannot be reached, and what a check makes of inputs."""

from dataclasses import dataclass, field
from typing import Any

import pytest

from toolchain.kubernetes_plugin import checking, comparing, reading, state, writing
from toolchain.kubernetes_plugin.config import Settings
from toolchain.kubernetes_plugin.context import ProviderContext
from toolchain.kubernetes_plugin.discovery import Discovery
from toolchain.kubernetes_plugin.errors import UnreachableError
from toolchain.kubernetes_plugin.outcome import OperationError
from toolchain.kubernetes_plugin.session import Session
from toolchain.plugin.engine_log import Severity
from toolchain.plugin.properties import UNKNOWN, Secret

URN = "urn:pulumi:dev::p::kubernetes:{}::thing"
MAP_URN = URN.format("core/v1:ConfigMap")
MAP = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "namespace": "team"}}


@dataclass
class Messages:
    """A log that keeps what is said."""

    said: list[tuple[str, str]] = field(default_factory=list)

    def message(self, severity: Severity, text: str, urn: str = "") -> None:
        self.said.append((severity, text))

    def status(self, text: str, urn: str) -> None:
        self.said.append(("status", text))


def refuse(path: str) -> dict[str, Any]:
    raise UnreachableError(path)


def unreachable(**settings: Any) -> ProviderContext:
    session = Session(Settings(**settings), None, "no route", "team", Discovery(refuse))
    return ProviderContext(session, Messages())


def stored(inputs: dict[str, Any], **live: Any) -> dict[str, Any]:
    return state.build(
        {**inputs, **live}, inputs, inputs, initial_api_version="v1", field_manager="m"
    )


def test_a_check_adds_kind_name_and_namespace() -> None:
    urn = URN.format("apps/v1:Deployment")
    inputs = checking.check(unreachable(), urn, {}, {"spec": {}}, seed=b"x")
    assert (inputs["apiVersion"], inputs["kind"]) == ("apps/v1", "Deployment")
    assert inputs["metadata"]["name"].startswith("thing-")
    assert inputs["metadata"]["namespace"] == "team"


def test_a_check_gives_no_namespace_to_a_kind_without_one() -> None:
    inputs = checking.check(unreachable(), URN.format("core/v1:Namespace"), {}, {})
    assert "namespace" not in inputs["metadata"]


def test_a_check_keeps_secrets_and_unknowns() -> None:
    news = {**MAP, "data": {"hidden": Secret("x"), "later": UNKNOWN, "both": Secret(UNKNOWN)}}
    data = checking.check(unreachable(), MAP_URN, {}, news)["data"]
    assert data == {"hidden": Secret("x"), "later": UNKNOWN, "both": Secret(UNKNOWN)}


def test_a_check_leaves_metadata_that_is_not_known_yet_alone() -> None:
    inputs = checking.check(unreachable(), MAP_URN, {}, {"metadata": UNKNOWN})
    assert inputs["metadata"] is UNKNOWN


@pytest.mark.parametrize(
    ("token", "news", "words"),
    [
        ("core/v1:ConfigMapList", {"items": []}, "declare its items"),
        ("helm.sh/v3:Release", {}, "use a helm.sh/v4 Chart"),
        ("core/v1:NamespacePatch", {"kind": "Namespace"}, "needs metadata.name"),
        ("core/v1:Pod", {"metadata": {"generateName": "a-"}}, "generateName is not supported"),
    ],
)
def test_what_cannot_exist_is_refused_with_the_way_out(
    token: str, news: dict[str, Any], words: str
) -> None:
    with pytest.raises(OperationError, match=words):
        checking.check(unreachable(), URN.format(token), {}, news)


def test_a_patch_needs_server_side_apply() -> None:
    news = {"kind": "Namespace", "metadata": {"name": "a"}}
    urn = URN.format("core/v1:NamespacePatch")
    with pytest.raises(OperationError, match="enableServerSideApply"):
        checking.check(unreachable(server_side_apply=False), urn, {}, news)


def test_a_preview_without_a_cluster_returns_the_inputs() -> None:
    assert writing.create(unreachable(), MAP_URN, MAP, preview=True) == ("", MAP)
    assert writing.update(unreachable(), MAP_URN, stored(MAP), MAP, preview=True) == MAP


def test_without_a_cluster_every_write_fails_with_the_reason() -> None:
    context = unreachable()
    with pytest.raises(OperationError, match="cluster is unreachable: no route"):
        writing.create(context, MAP_URN, MAP)
    with pytest.raises(OperationError, match="cluster is unreachable: no route"):
        writing.update(context, MAP_URN, stored(MAP), MAP)
    with pytest.raises(OperationError, match="PULUMI_K8S_DELETE_UNREACHABLE"):
        writing.delete(context, MAP_URN, "team/a", stored(MAP))
    with pytest.raises(OperationError, match="PULUMI_K8S_DELETE_UNREACHABLE"):
        reading.read(context, MAP_URN, "team/a", stored(MAP), MAP)


def test_unreachable_resources_leave_the_state_only_on_request() -> None:
    context = unreachable(delete_unreachable=True)
    writing.delete(context, MAP_URN, "team/a", stored(MAP))
    assert reading.read(context, MAP_URN, "team/a", stored(MAP), MAP).resource_id == ""


def test_unreachable_resources_are_left_as_they_are_on_request() -> None:
    context = unreachable(skip_update_unreachable=True)
    changed = {**MAP, "data": {"a": "2"}}
    assert checking.check(context, MAP_URN, MAP, changed) == MAP
    found = reading.read(context, MAP_URN, "team/a", stored(MAP), MAP)
    assert (found.resource_id, found.inputs) == ("team/a", MAP)


def test_a_fixed_name_is_deleted_before_it_is_replaced() -> None:
    old, new = {**MAP, "data": {"a": "1"}}, {**MAP, "data": {"a": "2"}}
    found = comparing.compare(unreachable(), MAP_URN, stored(old), new)
    assert found.replaces == ["data.a"]
    assert found.delete_first


@pytest.mark.parametrize(
    "metadata",
    [
        {"name": "b", "namespace": "team"},
        {"name": "a", "namespace": "other"},
        {"name": "a", "namespace": "team", "annotations": {"pulumi.com/autonamed": "true"}},
    ],
)
def test_another_name_or_an_automatic_one_is_created_first(metadata: dict[str, Any]) -> None:
    old, new = {**MAP, "data": {"a": "1"}}, {**MAP, "metadata": metadata, "data": {"a": "2"}}
    found = comparing.compare(unreachable(), MAP_URN, stored(old), new)
    assert found.replaces
    assert not found.delete_first


def test_a_namespace_that_the_cluster_filled_in_is_no_change() -> None:
    old = {**MAP, "metadata": {"name": "a"}}
    new = {**MAP, "metadata": {"name": "a", "namespace": "default"}}
    assert comparing.compare(unreachable(), MAP_URN, stored(old), new).difference.fields == {}


def test_a_secret_written_as_text_or_encoded_is_the_same_secret() -> None:
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a", "namespace": "t"}}
    old, new = {**secret, "data": {"p": "eA=="}}, {**secret, "stringData": {"p": "x"}}
    urn = URN.format("core/v1:Secret")
    assert comparing.compare(unreachable(), urn, stored(old), new).difference.fields == {}


def test_a_patch_is_replaced_only_with_its_identity() -> None:
    urn = URN.format("core/v1:ConfigMapPatch")
    old, new = {**MAP, "data": {"a": "1"}}, {**MAP, "data": {"a": "2"}}
    assert comparing.compare(unreachable(), urn, stored(old), new).replaces == []
    moved = {**new, "metadata": {"name": "b", "namespace": "team"}}
    assert comparing.compare(unreachable(), urn, stored(old), moved).replaces == ["metadata.name"]


def test_a_schema_may_be_written_either_way() -> None:
    urn = URN.format("apiextensions.k8s.io/v1:CustomResourceDefinition")
    name = {"metadata": {"name": "a"}}
    python = {**name, "spec": {"x_kubernetes_list_type": "map"}}
    manifest = {**name, "spec": {"x-kubernetes-list-type": "map"}}
    checked = checking.check(unreachable(), urn, {}, python)
    assert checked == checking.check(unreachable(), urn, {}, manifest)
    assert comparing.compare(unreachable(), urn, stored(checked), checked).difference.fields == {}
    assert "x_kubernetes_list_type" in stored(checked)["spec"]
