"""Nothing that holds something is destroyed without the stack file's word for it."""

from typing import Any

import pytest

from tests.unit.previews.steps import (
    CLAIM,
    CLUSTER,
    DEPLOYMENT,
    NAMESPACE,
    PROVIDER,
    changes,
    replaced,
    step,
    urn,
)
from toolchain.previews import guard

STATEFUL = (
    CLUSTER,
    NAMESPACE,
    CLAIM,
    "aws:eks/cluster:Cluster",
    "aws:ec2/vpc:Vpc",
    "aws:s3/bucket:Bucket",
    "aws:ecr/repository:Repository",
    "aws:kms/key:Key",
    "azure-native:containerservice/v20250101:ManagedCluster",
    "azure-native:network:VirtualNetwork",
    "azure-native:keyvault:Vault",
    "gcp:container/cluster:Cluster",
    "gcp:kms/cryptoKey:CryptoKey",
)


def blocked(*steps: dict[str, Any], approve: tuple[str, ...] = ()) -> list[tuple[str, int]]:
    verdict = guard.judge(changes(*steps), approve)
    return [(one.change.name, one.within) for one in verdict.blocked]


@pytest.mark.parametrize("type_", STATEFUL)
def test_the_destruction_of_what_holds_something_needs_an_approval(type_: str) -> None:
    assert blocked(step("delete", type_, "it", old={})) == [("it", 0)]
    assert blocked(*replaced(type_, "it")) == [("it", 0)]
    assert blocked(*replaced(type_, "it", deletes_first=False)) == [("it", 0)]


@pytest.mark.parametrize("type_", STATEFUL)
def test_an_approval_by_name_lets_it_pass(type_: str) -> None:
    verdict = guard.judge(changes(step("delete", type_, "it", old={})), ("it",))
    assert not verdict.blocked
    assert [change.name for change in verdict.approved] == ["it"]


def test_an_approval_of_one_name_is_none_of_another() -> None:
    steps = [step("delete", NAMESPACE, name, old={}) for name in ("vision", "audio")]
    assert blocked(*steps, approve=("audio",)) == [("vision", 0)]


@pytest.mark.parametrize("operation", ["create", "update", "same"])
def test_what_destroys_nothing_needs_none(operation: str) -> None:
    assert blocked(step(operation, CLUSTER, "it", old={}, new={}, protect=True)) == []


def test_what_the_state_protects_needs_one_whatever_it_is() -> None:
    assert blocked(step("delete", DEPLOYMENT, "it", old={}, protect=True)) == [("it", 0)]
    assert blocked(step("delete", DEPLOYMENT, "it", old={})) == []


def test_a_replacement_that_gives_up_the_protection_needs_one_all_the_same() -> None:
    steps = replaced(DEPLOYMENT, "it", protect=True)
    for one in steps:
        one["newState"]["protect"] = False
    assert blocked(*steps) == [("it", 0)]


def test_what_is_let_go_needs_none() -> None:
    assert blocked(step("delete", NAMESPACE, "it", old={}, retainOnDelete=True)) == []


def test_a_copy_of_a_model_is_no_loss() -> None:
    steps = replaced(CLAIM, "digits-claim", old={"spec": {"accessModes": ["ReadOnlyMany"]}})
    assert blocked(*steps) == []
    assert blocked(*replaced(CLAIM, "data", old={"spec": {"accessModes": ["ReadWriteOnce"]}}))


def test_what_goes_with_a_cluster_is_a_matter_of_the_cluster() -> None:
    steps = [
        *replaced(CLUSTER, "cluster"),
        *replaced(NAMESPACE, "vision", deletedWith=urn(CLUSTER, "cluster")),
        *replaced(CLAIM, "data", deletedWith=urn(NAMESPACE, "vision")),
    ]
    assert blocked(*steps) == [("cluster", 2)]
    assert blocked(*steps, approve=("cluster",)) == []


def test_what_goes_because_its_provider_needs_a_new_cluster_is_a_matter_of_the_cluster() -> None:
    steps = [
        *replaced(CLUSTER, "cluster"),
        *replaced(PROVIDER, "cluster", dependencies=[urn(CLUSTER, "cluster")]),
        *replaced(NAMESPACE, "vision", provider=f"{urn(PROVIDER, 'cluster')}::0c1"),
    ]
    assert blocked(*steps) == [("cluster", 1)]
    assert blocked(*steps, approve=("cluster",)) == []


def test_a_namespace_alone_is_not_approved_by_approving_a_cluster_that_stays() -> None:
    gone = step("delete", NAMESPACE, "vision", old={}, deletedWith=urn(CLUSTER, "cluster"))
    assert blocked(gone, approve=("cluster",)) == [("vision", 0)]


def test_names_that_no_destruction_needs_are_told() -> None:
    verdict = guard.judge(
        changes(
            step("delete", NAMESPACE, "vision", old={}),
            step("update", NAMESPACE, "audio", old={}, new={}),
        ),
        ("vision", "audio", "visoin"),
    )
    assert verdict.unneeded == ("audio", "visoin")


def test_a_cluster_that_is_approved_for_what_it_takes_along_is_needed() -> None:
    steps = [
        *replaced(CLUSTER, "cluster"),
        *replaced(NAMESPACE, "vision", deletedWith=urn(CLUSTER, "cluster")),
    ]
    assert guard.judge(changes(*steps), ("cluster",)).unneeded == ()
