"""What the engine says of an update is read as it means it."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.engine.plain_stack import STACK, PlainStack
from toolchain.errors import SlipwayError
from toolchain.previews import guard, model
from toolchain.previews.model import ChangeSet, Field

pytestmark = pytest.mark.engine

BEFORE = """\
thing("changed", {"size": 1, "token": pulumi.Output.secret("hunter1")})
thing("later", {"fixed": 1})
thing("sooner", {"fixed": 1, "first": True})
thing("held", {"fixed": 1}, protect=True)
thing("gone", {"size": 1}, "core/v1:Namespace", protect=True)
thing("kept", {"size": 1}, retain_on_delete=True)
pulumi.export("token", pulumi.Output.secret("hunter1"))
"""
AFTER = """\
pulumi.ComponentResource("slipway:test:Part", "part")
thing("changed", {"size": 2, "token": pulumi.Output.secret("hunter2")})
thing("later", {"fixed": 2})
thing("sooner", {"fixed": 2, "first": True})
thing("held", {"fixed": 2}, protect=True)
thing("new", {"token": pulumi.Output.secret("hunter3")})
pulumi.export("token", pulumi.Output.secret("hunter2"))
"""


def _deployed(folder: Path) -> PlainStack:
    stack = PlainStack(folder)
    stack.program(BEFORE)
    stack.up()
    return stack


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> PlainStack:
    """A stack for tests that only look at what an update would do."""
    return _deployed(tmp_path_factory.mktemp("shared"))


@pytest.fixture
def own_stack(tmp_path: Path) -> PlainStack:
    """A stack for tests that update it."""
    return _deployed(tmp_path)


def planned(stack: PlainStack, body: str) -> ChangeSet:
    stack.program(body)
    return model.parse(STACK, stack.engine().planned([]))


def test_every_change_of_an_update_is_seen_and_none_that_is_none(stack: PlainStack) -> None:
    changes = planned(stack, AFTER)
    assert {change.name: change.operation for change in changes.changes} == {
        "changed": "update",
        "later": "replace",
        "sooner": "replace",
        "held": "replace",
        "gone": "delete",
        "kept": "forget",
        "new": "create",
    }
    assert planned(stack, BEFORE).changes == ()


def test_the_order_of_a_replacement_is_seen(stack: PlainStack) -> None:
    found = {change.name: change for change in planned(stack, AFTER).changes}
    assert found["sooner"].deletes_first
    assert not found["later"].deletes_first
    assert found["later"].reasons == ("fixed",)
    assert found["later"].fields == (Field("fixed", 1, 2),)


def test_no_secret_is_in_what_the_engine_says(stack: PlainStack) -> None:
    stack.program(AFTER)
    digest = stack.engine().planned([])
    assert "hunter" not in json.dumps(digest)
    changed = next(c for c in model.parse(STACK, digest).changes if c.name == "changed")
    assert changed.fields == (
        Field("size", 1, 2),
        Field("token", model.SECRET, model.SECRET),
    )


def test_what_is_protected_is_judged_by_the_guard_and_no_error_of_the_engine(
    stack: PlainStack,
) -> None:
    changes = planned(stack, AFTER)
    assert changes.errors == []
    blocked = guard.judge(changes, ()).blocked
    assert sorted(one.change.name for one in blocked) == ["gone", "held"]
    assert guard.judge(changes, ("gone", "held")).blocked == ()


def test_an_update_destroys_what_is_protected_only_with_an_approval(
    own_stack: PlainStack,
) -> None:
    own_stack.program(AFTER)
    with pytest.raises(SlipwayError):
        own_stack.up("gone")
    told = "approved: kubernetes:core/v1:Namespace gone is no longer protected"
    assert told in own_stack.lines
    own_stack.up("gone", "held")
    assert planned(own_stack, AFTER).changes == ()
    # The approval was for once.
    (held,) = (one for one in planned(own_stack, "").changes if one.name == "held")
    assert held.protected


def test_a_program_that_fails_is_an_error_with_its_reason(stack: PlainStack) -> None:
    changes = planned(stack, 'raise pulumi.RunError("there is no such model")\n')
    assert "there is no such model" in "\n".join(problem.text for problem in changes.errors)


def test_an_engine_that_cannot_start_its_preview_is_one_error(stack: PlainStack) -> None:
    engine = stack.engine({"PULUMI_CONFIG_PASSPHRASE": "another"})
    with pytest.raises(SlipwayError, match="pulumi preview failed"):
        engine.planned([])


def test_the_first_preview_of_a_stack_needs_nothing_that_it_makes(tmp_path: Path) -> None:
    stack = PlainStack(tmp_path)
    changes = planned(stack, 'one = thing("one", {})\nthing("two", {"of": one.id})\n')
    assert [change.operation for change in changes.changes] == ["create", "create"]
    assert changes.changes[1].new == {"of": model.UNKNOWN}


DRIFTING = """\
thing("resized", {"size": 1, "token": pulumi.Output.secret("hunter1")})
thing("gone", {"size": 1}, "core/v1:Namespace")
thing("same", {"size": 1})
thing("told", {"size": 1, "shape": "a"}, ignore_changes=["size"])
"""


def drifted(stack: PlainStack, seen: dict[str, Any]) -> ChangeSet:
    engine = stack.engine({"PLAIN_PLUGIN_DRIFT": json.dumps(seen)})
    return model.parse(STACK, engine.drifted([]))


@pytest.fixture(scope="module")
def drifting(tmp_path_factory: pytest.TempPathFactory) -> PlainStack:
    stack = PlainStack(tmp_path_factory.mktemp("drifting"))
    stack.program(DRIFTING)
    stack.up()
    return stack


def test_what_was_changed_outside_is_seen_with_both_values(drifting: PlainStack) -> None:
    found = drifted(drifting, {"resized": {"size": 7}, "gone": None})
    assert {change.name: change.operation for change in found.changes} == {
        "resized": "update",
        "gone": "delete",
    }
    (resized,) = found.of("update")
    assert resized.fields == (Field("size", 1, 7),)
    assert "hunter" not in repr(found)


def test_a_stack_that_is_as_it_was_made_has_no_drift(drifting: PlainStack) -> None:
    assert drifted(drifting, {}).changes == ()


def test_looking_for_drift_leaves_the_state_as_it_is(drifting: PlainStack) -> None:
    drifted(drifting, {"resized": {"size": 7}, "gone": None})
    assert planned(drifting, DRIFTING).changes == ()


def test_what_the_program_leaves_to_others_is_no_drift(drifting: PlainStack) -> None:
    assert drifted(drifting, {"told": {"size": 9}}).changes == ()
    assert drifted(drifting, {"told": {"shape": "b"}}).changes != ()
