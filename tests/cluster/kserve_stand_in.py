"""Stands in for KServe's controller, which the tests do not run (docs/adr/0016-runtimes.md).

Of an InferenceService in standard mode whose predictor is a container it makes what the controller
of KServe 0.20 makes: a Deployment and a Service, with its labels and annotations on both, and a
status out of the Deployment's. It has no webhooks, autoscalers and routes, none of which a model of
ours asks for.
"""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from toolchain.local_cluster.api import ApiError, Client

Object = dict[str, Any]

API: Final = "/apis/serving.kserve.io/v1beta1"

# Items of a list carry no type of their own.
_TYPE: Final = {"apiVersion": "serving.kserve.io/v1beta1", "kind": "InferenceService"}
_PAUSE_SECONDS: Final = 0.2
# What a predictor has beside the fields of a pod, of what a model of ours has.
_OWN: Final = frozenset({"labels", "annotations", "minReplicas", "deploymentStrategy"})
_CONTAINER: Final = "kserve-container"
_AUTOSCALER: Final = "serving.kserve.io/autoscalerClass"


@contextmanager
def running(kubeconfig: str) -> Iterator[None]:
    """Look after a cluster's InferenceServices for the length of a block.

    Args:
        kubeconfig: Text of a kubeconfig of its administrator.
    """
    ended, failures = threading.Event(), list[ApiError]()
    thread = threading.Thread(target=_look_after, args=(kubeconfig, ended, failures))
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
    assert not failures, failures


def _look_after(kubeconfig: str, ended: threading.Event, failures: list[ApiError]) -> None:
    client = Client(kubeconfig)
    while not ended.wait(_PAUSE_SECONDS):
        try:
            for service in client.get(f"{API}/inferenceservices")["items"]:
                if "deletionTimestamp" not in service["metadata"]:
                    _reconcile(client, service)
        except ApiError as error:
            # As controllers do, it tries again: the object may be about to go, or another version.
            failures[:] = [error]
        else:
            failures.clear()
    client.close()


def _reconcile(client: Client, service: Object) -> None:
    name, namespace = (service["metadata"][key] for key in ("name", "namespace"))
    made = f"{name}-predictor"
    deployment = f"/apis/apps/v1/namespaces/{namespace}/deployments/{made}"
    client.apply(f"/api/v1/namespaces/{namespace}/services/{made}", _service(service, made))
    client.apply(deployment, _deployment(service, made))
    status = _status(client.get(deployment).get("status", {}))
    client.apply(
        f"{API}/namespaces/{namespace}/inferenceservices/{name}/status",
        {**_TYPE, "metadata": {"name": name}, "status": status},
    )


def _metadata(service: Object, made: str) -> Object:
    metadata, predictor = service["metadata"], service["spec"]["predictor"]
    return {
        "name": made,
        "labels": {
            **metadata.get("labels", {}),
            **predictor.get("labels", {}),
            "serving.kserve.io/inferenceservice": metadata["name"],
            "component": "predictor",
        },
        "annotations": {**metadata.get("annotations", {}), **predictor.get("annotations", {})},
    }


def _owned(service: Object, made: str) -> Object:
    owner = {
        **_TYPE,
        "name": service["metadata"]["name"],
        "uid": service["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }
    return {**_metadata(service, made), "ownerReferences": [owner]}


def _selector(made: str) -> Object:
    return {"app": f"isvc.{made}"}


def _deployment(service: Object, made: str) -> Object:
    predictor = service["spec"]["predictor"]
    pod = {field: value for field, value in predictor.items() if field not in _OWN}
    (container,) = pod["containers"]
    assert container["name"] == _CONTAINER, "the controller looks for a container of that name"
    variable = {"name": "INFERENCE_SERVICE_NAME", "value": service["metadata"]["name"]}
    pod["containers"] = [{**container, "env": [*container.get("env", []), variable]}]
    labelled = _metadata(service, made)
    fixed = service["metadata"]["annotations"][_AUTOSCALER] == "none"
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": _owned(service, made),
        "spec": {
            **({"replicas": predictor["minReplicas"]} if fixed else {}),
            "selector": {"matchLabels": _selector(made)},
            "strategy": predictor["deploymentStrategy"],
            "template": {
                "metadata": {
                    "labels": {**labelled["labels"], **_selector(made)},
                    "annotations": labelled["annotations"],
                },
                "spec": pod,
            },
        },
    }


def _service(service: Object, made: str) -> Object:
    (container,) = service["spec"]["predictor"]["containers"]
    first, *others = container["ports"]
    ports = [
        {"name": first["name"], "port": 80, "targetPort": first["containerPort"]},
        *(
            {
                "name": port["name"],
                "port": port["containerPort"],
                "appProtocol": "kubernetes.io/h2c",
            }
            for port in others
            if "grpc" in port["name"]
        ),
    ]
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": _owned(service, made),
        "spec": {"selector": _selector(made), "ports": ports},
    }


def _status(deployment: Mapping[str, Any]) -> Object:
    """Return the status of an InferenceService whose Deployment has a status.

    KServe takes over the generation that the Deployment's controller has seen, not its own.
    """
    conditions = {item["type"]: item["status"] for item in deployment.get("conditions", [])}
    ready = conditions.get("Available", "Unknown")
    return {
        "observedGeneration": deployment.get("observedGeneration", 0),
        "deploymentMode": "Standard",
        "conditions": [
            {"type": "IngressReady", "status": "True"},
            {"type": "PredictorReady", "status": ready},
            {"type": "Ready", "status": ready},
        ],
    }
