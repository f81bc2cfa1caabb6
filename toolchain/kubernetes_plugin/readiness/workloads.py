"""Whether controllers of pods, and pods themselves, are ready.

The criteria are those of the official plug-in's await logic (its documentation, and the comments
in its `provider/pkg/await`), read from the status of the object alone: a controller reports in it
what its pods do.
"""

from dataclasses import replace

from toolchain.kubernetes_plugin.readiness import quotas
from toolchain.kubernetes_plugin.readiness.fields import (
    Document,
    annotation,
    condition,
    holds,
    is_observed,
    number,
    pluck,
    text,
)
from toolchain.kubernetes_plugin.readiness.verdict import Failed, Pending, Ready, Related, Verdict

_REVISION = "deployment.kubernetes.io/revision"

# Seconds. What holds the room may be a pod that is just ending, which takes up to 30 s; a
# ReplicaSet tries again 41 s after its first try, at twice the time each.
_REFUSED_FOR_GOOD = 45.0


def deployment(obj: Document, related: Related) -> Verdict:
    """Ready when every replica runs the current template and is available.

    A paused deployment rolls nothing out, so there is nothing to wait for. One whose pods a quota
    refuses fails if that does not change for a while.
    """
    verdict = _deployment(obj)
    if isinstance(verdict, Pending) and quotas.refuse(obj, related.quotas):
        return replace(verdict, fails_after=_REFUSED_FOR_GOOD)
    return verdict


def _deployment(obj: Document) -> Verdict:
    if not is_observed(obj):
        return Pending("Waiting for the Deployment controller to see the change")
    if pluck(obj, "spec", "paused") is True:
        return Ready("The Deployment is paused")
    wanted = number(obj, "spec", "replicas", default=1)
    total = number(obj, "status", "replicas")
    updated = number(obj, "status", "updatedReplicas")
    ready = number(obj, "status", "readyReplicas")
    if updated < wanted:
        return Pending(_waiting(wanted - updated, wanted, "to be updated", _failing(obj)))
    if total > updated:
        return Pending(f"Waiting for {_replicas(total - updated, 'old')} to stop")
    if ready < wanted:
        return Pending(_waiting(wanted - ready, wanted, "to be ready", _failing(obj)))
    if not holds(obj, "Available"):
        return Pending(_with("Waiting for the Deployment to be available", _failing(obj)))
    return _rolled_out(obj, wanted)


def _rolled_out(obj: Document, replicas: int) -> Verdict:
    """Judge the `Progressing` condition, which a first rollout has no need of.

    A deployment without a progress deadline never carries the condition.
    """
    progressing = condition(obj, "Progressing")
    is_first = annotation(obj, _REVISION) == "1"
    done = holds(obj, "Progressing") and text(progressing, "reason") == "NewReplicaSetAvailable"
    if progressing is not None and not is_first and not done:
        return Pending(_with("Waiting for the rollout to finish", _failing(obj)))
    return Ready(f"The Deployment is available with {_replicas(replicas)}")


def _failing(obj: Document) -> str:
    """Return what a deployment's conditions say of a rollout that makes no progress."""
    progressing = condition(obj, "Progressing")
    if text(progressing, "status") == "False":
        return text(progressing, "message")
    return ""


def stateful_set(obj: Document, related: Related) -> Verdict:
    """Ready when every replica is ready and runs the revision that the strategy asks for.

    With a partition, only the replicas at or above it are updated. With `OnDelete`, an update
    waits for no pod to be replaced, because only a person or another controller deletes them.
    """
    del related
    if not is_observed(obj):
        return Pending("Waiting for the StatefulSet controller to see the change")
    wanted = number(obj, "spec", "replicas", default=1)
    total = number(obj, "status", "replicas")
    ready = number(obj, "status", "readyReplicas")
    if total > wanted:
        return Pending(f"Waiting for {_replicas(total - wanted, 'surplus')} to stop")
    if ready < wanted:
        return Pending(_waiting(wanted - ready, wanted, "to be ready"))
    on_delete = text(obj, "spec", "updateStrategy", "type") == "OnDelete"
    if on_delete and number(obj, "metadata", "generation") > 1:
        return Ready(f"The StatefulSet has {_replicas(wanted)} ready")
    return _revision(obj, wanted)


