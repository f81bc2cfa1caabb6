"""What the shared platform promises as a whole."""

from pathlib import Path

import pytest

from infra.platform.namespace import SYSTEM
from infra.settings.types import RESERVED_NAMESPACES
from tests.unit import mocked_program
from tests.unit.mocked_program import Program


@pytest.fixture(name="program")
def _program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Program:
    return mocked_program.run(mocked_program.LOCAL_STACK_FILE, tmp_path, monkeypatch)


def test_a_stack_of_before_keeps_the_namespace_that_was_the_gateways(program: Program) -> None:
    [namespace] = [item for item in program.resources if item.name == SYSTEM]
    assert namespace.parent.endswith("slipway:platform:Platform::platform")
    [former] = namespace.former_parents
    assert former.endswith("slipway:platform:Platform$slipway:platform:Gateway::gateway")


def test_no_team_can_take_a_namespace_of_the_platform(program: Program) -> None:
    namespaces = {
        item.inputs["metadata"]["name"]
        for item in program.of_type("kubernetes:core/v1:Namespace")
        if "slipway.local/team" not in item.inputs["metadata"]["labels"]
    }
    assert namespaces
    assert namespaces <= RESERVED_NAMESPACES
