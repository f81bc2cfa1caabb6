"""The real engine holds the program of this project to the policy pack."""

from pathlib import Path

import pytest

from tests.cluster.checkout import Checkout

pytestmark = pytest.mark.engine


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """A checkout of which nothing was ever brought up."""
    folder = tmp_path_factory.mktemp("held") / "slipway"
    return Checkout(folder, "slipway-held", 18080, 18443)


def test_the_program_keeps_the_rules_in_a_preview(checkout: Checkout) -> None:
    text = checkout.slipway("policy").text
    assert "Loading policy packs...: done" in text
    assert "kubernetes:core/v1:Namespace" in text
    assert "[mandatory]" not in text


def test_a_preview_fails_at_a_resource_that_breaks_a_rule(checkout: Checkout) -> None:
    program = checkout.folder / Path("__main__.py")
    before = program.read_text()
    program.write_text(
        f"{before}\n"
        "import pulumi_kubernetes\n\n"
        "pulumi_kubernetes.core.v1.Service(\n"
        '    "open", spec={"type": "LoadBalancer", "ports": [{"port": 80}]}, opts=cluster.options\n'
        ")\n"
    )
    text = checkout.slipway("policy", expect=1).text
    program.write_text(before)
    assert "[mandatory]  load-balancers-are-internal  (kubernetes:core/v1:Service: open)" in text
    assert text.count("[mandatory]") == 1
