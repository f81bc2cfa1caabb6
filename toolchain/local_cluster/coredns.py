"""CoreDNS as a Deployment, with the Service that every pod asks."""

from collections.abc import Sequence
from ipaddress import IPv4Address
from typing import Any

from toolchain.local_cluster.distribution import Addon
from toolchain.local_cluster.pki import DOMAIN

NAMESPACE = "kube-system"
NAME = "coredns"
# What tools look for: the name and label are those of the DNS add-on's interface.
SERVICE = "kube-dns"

_LABELS = {"k8s-app": "kube-dns", "kubernetes.io/name": "CoreDNS"}
_SELECTOR = {"k8s-app": "kube-dns"}
_USER = 65532


def corefile(resolvers: Sequence[IPv4Address]) -> str:
    """Return CoreDNS's configuration.

    Args:
        resolvers: Whom it asks about names outside of the cluster; without any it answers that
            there is no such name, instead of letting callers wait.
    """
    forward = ""
    if resolvers:
        upstreams = " ".join(map(str, resolvers))
        forward = f"    forward . {upstreams} {{\n        max_concurrent 1000\n    }}\n"
    return (
        ".:53 {\n"
        "    errors\n"
        "    health {\n"
        "        lameduck 5s\n"
        "    }\n"
        "    ready\n"
        f"    kubernetes {DOMAIN} in-addr.arpa ip6.arpa {{\n"
        "        pods insecure\n"
        "        fallthrough in-addr.arpa ip6.arpa\n"
        "        ttl 30\n"
        "    }\n"
        "    prometheus :9153\n"
        f"{forward}"
        "    cache 30\n"
        "    loop\n"
        "    reload\n"
        "    loadbalance\n"
        "}\n"
    )


def addons(image: str, service_ip: IPv4Address, resolvers: Sequence[IPv4Address]) -> list[Addon]:
    """Return the objects, in the order in which they are applied.

    Args:
        image: Reference of the image.
        service_ip: Address of the Service.
        resolvers: As in `corefile`.
    """
    core, rbac = f"/api/v1/namespaces/{NAMESPACE}", "/apis/rbac.authorization.k8s.io/v1"
    return [
        Addon(f"{core}/serviceaccounts/{NAME}", _object("v1", "ServiceAccount")),
        Addon(
            f"{core}/configmaps/{NAME}",
            {**_object("v1", "ConfigMap"), "data": {"Corefile": corefile(resolvers)}},
        ),
        Addon(f"{rbac}/clusterroles/system:{NAME}", _cluster_role()),
        Addon(f"{rbac}/clusterrolebindings/system:{NAME}", _cluster_role_binding()),
        Addon(f"{core}/services/{SERVICE}", _service(service_ip)),
        Addon(f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments/{NAME}", _deployment(image)),
    ]


def _object(api_version: str, kind: str, name: str = NAME) -> dict[str, Any]:
    return {
        "apiVersion": api_version,
        "kind": kind,
        "metadata": {"name": name, "namespace": NAMESPACE, "labels": _LABELS},
    }


def _cluster_role() -> dict[str, Any]:
    watch = ["list", "watch"]
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {"name": f"system:{NAME}", "labels": _LABELS},
        "rules": [
            {"apiGroups": [""], "resources": ["services", "pods", "namespaces"], "verbs": watch},
            {
                "apiGroups": ["discovery.k8s.io"],
                "resources": ["endpointslices"],
                "verbs": watch,
            },
        ],
    }


def _cluster_role_binding() -> dict[str, Any]:
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": f"system:{NAME}", "labels": _LABELS},
        "roleRef": {
            "apiGroup": "rbac.authorization.k8s.io",
            "kind": "ClusterRole",
            "name": f"system:{NAME}",
        },
        "subjects": [{"kind": "ServiceAccount", "name": NAME, "namespace": NAMESPACE}],
    }


def _service(service_ip: IPv4Address) -> dict[str, Any]:
    return {
        **_object("v1", "Service", SERVICE),
        "spec": {
            "clusterIP": str(service_ip),
            "selector": _SELECTOR,
            "ports": [
                {"name": "dns", "port": 53, "protocol": "UDP", "targetPort": "dns"},
                {"name": "dns-tcp", "port": 53, "protocol": "TCP", "targetPort": "dns-tcp"},
                {"name": "metrics", "port": 9153, "protocol": "TCP", "targetPort": "metrics"},
            ],
        },
    }


def _deployment(image: str) -> dict[str, Any]:
    return {
        **_object("apps/v1", "Deployment"),
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": _SELECTOR},
            "template": {
                "metadata": {"labels": _LABELS},
                "spec": {
                    "serviceAccountName": NAME,
                    "priorityClassName": "system-cluster-critical",
                    "nodeSelector": {"kubernetes.io/os": "linux"},
                    "tolerations": [{"key": "CriticalAddonsOnly", "operator": "Exists"}],
                    # It must not ask the Service that it is itself.
                    "dnsPolicy": "Default",
                    "securityContext": {
                        "runAsNonRoot": True,
                        "runAsUser": _USER,
                        "runAsGroup": _USER,
                        "seccompProfile": {"type": "RuntimeDefault"},
                    },
                    "containers": [_container(image)],
                    "volumes": [
                        {
                            "name": "config",
                            "configMap": {
                                "name": NAME,
                                "items": [{"key": "Corefile", "path": "Corefile"}],
                            },
                        }
                    ],
                },
            },
        },
    }


def _container(image: str) -> dict[str, Any]:
    return {
        "name": NAME,
        "image": image,
        # It was imported: there is no registry that has it.
        "imagePullPolicy": "Never",
        "args": ["-conf", "/etc/coredns/Corefile"],
        "ports": [
            {"name": "dns", "containerPort": 53, "protocol": "UDP"},
            {"name": "dns-tcp", "containerPort": 53, "protocol": "TCP"},
            {"name": "metrics", "containerPort": 9153, "protocol": "TCP"},
        ],
        "resources": {
            "requests": {"cpu": "50m", "memory": "64Mi"},
            "limits": {"cpu": "1", "memory": "170Mi"},
        },
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "livenessProbe": {
            "httpGet": {"path": "/health", "port": 8080},
            "initialDelaySeconds": 30,
            "timeoutSeconds": 5,
            "failureThreshold": 5,
        },
        "readinessProbe": {
            "httpGet": {"path": "/ready", "port": 8181},
            "periodSeconds": 1,
            "timeoutSeconds": 2,
        },
        "volumeMounts": [{"name": "config", "mountPath": "/etc/coredns", "readOnly": True}],
    }
