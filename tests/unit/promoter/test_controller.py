"""What the promoter of canaries does to routes, against stand-ins for its two servers."""

import copy
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from apps.serving import promotion
from slipway_promoter import routes
from slipway_promoter.clients import Kubernetes, Prometheus
from slipway_promoter.controller import Controller
from slipway_promoter.decision import PROGRESSING, PROMOTED, ROLLED_BACK, State

PLAN = {
    "version": "a",
    "steps": [5, 100],
    "intervalSeconds": 60,
    "requests": 10,
    "errorRatio": 0.01,
    "latencySeconds": 1,
}
ALONE = {"backendRefs": [{"name": "digits-canary", "port": 80, "weight": 1}]}


def _shared(weight: int) -> dict[str, Any]:
    return {
        "filters": [{"type": "URLRewrite"}],
        "backendRefs": [
            {"name": "digits", "port": 80, "weight": 100 - weight},
            {"name": "digits-canary", "port": 80, "weight": weight},
        ],
    }


def _route(plan: Any = PLAN, state: State | None = None, weight: int = 0) -> dict[str, Any]:
    annotations = {"pulumi.com/patchForce": "true"}
    if plan is not None:
        annotations[routes.PLAN] = json.dumps(plan)
    if state is not None:
        annotations[routes.STATE] = state.written()
    return {
        "metadata": {
            "name": "digits",
            "namespace": "vision",
            "uid": "7",
            "resourceVersion": "41",
            "annotations": annotations,
        },
        "spec": {"parentRefs": [{"name": "gateway"}], "rules": [ALONE, _shared(weight)]},
    }


@dataclass
class Servers:
    """Both servers as one.

    Attributes:
        routes: What the API server lists, by namespace.
        values: What Prometheus answers, by a word of the query; nothing else has a value.
        status: What the API server answers to a write.
        is_blind: Whether Prometheus answers with an error.
        applied: Routes that were applied.
        told: Events.
        queries: How they were applied.
    """

    routes: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    values: dict[str, str] = field(default_factory=dict)
    status: int = 200
    is_blind: bool = False
    applied: list[dict[str, Any]] = field(default_factory=list)
    told: list[dict[str, Any]] = field(default_factory=list)
    queries: list[dict[str, list[str]]] = field(default_factory=list)
    address: str = ""

    def read(self, path: str, query: dict[str, list[str]]) -> tuple[int, Any]:
        if path == "/api/v1/query":
            values = [text for word, text in self.values.items() if word in query["query"][0]]
            result = [{"value": [0, text]} for text in values[:1]]
            return 500 if self.is_blind else 200, {"data": {"result": result}}
        _, _, below = path.partition("/namespaces/")
        namespace, _, kind = below.partition("/")
        assert kind == "httproutes"
        return 200, {"items": self.routes.get(namespace, [])}

    def write(self, path: str, query: dict[str, list[str]], body: dict[str, Any]) -> int:
        if path.endswith("/events"):
            self.told.append(body)
        else:
            assert path.endswith("/namespaces/vision/httproutes/digits")
            self.queries.append(query)
            self.applied.append(body)
        return self.status


@pytest.fixture(name="servers")
def _servers() -> Iterator[Servers]:
    servers = Servers()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            self._answer(*servers.read(parts.path, parse_qs(parts.query)))

        def _write(self) -> None:
            parts = urlsplit(self.path)
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            assert self.headers["Authorization"] == "Bearer secret"
            self._answer(servers.write(parts.path, parse_qs(parts.query), body), {})

        do_POST = do_PATCH = _write  # noqa: N815 - the library's names

        def _answer(self, status: int, body: Any) -> None:
            data = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        servers.address = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield servers
        server.shutdown()
        thread.join()


def _look(servers: Servers, folder: Path, *found: dict[str, Any], now: int = 2000) -> None:
    (folder / "token").write_text("secret\n")
    servers.routes = {"vision": list(found)}
    controller = Controller(
        Kubernetes(servers.address, folder),
        Prometheus(servers.address),
        ["vision"],
        sample_seconds=15,
        clock=lambda: now,
    )
    assert controller.look()


def _state(phase: str = PROGRESSING, weight: int = 5, since: int = 1900) -> State:
    plan = routes.plan(_route())
    assert plan is not None
    return State(plan.key, phase, weight, since)


def _applied(servers: Servers) -> tuple[State | None, list[Any]]:
    """Return the state and the rules of the one route that was applied."""
    (body,) = servers.applied
    return routes.state(body), body["spec"]["rules"]


HOLDING = {"_bucket": "0.1", 'backend="vision-digits-canary"}[': "50"}
FAILING = {'backend="vision-digits-canary",code': "5", **HOLDING}


def test_the_stack_and_the_promoter_mean_the_same_annotation() -> None:
    assert promotion.PLAN == routes.PLAN


