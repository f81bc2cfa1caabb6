"""A stack obtains what its parts need, and nothing for parts that it does not have."""

from typing import Any

import pytest

from infra.settings import Settings, parse, read_stack_file
from toolchain import catalog, env, local_cluster, parts, programs
from toolchain.local_cluster import Brings
from toolchain.project import LOCAL_STACK, stack_file
from toolchain.stack import needed


def _settings(gateway: dict[str, Any]) -> Settings:
    return parse({"cluster": {"kind": "local"}, "platform": {"gateway": gateway}})


def _names(gateway: dict[str, Any], brings: Brings) -> set[str]:
    settings = _settings(gateway)
    return {*parts.manifests(settings, brings), *parts.images(settings, brings)}


UPSTREAM, K3S = local_cluster.brings("upstream"), local_cluster.brings("k3s")


@pytest.mark.parametrize(
    ("gateway", "brings", "without"),
    [
        ({}, UPSTREAM, set()),
        ({}, K3S, {"metallb"}),
        ({"class": "cloud"}, UPSTREAM, {"traefik"}),
        (
            {"host": "models.example.com", "tls": {"issuer": {"clusterIssuer": "company"}}},
            UPSTREAM,
            {"cert-manager"},
        ),
    ],
)
def test_a_stack_needs_what_its_parts_are_made_of(
    gateway: dict[str, Any], brings: Brings, without: set[str]
) -> None:
    found = _names(gateway, brings)
    for name in ("traefik", "cert-manager", "metallb"):
        expected = name not in without
        assert (name in found) is expected, name
        if name != "traefik":
            assert (f"{name}-chart" in found) is expected, name
            assert (f"{name}-crds" in found) is expected, name


@pytest.mark.parametrize(
    ("monitoring", "expected"),
    [
        ({}, False),
        ({"enabled": True}, True),
        ({"enabled": True, "stack": {"charts": "file:charts"}}, False),
    ],
)
def test_only_a_builtin_prometheus_is_obtained(monitoring: dict[str, Any], expected: bool) -> None:
    raw = {"cluster": {"kind": "local"}, "platform": {"monitoring": monitoring}}
    found = set(parts.images(parse(raw), UPSTREAM))
    assert ({"prometheus", "kube-state-metrics"} <= found) is expected


def test_external_secrets_is_obtained_for_a_stack_with_a_store_alone() -> None:
    store = {"kind": "gcp", "project": "ml"}
    wanted = {"external-secrets", "external-secrets-chart", "external-secrets-crds"}
    for stores, expected in (({"main": store}, wanted), ({}, set())):
        secrets = {"secrets": {"stores": stores}}
        settings = parse({"cluster": {"kind": "local"}, "platform": secrets})
        found = {*parts.manifests(settings, UPSTREAM), *parts.images(settings, UPSTREAM)}
        assert found & wanted == expected


def test_every_program_of_a_part_is_in_the_catalog() -> None:
    known = {program.name for program in catalog.ALL} | set(programs.SYSTEM)
    assert set(parts.every()) <= known


def test_the_tests_obtain_every_pinned_program_but_other_distributions() -> None:
    obtained = {*env.TOOLS, *parts.every(), *programs.UPSTREAM, *programs.PEERS}
    assert {program.name for program in catalog.ALL} - obtained == {"k3s"}


def test_no_stack_needs_what_only_tests_run() -> None:
    stack = stack_file(LOCAL_STACK)
    wanted = needed(read_stack_file(stack, check_files=False))
    assert not {*programs.PEERS} & {*wanted, *programs.UPSTREAM}


def _of_a_model(scaling: Any) -> set[str]:
    model = {"team": "vision", "format": "onnx", "uri": "file:digits.onnx"}
    raw = {
        "cluster": {"kind": "local"},
        "platform": {"monitoring": {"enabled": True}},
        "teams": {"vision": {}},
        "models": {"digits": {**model, **({"scaling": scaling} if scaling else {})}},
    }
    settings = parse(raw)
    return {*parts.manifests(settings, UPSTREAM), *parts.images(settings, UPSTREAM)}


@pytest.mark.parametrize(
    ("scaling", "keda", "holding"),
    [
        (None, False, False),
        ({"max": 3}, False, False),
        ({"max": 3, "requestsPerSecond": 20}, True, False),
        ({"min": 0, "max": 3}, True, True),
    ],
)
def test_keda_is_obtained_for_models_that_follow_more_than_cpu(
    scaling: Any, keda: bool, holding: bool
) -> None:
    found = _of_a_model(scaling)
    assert ({"keda", "keda-crds"} <= found) is keda
    assert ({"keda-http-add-on", "keda-http-crds"} <= found) is holding
