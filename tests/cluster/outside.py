"""A server of the tests, on this machine, as a model behind the gateway."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import IPv4Address
from pathlib import Path

from tests.cluster.checkout import Checkout
from toolchain import local_cluster


def address(checkout: Checkout) -> str:
    """Return the address at which the pods of a cluster reach this machine."""
    found = local_cluster.read(checkout.cluster)
    assert found is not None
    assert found.address_pool is not None
    # The machine's end of the link is its first address, the pool begins with the fourth.
    return str(IPv4Address(found.address_pool.partition("-")[0]) - 3)


@contextmanager
def model(checkout: Checkout, name: str, port: int, folder: Path) -> Iterator[None]:
    """Lead the gateway's path `/<name>` to a port of this machine, for the length of a block."""
    objects = folder / f"{name}.json"
    objects.write_text(json.dumps(_objects(name, address(checkout), port)))
    checkout.kubectl("apply", "--filename", str(objects))
    try:
        yield
    finally:
        checkout.kubectl("delete", "--filename", str(objects))


def _objects(name: str, server: str, port: int) -> dict[str, object]:
    metadata = {"name": name, "namespace": "vision"}
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata,
        "spec": {"ports": [{"name": "http", "port": 80}]},
    }
    endpoints = {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {**metadata, "labels": {"kubernetes.io/service-name": name}},
        "addressType": "IPv4",
        "ports": [{"name": "http", "port": port}],
        "endpoints": [{"addresses": [server], "conditions": {"ready": True}}],
    }
    parent = {"name": "slipway", "namespace": "slipway-system", "sectionName": "https"}
    route = {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": metadata,
        "spec": {
            "parentRefs": [parent],
            "rules": [
                {
                    "matches": [{"path": {"type": "PathPrefix", "value": f"/{name}"}}],
                    "backendRefs": [{"name": name, "port": 80}],
                }
            ],
        },
    }
    return {"apiVersion": "v1", "kind": "List", "items": [service, endpoints, route]}
