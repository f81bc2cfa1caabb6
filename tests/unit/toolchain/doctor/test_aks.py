"""The executables print what https://learn.microsoft.com/cli/azure/ shows.

`az vm list-usage` prints its figures as text.
"""

from datetime import date
from functools import partial
from typing import Any, Final

import pytest

from infra.settings import AksClusterSettings
from tests.unit.toolchain.doctor.clis import Clis, Refusal, missing, unchecked, with_level
from toolchain.doctor import aks, asking
from toolchain.doctor.finding import Finding

TODAY: Final = date(2026, 12, 1)
SUBSCRIPTION: Final = "11111111-2222-3333-4444-555555555555"
TENANT: Final = "66666666-7777-8888-9999-000000000000"
ACCOUNT: Final = {
    "environmentName": "AzureCloud",
    "id": SUBSCRIPTION,
    "name": "ml",
    "state": "Enabled",
    "tenantId": TENANT,
    "user": {"name": "someone@example.com", "type": "user"},
}
D4: Final = "Standard_D4ds_v5"
T4: Final = "Standard_NC4as_T4_v3"
FAMILIES: Final = {D4: "standardDDSv5Family", T4: "Standard NCASv3_T4 Family"}


def _settings(**more: object) -> AksClusterSettings:
    return AksClusterSettings.model_validate(
        {
            "kind": "aks",
            "subscriptionId": SUBSCRIPTION,
            "tenantId": TENANT,
            "location": "westeurope",
            "prefix": "contoso",
            "adminGroups": ["aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"],
            "authorizedIpRanges": ["203.0.113.0/24"],
            "pools": {
                "cpu": {"vmSize": D4, "min": 1, "max": 10},
                "gpu": {"vmSize": T4, "max": 4, "gpu": True},
                "spot": {"vmSize": D4, "max": 10, "spot": True, "fallback": 3},
            },
            **more,
        }
    )


def _usage(**limits: tuple[int, int]) -> list[dict[str, Any]]:
    """Return what `az vm list-usage` prints.

    Args:
        limits: What is in use and the limit, by the name of the quota.
    """
    every = {
        "cores": (0, 350),
        "lowPriorityCores": (0, 100),
        # The two commands do not agree on the case.
        "StandardDDSv5Family": (0, 350),
        "Standard NCASv3_T4 Family": (0, 64),
        **limits,
    }
    return [
        {
            "currentValue": str(used),
            "limit": str(limit),
            "localName": name,
            "name": {"localizedValue": name, "value": name},
            "unit": "Count",
        }
        for name, (used, limit) in every.items()
    ]


def _sku(size: str, zones: list[str], *restrictions: dict[str, Any]) -> dict[str, Any]:
    return {
        "apiVersions": None,
        "capabilities": [{"name": "vCPUs", "value": "4"}],
        "family": FAMILIES[size],
        "locationInfo": [{"location": "westeurope", "zoneDetails": [], "zones": zones}],
        "locations": ["westeurope"],
        "name": size,
        "resourceType": "virtualMachines",
        "restrictions": list(restrictions),
        "tier": "Standard",
    }


EVERYWHERE: Final = [_sku(D4, ["1", "2", "3"]), _sku(T4, ["1", "2", "3"])]


def _az(clis: Clis, **more: object) -> None:
    clis.add("kubelogin")
    answers = {"account show": ACCOUNT, "vm list-usage": _usage(), "vm list-skus": EVERYWHERE}
    by_word = {start.split()[1]: start for start in answers}
    clis.add("az", {**answers, **{by_word[word]: value for word, value in more.items()}})


def _found(clis: Clis, settings: AksClusterSettings | None = None) -> list[Finding]:
    return aks.findings(settings or _settings(), clis.ask, TODAY)


def test_with_everything_there_nothing_is_missing(clis: Clis) -> None:
    _az(clis)
    found = _found(clis)
    assert missing(found) == []
    assert with_level(found, "region: westeurope, zones 1, 2, 3") == "ok"
    assert with_level(found, "pods 10.244.0.0/16") == "ok"
    # The system's 4 nodes, 10 of `cpu`, and 3 that stand in for spot ones, of 4 vCPUs each.
    assert (
        with_level(
            found, "`standardDDSv5Family`: 350 vCPUs; the nodes of `system`, `cpu`, `spot` can"
        )
        == "ok"
    )
    assert any("can grow to 68" in one.text for one in found if "DDSv5" in one.text)
    assert with_level(found, "`lowPriorityCores`: 100 vCPUs; the nodes of `spot`") == "ok"


