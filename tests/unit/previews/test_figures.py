"""A report says whose traffic shifts, and what changes in quotas, replicas and requests."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from tests.unit.previews.steps import CLAIM, DEPLOYMENT, ROUTE, changes, step
from toolchain.previews import capacity, traffic

QUOTA = "kubernetes:core/v1:ResourceQuota"
SCALER = "kubernetes:keda.sh/v1alpha1:ScaledObject"


def route(*backends: dict[str, Any], headers: int = 0, **rule: Any) -> dict[str, Any]:
    """Return the inputs of a route with one rule."""
    named = [{"name": f"h{number}", "value": "1"} for number in range(headers)]
    return {
        "metadata": {"namespace": "vision", "name": "digits"},
        "spec": {
            "rules": [{"matches": [{"headers": named}], "backendRefs": list(backends), **rule}]
        },
    }


def deployment(replicas: int | None, cpu: str, memory: str = "1Gi") -> dict[str, Any]:
    """Return the inputs of a workload with one container."""
    resources = {"requests": {"cpu": cpu, "memory": memory}, "limits": {"memory": memory}}
    spec: dict[str, Any] = {
        "template": {"spec": {"containers": [{"name": "server", "resources": resources}]}}
    }
    if replicas is not None:
        spec["replicas"] = replicas
    return {"metadata": {"namespace": "vision", "name": "digits"}, "spec": spec}


def numbers(*steps: dict[str, Any]) -> Mapping[str, tuple[str | None, str | None]]:
    found = capacity.figures(changes(*steps))
    return {figure.what: (figure.old, figure.new) for figure in found}


def test_a_canary_that_gets_a_share_shifts_traffic() -> None:
    old = route({"name": "digits"})
    new = route({"name": "digits", "weight": 90}, {"name": "digits-canary", "weight": 10})
    (shift,) = traffic.shifts(changes(step("update", ROUTE, "digits", old=old, new=new)))
    assert shift.place == "vision/digits"
    assert shift.old == {"digits": 100}
    assert shift.new == {"digits": 90, "digits-canary": 10}


def test_a_route_that_keeps_its_shares_shifts_none() -> None:
    old = route({"name": "digits"}, filters=[])
    new = route({"name": "digits"}, timeouts={"request": "5s"})
    assert traffic.shifts(changes(step("update", ROUTE, "digits", old=old, new=new))) == []


def test_the_rule_of_a_canarys_headers_is_not_what_everyone_gets() -> None:
    new = route({"name": "digits"})
    chosen = route({"name": "digits-canary"}, headers=1)["spec"]["rules"]
    new["spec"]["rules"] = [*chosen, *new["spec"]["rules"]]
    (shift,) = traffic.shifts(changes(step("create", ROUTE, "digits", new=new)))
    assert shift.new == {"digits": 100}


def test_copies_of_requests_are_a_shift_too() -> None:
    mirror = {"backendRef": {"name": "digits-mirror"}, "percent": 20}
    new = route({"name": "digits"}, filters=[{"type": "RequestMirror", "requestMirror": mirror}])
    old = route({"name": "digits"})
    (shift,) = traffic.shifts(changes(step("update", ROUTE, "digits", old=old, new=new)))
    assert shift.new == {"digits": 100, "copies to digits-mirror": 20}


def test_a_model_that_goes_has_no_traffic_any_more() -> None:
    old = route({"name": "digits"})
    (shift,) = traffic.shifts(changes(step("delete", ROUTE, "digits", old=old)))
    assert (shift.old, shift.new) == ({"digits": 100}, {})


def test_a_quota_is_compared_number_by_number() -> None:
    found = numbers(
        step(
            "update",
            QUOTA,
            "vision",
            old={"spec": {"hard": {"requests.cpu": "2", "pods": "10"}}},
            new={"spec": {"hard": {"requests.cpu": "4", "pods": "10"}}},
        )
    )
    assert found == {"quota requests.cpu": ("2", "4")}


def test_replicas_and_requests_are_compared_of_every_container() -> None:
    old, new = deployment(1, "500m"), deployment(3, "1")
    found = numbers(step("update", DEPLOYMENT, "digits", old=old, new=new))
    assert found == {"replicas": ("1", "3"), "server requests cpu": ("500m", "1")}


def test_the_bounds_of_an_autoscaler_are_compared() -> None:
    old = {"spec": {"minReplicaCount": 0, "maxReplicaCount": 2}}
    new = {"spec": {"minReplicaCount": 1, "maxReplicaCount": 2}}
    found = numbers(step("update", SCALER, "digits", old=old, new=new))
    assert found == {"at least": ("0", "1")}


def test_a_new_claim_asks_for_storage() -> None:
    new = {"spec": {"resources": {"requests": {"storage": "2Gi"}}}}
    assert numbers(step("create", CLAIM, "data", new=new)) == {"storage": (None, "2Gi")}


def test_the_requests_of_all_pods_are_added_up() -> None:
    totals = capacity.totals(
        changes(
            step("update", DEPLOYMENT, "a", old=deployment(1, "500m"), new=deployment(3, "500m")),
            step("create", DEPLOYMENT, "b", new=deployment(None, "0.25", "512Mi")),
            step("delete", DEPLOYMENT, "c", old=deployment(2, "1")),
        )
    )
    assert totals == {
        "cpu": Decimal("-0.75"),
        "memory": Decimal(512 * 2**20),
    }


def test_requests_that_stay_in_sum_are_no_difference() -> None:
    moved = [
        step("create", DEPLOYMENT, "a", new=deployment(1, "1")),
        step("delete", DEPLOYMENT, "b", old=deployment(1, "1")),
    ]
    assert capacity.totals(changes(*moved)) == {}
