"""What Google's provider answers: outputs that are not inputs."""

from collections.abc import Callable, Mapping
from typing import Any, Final

PROJECT_NUMBER: Final = "123456789012"
DNS_ENDPOINT: Final = "gke-0123abcd-123456789012.europe-west4.gke.goog"
ENDPOINT: Final = "172.16.0.2"
CA: Final = "Y2VydGlmaWNhdGU="


def _cluster(name: str, inputs: Mapping[str, Any]) -> dict[str, Any]:
    endpoints = inputs["controlPlaneEndpointsConfig"]
    return {
        "endpoint": ENDPOINT,
        "masterVersion": "1.35.8-gke.1036000",
        "masterAuth": {"clusterCaCertificate": CA},
        "controlPlaneEndpointsConfig": {
            **endpoints,
            "dnsEndpointConfig": {**endpoints["dnsEndpointConfig"], "endpoint": DNS_ENDPOINT},
        },
    }


def _account(name: str, inputs: Mapping[str, Any]) -> dict[str, Any]:
    email = f"{inputs['accountId']}@{inputs['project']}.iam.gserviceaccount.com"
    return {"email": email, "member": f"serviceAccount:{email}"}


def _service_identity(name: str, inputs: Mapping[str, Any]) -> dict[str, Any]:
    email = f"service-{PROJECT_NUMBER}@container-engine-robot.iam.gserviceaccount.com"
    return {"email": email, "member": f"serviceAccount:{email}"}


def _bucket(name: str, inputs: Mapping[str, Any]) -> dict[str, Any]:
    return {"projectNumber": int(PROJECT_NUMBER), "url": f"gs://{inputs['name']}"}


RESOURCES: Final[Mapping[str, Callable[[str, Mapping[str, Any]], dict[str, Any]]]] = {
    "gcp:container/cluster:Cluster": _cluster,
    "gcp:serviceaccount/account:Account": _account,
    "gcp:projects/serviceIdentity:ServiceIdentity": _service_identity,
    "gcp:storage/bucket:Bucket": _bucket,
}
