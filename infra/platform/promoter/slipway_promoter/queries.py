"""What Prometheus is asked of a canary.

A counter that appears with its first request is first seen at that value, which is then missing.
"""

import math
from collections.abc import Callable
from typing import Final

from slipway_promoter.decision import Seen

_ERRORS: Final = 'code=~"5.."'
_P99: Final = 0.99


def requests(backend: str, seconds: int) -> str:
    """Return the query for the requests that pods answered.

    Args:
        backend: `<namespace>-<service>`.
        seconds: In how long a time.
    """
    return f'sum(increase(traefik_service_requests_total{{backend="{backend}"}}[{seconds}s]))'


def errors(backend: str, seconds: int) -> str:
    """Return the query for those of them that failed; the arguments are as for `requests`."""
    selected = f'traefik_service_requests_total{{backend="{backend}",{_ERRORS}}}'
    return f"sum(increase({selected}[{seconds}s]))"


def route_errors(route: str, seconds: int) -> str:
    """Return the query for requests of a route that failed, those that no pod took too.

    Args:
        route: `<namespace>-<name>`.
        seconds: In how long a time.
    """
    selected = f'traefik_router_requests_total{{route="{route}",{_ERRORS}}}'
    return f"sum(increase({selected}[{seconds}s]))"


def p99(backend: str, seconds: int) -> str:
    """Return the query for what 99 of 100 requests stay below, as for `requests`."""
    selected = f'traefik_service_request_duration_seconds_bucket{{backend="{backend}"}}'
    return f"histogram_quantile({_P99}, sum by (le) (increase({selected}[{seconds}s])))"


def seen(
    ask: Callable[[str], float | None], namespace: str, name: str, canary: str, seconds: int
) -> Seen:
    """Return what Prometheus saw of a model whose canary is judged.

    Args:
        ask: Returns the value of a query; `None` where there is none.
        namespace: The model's namespace.
        name: Name of its route, and of the Service of its own version.
        canary: Name of the canary's Service.
        seconds: In how long a time: since its step began.
    """
    stable, canary = f"{namespace}-{name}", f"{namespace}-{canary}"
    failed = ask(errors(canary, seconds)) or 0.0
    answered_badly = failed + (ask(errors(stable, seconds)) or 0.0)
    quantile = ask(p99(canary, seconds))
    return Seen(
        requests=ask(requests(canary, seconds)) or 0.0,
        errors=failed,
        unanswered=max(0.0, (ask(route_errors(stable, seconds)) or 0.0) - answered_badly),
        p99_seconds=None if quantile is None or math.isnan(quantile) else quantile,
    )
