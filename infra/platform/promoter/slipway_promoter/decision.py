"""Whether a canary gets more requests, keeps what it has, or loses them: pure functions."""

import hashlib
import json
from dataclasses import asdict, dataclass, replace
from typing import Any, Final, Self

PROGRESSING: Final = "Progressing"
PROMOTED: Final = "Promoted"
ROLLED_BACK: Final = "RolledBack"
_PHASES: Final = (PROGRESSING, PROMOTED, ROLLED_BACK)

LONGEST_LOOK_SECONDS: Final = 24 * 3600
"""A step that waits for requests longer is judged by its last day."""

_KEY_DIGITS: Final = 12


@dataclass(frozen=True)
class Plan:
    """How a canary is promoted, as the stack file says.

    Attributes:
        key: Tells one plan from another: of another canary, or with other bounds.
        steps: Percents of the requests that it answers, one after the other; the last is 100.
        interval_seconds: How long each step lasts at least.
        requests: Requests that it must have answered in a step before the next one.
        error_ratio: Share of its requests that may fail.
        latency_seconds: What 99 of 100 of its requests stay below.
    """

    key: str
    steps: tuple[int, ...]
    interval_seconds: int
    requests: int
    error_ratio: float
    latency_seconds: float

    @classmethod
    def read(cls, text: str) -> Self:
        """Return the plan of an annotation.

        Raises:
            ValueError: It is none.
        """
        try:
            found = json.loads(text)
            plan = cls(
                key=hashlib.sha256(text.encode()).hexdigest()[:_KEY_DIGITS],
                steps=tuple(int(step) for step in found["steps"]),
                interval_seconds=int(found["intervalSeconds"]),
                requests=int(found["requests"]),
                error_ratio=float(found["errorRatio"]),
                latency_seconds=float(found["latencySeconds"]),
            )
        except (TypeError, KeyError, ValueError) as error:
            raise ValueError(f"not a plan: {error!r}") from None
        # A slip of somebody who edits a route must not stop the other promotions.
        if not plan.steps or not all(0 < step <= 100 for step in plan.steps):
            raise ValueError(f"not a plan: its steps are {plan.steps}")
        return plan


@dataclass(frozen=True)
class State:
    """How far a promotion is. It is kept with the route, so that a restart loses nothing.

    Attributes:
        plan: Key of the plan that it follows.
        phase: One of `Progressing`, `Promoted` and `RolledBack`.
        weight: Percent of the requests that the canary answers.
        since: When it got that weight, in seconds since 1970.
    """

    plan: str
    phase: str
    weight: int
    since: int

    @classmethod
    def read(cls, text: str | None) -> Self | None:
        """Return the state of an annotation; `None` where it is not one of ours."""
        try:
            found: Any = json.loads(text or "null")
            state = cls(
                str(found["plan"]), str(found["phase"]), int(found["weight"]), int(found["since"])
            )
        except (TypeError, KeyError, ValueError):
            return None
        return state if state.phase in _PHASES else None

    def written(self) -> str:
        """Return the text of its annotation."""
        return json.dumps(asdict(self), sort_keys=True)


@dataclass(frozen=True)
class Seen:
    """What Prometheus saw since the last step.

    Attributes:
        requests: Requests that the canary's pods answered.
        errors: Those of them that ended with a status of 500 or above.
        unanswered: Requests to the model that ended so, and that no pod of any version took.
        p99_seconds: What 99 of 100 of the canary's requests stayed below; `None` without any.
    """

    requests: float
    errors: float
    unanswered: float
    p99_seconds: float | None


@dataclass(frozen=True)
class Event:
    """What is told of a promotion.

    Attributes:
        reason: One word, for machines.
        message: One sentence, for people.
        is_warning: Whether somebody should look.
    """

    reason: str
    message: str
    is_warning: bool = False


def follows(plan: Plan, state: State | None) -> bool:
    """Return whether a promotion is of this plan, and not of a canary before."""
    return state is not None and state.plan == plan.key


def is_judged(state: State, now: int, sample_seconds: int) -> bool:
    """Return whether a step is to be looked at; one that has ended never is.

    Args:
        state: How far a promotion is.
        now: Seconds since 1970.
        sample_seconds: How often Prometheus samples; an increase takes two of them.
    """
    return state.phase == PROGRESSING and now - state.since >= 2 * sample_seconds


def start(plan: Plan, now: int) -> tuple[State, Event]:
    """Return the first step of a plan: there is nothing to judge a canary by before."""
    weight = plan.steps[0]
    return (
        State(plan.key, PROGRESSING, weight, now),
        Event("CanaryStarted", f"the canary answers {weight} % of the requests"),
    )


def decide(plan: Plan, state: State, seen: Seen, now: int) -> tuple[State, Event | None]:
    """Return what becomes of a step that is judged.

    Args:
        plan: How the canary is promoted.
        state: How far it is; a step of this plan.
        seen: What was seen since it began.
        now: Seconds since 1970.

    Returns:
        The next state, and what is told of it; the same state and nothing while it goes on.
    """
    trouble = _trouble(plan, seen)
    if trouble:
        message = f"{trouble}; the canary answers none, until it is changed"
        return (
            replace(state, phase=ROLLED_BACK, weight=0, since=now),
            Event("CanaryRolledBack", message, is_warning=True),
        )
    if now - state.since < plan.interval_seconds or seen.requests < plan.requests:
        return state, None
    further = [step for step in plan.steps if step > state.weight]
    if not further:
        message = "the canary answers all requests: let its `uri` be the model's, and end `canary`"
        return replace(state, phase=PROMOTED, since=now), Event("CanaryPromoted", message)
    weight = further[0]
    return (
        replace(state, weight=weight, since=now),
        Event("CanaryAdvanced", f"the canary answers {weight} % of the requests"),
    )


def _trouble(plan: Plan, seen: Seen) -> str | None:
    """Return why a canary does not hold.

    Errors count before there are enough requests, once so many have failed that the rest of those
    cannot make up for them.
    """
    failed = seen.errors + seen.unanswered
    asked = seen.requests + seen.unanswered
    if failed > plan.error_ratio * max(asked, plan.requests):
        return f"{failed:.0f} of {asked:.0f} requests failed"
    enough = seen.requests >= plan.requests
    if enough and seen.p99_seconds is not None and seen.p99_seconds > plan.latency_seconds:
        return f"1 request in 100 takes {seen.p99_seconds:.3g} s or longer"
    return None
