from typing import Any

import pytest

from toolchain.kubernetes_plugin.readiness import default_timeout
from toolchain.kubernetes_plugin.readiness.rules import Operation, rule_for
from toolchain.kubernetes_plugin.readiness.verdict import (
    NOTHING_RELATED,
    Failed,
    Pending,
    Ready,
    Verdict,
)


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


def gateway(*conditions: dict[str, str], observed: int | None = None) -> dict[str, Any]:
    status: dict[str, Any] = {"conditions": list(conditions)}
    if observed is not None:
        status["observedGeneration"] = observed
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "Gateway",
        "metadata": {"name": "edge", "generation": 2},
        "status": status,
    }


@pytest.mark.parametrize(
    ("obj", "kind"),
    [
        (gateway(), Ready),
        (gateway(observed=1), Pending),
        (gateway(observed=2), Ready),
        (gateway({"type": "Ready", "status": "True"}), Ready),
        (gateway({"type": "Ready", "status": "Unknown", "reason": "Starting"}), Pending),
        (gateway({"type": "Reconciling", "status": "True", "message": "busy"}), Pending),
        (gateway({"type": "Stalled", "status": "True", "message": "no quota"}), Failed),
    ],
)
def test_an_unknown_kind_is_judged_by_its_conditions_only_if_asked(
    monkeypatch: pytest.MonkeyPatch, obj: dict[str, Any], kind: type[Verdict]
) -> None:
    monkeypatch.delenv("PULUMI_K8S_AWAIT_ALL", raising=False)
    assert rule_for(obj, obj) is None
    monkeypatch.setenv("PULUMI_K8S_AWAIT_ALL", "true")
    rule = rule_for(obj, obj)
    assert rule is not None
    assert isinstance(rule.judge(obj, NOTHING_RELATED), kind)
