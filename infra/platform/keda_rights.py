"""What KEDA may do: what its own manifests grant, cut to Deployments and our triggers.

Its manifests let the operator read every object of the cluster, because it scales any kind by many
triggers. A trigger that reads Secrets of teams would need more than this on purpose.
"""

from pulumi_kubernetes.rbac import v1 as rbac

from infra.platform.access import READ, rule


def operator_rules() -> list[rbac.PolicyRuleArgs]:
    """Return what the operator may do in the whole cluster."""
    return [
        rule("keda.sh", ["scaledobjects"], [*READ, "update", "patch"]),
        rule("keda.sh", ["scaledobjects/status", "scaledobjects/finalizers"], ["update", "patch"]),
        # Kinds that are not used here, but that it cannot start without watching.
        rule(
            "keda.sh",
            ["scaledjobs", "triggerauthentications", "clustertriggerauthentications"],
            READ,
        ),
        rule("eventing.keda.sh", ["cloudeventsources", "clustercloudeventsources"], READ),
        rule("batch", ["jobs"], READ),
        rule(
            "autoscaling",
            ["horizontalpodautoscalers"],
            [*READ, "create", "update", "patch", "delete"],
        ),
        rule("apps", ["deployments"], READ),
        rule("apps", ["deployments/scale"], ["get", "update", "patch"]),
        rule("", ["events"], ["create", "patch"]),
        rule("events.k8s.io", ["events"], ["create", "patch"]),
    ]


def own_rules() -> list[rbac.PolicyRuleArgs]:
    """Return what the operator may do in its own namespace: read the secrets of its triggers."""
    return [rule("", ["secrets"], READ)]
