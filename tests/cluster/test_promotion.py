"""A canary gets all requests step by step while it holds, and none once it does not."""

import json
from functools import partial
from typing import Any, Final

import pytest

from infra.naming import PROMOTER
from infra.platform.namespace import SYSTEM
from tests import waiting
from tests.cluster import digits, steady_load
from tests.cluster.checkout import Checkout
from tests.running import Run

pytestmark = pytest.mark.cluster

PROMOTE: Final = {"steps": [50, 100], "intervalSeconds": 10, "requests": 50}
MONITORING: Final = {"monitoring": {"enabled": True, "intervalSeconds": 2}}
until = partial(waiting.until, patience=60.0, pause=1.0)


def _route(checkout: Checkout) -> Any:
    return json.loads(
        checkout.kubectl("get", "httproute/digits", "--namespace=vision", "--output=json").text
    )


def _weights(checkout: Checkout) -> set[int]:
    """Return the weights of the canary in all rules."""
    return {
        backend["weight"]
        for rule in _route(checkout)["spec"]["rules"]
        for backend in rule["backendRefs"]
        if backend["name"] == "digits-canary"
    }


def _told(checkout: Checkout) -> set[str]:
    found = checkout.kubectl(
        "get", "events", "--namespace=vision", "--field-selector=involvedObject.kind=HTTPRoute",
        "--output=jsonpath={.items[*].reason}",
    )  # fmt: skip
    return set(found.text.split())


def test_a_canary_is_promoted_while_it_holds_and_rolled_back_when_it_does_not(
    checkout: Checkout, served: Run
) -> None:
    canary = {"uri": digits.version(checkout, "promoted"), "promote": PROMOTE}
    with checkout.changed({"platform": MONITORING, "models": {"digits": {"canary": canary}}}):
        checkout.pulumi("up", "--yes", "--skip-preview")
        model = checkout.outputs()["models"]["digits"]
        until(lambda: _weights(checkout) == {50}, "the first step")

        # What moved is no change of the stack, and what was restarted goes on where it was.
        assert checkout.plan() == []
        checkout.kubectl(
            "delete",
            "pod",
            f"--namespace={SYSTEM}",
            f"--selector=app.kubernetes.io/name={PROMOTER}",
        )
        with steady_load.sent(
            model["url"], checkout.gateway(), digits.requests(checkout)
        ) as answers:
            until(lambda: _weights(checkout) == {100}, "the step after the first")
            assert answers.failures == []

            # Without pods every request fails, and nothing counts it as the canary's.
            checkout.kubectl(
                "scale", "deployment/digits-canary", "--namespace=vision", "--replicas=0"
            )
            until(lambda: _weights(checkout) == {0}, "the canary to lose its requests")
            count = answers.versions[model["version"]]
            until(lambda: answers.versions[model["version"]] > count + 100, "answers again")
        assert {"CanaryStarted", "CanaryAdvanced", "CanaryRolledBack"} <= _told(checkout)

        # An update of something else in the route leaves it there.
        checkout.configure({"models": {"digits": {"canary": {"headers": {"X-Group": "beta"}}}}})
        checkout.pulumi("up", "--yes", "--skip-preview")
        state = _route(checkout)["metadata"]["annotations"]["slipway.local/promotion-state"]
        assert json.loads(state)["phase"] == "RolledBack"
        until(lambda: 0 in _weights(checkout), "the weight that it had")
    checkout.pulumi("up", "--yes", "--skip-preview")
    assert "digits-canary" not in json.dumps(_route(checkout)["spec"])
