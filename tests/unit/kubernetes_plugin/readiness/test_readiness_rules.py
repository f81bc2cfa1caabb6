import pytest

from toolchain.kubernetes_plugin.readiness import default_timeout
from toolchain.kubernetes_plugin.readiness.rules import Operation, rule_for


@pytest.mark.parametrize(
    ("kind", "operation", "seconds"),
    [
        ("Deployment", "create", 600),
        ("Deployment", "update", 600),
        ("PersistentVolumeClaim", "create", 300),
        ("PersistentVolumeClaim", "delete", 600),
        ("ResourceQuota", "create", 60),
        ("Widget", "create", 600),
    ],
)
def test_a_kind_has_the_official_plugins_timeout(
    kind: str, operation: Operation, seconds: float
) -> None:
    assert default_timeout(kind, operation) == seconds


@pytest.mark.parametrize(
    ("api_version", "kind", "is_judged"),
    [
        ("apps/v1", "Deployment", True),
        ("apps/v1beta1", "Deployment", True),
        ("example.com/v1", "Deployment", False),
        ("v1", "Service", True),
        ("serving.knative.dev/v1", "Service", False),
        ("v1", "Namespace", False),
        ("v1", "ServiceAccount", False),
        ("gateway.networking.k8s.io/v1", "Gateway", False),
    ],
)
def test_a_kind_is_known_by_its_group_too(api_version: str, kind: str, is_judged: bool) -> None:
    obj = {"apiVersion": api_version, "kind": kind, "metadata": {"name": "x"}}
    assert (rule_for(obj, obj) is not None) is is_judged
