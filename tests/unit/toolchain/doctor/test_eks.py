"""The executables print what https://docs.aws.amazon.com/cli/latest/reference/ shows."""

from datetime import date
from functools import partial
from typing import Any, Final

import pytest

from infra.settings import EksClusterSettings
from tests.unit.toolchain.doctor.clis import Clis, Refusal, missing, unchecked, with_level
from toolchain.doctor import asking, eks
from toolchain.doctor.finding import Finding

TODAY: Final = date(2026, 12, 1)
ACCOUNT: Final = "111122223333"
IDENTITY: Final = {
    "UserId": "AROA:ci",
    "Account": ACCOUNT,
    "Arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/platform/ci",
}
CALLER: Final = "sts get-caller-identity --region eu-central-1"
ON_DEMAND, SPOT = "L-1216C47A", "L-34B43A08"
GPUS, SPOT_GPUS = "L-DB2E81BA", "L-3819A6DF"


def _settings(**more: object) -> EksClusterSettings:
    return EksClusterSettings.model_validate(
        {
            "kind": "eks",
            "account": ACCOUNT,
            "region": "eu-central-1",
            "zones": ["a", "b"],
            "admins": [f"arn:aws:iam::{ACCOUNT}:role/team/platform"],
            "pools": {
                "general": {"instanceTypes": ["m7i.xlarge"], "max": 10},
                "gpu": {"instanceTypes": ["g6.xlarge", "g6.2xlarge"], "gpu": True, "max": 4},
                "spare": {
                    "instanceTypes": ["m7i.xlarge"],
                    "max": 10,
                    "spot": True,
                    "fallback": 3,
                },
            },
            **more,
        }
    )


def _quota(code: str, value: float) -> dict[str, Any]:
    return {
        "Quota": {
            "ServiceCode": "ec2",
            "QuotaCode": code,
            "QuotaName": f"quota {code}",
            "Value": value,
            "Unit": "None",
            "Adjustable": True,
            "GlobalQuota": False,
        }
    }


def _aws(clis: Clis, quotas: dict[str, object], **more: object) -> None:
    """Put an `aws` there that knows an account."""
    zones = [
        {"State": "available", "ZoneName": f"eu-central-1{zone}", "RegionName": "eu-central-1"}
        for zone in "abc"
    ]
    offerings = [
        {
            "InstanceType": kind,
            "LocationType": "availability-zone",
            "Location": f"eu-central-1{zone}",
        }
        for kind in ("m7i.xlarge", "g6.xlarge")
        for zone in "abc"
    ]
    answers = {
        CALLER: IDENTITY,
        "ec2 describe-availability-zones": {"AvailabilityZones": zones},
        "ec2 describe-instance-type-offerings": {"InstanceTypeOfferings": offerings},
        **more,
    }
    start = "service-quotas get-service-quota --service-code ec2 --quota-code"
    given = {
        f"{start} {code}": value if isinstance(value, Refusal) else _quota(code, float(str(value)))
        for code, value in quotas.items()
    }
    clis.add("aws", {**answers, **given})


ENOUGH: Final[dict[str, object]] = {ON_DEMAND: 640, SPOT: 640, GPUS: 64}


def _found(clis: Clis, settings: EksClusterSettings | None = None) -> list[Finding]:
    return eks.findings(settings or _settings(), clis.ask, TODAY)


def test_with_everything_there_nothing_is_missing(clis: Clis) -> None:
    _aws(clis, ENOUGH)
    found = _found(clis)
    assert missing(found) == []
    assert with_level(found, "credentials") == "ok"
    assert with_level(found, "zones: eu-central-1a, eu-central-1b") == "ok"
    assert with_level(found, "vpcCidr 10.0.0.0/16") == "ok"
    # 10 nodes of 4 vCPUs, and 3 that stand in for spot ones.
    assert with_level(found, "`general`, `spare` can grow to 52") == "ok"
    assert with_level(found, "quota L-34B43A08`: 640 vCPUs; the nodes of `spare`") == "ok"
    # 4 nodes of the largest type.
    assert with_level(found, "the nodes of `gpu` can grow to 32") == "ok"


def test_without_the_cli_the_rest_is_said_to_be_unchecked(clis: Clis) -> None:
    found = _found(clis)
    (problem,) = missing(found)
    assert problem.startswith("aws is not on PATH")
    assert "credentials, region, zones, types of instances and quotas: aws is not" in unchecked(
        found
    )


def test_who_is_not_logged_in_is_told_how(clis: Clis) -> None:
    text = 'Unable to locate credentials. You can configure credentials by running "aws login".'
    _aws(clis, {}, **{CALLER: Refusal(f"\n{text}", 253)})
    found = _found(clis)
    (problem,) = missing(found)
    assert "Unable to locate credentials" in problem
    assert "`aws sso login`" in problem
    assert "quotas: AWS has to know who asks" in unchecked(found)


