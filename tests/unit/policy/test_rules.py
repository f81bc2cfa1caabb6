"""Each rule refuses what it is there for, and accepts what is right."""

import copy
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from slipway_policy.rule import Resource
from slipway_policy.rules import RULES

DIGEST = f"@sha256:{'0' * 64}"
CONTAINER = {
    "name": "server",
    "image": f"registry.example.com/server{DIGEST}",
    "resources": {kind: {"cpu": "1", "memory": "1Gi"} for kind in ("requests", "limits")},
    "readinessProbe": {"httpGet": {"path": "/ready"}},
    "livenessProbe": {"httpGet": {"path": "/live"}},
    "securityContext": {"allowPrivilegeEscalation": False},
}
LABELS = {"app.kubernetes.io/component": "model", "slipway.local/team": "vision"}
DEPLOYMENT = {
    "metadata": {"labels": LABELS},
    "spec": {
        "template": {
            "metadata": {"labels": LABELS},
            "spec": {
                "securityContext": {"runAsNonRoot": True, "runAsUser": 65532},
                "volumes": [{"name": "tmp", "emptyDir": {}}],
                "initContainers": [{**CONTAINER, "name": "download"}],
                "containers": [CONTAINER],
            },
        }
    },
}
PART = {
    "image": {"repository": "slipway.local/speaker", "tag": "0123456789ab"},
    "resources": CONTAINER["resources"],
    "securityContext": {"runAsUser": 65532},
}
CHART = {"values": {"speaker": PART}}
INTERNAL = {"service.beta.kubernetes.io/azure-load-balancer-internal": "true"}
SERVICE = {"metadata": {"annotations": INTERNAL}, "spec": {"type": "LoadBalancer"}}
STATEMENT = {"Effect": "Allow", "Action": ["s3:GetObject"], "Resource": "arn:aws:s3:::models/*"}
ROLE = {"rules": [{"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["*"]}]}
TAGGED = {"cluster": "ml"}

TYPES = {
    "deployment": "kubernetes:apps/v1:Deployment",
    "chart": "kubernetes:helm.sh/v4:Chart",
    "service": "kubernetes:core/v1:Service",
    "statement": "aws:iam/rolePolicy:RolePolicy",
    "attachment": "aws:iam/rolePolicyAttachment:RolePolicyAttachment",
    "assignment": "azure-native:authorization:RoleAssignment",
    "member": "gcp:projects/iAMMember:IAMMember",
    "role": "kubernetes:rbac.authorization.k8s.io/v1:ClusterRole",
    "aws": "pulumi:providers:aws",
    "gcp": "pulumi:providers:gcp",
    "group": "azure-native:resources:ResourceGroup",
    "ecr": "aws:ecr/repository:Repository",
    "eks": "aws:eks/cluster:Cluster",
    "s3": "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration",
    "ebs": "aws:ebs/volume:Volume",
    "class": "kubernetes:storage.k8s.io/v1:StorageClass",
    "aks": "azure-native:containerservice:ManagedCluster",
    "pool": "azure-native:containerservice:AgentPool",
    "account": "azure-native:storage:StorageAccount",
    "gke": "gcp:container/cluster:Cluster",
}
RIGHT: Mapping[str, Any] = {
    "deployment": DEPLOYMENT,
    "chart": CHART,
    "service": SERVICE,
    "statement": {"policy": {"Statement": [STATEMENT]}},
    "attachment": {"policyArn": "arn:aws:iam::aws:policy/AmazonEKSClusterPolicy"},
    "assignment": {"roleDefinitionId": "/roleDefinitions/7f951dda-4ed3-4680-a7ca-43fe172d538d"},
    "member": {"role": "roles/storage.objectViewer", "member": "serviceAccount:models@example"},
    "role": ROLE,
    "aws": {"defaultTags": json.dumps({"tags": {"slipway:cluster": "ml"}})},
    "gcp": {"defaultLabels": json.dumps({"slipway-cluster": "ml"})},
    "group": {"tags": TAGGED},
    "ecr": {"encryptionConfigurations": [{"encryptionType": "KMS"}]},
    "eks": {"encryptionConfig": {"resources": ["secrets"]}},
    "s3": {"rules": [{"applyServerSideEncryptionByDefault": {"sseAlgorithm": "aws:kms"}}]},
    "ebs": {"encrypted": True},
    "class": {"provisioner": "ebs.csi.eks.amazonaws.com", "parameters": {"encrypted": "true"}},
    "aks": {
        "tags": TAGGED,
        "agentPoolProfiles": [{"name": "system", "enableEncryptionAtHost": True}],
    },
    "pool": {"tags": TAGGED, "enableEncryptionAtHost": True},
    "account": {"tags": TAGGED, "enableHttpsTrafficOnly": True, "minimumTlsVersion": "TLS1_2"},
    "gke": {"databaseEncryption": {"state": "ENCRYPTED", "keyName": "projects/p/key"}},
}
"""Properties of resources that break no rule, by a short name of their type."""

POD = "spec.template.spec"
SERVER = f"{POD}.containers.0"
ACTION = "policy.Statement.0.Action"


@dataclass(frozen=True)
class Planted:
    """A value that one rule refuses.

    Attributes:
        rule: Name of the rule.
        kind: Which resource it is planted into.
        path: Where.
        value: What; `None` takes away what is there.
        says: What the violation has to name.
    """

    rule: str
    kind: str
    path: str
    value: Any
    says: str


OWNER = "8e3af657-a8ff-443c-a75c-2fe8c4bcb635"
IMAGES, LIMITS = "images-are-fixed", "containers-have-limits"
PROBES, NODE = "containers-have-probes", "pods-have-no-rights-on-the-node"
BALANCERS, OWNERS = "load-balancers-are-internal", "models-have-an-owner"
TAGS, ENCRYPTION = "cloud-resources-are-tagged", "stores-are-encrypted"
RIGHTS = "rights-are-named"
PLANTED = (
    Planted(IMAGES, "deployment", f"{SERVER}.image", "nginx:latest", "nginx:latest"),
    Planted(IMAGES, "deployment", f"{SERVER}.image", "nginx", "nginx"),
    Planted(IMAGES, "deployment", f"{SERVER}.image", "nginx:1.29.1", "sha256"),
    Planted(IMAGES, "deployment", f"{SERVER}.image", "slipway.local/server:latest", "latest"),
    Planted(IMAGES, "deployment", f"{POD}.initContainers.0.image", "busybox", "download"),
    Planted(IMAGES, "chart", "values.speaker.image.tag", "v0.16.1", "values.speaker"),
    Planted(LIMITS, "deployment", f"{SERVER}.resources", None, "limits.memory"),
    Planted(LIMITS, "deployment", f"{POD}.initContainers.0.resources.limits.cpu", None, "download"),
    Planted(LIMITS, "chart", "values.speaker.resources.limits", None, "limits.cpu"),
    Planted(PROBES, "deployment", f"{SERVER}.readinessProbe", None, "readinessProbe"),
    Planted(PROBES, "deployment", f"{SERVER}.livenessProbe", None, "livenessProbe"),
    Planted(NODE, "deployment", f"{SERVER}.securityContext.privileged", True, "privileged"),
    Planted(NODE, "deployment", f"{SERVER}.securityContext", None, "allowPrivilegeEscalation"),
    Planted(NODE, "deployment", f"{POD}.securityContext.runAsUser", 0, "root"),
    Planted(NODE, "deployment", f"{SERVER}.securityContext.runAsUser", 0, "root"),
    Planted(NODE, "deployment", f"{POD}.securityContext.runAsNonRoot", None, "runAsNonRoot"),
    Planted(NODE, "deployment", f"{POD}.hostNetwork", True, "hostNetwork"),
    Planted(NODE, "deployment", f"{POD}.volumes.0.hostPath", {"path": "/"}, "hostPath"),
    Planted(NODE, "chart", "values.speaker.securityContext.runAsUser", 0, "values.speaker"),
    Planted(NODE, "chart", "values.speaker.securityContext.privileged", True, "values.speaker"),
    Planted(BALANCERS, "service", "metadata.annotations", None, "slipway.local/public-because"),
    Planted(
        BALANCERS, "service", "metadata.annotations", {"slipway.local/public-because": " "}, ""
    ),
    Planted(OWNERS, "deployment", "metadata.labels", {**LABELS, "slipway.local/team": ""}, "team"),
    Planted(
        OWNERS,
        "deployment",
        "spec.template.metadata.labels",
        {"app.kubernetes.io/component": "model"},
        "pods",
    ),
    Planted(TAGS, "aws", "defaultTags", json.dumps({"tags": {}}), "defaultTags"),
    Planted(TAGS, "gcp", "defaultLabels", None, "defaultLabels"),
    Planted(TAGS, "group", "tags", None, "tags"),
    Planted(ENCRYPTION, "ecr", "encryptionConfigurations", None, "KMS"),
    Planted(ENCRYPTION, "eks", "encryptionConfig", None, "secrets"),
    Planted(
        ENCRYPTION,
        "s3",
        "rules.0.applyServerSideEncryptionByDefault.sseAlgorithm",
        "AES256",
        "KMS",
    ),
    Planted(ENCRYPTION, "ebs", "encrypted", None, "encrypted"),
    Planted(ENCRYPTION, "class", "parameters.encrypted", "false", "encrypted"),
    Planted(ENCRYPTION, "aks", "agentPoolProfiles.0.enableEncryptionAtHost", None, "system"),
    Planted(ENCRYPTION, "pool", "enableEncryptionAtHost", False, "enableEncryptionAtHost"),
    Planted(ENCRYPTION, "account", "minimumTlsVersion", "TLS1_0", "minimumTlsVersion"),
    Planted(ENCRYPTION, "account", "enableHttpsTrafficOnly", False, "enableHttpsTrafficOnly"),
    Planted(ENCRYPTION, "gke", "databaseEncryption.state", "DECRYPTED", "databaseEncryption"),
    Planted(RIGHTS, "statement", ACTION, "*", "*"),
    Planted(
        RIGHTS,
        "statement",
        "policy.Statement.0",
        {"Effect": "Allow", "Action": ["s3:*"], "Resource": "*"},
        "s3:*",
    ),
    Planted(RIGHTS, "statement", "policy.Statement.0.NotAction", "iam:*", "NotAction"),
    Planted(
        RIGHTS,
        "statement",
        "policy",
        json.dumps({"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}),
        "*",
    ),
    Planted(
        RIGHTS,
        "attachment",
        "policyArn",
        "arn:aws:iam::aws:policy/AdministratorAccess",
        "Administrator",
    ),
    Planted(RIGHTS, "assignment", "roleDefinitionId", f"/roleDefinitions/{OWNER}", "Owner"),
    Planted(RIGHTS, "member", "role", "roles/editor", "roles/editor"),
    Planted(RIGHTS, "member", "member", "allUsers", "allUsers"),
    Planted(RIGHTS, "role", "rules.0.resources", ["*"], "verbs"),
)


def checked(kind: str, properties: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return the violations of each rule that finds any."""
    resource = Resource(TYPES[kind], "example", properties)
    found = {rule.name: list(rule.check(resource)) for rule in RULES}
    return {name: violations for name, violations in found.items() if violations}


def planted(properties: Any, path: str, value: Any) -> Any:
    changed = copy.deepcopy(properties)
    *outer, last = path.split(".")
    place = changed
    for key in outer:
        place = place[int(key) if key.isdigit() else key]
    if value is None:
        del place[last]
    else:
        place[int(last) if last.isdigit() else last] = value
    return changed


@pytest.mark.parametrize("kind", RIGHT)
def test_what_is_right_breaks_no_rule(kind: str) -> None:
    assert checked(kind, RIGHT[kind]) == {}


@pytest.mark.parametrize("case", PLANTED, ids=lambda case: f"{case.rule}-{case.path}-{case.value}")
def test_a_planted_violation_is_refused_by_its_rule_alone(case: Planted) -> None:
    found = checked(case.kind, planted(RIGHT[case.kind], case.path, case.value))
    assert found.keys() == {case.rule}
    assert any(case.says in violation for violation in found[case.rule])


def test_every_rule_is_tested_with_a_violation() -> None:
    assert {case.rule for case in PLANTED} == {rule.name for rule in RULES}


@pytest.mark.parametrize(
    "image",
    [
        "slipway.local/model-server:0123456789ab",
        f"registry.example.com:5000/ml/server{DIGEST}",
        f"registry.example.com/server:v1{DIGEST}",
    ],
)
def test_an_image_that_cannot_change_is_accepted(image: str) -> None:
    assert checked("deployment", planted(DEPLOYMENT, f"{SERVER}.image", image)) == {}


@pytest.mark.parametrize(
    "annotations",
    [
        {"service.beta.kubernetes.io/aws-load-balancer-scheme": "internal"},
        {"networking.gke.io/load-balancer-type": "Internal"},
        {"slipway.local/public-because": "customers call it"},
    ],
)
def test_a_load_balancer_is_accepted_inside_or_with_a_reason(annotations: Any) -> None:
    assert checked("service", planted(SERVICE, "metadata.annotations", annotations)) == {}


def test_a_statement_that_denies_may_name_everything() -> None:
    statement = {"Effect": "Deny", "Action": "*", "Resource": "*"}
    assert checked("statement", {"policy": {"Statement": [statement]}}) == {}


def test_a_job_needs_no_probes() -> None:
    rule = next(rule for rule in RULES if rule.name == PROBES)
    job = planted(DEPLOYMENT, f"{SERVER}.readinessProbe", None)
    assert list(rule.check(Resource("kubernetes:batch/v1:Job", "example", job))) == []


@pytest.mark.parametrize("rule", [IMAGES, LIMITS, PROBES, NODE])
def test_pods_of_kserve_and_of_schedules_are_looked_at_too(rule: str) -> None:
    pod = {"containers": [{"name": "server", "image": "x"}]}
    predictor = {"spec": {"predictor": pod}}
    scheduled = {"spec": {"jobTemplate": {"spec": {"template": {"spec": pod}}}}}
    (check,) = (known.check for known in RULES if known.name == rule)
    kserve = "kubernetes:serving.kserve.io/v1beta1:InferenceService"
    assert list(check(Resource(kserve, "example", predictor)))
    found = list(check(Resource("kubernetes:batch/v1:CronJob", "example", scheduled)))
    assert bool(found) is (rule != PROBES)
