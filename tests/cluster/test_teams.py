"""What a team's namespace refuses, limits and shows, on real pods."""

import pytest

from tests.cluster.checkout import Checkout
from tests.cluster.pods import OWNER, Object, end, made, pod, ready
from tests.running import Run
from toolchain.kubernetes_plugin.cluster import Cluster
from toolchain.kubernetes_plugin.errors import ApiError
from toolchain.local_cluster import Brings

pytestmark = pytest.mark.cluster

TEAM = "vision"
MEMBER = ("--as=mia", "--as-group=vision-members")


def refusal(cluster: Cluster, obj: Object) -> str:
    """Return the words in which the server refuses an object."""
    with pytest.raises(ApiError) as caught:
        cluster.create(obj, field_manager=OWNER, dry_run=True)
    return str(caught.value)


def as_member(checkout: Checkout, *arguments: str) -> Run:
    """Run kubectl as a member of the team."""
    return checkout.kubectl(*MEMBER, *arguments, expect=None)


# Room


def test_a_pod_over_the_quota_ends_up_with_the_quotas_words(
    checkout: Checkout, served: Run, cluster: Cluster
) -> None:
    """Something that the stack file does not tell eats the quota between the check and the pods."""
    if "stand-in for the official kubernetes plug-in" not in served.text:
        pytest.skip("the official kubernetes plug-in does not say why a Deployment has no pods")
    quota = cluster.get("v1", "ResourceQuota", "team", TEAM)
    assert quota is not None
    used = quota["status"]["used"]["pods"]
    with checkout.changed({"models": {"digits": {"replicas": int(used) + 1}}}):
        lower(cluster, quota, pods=used)
        try:
            refused = checkout.pulumi("up", "--yes", "--skip-preview", expect=None)
        finally:
            lower(cluster, quota, pods=quota["spec"]["hard"]["pods"])
    checkout.pulumi("up", "--yes", "--skip-preview")
    assert refused.code != 0
    assert f"exceeded quota: team, requested: pods=1, used: pods={used}" in refused.text


def lower(cluster: Cluster, quota: Object, **hard: str) -> None:
    cluster.patch(quota, {"spec": {"hard": hard}}, media_type="application/merge-patch+json")
    stored = cluster.get("v1", "ResourceQuota", "team", TEAM)
    assert stored is not None
    ready(cluster, stored)


def test_models_that_do_not_fit_are_told_before_anything_changes(
    checkout: Checkout, served: Run
) -> None:
    with checkout.changed({"teams": {TEAM: {"quota": {"pods": 1}}}}):
        refused = checkout.slipway("up", expect=None)
        bare = checkout.pulumi("up", "--yes", "--skip-preview", expect=None)
    for run in (refused, bare):
        assert run.code != 0
        assert "slipway:teams.vision.quota.pods: `1` is less than the 2" in run.text
        assert "(digits 2)" in run.text
        assert "Traceback" not in run.text


def test_a_container_that_says_nothing_gets_the_defaults(cluster: Cluster) -> None:
    with made(cluster, pod("silent", TEAM)) as stored:
        (container,) = stored["spec"]["containers"]
        assert container["resources"] == {
            "requests": {"cpu": "100m", "memory": "256Mi"},
            "limits": {"memory": "256Mi"},
        }
        assert end(cluster, stored) == ("Succeeded", "")


def test_no_container_is_larger_than_its_team(cluster: Cluster) -> None:
    huge = {"requests": {"cpu": "1", "memory": "5Gi"}, "limits": {"memory": "5Gi"}}
    said = refusal(cluster, pod("huge", TEAM, resources=huge))
    assert "maximum memory usage per Container is 4Gi, but limit is 5Gi" in said


def test_a_claim_over_the_quota_is_refused(cluster: Cluster) -> None:
    said = refusal(cluster, claim("big", "2Gi", None))
    assert "exceeded quota: team, requested: requests.storage=2Gi" in said


@pytest.mark.parametrize("kind", ["NodePort", "LoadBalancer"])
def test_no_service_of_a_team_leads_past_the_gateway(cluster: Cluster, kind: str) -> None:
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "open", "namespace": TEAM},
        "spec": {"type": kind, "selector": {"app": "open"}, "ports": [{"port": 80}]},
    }
    said = refusal(cluster, service)
    assert "exceeded quota: team" in said
    assert f"services.{kind.lower()}s=1" in said


