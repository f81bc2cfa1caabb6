"""One look at every route, and what follows from it."""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from slipway_promoter import decision, queries, routes
from slipway_promoter.clients import Kubernetes, Prometheus, RequestError
from slipway_promoter.decision import Event, Plan, State

_LOG: Final = logging.getLogger("slipway_promoter")


@dataclass(frozen=True)
class Controller:
    """Moves the canaries of some namespaces.

    Attributes:
        kubernetes: The API server.
        prometheus: Prometheus.
        namespaces: Where routes of models are.
        sample_seconds: How often Prometheus samples.
        clock: Returns the seconds since 1970.
    """

    kubernetes: Kubernetes
    prometheus: Prometheus
    namespaces: Sequence[str]
    sample_seconds: int
    clock: Callable[[], float] = time.time

    def look(self) -> bool:
        """Look at every route once; return whether the API server told them all."""
        told = True
        for namespace in self.namespaces:
            try:
                found = self.kubernetes.routes(namespace)
            except RequestError as error:
                _LOG.warning("%s", error)
                told = False
                continue
            for route in found:
                self._tend(route)
        return told

    def _tend(self, route: Mapping[str, Any]) -> None:
        """Look at one route; what is in the way of it is tried again with the next look."""
        try:
            plan = routes.plan(route)
            if plan is not None:
                self._promote(route, plan)
            elif routes.has_state(route):
                self.kubernetes.apply(routes.released(route))
        except (RequestError, ValueError) as error:
            _LOG.warning("%s/%s: %s", routes.namespace(route), routes.name(route), error)

    def _promote(self, route: Mapping[str, Any], plan: Plan) -> None:
        before = routes.state(route)
        after, event = self._next(route, plan, before)
        # An update of the stack writes the weights that a promotion starts with.
        if after != before or not routes.is_shared(route, after.weight):
            self.kubernetes.apply(routes.shifted(route, after))
        if event is not None:
            self._tell(route, event)

    def _next(
        self, route: Mapping[str, Any], plan: Plan, state: State | None
    ) -> tuple[State, Event | None]:
        now = int(self.clock())
        if state is None or not decision.follows(plan, state):
            return decision.start(plan, now)
        if not decision.is_judged(state, now, self.sample_seconds):
            return state, None
        try:
            seen = queries.seen(
                self.prometheus.value,
                routes.namespace(route),
                routes.name(route),
                routes.canary(route),
                min(now - state.since, decision.LONGEST_LOOK_SECONDS),
            )
        except RequestError as error:
            # Nobody knows how the canary does: it keeps what it has.
            _LOG.warning("%s", error)
            return state, None
        return decision.decide(plan, state, seen, now)

    def _tell(self, route: Mapping[str, Any], event: Event) -> None:
        where = f"{routes.namespace(route)}/{routes.name(route)}"
        _LOG.info("%s: %s: %s", where, event.reason, event.message)
        moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self.clock()))
        self.kubernetes.record(route, event, moment)
