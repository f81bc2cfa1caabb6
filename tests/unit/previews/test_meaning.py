"""A report says what a change does to data and to what answers."""

from typing import Any

import pytest

from tests.unit.previews.steps import (
    CLAIM,
    CLUSTER,
    DEPLOYMENT,
    NAMESPACE,
    ROUTE,
    changes,
    replaced,
    step,
)
from toolchain.previews import meaning
from toolchain.previews.meaning import Meaning


def means(*steps: dict[str, Any]) -> Meaning:
    (change,) = changes(*steps).changes
    return meaning.of(change)


@pytest.mark.parametrize("type_", [CLUSTER, NAMESPACE, CLAIM, "gcp:storage/bucket:Bucket"])
def test_the_destruction_of_what_holds_something_is_a_loss(type_: str) -> None:
    assert means(step("delete", type_, "it", old={})).rank == 2
    assert means(*replaced(type_, "it", deletes_first=False)).rank == 2


def test_a_cluster_takes_every_model_down_until_it_is_back_or_for_good() -> None:
    assert means(*replaced(CLUSTER, "it")).downtime == "every model until the new one is there"
    assert means(step("delete", CLUSTER, "it", old={})).downtime == "every model for good"


def test_a_workload_is_down_only_when_the_old_one_goes_first() -> None:
    assert means(*replaced(DEPLOYMENT, "it", deletes_first=True)).downtime
    assert not means(*replaced(DEPLOYMENT, "it", deletes_first=False)).downtime


def test_the_url_of_a_route_that_goes_does_not_answer() -> None:
    assert "URL" in means(step("delete", ROUTE, "it", old={})).downtime


def test_changed_pods_are_replaced_and_changed_replicas_are_not() -> None:
    new = {"spec": {"replicas": 2, "template": {"spec": {"priorityClassName": "high"}}}}

    def update(path: str) -> Meaning:
        return means(step("update", DEPLOYMENT, "it", old={}, new=new, paths={path: True}))

    assert "replaced" in update("spec.template.spec.priorityClassName").note
    assert update("spec.replicas") == Meaning()


def test_what_is_added_means_no_harm() -> None:
    assert means(step("create", CLUSTER, "it", new={})) == Meaning()


def test_a_loss_comes_before_downtime_and_both_before_the_rest() -> None:
    ranks = [
        means(step("delete", NAMESPACE, "it", old={})).rank,
        means(step("delete", DEPLOYMENT, "it", old={})).rank,
        means(step("delete", "kubernetes:core/v1:ConfigMap", "it", old={})).rank,
    ]
    assert ranks == [2, 1, 0]