def test_a_new_canary_gets_the_first_step(servers: Servers, tmp_path: Path) -> None:
    _look(servers, tmp_path, _route())
    state, rules = _applied(servers)
    assert state == _state(since=2000)
    assert rules == [ALONE, _shared(5)]
    assert [(event["reason"], event["type"]) for event in servers.told] == [
        ("CanaryStarted", "Normal")
    ]
    assert servers.told[0]["involvedObject"]["uid"] == "7"


def test_what_is_applied_holds_the_rules_our_annotation_and_nothing_else(
    servers: Servers, tmp_path: Path
) -> None:
    _look(servers, tmp_path, _route())
    (body,) = servers.applied
    assert set(body["spec"]) == {"rules"}
    assert set(body["metadata"]["annotations"]) == {routes.STATE}
    # Nobody's change in between is undone.
    assert body["metadata"]["resourceVersion"] == "41"
    assert servers.queries == [{"fieldManager": ["slipway-promoter"], "force": ["true"]}]


def test_a_canary_that_holds_gets_the_next_step(servers: Servers, tmp_path: Path) -> None:
    servers.values = HOLDING
    _look(servers, tmp_path, _route(state=_state(), weight=5))
    state, rules = _applied(servers)
    assert state == _state(weight=100, since=2000)
    assert rules[1] == _shared(100)


def test_a_canary_that_fails_gets_nothing(servers: Servers, tmp_path: Path) -> None:
    servers.values = FAILING
    _look(servers, tmp_path, _route(state=_state(), weight=5))
    state, rules = _applied(servers)
    assert state == _state(ROLLED_BACK, 0, 2000)
    assert rules[1] == _shared(0)
    assert [event["type"] for event in servers.told] == ["Warning"]


def test_a_canary_without_pods_fails_though_nothing_counts_its_requests(
    servers: Servers, tmp_path: Path
) -> None:
    servers.values = {"router_requests": "7"}
    _look(servers, tmp_path, _route(state=_state(), weight=5))
    state, _ = _applied(servers)
    assert state is not None
    assert state.phase == ROLLED_BACK


def test_errors_of_the_models_own_version_are_not_the_canarys(
    servers: Servers, tmp_path: Path
) -> None:
    servers.values = {
        "router_requests": "7",
        'backend="vision-digits",code': "7",
        **HOLDING,
    }
    _look(servers, tmp_path, _route(state=_state(), weight=5))
    state, _ = _applied(servers)
    assert state == _state(weight=100, since=2000)


def test_without_an_answer_of_prometheus_nothing_moves(servers: Servers, tmp_path: Path) -> None:
    servers.is_blind = True
    _look(servers, tmp_path, _route(state=_state(), weight=5))
    assert servers.applied == servers.told == []


@pytest.mark.parametrize(("phase", "weight"), [(PROGRESSING, 5), (PROMOTED, 100), (ROLLED_BACK, 0)])
def test_an_update_of_the_stack_does_not_move_a_canary(
    servers: Servers, tmp_path: Path, phase: str, weight: int
) -> None:
    state = _state(phase, weight, since=1990)
    overwritten = _shared(50)
    route = _route(state=state)
    route["spec"]["rules"][1] = overwritten
    _look(servers, tmp_path, route)
    assert _applied(servers) == (state, [ALONE, _shared(weight)])
    assert servers.told == []


@pytest.mark.parametrize(("phase", "weight"), [(PROMOTED, 100), (ROLLED_BACK, 0)])
def test_a_promotion_that_has_ended_stays_so_after_a_restart(
    servers: Servers, tmp_path: Path, phase: str, weight: int
) -> None:
    servers.values = FAILING if phase == PROMOTED else HOLDING
    _look(servers, tmp_path, _route(state=_state(phase, weight, since=0), weight=weight))
    assert servers.applied == servers.told == []


def test_another_canary_starts_over(servers: Servers, tmp_path: Path) -> None:
    changed = {**PLAN, "version": "b"}
    _look(servers, tmp_path, _route(changed, _state(ROLLED_BACK, 0)))
    state, rules = _applied(servers)
    assert state is not None
    assert (state.phase, state.weight) == (PROGRESSING, 5)
    assert rules[1] == _shared(5)


def test_a_route_that_nothing_promotes_any_more_keeps_its_rules_and_loses_our_state(
    servers: Servers, tmp_path: Path
) -> None:
    _look(servers, tmp_path, _route(None, _state(weight=100), weight=30))
    assert _applied(servers) == (None, [ALONE, _shared(30)])


def test_other_routes_are_left_alone(servers: Servers, tmp_path: Path) -> None:
    _look(servers, tmp_path, _route(None))
    assert servers.applied == servers.told == []


def test_a_route_that_changed_meanwhile_is_left_for_the_next_look(
    servers: Servers, tmp_path: Path
) -> None:
    servers.status = 409
    _look(servers, tmp_path, _route())
    assert servers.told == []


def test_what_a_team_writes_to_its_routes_stops_no_other(servers: Servers, tmp_path: Path) -> None:
    broken = copy.deepcopy(_route())
    broken["metadata"]["annotations"][routes.PLAN] = '{"steps": []}'
    _look(servers, tmp_path, broken, _route())
    assert len(servers.applied) == 1
