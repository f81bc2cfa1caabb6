"""A change by hand is found, named field by field, and taken back."""

import json

import pytest

from tests.cluster.checkout import Checkout
from tests.running import Run

pytestmark = pytest.mark.cluster

DIGITS = ("deployment/digits", "--namespace=vision")


def test_a_deployment_edited_by_hand_is_drift_until_it_is_edited_back(
    checkout: Checkout, served: Run
) -> None:
    assert "no drift" in checkout.slipway("drift").text
    checkout.kubectl("scale", *DIGITS, "--replicas=2")
    found = checkout.slipway("drift", "--report", "drift.md", expect=2)
    assert "changed: Deployment vision/digits (spec.replicas)" in found.text
    document = json.loads((checkout.folder / "drift.json").read_text())
    (change,) = document["changes"]
    assert change["fields"] == [{"path": "spec.replicas", "old": 1, "new": 2}]
    checkout.pulumi("up", "--refresh", "--yes", "--skip-preview")
    assert "no drift" in checkout.slipway("drift").text
    replicas = checkout.kubectl("get", *DIGITS, "--output=jsonpath={.spec.replicas}")
    assert replicas.text == "1"
