"""Waits until a deleted object is gone."""

import threading
import time
from collections.abc import Iterator
from typing import Any

from toolchain.kubernetes_plugin.client import ObjectClient
from toolchain.kubernetes_plugin.errors import ClusterError
from toolchain.kubernetes_plugin.readiness import rules
from toolchain.kubernetes_plugin.readiness.errors import Cause, NotReady
from toolchain.kubernetes_plugin.readiness.fields import (
    Document,
    documents,
    name,
    namespace,
    pluck,
    text,
    uid,
)
from toolchain.kubernetes_plugin.readiness.pace import Clock, Pace, Report, Subject, watch_once

# Conditions in which the namespace controller says what keeps a namespace.
_NAMESPACE_KEPT = (
    "NamespaceContentRemaining",
    "NamespaceFinalizersRemaining",
    "NamespaceDeletionContentFailure",
    "NamespaceDeletionDiscoveryFailure",
    "NamespaceDeletionGroupVersionParsingFailure",
)


def wait_until_deleted(
    client: ObjectClient,
    obj: dict[str, Any],
    *,
    timeout: float,
    report: Report,
    cancelled: threading.Event,
    clock: Clock = time.monotonic,
) -> None:
    """Wait until an object whose deletion was asked for is gone.

    An object of the same name with another uid is another object. The annotation
    `pulumi.com/skipAwait` is heeded for the kinds for which the official plug-in heeds it.

    Args:
        client: The cluster.
        obj: The object as it was before its deletion.
        timeout: Seconds from the program's `customTimeouts`; 0 where it has none.
        report: Called with one line when what is waited for changed.
        cancelled: Set to stop waiting; noticed within 3 s.
        clock: Monotonic seconds.

    Raises:
        NotReady: The object is still there, with what keeps it.
    """
    if rules.skips_deletion(obj):
        return
    pace = Pace(rules.effective_timeout(timeout, obj, "delete"), cancelled, clock)
    live, said = obj, ""
    while True:
        try:
            found = client.get(obj["apiVersion"], obj["kind"], name(obj), namespace(obj))
            if found is None or uid(found) != uid(obj):
                return
            live = found
            line = "; ".join(_kept_by(live)) or "Waiting for the object to be gone"
        except ClusterError as error:
            line = f"Cannot read {obj['kind']} {name(obj)}: {error}"
        if line != said:
            said = line
            report(line)
        if pace.over:
            cause: Cause = "cancelled" if pace.cancelled else "timed out"
            headline = f"Deletion of '{name(obj)}' {cause}"
            raise NotReady(headline, list(_kept_by(live)) or [line], live, cause)
        if _saw_deletion(client, obj, pace, report):
            return


def _saw_deletion(client: ObjectClient, obj: dict[str, Any], pace: Pace, report: Report) -> bool:
    subject = Subject(obj["apiVersion"], obj["kind"], namespace(obj), name(obj))
    for event, seen in watch_once(client, subject, pace, pace.next_window(), report):
        if event == "DELETED" and uid(seen) == uid(obj):
            return True
    return False


def _kept_by(live: Document) -> Iterator[str]:
    """Yield what may keep an object from being gone."""
    for entry in documents(live, "status", "conditions"):
        if text(entry, "type") in _NAMESPACE_KEPT and text(entry, "status") == "True":
            yield text(entry, "message")
    listed = pluck(live, "metadata", "finalizers")
    finalizers = ", ".join(str(item) for item in listed) if isinstance(listed, list) else ""
    if finalizers:
        yield f"Waiting for finalizers of {live['kind']} {name(live)}: {finalizers}"