def test_without_the_clis_both_are_missing(clis: Clis) -> None:
    found = _found(clis)
    assert [problem.split()[0] for problem in missing(found)] == ["kubelogin", "az"]
    assert "quotas: az is not on PATH" in unchecked(found)


def test_with_another_login_of_kubelogin_nobody_needs_az(
    clis: Clis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AAD_LOGIN_METHOD", "workloadidentity")
    clis.add("kubelogin")
    found = _found(clis)
    assert missing(found) == []
    assert "quotas: az is not on PATH" in unchecked(found)


def test_who_is_not_logged_in_is_told_how(clis: Clis) -> None:
    _az(clis, show=Refusal("ERROR: Please run 'az login' to setup account."))
    (problem,) = missing(_found(clis))
    assert "Please run 'az login'" in problem
    assert f"`az login --tenant {TENANT}`" in problem


def test_a_cloud_that_does_not_answer_is_unchecked_and_not_missing(clis: Clis) -> None:
    clis.add("kubelogin")
    clis.hang("az")
    found = aks.findings(_settings(), partial(asking.run, patience=0.2), TODAY)
    assert missing(found) == []
    assert "credentials, region, zones, sizes and quotas: `az account show` did not" in unchecked(
        found
    )


def test_a_subscription_of_another_tenant_is_missing(clis: Clis) -> None:
    other = "00000000-7777-8888-9999-000000000000"
    _az(clis, show={**ACCOUNT, "tenantId": other})
    (problem,) = missing(_found(clis))
    assert f"`tenantId`: the subscription is of the tenant {other}" in problem


def test_a_quota_below_one_node_of_a_pool_is_missing_and_names_the_way_out(clis: Clis) -> None:
    _az(clis, **{"list-usage": _usage(**{"Standard NCASv3_T4 Family": (0, 0)})})
    (problem,) = missing(_found(clis))
    assert "`Standard NCASv3_T4 Family`: 0 vCPUs, and the nodes of `gpu` need 4" in problem
    assert "per-vm-quota-requests" in problem


def test_what_is_in_use_leaves_less_room(clis: Clis) -> None:
    _az(clis, **{"list-usage": _usage(cores=(300, 350))})
    found = _found(clis)
    assert missing(found) == []
    assert with_level(found, "quota `cores`: 350 vCPUs, 300 of them in use") == "note"


def test_a_size_that_the_subscription_cannot_have_is_missing(clis: Clis) -> None:
    refused = {
        "reasonCode": "NotAvailableForSubscription",
        "restrictionInfo": {"locations": ["westeurope"], "zones": None},
        "type": "Location",
    }
    _az(clis, **{"list-skus": [_sku(D4, ["1", "2", "3"]), _sku(T4, ["1"], refused)]})
    (problem,) = missing(_found(clis))
    assert "`pools.gpu`: westeurope has no Standard_NC4as_T4_v3" in problem
    assert "NotAvailableForSubscription" in problem


def test_a_size_that_a_zone_does_not_have_is_missing(clis: Clis) -> None:
    refused = {
        "reasonCode": "NotAvailableForSubscription",
        "restrictionInfo": {"locations": ["westeurope"], "zones": ["1"]},
        "type": "Zone",
    }
    _az(clis, **{"list-skus": [_sku(D4, ["1", "2", "3"]), _sku(T4, ["1", "2"], refused)]})
    (problem,) = missing(_found(clis))
    assert "`pools.gpu`: Standard_NC4as_T4_v3 is not in the zones 1, 3" in problem
    assert "(in: 2)" in problem


def test_without_the_families_the_whole_regions_quota_is_judged_all_the_same(clis: Clis) -> None:
    _az(clis, **{"list-skus": Refusal("ERROR: (AuthorizationFailed) no", 1)})
    found = _found(clis)
    assert "zones, sizes and the quotas of their families" in unchecked(found)
    assert with_level(found, "quota `cores`") == "ok"


@pytest.mark.parametrize(
    ("more", "today", "line"),
    [
        ({"version": "1.35"}, date(2026, 12, 1), "ok: community support until 2027-03-31"),
        ({"version": "1.35"}, date(2027, 4, 1), "note: community support until 2027-03-31"),
        (
            {"version": "1.34", "longTermSupport": True, "tier": "Premium"},
            date(2026, 12, 1),
            "ok: long-term support until 2027-11-30",
        ),
    ],
)
def test_a_version_says_until_when_it_has_support(
    clis: Clis, more: dict[str, object], today: date, line: str
) -> None:
    level, _, text = line.partition(": ")
    assert with_level(aks.findings(_settings(**more), clis.ask, today), text) == level