# Rights of pods


MIGHTY: dict[str, Object] = {
    "privileged": {"securityContext": {"privileged": True}},
    "host namespaces": {"hostNetwork": True},
    "hostPath": {"volumes": [{"name": "node", "hostPath": {"path": "/"}}]},
}


@pytest.mark.parametrize("what", MIGHTY)
def test_a_pod_with_more_rights_is_refused(cluster: Cluster, what: str) -> None:
    obj = pod("mighty", TEAM)
    change = MIGHTY[what]
    place = obj["spec"]["containers"][0] if "securityContext" in change else obj["spec"]
    place.update(change)
    said = refusal(cluster, obj)
    assert 'violates PodSecurity "restricted:latest"' in said
    assert what in said


# Rights of members


def test_a_member_reads_workloads_and_their_logs(checkout: Checkout, served: Run) -> None:
    pods = as_member(checkout, "get", "pods,deployments,events,httproutes", f"--namespace={TEAM}")
    assert "digits" in pods.text
    logs = as_member(checkout, "logs", "deployment/digits", f"--namespace={TEAM}")
    assert logs.code == 0, logs.text
    quota = as_member(checkout, "describe", "quota", "team", f"--namespace={TEAM}")
    assert "requests.cpu" in quota.text


@pytest.mark.parametrize(
    ("arguments", "resource"),
    [
        (("get", "secrets", f"--namespace={TEAM}"), "secrets"),
        (("exec", "deployment/digits", f"--namespace={TEAM}", "--", "true"), "pods/exec"),
        (("scale", "deployment/digits", "--replicas=0", f"--namespace={TEAM}"), "deployments"),
        (("delete", "pods", "--all", f"--namespace={TEAM}"), "pods"),
        (("get", "pods", "--namespace=slipway-system"), "pods"),
    ],
)
def test_a_member_sees_no_secret_has_no_shell_and_changes_nothing(
    checkout: Checkout, served: Run, arguments: tuple[str, ...], resource: str
) -> None:
    # First, because what follows `--` is the command of `exec`.
    refused = checkout.kubectl(*MEMBER, *arguments, expect=None)
    assert refused.code != 0, refused.text
    assert "(Forbidden)" in refused.text or "is forbidden" in refused.text
    assert resource in refused.text


def test_a_member_may_forward_a_port_and_a_stranger_may_not(
    checkout: Checkout, served: Run
) -> None:
    forward = ("create", "pods", "--subresource=portforward")
    asked = ("auth", "can-i", *forward, f"--namespace={TEAM}")
    assert as_member(checkout, *asked).text.strip().endswith("yes")
    stranger = checkout.kubectl(*asked, "--as=eve", "--as-group=text-members", expect=None)
    assert stranger.text.strip().endswith("no")


# The network


def test_up_says_once_where_the_network_keeps_no_team_apart(served: Run, brings: Brings) -> None:
    # The engine repeats every line of its progress below this title.
    said = served.text.partition("Diagnostics:")[2].count("does not enforce NetworkPolicies")
    assert said == (0 if brings.network_policies else 1)


# Storage


def claim(name: str, size: str, storage_class: str | None) -> Object:
    spec: Object = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": size}}}
    if storage_class is not None:
        spec["storageClassName"] = storage_class
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": name, "namespace": TEAM},
        "spec": spec,
    }


def test_a_team_has_storage_of_the_clusters_class(cluster: Cluster, brings: Brings) -> None:
    if brings.storage_class is None:
        pytest.skip("this distribution has no provisioner of storage")
    writer = pod(
        "writes",
        TEAM,
        *("python3", "-c", "open('/data/file', 'w').write('kept')"),
        volumeMounts=[{"name": "data", "mountPath": "/data"}],
    )
    writer["spec"]["volumes"] = [{"name": "data", "persistentVolumeClaim": {"claimName": "notes"}}]
    with made(cluster, claim("notes", "8Mi", brings.storage_class)):
        with made(cluster, writer) as stored:
            assert end(cluster, stored) == ("Succeeded", "")
        bound = cluster.get("v1", "PersistentVolumeClaim", "notes", TEAM)
        assert bound is not None
        assert bound["status"]["phase"] == "Bound"