def test_a_cloud_that_does_not_answer_is_unchecked_and_not_missing(clis: Clis) -> None:
    clis.hang("aws")
    found = eks.findings(_settings(), partial(asking.run, patience=0.2), TODAY)
    assert missing(found) == []
    assert "did not answer within 0.2 s" in unchecked(found)


def test_credentials_of_another_account_are_missing(clis: Clis) -> None:
    _aws(clis, {}, **{CALLER: {**IDENTITY, "Account": "999988887777"}})
    found = _found(clis)
    (problem,) = missing(found)
    assert "999988887777" in problem
    assert ACCOUNT in problem
    assert "AWS_PROFILE" in problem


@pytest.mark.parametrize(
    ("arn", "named"),
    [
        (f"arn:aws:sts::{ACCOUNT}:assumed-role/platform/ci", True),
        (f"arn:aws:sts::{ACCOUNT}:assumed-role/other/platform", False),
        (f"arn:aws:iam::{ACCOUNT}:user/team/platform", True),
        (f"arn:aws:iam::{ACCOUNT}:user/someone", False),
    ],
)
def test_who_runs_pulumi_is_among_the_admins(clis: Clis, arn: str, named: bool) -> None:
    _aws(clis, ENOUGH, **{CALLER: {**IDENTITY, "Arn": arn}})
    problems = missing(_found(clis))
    assert (problems == []) is named
    assert all("`admins` does not name" in problem for problem in problems)


def test_a_quota_below_one_node_of_a_pool_is_missing_and_names_the_way_out(clis: Clis) -> None:
    _aws(clis, {**ENOUGH, GPUS: 0})
    (problem,) = missing(_found(clis))
    assert problem.startswith(f"quota `quota {GPUS}`: 0 vCPUs, and the nodes of `gpu` need 4")
    assert f"request-service-quota-increase --service-code ec2 --quota-code {GPUS}" in problem


def test_a_quota_below_the_most_nodes_is_noted(clis: Clis) -> None:
    _aws(clis, {**ENOUGH, GPUS: 8})
    found = _found(clis)
    assert missing(found) == []
    assert with_level(found, "the nodes of `gpu` can grow to 32; lower `max`") == "note"


def test_spot_nodes_count_to_the_quota_of_spot_ones(clis: Clis) -> None:
    pools = {
        "general": {"instanceTypes": ["m7i.xlarge"], "max": 1},
        "gpu": {
            "instanceTypes": ["g6.xlarge"],
            "gpu": True,
            "max": 2,
            "spot": True,
            "fallback": 1,
        },
    }
    _aws(clis, {**ENOUGH, SPOT_GPUS: 2, GPUS: 0})
    found = _found(clis, _settings(pools=pools))
    (problem,) = missing(found)
    assert f"quota {SPOT_GPUS}`: 2 vCPUs, and the nodes of `gpu` need 4" in problem
    # What stands in is not needed to begin with.
    assert with_level(found, f"quota {GPUS}`: 0 vCPUs") == "note"


def test_a_quota_that_may_not_be_read_is_unchecked(clis: Clis) -> None:
    _aws(clis, {**ENOUGH, SPOT: Refusal("An error occurred (AccessDeniedException): no", 254)})
    found = _found(clis)
    assert missing(found) == []
    assert "quota of the nodes of spare: `aws service-quotas get-service-quota`" in unchecked(found)
    assert "AccessDeniedException" in unchecked(found)


def test_a_zone_that_the_account_cannot_use_is_missing(clis: Clis) -> None:
    _aws(clis, ENOUGH)
    (problem,) = missing(_found(clis, _settings(zones=["a", "d"])))
    assert "`zones`: eu-central-1d cannot be used" in problem
    assert "eu-central-1a, eu-central-1b, eu-central-1c" in problem


def test_a_pool_whose_types_no_zone_has_is_missing(clis: Clis) -> None:
    pools = {
        "general": {"instanceTypes": ["m7i.xlarge"], "max": 1},
        "odd": {"instanceTypes": ["m8i.xlarge"], "max": 1},
    }
    _aws(clis, ENOUGH)
    (problem,) = missing(_found(clis, _settings(pools=pools)))
    assert "`pools.odd`: no zone of the stack has any of m8i.xlarge" in problem


def test_a_category_whose_quota_is_unknown_is_said_to_be_unchecked(clis: Clis) -> None:
    pools = {
        "general": {"instanceTypes": ["m7i.xlarge"], "max": 1},
        "odd": {"instanceTypes": ["gr6.4xlarge"], "max": 1, "gpu": True},
    }
    _aws(clis, ENOUGH)
    assert "which quota counts instances of `gr`" in unchecked(_found(clis, _settings(pools=pools)))


@pytest.mark.parametrize(
    ("today", "level"), [(date(2027, 3, 27), "ok"), (date(2027, 3, 28), "note")]
)
def test_a_version_says_until_when_it_has_support(clis: Clis, today: date, level: str) -> None:
    found = eks.findings(_settings(version="1.35"), clis.ask, today)
    assert with_level(found, "Kubernetes 1.35: standard support until 2027-03-27") == level
