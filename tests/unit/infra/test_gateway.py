"""What the gateway and its controller promise."""

import pulumi
import pytest
from pulumi_kubernetes.core.v1 import outputs

from infra.platform.gateway import load_balancer_url
from infra.platform.gateway_api import without_descriptions
from infra.platform.traefik import arguments
from infra.settings import GatewaySettings


def _status(*ingress: outputs.LoadBalancerIngress) -> outputs.ServiceStatus:
    return outputs.ServiceStatus(load_balancer=outputs.LoadBalancerStatus(ingress=list(ingress)))


def test_a_load_balancer_answers_at_its_host_name_or_its_address() -> None:
    by_address = _status(outputs.LoadBalancerIngress(ip="192.0.2.1"))
    by_name = _status(outputs.LoadBalancerIngress(hostname="lb.example"))
    assert load_balancer_url(by_address) == "http://192.0.2.1"
    assert load_balancer_url(by_name) == "http://lb.example"


@pytest.mark.parametrize("status", [None, _status()])
def test_a_load_balancer_without_an_address_is_told(status: outputs.ServiceStatus | None) -> None:
    with pytest.raises(pulumi.RunError, match="kubectl describe service"):
        load_balancer_url(status)


def test_a_gateway_shows_the_address_at_which_it_answers() -> None:
    provider = "--providers.kubernetesgateway.statusaddress"
    settings = GatewaySettings()
    assert f"{provider}.ip=127.0.0.1" in arguments(settings, "http://127.0.0.1:8080")
    assert f"{provider}.hostname=models.example" in arguments(settings, "http://models.example")
    assert not any(text.startswith(provider) for text in arguments(settings, None))


def test_requests_are_logged_only_on_demand() -> None:
    assert "--accesslog=true" not in arguments(GatewaySettings(), None)
    asked = GatewaySettings.model_validate({"accessLog": True})
    assert "--accesslog=true" in arguments(asked, None)


def test_a_schema_keeps_everything_but_the_texts_that_explain_it() -> None:
    field = {"type": "string", "maxLength": 64, "description": "A text for people."}
    schema = {"description": "A text.", "properties": {"description": field, "items": [field]}}
    bare = {"type": "string", "maxLength": 64}
    assert without_descriptions(schema) == {"properties": {"description": bare, "items": [bare]}}
