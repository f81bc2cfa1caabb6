"""When a canary gets more requests, keeps what it has, and loses them."""

import json
from dataclasses import replace

import pytest

from slipway_promoter import decision
from slipway_promoter.decision import PROGRESSING, PROMOTED, ROLLED_BACK, Plan, Seen, State

PLAN = Plan("0123", (5, 50, 100), 300, 100, error_ratio=0.01, latency_seconds=0.5)
FIRST = State("0123", PROGRESSING, 5, since=1000)
GOOD = Seen(requests=200, errors=0, unanswered=0, p99_seconds=0.1)
LATER = 1300


def test_a_promotion_begins_with_the_first_step() -> None:
    state, event = decision.start(PLAN, 1000)
    assert state == FIRST
    assert (event.reason, event.is_warning) == ("CanaryStarted", False)


def test_a_canary_that_holds_gets_the_next_step_after_the_interval() -> None:
    state, event = decision.decide(PLAN, FIRST, GOOD, LATER)
    assert state == replace(FIRST, weight=50, since=LATER)
    assert event is not None
    assert event.reason == "CanaryAdvanced"


def test_nothing_moves_before_the_interval_is_over() -> None:
    assert decision.decide(PLAN, FIRST, GOOD, LATER - 1) == (FIRST, None)


def test_nothing_moves_without_enough_requests_however_long_it_takes() -> None:
    few = replace(GOOD, requests=99)
    assert decision.decide(PLAN, FIRST, few, 10**6) == (FIRST, None)
    none = Seen(0, 0, 0, None)
    assert decision.decide(PLAN, FIRST, none, 10**6) == (FIRST, None)


@pytest.mark.parametrize(
    "seen",
    [
        replace(GOOD, errors=3),
        # At any step, and before the interval is over.
        replace(GOOD, unanswered=3),
        replace(GOOD, p99_seconds=0.51),
        # Two of a hundred are too many already, whatever becomes of the other ninety.
        Seen(requests=10, errors=2, unanswered=0, p99_seconds=0.1),
        Seen(requests=0, errors=0, unanswered=2, p99_seconds=None),
    ],
)
def test_a_canary_that_does_not_hold_gets_no_requests(seen: Seen) -> None:
    state, event = decision.decide(PLAN, FIRST, seen, 1060)
    assert state == State("0123", ROLLED_BACK, 0, since=1060)
    assert event is not None
    assert (event.reason, event.is_warning) == ("CanaryRolledBack", True)


def test_errors_within_the_bound_do_not_hold_it_back() -> None:
    state, _ = decision.decide(PLAN, FIRST, replace(GOOD, errors=2), LATER)
    assert state.weight == 50
    few = Seen(requests=10, errors=1, unanswered=0, p99_seconds=0.1)
    assert decision.decide(PLAN, FIRST, few, LATER) == (FIRST, None)


def test_a_few_slow_requests_say_nothing_yet() -> None:
    slow = Seen(requests=10, errors=0, unanswered=0, p99_seconds=9.0)
    assert decision.decide(PLAN, FIRST, slow, LATER) == (FIRST, None)


def test_a_canary_that_holds_with_all_requests_is_promoted_and_stays() -> None:
    last = replace(FIRST, weight=100)
    state, event = decision.decide(PLAN, last, GOOD, LATER)
    assert (state.phase, state.weight) == (PROMOTED, 100)
    assert event is not None
    assert event.reason == "CanaryPromoted"
    assert not decision.is_judged(state, 10**6, 15)


def test_a_canary_that_was_rolled_back_is_not_judged_again() -> None:
    assert not decision.is_judged(replace(FIRST, phase=ROLLED_BACK, weight=0), 10**6, 15)


def test_a_step_is_judged_once_there_can_be_two_samples() -> None:
    assert not decision.is_judged(FIRST, FIRST.since + 29, 15)
    assert decision.is_judged(FIRST, FIRST.since + 30, 15)


def _text(**changes: object) -> str:
    plan = {"steps": [5, 100], "intervalSeconds": 60, "requests": 1, "version": "a"}
    return json.dumps({**plan, "errorRatio": 0.01, "latencySeconds": 1, **changes})


def test_another_version_or_bound_is_another_plan_which_starts_over() -> None:
    plan = Plan.read(_text())
    state, _ = decision.start(plan, 1000)
    assert decision.follows(Plan.read(_text()), state)
    assert not decision.follows(Plan.read(_text(version="b")), state)
    assert not decision.follows(Plan.read(_text(errorRatio=0.02)), state)


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", "null", _text(steps=[]), _text(steps=[0, 101]), _text(requests=None)]
)
def test_what_is_no_plan_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a plan"):
        Plan.read(text)


def test_a_state_is_read_as_it_was_written() -> None:
    assert State.read(FIRST.written()) == FIRST


@pytest.mark.parametrize("text", [None, "", "[]", "{}", '{"plan": 1}'])
def test_what_is_no_state_is_none(text: str | None) -> None:
    assert State.read(text) is None
