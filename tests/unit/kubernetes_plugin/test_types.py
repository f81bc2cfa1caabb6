"""Type tokens and the kinds that they stand for."""

import pytest

from toolchain.kubernetes_plugin.types import (
    ResourceType,
    is_cluster_scoped,
    name_of_urn,
    parse_token,
    type_of_urn,
)

URN = "urn:pulumi:dev::p::my:index:Part$kubernetes:apps/v1:Deployment::web::blue"


@pytest.mark.parametrize(
    ("token", "kind", "expected"),
    [
        ("kubernetes:core/v1:Pod", "Pod", ResourceType("v1", "Pod")),
        ("kubernetes:apps/v1:Deployment", None, ResourceType("apps/v1", "Deployment")),
        ("kubernetes:apps/v1:DeploymentPatch", None, ResourceType("apps/v1", "Deployment", True)),
        (
            "kubernetes:gateway.networking.k8s.io/v1:HTTPRoute",
            "HTTPRoute",
            ResourceType("gateway.networking.k8s.io/v1", "HTTPRoute"),
        ),
        # A kind of its own whose name happens to end so.
        ("kubernetes:a.io/v1:EnvoyPatch", "EnvoyPatch", ResourceType("a.io/v1", "EnvoyPatch")),
        ("kubernetes:a.io/v1:Patch", None, ResourceType("a.io/v1", "Patch")),
    ],
)
def test_a_token_names_a_kind(token: str, kind: str | None, expected: ResourceType) -> None:
    assert parse_token(token, kind) == expected


@pytest.mark.parametrize("token", ["aws:s3/v1:Bucket", "kubernetes:apps:Deployment", "kubernetes"])
def test_another_token_is_refused_by_name(token: str) -> None:
    with pytest.raises(ValueError, match=token):
        parse_token(token)


def test_lists_are_recognised() -> None:
    assert parse_token("kubernetes:core/v1:ConfigMapList").is_list
    assert not parse_token("kubernetes:core/v1:ConfigMap").is_list


def test_a_urn_gives_its_own_type_and_its_whole_name() -> None:
    assert type_of_urn(URN) == "kubernetes:apps/v1:Deployment"
    assert name_of_urn(URN) == "web::blue"


def test_the_scope_of_kubernetes_own_kinds_is_known_in_every_version() -> None:
    assert is_cluster_scoped("v1", "Namespace")
    assert is_cluster_scoped("storage.k8s.io/v1beta1", "StorageClass")
    assert not is_cluster_scoped("apps/v1", "Deployment")
    assert not is_cluster_scoped("example.org/v1", "Namespace")
