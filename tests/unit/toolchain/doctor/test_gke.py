"""The executables print what https://cloud.google.com/sdk/gcloud/reference shows."""

from datetime import date
from functools import partial
from typing import Any, Final

import pytest

from infra.settings import GkeClusterSettings
from tests.unit.toolchain.doctor.clis import Clis, Refusal, missing, unchecked, with_level
from toolchain.doctor import asking, gke
from toolchain.doctor.finding import Finding

TODAY: Final = date(2026, 12, 1)
TOKEN: Final = "ya29.a-token-that-nobody-may-see"
POOLS: Final = {
    "main": {"machine": "e2-standard-4", "min": 2, "max": 10},
    "l4": {"machine": "g2-standard-8", "gpu": True, "max": 4},
    "batch": {"machine": "n2-standard-8", "spot": True, "max": 10, "fallback": 2},
}


def _settings(**more: object) -> GkeClusterSettings:
    return GkeClusterSettings.model_validate(
        {
            "kind": "gke",
            "project": "example-ml-prod",
            "region": "europe-west4",
            "zones": ["europe-west4-a", "europe-west4-b"],
            "mode": "standard",
            "pools": POOLS,
            **more,
        }
    )


def _quotas(**limits: tuple[float, float]) -> list[dict[str, Any]]:
    return [
        {"metric": metric, "usage": used, "limit": limit}
        for metric, (used, limit) in limits.items()
    ]


def _region(**limits: tuple[float, float]) -> dict[str, Any]:
    url = "https://www.googleapis.com/compute/v1/projects/example-ml-prod/zones"
    every = {
        "CPUS": (0.0, 200.0),
        "N2_CPUS": (0.0, 200.0),
        "PREEMPTIBLE_CPUS": (0.0, 0.0),
        "NVIDIA_L4_GPUS": (0.0, 8.0),
        "PREEMPTIBLE_NVIDIA_L4_GPUS": (0.0, 0.0),
        **limits,
    }
    return {
        "kind": "compute#region",
        "name": "europe-west4",
        "quotas": _quotas(**every),
        "status": "UP",
        "zones": [f"{url}/europe-west4-{zone}" for zone in "abc"],
    }


def _project(gpus: float) -> dict[str, Any]:
    return {"kind": "compute#project", "quotas": _quotas(GPUS_ALL_REGIONS=(0.0, gpus))}


def _gcloud(clis: Clis, **more: object) -> None:
    clis.add("gke-gcloud-auth-plugin")
    answers = {
        "auth application-default print-access-token": TOKEN,
        "auth list": [{"account": "someone@example.com", "status": "ACTIVE"}],
        "compute regions describe europe-west4": _region(),
        "compute project-info describe": _project(8),
    }
    by_word = {start.split()[1]: start for start in answers}
    clis.add("gcloud", {**answers, **{by_word[word]: value for word, value in more.items()}})


def _found(clis: Clis, settings: GkeClusterSettings | None = None) -> list[Finding]:
    return gke.findings(settings or _settings(), clis.ask, TODAY)


def test_with_everything_there_nothing_is_missing_and_no_token_is_shown(clis: Clis) -> None:
    _gcloud(clis)
    found = _found(clis)
    assert missing(found) == []
    assert TOKEN not in str(found)
    assert with_level(found, "region: europe-west4, zones europe-west4-a, europe-west4-b") == "ok"
    assert with_level(found, "pods 10.4.0.0/14") == "ok"
    assert with_level(found, "`CPUS`: 200 vCPUs; the nodes of `main` can grow to 40") == "ok"
    # No quota of spot nodes was granted: all 12 nodes of 8 count as others do.
    assert with_level(found, "`N2_CPUS`: 200 vCPUs; the nodes of `batch` can grow to 96") == "ok"
    assert with_level(found, "`NVIDIA_L4_GPUS`: 8 GPUs; the nodes of `l4` can grow to 4") == "ok"
    assert with_level(found, "`GPUS_ALL_REGIONS`: 8 GPUs") == "ok"


def test_without_the_clis_the_plug_in_alone_is_missing(clis: Clis) -> None:
    found = _found(clis)
    (problem,) = missing(found)
    assert problem.startswith("gke-gcloud-auth-plugin is not on PATH")
    assert with_level(found, "gcloud is not on PATH; nothing else") == "note"
    assert "credentials: gcloud is not on PATH" in unchecked(found)
    assert "quotas: gcloud is not on PATH" in unchecked(found)


