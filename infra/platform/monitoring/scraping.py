"""What Prometheus reads, and which of it is kept: plain data, the same for every stack of ours.

Only series that a rule or a dashboard uses are kept; what is not stored costs no memory.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from infra.naming import SERVING_PORT, TEAM_LABEL
from infra.platform.namespace import SYSTEM

KUBE_STATE_METRICS: Final = "kube-state-metrics"
# Both its namespace and its name in its own chart.
CERT_MANAGER: Final = "cert-manager"
# Names of the ports of pods: Traefik's, kube-state-metrics', and the one of cert-manager's chart.
METRICS_PORT: Final = "metrics"
_CERT_MANAGER_PORT: Final = "http-metrics"

GATEWAY_SERIES: Final = (
    "traefik_router_requests_total",
    "traefik_router_request_duration_seconds_bucket",
    "traefik_entrypoint_requests_total",
    # By service, where a canary promotes itself.
    "traefik_service_requests_total",
    "traefik_service_request_duration_seconds_bucket",
)
# Also what kube-state-metrics is told to serve at all.
STATE_SERIES: Final = (
    "kube_deployment_labels",
    "kube_deployment_spec_replicas",
    "kube_deployment_status_replicas_available",
    "kube_horizontalpodautoscaler_info",
    "kube_horizontalpodautoscaler_spec_max_replicas",
    "kube_horizontalpodautoscaler_spec_min_replicas",
    "kube_horizontalpodautoscaler_status_desired_replicas",
    "kube_node_status_allocatable",
    "kube_node_status_condition",
    "kube_pod_container_resource_limits",
    "kube_pod_container_resource_requests",
    "kube_pod_container_status_last_terminated_reason",
    "kube_pod_container_status_restarts_total",
    "kube_pod_container_status_waiting_reason",
    "kube_pod_labels",
    "kube_resourcequota",
)
STATE_RESOURCES: Final = (
    "deployments",
    "horizontalpodautoscalers",
    "nodes",
    "pods",
    "resourcequotas",
)
STATE_LABELS: Final = {
    "deployments": ("app.kubernetes.io/component", "app.kubernetes.io/instance"),
    "pods": ("app.kubernetes.io/component", "app.kubernetes.io/instance"),
}
CONTAINER_SERIES: Final = (
    "container_cpu_usage_seconds_total",
    "container_memory_working_set_bytes",
)
KUBELET_SERIES: Final = (
    "kubelet_volume_stats_capacity_bytes",
    "kubelet_volume_stats_used_bytes",
)
CERTIFICATE_SERIES: Final = (
    "certmanager_certificate_expiration_timestamp_seconds",
    "certmanager_certificate_ready_status",
    "certmanager_certificate_renewal_timestamp_seconds",
)
PROMETHEUS_SERIES: Final = (
    "process_resident_memory_bytes",
    "prometheus_notifications_errors_total",
    "prometheus_rule_evaluation_failures_total",
    "prometheus_tsdb_compactions_failed_total",
    "prometheus_tsdb_head_series",
    "prometheus_tsdb_wal_corruptions_total",
)

# How Traefik names the service of a reference: the router, which ends in a hash, and where it leads
# (3.7.10, `pkg/provider/kubernetes/gateway/httproute.go`; it was another one before 3.7.6).
_SERVICE: Final = r"(httproute-.+-[0-9a-f]{20})-svc-(.+)-\d+@kubernetesgateway"

SCRAPE_ANNOTATION: Final = "prometheus.io/scrape"
PATH_ANNOTATION: Final = "prometheus.io/path"

# The same for every job, so that Prometheus watches pods once.
_PODS: Final[Sequence[Mapping[str, Any]]] = ({"role": "pod"},)
_ENDED: Final[Mapping[str, Any]] = {
    "source_labels": ["__meta_kubernetes_pod_phase"],
    "regex": "Succeeded|Failed",
    "action": "drop",
}
_ACCOUNT: Final = "/var/run/secrets/kubernetes.io/serviceaccount"
# A model is a team's own program: what one pod may add is bounded.
_MODEL_LIMITS: Final = {"sample_limit": 2000, "label_limit": 32, "body_size_limit": "2MB"}


def gateway() -> dict[str, Any]:
    """Return the job that reads the gateway's pods.

    A router is one match of one route on one listener. `route` is the part of its name that says
    which route: `<namespace>-<name>`. A service is one reference of a router to a Service of
    Kubernetes, which `backend` tells: `<namespace>-<name>`.
    """
    return _job(
        "gateway",
        kubernetes_sd_configs=_PODS,
        relabel_configs=[
            *_of_pods(SYSTEM, "traefik", METRICS_PORT),
            _copy("__meta_kubernetes_pod_name", "pod"),
        ],
        metric_relabel_configs=[
            _keep(GATEWAY_SERIES),
            {
                "source_labels": ["router"],
                "regex": r"httproute-(.+)-gw-.+-ep-.+@kubernetesgateway",
                "target_label": "route",
            },
            {
                "source_labels": ["__name__", "service"],
                "regex": f"traefik_service_.+;{_SERVICE}",
                "target_label": "router",
            },
            {
                "source_labels": ["__name__", "service"],
                "regex": f"traefik_service_.+;{_SERVICE}",
                "target_label": "backend",
                "replacement": "$2",
            },
            # Others have no name left that tells them apart: those of a mirrored model.
            {
                "source_labels": ["__name__", "backend"],
                "regex": "traefik_service_.+;",
                "action": "drop",
            },
            {"action": "labeldrop", "regex": "service"},
        ],
    )


def models() -> dict[str, Any]:
    """Return the job that reads the models that serve metrics, on the port that they serve on.

    A pod without the annotation is no target, so that one without metrics is not down for ever.
    """
    return _job(
        "models",
        kubernetes_sd_configs=_PODS,
        **_MODEL_LIMITS,
        relabel_configs=[
            _where("__meta_kubernetes_pod_annotation_prometheus_io_scrape", "true"),
            _where(f"__meta_kubernetes_pod_label_{_label(TEAM_LABEL)}", ".+"),
            _where("__meta_kubernetes_pod_container_port_name", SERVING_PORT),
            _ENDED,
            {
                "source_labels": ["__meta_kubernetes_pod_annotation_prometheus_io_path"],
                "regex": "(/.*)",
                "target_label": "__metrics_path__",
            },
            _copy("__meta_kubernetes_namespace", "namespace"),
            _copy("__meta_kubernetes_namespace", "team"),
            _copy("__meta_kubernetes_pod_label_app_kubernetes_io_instance", "model"),
            _copy("__meta_kubernetes_pod_name", "pod"),
        ],
    )


def certificates() -> dict[str, Any]:
    """Return the job that reads cert-manager, where there is one."""
    return _job(
        CERT_MANAGER,
        honor_labels=True,
        kubernetes_sd_configs=_PODS,
        relabel_configs=_of_pods(CERT_MANAGER, CERT_MANAGER, _CERT_MANAGER_PORT),
        metric_relabel_configs=[_keep(CERTIFICATE_SERIES)],
    )


def kube_state_metrics(namespace: str) -> dict[str, Any]:
    """Return the job that reads our own kube-state-metrics.

    Args:
        namespace: Where it runs.
    """
    return _job(
        KUBE_STATE_METRICS,
        honor_labels=True,
        kubernetes_sd_configs=_PODS,
        relabel_configs=_of_pods(namespace, KUBE_STATE_METRICS, METRICS_PORT),
    )


def kubelets() -> list[dict[str, Any]]:
    """Return the jobs that read every node: its volumes, and the use of containers.

    A kubelet's certificate is signed by the cluster's authority. Its own timestamps are left out,
    so that the series of a container end with it instead of five minutes later.
    """
    return [
        _kubelet("kubelet", "/metrics", [_keep(KUBELET_SERIES)]),
        _kubelet(
            "cadvisor",
            "/metrics/cadvisor",
            [
                _keep(CONTAINER_SERIES),
                # Containers, and the node as a whole, but no groups in between.
                {
                    "source_labels": ["container", "id"],
                    "regex": "(?:.+;.*|;/)",
                    "action": "keep",
                },
                {"action": "labeldrop", "regex": "image|name"},
            ],
        ),
    ]


def itself(port: int) -> dict[str, Any]:
    """Return the job in which Prometheus reads itself.

    Args:
        port: Its port.
    """
    return _job(
        "prometheus",
        static_configs=[{"targets": [f"localhost:{port}"]}],
        metric_relabel_configs=[_keep(PROMETHEUS_SERIES)],
    )


def annotations(path: str = "/metrics") -> dict[str, str]:
    """Return the annotations of a model's pods that are read.

    Args:
        path: Where their metrics are, on the port that they serve on.
    """
    return {SCRAPE_ANNOTATION: "true", PATH_ANNOTATION: path}


def _job(name: str, **fields: Any) -> dict[str, Any]:
    return {"job_name": name, **fields}


def _kubelet(name: str, path: str, kept: list[dict[str, Any]]) -> dict[str, Any]:
    return _job(
        name,
        scheme="https",
        metrics_path=path,
        honor_timestamps=False,
        authorization={"credentials_file": f"{_ACCOUNT}/token"},
        tls_config={"ca_file": f"{_ACCOUNT}/ca.crt"},
        kubernetes_sd_configs=[{"role": "node"}],
        relabel_configs=[_copy("__meta_kubernetes_node_name", "node")],
        metric_relabel_configs=kept,
    )


def _of_pods(namespace: str, name: str, port: str) -> list[Mapping[str, Any]]:
    """Return what keeps one port of one component's pods."""
    return [
        _where("__meta_kubernetes_namespace", namespace),
        _where("__meta_kubernetes_pod_label_app_kubernetes_io_name", name),
        _where("__meta_kubernetes_pod_container_port_name", port),
        _ENDED,
    ]


def _where(label: str, pattern: str) -> dict[str, Any]:
    return {"source_labels": [label], "regex": pattern, "action": "keep"}


def _copy(source: str, target: str) -> dict[str, Any]:
    return {"source_labels": [source], "target_label": target}


def _keep(series: Sequence[str]) -> dict[str, Any]:
    return {"source_labels": ["__name__"], "regex": "|".join(series), "action": "keep"}


def _label(name: str) -> str:
    """Return how Prometheus spells the name of a label of Kubernetes."""
    return "".join(character if character.isalnum() else "_" for character in name)