def _revision(obj: Document, wanted: int) -> Verdict:
    partition = number(obj, "spec", "updateStrategy", "rollingUpdate", "partition")
    updated = number(obj, "status", "updatedReplicas")
    current = text(obj, "status", "currentRevision")
    target = text(obj, "status", "updateRevision")
    if partition > 0:
        to_update = max(wanted - partition, 0)
        if updated < to_update:
            return Pending(_waiting(to_update - updated, to_update, "to be updated"))
    elif updated < wanted:
        return Pending(_waiting(wanted - updated, wanted, "to be updated"))
    elif not current or current != target:
        return Pending("Waiting for the StatefulSet controller to finish the rollout")
    return Ready(f"The StatefulSet has {_replicas(wanted)} ready")


def daemon_set(obj: Document, related: Related) -> Verdict:
    """Ready when every node that wants the pod has the current one, available.

    No node that wants it is ready too. With `OnDelete`, an update waits until the old pods were
    deleted, as the official plug-in does.
    """
    del related
    if not is_observed(obj):
        return Pending("Waiting for the DaemonSet controller to see the change")
    wanted = number(obj, "status", "desiredNumberScheduled")
    updated = number(obj, "status", "updatedNumberScheduled")
    ready = min(number(obj, "status", "numberReady"), number(obj, "status", "numberAvailable"))
    if number(obj, "status", "currentNumberScheduled") < wanted or updated < wanted:
        hint = ""
        if text(obj, "spec", "updateStrategy", "type") == "OnDelete":
            hint = "the updateStrategy is OnDelete: delete the old pods to go on"
        return Pending(_waiting(wanted - updated, wanted, "to be updated", hint))
    if ready < wanted:
        return Pending(_waiting(wanted - ready, wanted, "to be ready"))
    return Ready(f"The DaemonSet has {_replicas(wanted)} ready")


def replication_controller(obj: Document, related: Related) -> Verdict:
    """Ready when as many replicas are available as are wanted."""
    del related
    wanted = number(obj, "spec", "replicas", default=1)
    available = number(obj, "status", "availableReplicas")
    if not is_observed(obj) or available != wanted:
        return Pending(_waiting(max(wanted - available, 0), wanted, "to be available"))
    return Ready(f"The ReplicationController has {_replicas(wanted)} available")


def job(obj: Document, related: Related) -> Verdict:
    """Ready when the job completed; failed when Kubernetes gave it up.

    A suspended job runs nothing, so there is nothing to wait for.
    """
    del related
    if holds(obj, "Failed"):
        given_up = condition(obj, "Failed")
        return Failed(f"The Job failed ({text(given_up, 'reason')}): {text(given_up, 'message')}")
    if holds(obj, "Complete"):
        return Ready("The Job completed")
    if pluck(obj, "spec", "suspend") is True and holds(obj, "Suspended"):
        return Ready("The Job is suspended")
    if not text(obj, "status", "startTime"):
        return Pending("Waiting for the Job to start")
    counts = ", ".join(
        f"{number(obj, 'status', field)} {field}" for field in ("active", "succeeded", "failed")
    )
    return Pending(f"Waiting for the Job to complete ({counts})")


def pod(obj: Document, related: Related) -> Verdict:
    """Ready when the pod is ready or ran to its successful end; failed when it ended otherwise."""
    del related
    phase = text(obj, "status", "phase")
    if phase == "Succeeded" or (phase == "Running" and holds(obj, "Ready")):
        return Ready("The Pod is ready")
    if phase == "Failed":
        reason = text(obj, "status", "message") or text(obj, "status", "reason")
        return Failed(_with("The Pod ended without success", reason))
    if not holds(obj, "PodScheduled"):
        return Pending("Waiting for the Pod to be scheduled")
    if not holds(obj, "Initialized"):
        return Pending("Waiting for the Pod's init containers")
    return Pending("Waiting for the Pod to be ready")


def _replicas(count: int, which: str = "") -> str:
    noun = "replica" if count == 1 else "replicas"
    return f"{count} {which} {noun}" if which else f"{count} {noun}"


def _waiting(missing: int, wanted: int, what: str, because: str = "") -> str:
    noun = "replica" if wanted == 1 else "replicas"
    return _with(f"Waiting for {missing} of {wanted} {noun} {what}", because)


def _with(message: str, because: str) -> str:
    return f"{message} ({because})" if because else message
