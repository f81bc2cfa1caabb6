"""Why an object is not ready, in the words a person needs.

Pure functions over pods and events: what to do about an image that cannot be pulled is in the
container's status, why a pod is not placed in its conditions, and why a volume is not mounted or a
pod not even created only in events.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from toolchain.kubernetes_plugin.readiness.fields import (
    Document,
    condition,
    documents,
    holds,
    name,
    number,
    pluck,
    text,
    uid,
)

# Waiting reasons of a container on its normal way up.
_STARTING = ("ContainerCreating", "PodInitializing")
_IMAGE = ("ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull", "InvalidImageName")
# What a container runtime puts before the part of a message that says something.
_NOISE = (
    "rpc error: code = Unknown desc = ",
    "rpc error: code = NotFound desc = ",
    "Error response from daemon: ",
)
# Warnings that only repeat what a status says better.
_REPEATED = (
    "BackOff",
    "BackoffLimitExceeded",
    "DeadlineExceeded",
    "ErrImageNeverPull",
    "Failed",
    "FailedScheduling",
    "InspectFailed",
)
_LONGEST = 400


@dataclass(frozen=True)
class Evidence:
    """What was found around an object that is not ready.

    Attributes:
        pods: The pods that belong to the object, or the object itself if it is one.
        events: Events about the object, and about each of those pods, by uid, oldest first.
    """

    pods: Sequence[Document] = ()
    events: Mapping[str, Sequence[Document]] = field(default_factory=dict)


def reasons(obj: Document, evidence: Evidence) -> tuple[str, ...]:
    """Return why an object is not ready, each reason once, what matters most first."""
    found: dict[str, list[str]] = {}
    for pod in evidence.pods:
        for reason in _pod(pod, evidence.events.get(uid(pod), ())):
            found.setdefault(reason, []).append(name(pod))
    lines = [_of_pods(pods, reason) for reason, pods in found.items()]
    lines += _refused(obj)
    lines += _warnings(evidence.events.get(uid(obj), ())) if not _is_among(obj, evidence) else []
    return tuple(dict.fromkeys(lines))


def _is_among(obj: Document, evidence: Evidence) -> bool:
    return any(uid(pod) == uid(obj) for pod in evidence.pods)


def _of_pods(pods: list[str], reason: str) -> str:
    others = len(pods) - 1
    if not others:
        return f"pod {pods[0]}: {reason}"
    return f"pod {pods[0]} and {others} other{'s' if others > 1 else ''}: {reason}"


def _refused(obj: Document) -> Iterator[str]:
    """Yield why pods could not even be created, such as a quota that is used up."""
    if holds(obj, "ReplicaFailure"):
        yield _shorten(text(condition(obj, "ReplicaFailure"), "message"))


def _pod(pod: Document, events: Sequence[Document]) -> Iterator[str]:
    if holds(pod, "Ready") or text(pod, "status", "phase") == "Succeeded":
        return
    scheduled = condition(pod, "PodScheduled")
    if text(scheduled, "status") == "False":
        yield f"cannot be scheduled: {_shorten(text(scheduled, 'message'))}"
        return
    if text(pod, "status", "phase") == "Failed" and text(pod, "status", "reason"):
        said = text(pod, "status", "message")
        yield (
            f"{text(pod, 'status', 'reason')}: {_shorten(said)}"
            if said
            else text(pod, "status", "reason")
        )
    statuses = documents(pod, "status", "initContainerStatuses") + documents(
        pod, "status", "containerStatuses"
    )
    images = _images(pod)
    for status in statuses:
        yield from _container(status, images)
    yield from _warnings(events)


def _images(pod: Document) -> dict[str, str]:
    """Return the image that each container asks for; its status may hold a resolved one."""
    containers = documents(pod, "spec", "initContainers") + documents(pod, "spec", "containers")
    return {text(container, "name"): text(container, "image") for container in containers}


def _container(status: Document, images: Mapping[str, str]) -> Iterator[str]:
    if status.get("ready") is True:
        return
    who = f"container {text(status, 'name')}"
    reason = text(status, "state", "waiting", "reason")
    said = _shorten(text(status, "state", "waiting", "message"))
    ended = pluck(status, "state", "terminated") or pluck(status, "lastState", "terminated")
    if reason in _STARTING:
        return
    if reason in _IMAGE:
        image = images.get(text(status, "name")) or text(status, "image")
        yield f"{who} cannot get its image {image}: {reason}{': ' + said if said else ''}"
    elif reason not in ("", "CrashLoopBackOff"):
        yield f"{who} does not start: {reason}{': ' + said if said else ''}"
    elif isinstance(ended, Mapping) and (reason or number(ended, "exitCode") != 0):
        yield f"{who} {_ended(ended, number(status, 'restartCount'))}"


def _ended(terminated: Document, restarts: int) -> str:
    if not restarts:
        return f"ended: {_ending(terminated)}"
    return f"keeps ending: {_ending(terminated)}, {restarts} restart{'s' if restarts > 1 else ''}"


def _ending(terminated: Document) -> str:
    """Describe the end of a container, with its last words where it left any."""
    reason = text(terminated, "reason")
    code = f"exit code {number(terminated, 'exitCode')}"
    described = f"{code} ({reason})" if reason and reason != "Error" else code
    last = text(terminated, "message").strip().splitlines()
    return f"{described}, last words: {_shorten(last[-1])}" if last else described


def _warnings(events: Sequence[Document]) -> list[str]:
    """Return the newest warning of each kind."""
    newest = {
        text(event, "reason"): _shorten(text(event, "message"))
        for event in events
        if text(event, "type") == "Warning" and text(event, "reason") not in _REPEATED
    }
    return [f"{reason}: {message}" for reason, message in newest.items()]


def _shorten(message: str) -> str:
    """Return a message on one line, without a runtime's preamble and of readable length."""
    line = " ".join(message.split())
    for noise in _NOISE:
        line = line.replace(noise, "")
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 3]}..."
