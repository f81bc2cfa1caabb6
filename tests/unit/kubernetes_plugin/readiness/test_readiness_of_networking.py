from typing import Any

import pytest

from toolchain.kubernetes_plugin.readiness import networking
from toolchain.kubernetes_plugin.readiness.verdict import Pending, Ready, Related

Object = dict[str, Any]


def service(kind: str = "ClusterIP", *, address: bool = False, **spec: Any) -> Object:
    obj: Object = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "web", "namespace": "apps"},
        "spec": {"type": kind, "selector": {"app": "web"}, **spec},
        "status": {"loadBalancer": {}},
    }
    if address:
        obj["status"]["loadBalancer"] = {"ingress": [{"ip": "203.0.113.7"}]}
    return obj


def endpoint_slice(*conditions: Object, of: str = "web") -> Object:
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"name": f"{of}-x", "labels": {"kubernetes.io/service-name": of}},
        "endpoints": [
            {"addresses": ["10.0.0.1"], "conditions": condition} for condition in conditions
        ],
    }


UP = {"ready": True, "serving": True, "terminating": False}
STARTING = {"ready": False, "serving": False, "terminating": False}
LEAVING = {"ready": False, "serving": True, "terminating": True}

SERVICES: dict[str, tuple[Object, list[Object], bool, str]] = {
    "ready pods": (service(), [endpoint_slice(UP, UP)], True, "ready pods"),
    "one of two pods starting": (service(), [endpoint_slice(UP, STARTING)], False, "1 pod"),
    "pods of two slices starting": (
        service(),
        [endpoint_slice(STARTING), endpoint_slice(STARTING)],
        False,
        "2 pods",
    ),
    "an old pod leaving": (service(), [endpoint_slice(UP, LEAVING)], True, "ready pods"),
    "conditions not set": (service(), [endpoint_slice({})], True, "ready pods"),
    "no pods": (service(), [endpoint_slice()], False, "'.spec.selector' may match no pod"),
    "only another service's pods": (service(), [endpoint_slice(UP, of="api")], False, "selector"),
    "headless": (service(clusterIP="None"), [], True, "defined"),
    "external": (service("ExternalName"), [], True, "defined"),
    "no selector": (service(selector=None), [], True, "defined"),
    "load balancer without an address": (
        service("LoadBalancer"),
        [endpoint_slice(UP)],
        False,
        "address of the load balancer",
    ),
    "load balancer without an address or selector": (
        service("LoadBalancer", selector=None),
        [],
        False,
        "address of the load balancer",
    ),
    "load balancer": (service("LoadBalancer", address=True), [endpoint_slice(UP)], True, ""),
    "node port": (service("NodePort"), [endpoint_slice(UP)], True, ""),
}


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_ready_when_it_leads_somewhere(name: str) -> None:
    obj, slices, ready, words = SERVICES[name]
    verdict = networking.service(obj, Related(endpoint_slices=tuple(slices)))
    assert isinstance(verdict, Ready) is ready, verdict
    assert words in verdict.message


def test_a_service_that_selects_nothing_may_settle_but_one_with_starting_pods_may_not() -> None:
    without = networking.service(service(), Related())
    starting = networking.service(service(), Related(endpoint_slices=(endpoint_slice(STARTING),)))
    assert isinstance(without, Pending)
    assert without.settles_after == 10.0
    assert isinstance(starting, Pending)
    assert starting.settles_after is None


def ingress(*backends: str, address: bool = True) -> Object:
    paths = [{"path": "/", "backend": {"service": {"name": name}}} for name in backends]
    listed = [{"hostname": "lb.example.com"}] if address else []
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {"name": "edge"},
        "spec": {"rules": [{"http": {"paths": paths}}, {"host": "only.example.com"}]},
        "status": {"loadBalancer": {"ingress": listed}},
    }


@pytest.mark.parametrize(
    ("obj", "ready", "words"),
    [
        (ingress("web"), True, "address"),
        (ingress("web", address=False), False, ".status.loadBalancer"),
        (ingress("web", "gone"), False, "gone"),
        (ingress(), True, "address"),
    ],
)
def test_an_ingress_is_ready_with_an_address_and_its_services(
    obj: Object, ready: bool, words: str
) -> None:
    verdict = networking.ingress(obj, Related(services=(service(),)))
    assert isinstance(verdict, Ready) is ready, verdict
    assert words in verdict.message