def test_without_application_default_credentials_one_is_told_how(clis: Clis) -> None:
    text = "ERROR: (gcloud.auth) Your default credentials were not found."
    _gcloud(clis, **{"application-default": Refusal(text)})
    (problem,) = missing(_found(clis))
    assert "Your default credentials were not found" in problem
    assert "`gcloud auth application-default login`" in problem


def test_without_an_account_of_gcloud_itself_quotas_are_unchecked(clis: Clis) -> None:
    _gcloud(clis, list=[])
    found = _found(clis)
    assert missing(found) == []
    assert "`gcloud auth login`" in unchecked(found)


def test_a_cloud_that_does_not_answer_is_unchecked_and_not_missing(clis: Clis) -> None:
    clis.add("gke-gcloud-auth-plugin")
    clis.hang("gcloud")
    found = gke.findings(_settings(), partial(asking.run, patience=0.2), TODAY)
    assert missing(found) == []
    assert "did not answer within 0.2 s" in unchecked(found)


def test_a_quota_below_one_node_of_a_pool_is_missing_and_names_the_way_out(clis: Clis) -> None:
    _gcloud(clis, **{"project-info": _project(0)})
    (problem,) = missing(_found(clis))
    assert "`GPUS_ALL_REGIONS`: 0 GPUs, and the nodes of `l4` need 1 to begin" in problem
    assert "cloud.google.com/docs/quotas" in problem


def test_a_granted_quota_of_spot_nodes_is_theirs(clis: Clis) -> None:
    region = _region(PREEMPTIBLE_N2_CPUS=(0.0, 4.0))
    _gcloud(clis, regions=region)
    found = _found(clis)
    (problem,) = missing(found)
    assert "`PREEMPTIBLE_N2_CPUS`: 4 vCPUs, and the nodes of `batch` need 8" in problem
    assert with_level(found, "`N2_CPUS`: 200 vCPUs; the nodes of `batch` can grow to 16") == "ok"


@pytest.mark.parametrize(
    ("machine", "reason"),
    [
        ("c4-standard-8", "gcloud does not tell which one counts `c4-standard-8`"),
        ("e2-medium", "the name `e2-medium` does not say how many vCPUs"),
    ],
)
def test_a_quota_that_gcloud_does_not_tell_is_unchecked(
    clis: Clis, machine: str, reason: str
) -> None:
    _gcloud(clis)
    settings = _settings(pools={"main": {"machine": machine, "max": 1}})
    assert reason in unchecked(_found(clis, settings))


def test_a_zone_that_the_region_does_not_have_is_missing(clis: Clis) -> None:
    _gcloud(clis)
    (problem,) = missing(_found(clis, _settings(zones=["europe-west4-d"])))
    assert "`zones`: europe-west4 has no europe-west4-d" in problem
    assert "europe-west4-a, europe-west4-b, europe-west4-c" in problem


def test_a_region_that_may_not_be_read_is_unchecked(clis: Clis) -> None:
    _gcloud(clis, regions=Refusal("ERROR: (gcloud.compute.regions.describe) PERMISSION_DENIED"))
    found = _found(clis)
    assert missing(found) == []
    assert "region, zones and the quotas of the region" in unchecked(found)


def test_an_autopilot_cluster_has_no_nodes_to_judge(clis: Clis) -> None:
    _gcloud(clis)
    found = _found(clis, _settings(mode="autopilot", pools={}, zones=[]))
    assert missing(found) == []
    assert "quotas: Autopilot" in unchecked(found)


@pytest.mark.parametrize(
    ("more", "line"),
    [
        ({"version": "1.35"}, "ok: standard support until 2027-04-11"),
        (
            {"version": "1.34", "channel": "extended"},
            "ok: extended support until 2027-09-30",
        ),
        ({}, "ok: what the channel `regular` has"),
    ],
)
def test_a_version_says_until_when_it_has_support(
    clis: Clis, more: dict[str, object], line: str
) -> None:
    level, _, text = line.partition(": ")
    assert with_level(_found(clis, _settings(**more)), text) == level
