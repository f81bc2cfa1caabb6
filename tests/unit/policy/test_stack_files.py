"""The rules of the policy pack hold for the program of every stack file."""

from collections.abc import Mapping

import pytest

from slipway_policy.exemptions import EXEMPTIONS
from slipway_policy.rule import Resource
from slipway_policy.rules import RULES, broken
from slipway_policy.workloads import all_containers, chart_parts
from tests.unit import mocked_program

PATHS = (*mocked_program.STACK_FILES, *mocked_program.ON_DEMAND)
NAMES = [path.name for path in PATHS]


@pytest.fixture(name="recorded", scope="module")
def _recorded(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, list[Resource]]:
    """What the program registers, by stack file."""
    found = {}
    for path in PATHS:
        with pytest.MonkeyPatch.context() as monkeypatch:
            folder = tmp_path_factory.mktemp("project")
            program = mocked_program.run(path, folder, monkeypatch)
        found[path.name] = [
            Resource(resource.type, resource.name, resource.inputs)
            for resource in program.resources
        ]
    return found


@pytest.mark.parametrize("name", NAMES)
def test_no_resource_breaks_a_rule(name: str, recorded: Mapping[str, list[Resource]]) -> None:
    violations = [
        f"{rule.name}: {resource.type} {resource.name}: {violation}"
        for resource in recorded[name]
        for rule in RULES
        for violation in broken(rule, resource)
    ]
    assert violations == []


@pytest.mark.parametrize("name", NAMES)
def test_there_are_containers_to_look_at(name: str, recorded: Mapping[str, list[Resource]]) -> None:
    assert any(list(all_containers(resource)) for resource in recorded[name])
    assert any(list(chart_parts(resource)) for resource in recorded[name])


def test_every_exemption_is_still_needed(recorded: Mapping[str, list[Resource]]) -> None:
    checks = {rule.name: rule.check for rule in RULES}
    for exemption in EXEMPTIONS:
        if ":" in exemption.name:
            # What is rendered from a chart is not recorded: tests/engine/test_upstream_charts.py.
            continue
        assert any(
            list(checks[exemption.rule](resource))
            for resources in recorded.values()
            for resource in resources
            if (resource.type, resource.name) == (exemption.type, exemption.name)
        ), exemption


def test_every_exemption_is_from_a_rule_and_has_a_reason() -> None:
    for exemption in EXEMPTIONS:
        assert exemption.rule in {rule.name for rule in RULES}, exemption
        assert exemption.reason.strip(), exemption


def test_an_exemption_is_for_one_rule_and_one_resource() -> None:
    (limits,) = (rule for rule in RULES if rule.name == "containers-have-limits")
    (rights,) = (rule for rule in RULES if rule.name == "pods-have-no-rights-on-the-node")
    part = {"image": {"repository": "x"}, "securityContext": {"runAsUser": 0}, "resources": {}}
    chart = "kubernetes:helm.sh/v4:Chart"
    values = {"values": {"speaker": part}}
    assert list(broken(rights, Resource(chart, "metallb", values))) == []
    assert list(broken(limits, Resource(chart, "metallb", values)))
    assert list(broken(rights, Resource(chart, "metallb-2", values)))
