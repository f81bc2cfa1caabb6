"""Waits until an object is ready."""

import threading
import time
from collections.abc import Iterator
from typing import Any

from toolchain.kubernetes_plugin.client import EventType, Object, ObjectClient
from toolchain.kubernetes_plugin.errors import ClusterError
from toolchain.kubernetes_plugin.readiness import explain, rules
from toolchain.kubernetes_plugin.readiness.criteria import InvalidCriterionError
from toolchain.kubernetes_plugin.readiness.errors import Cause, NotReady
from toolchain.kubernetes_plugin.readiness.evidence import evidence_about, related_to
from toolchain.kubernetes_plugin.readiness.fields import (
    Document,
    documents,
    name,
    namespace,
    number,
    text,
    uid,
)
from toolchain.kubernetes_plugin.readiness.networking import belongs_to_service
from toolchain.kubernetes_plugin.readiness.pace import Clock, Pace, Report, Subject, watch_once
from toolchain.kubernetes_plugin.readiness.rules import Operation, Rule
from toolchain.kubernetes_plugin.readiness.verdict import Failed, Pending, Ready, Related, Verdict


def wait_until_ready(
    client: ObjectClient,
    obj: dict[str, Any],
    inputs: Document,
    *,
    timeout: float,
    report: Report,
    cancelled: threading.Event,
    operation: Operation = "create",
    clock: Clock = time.monotonic,
) -> dict[str, Any]:
    """Wait until an object that was just written is ready.

    Args:
        client: The cluster.
        obj: The object as the API server returned it.
        inputs: The object as the program states it; its annotations say whether and how to wait.
        timeout: Seconds from the program's `customTimeouts`; 0 where it has none, then the
            annotation `pulumi.com/timeoutSeconds` counts, then the kind's default.
        report: Called with one line when what is waited for changed.
        cancelled: Set to stop waiting; noticed within 3 s.
        operation: What was done to the object.
        clock: Monotonic seconds.

    Returns:
        The object as it was when it was ready.

    Raises:
        NotReady: The object failed, vanished, the time was up, or the wait was cancelled.
    """
    try:
        rule = rules.rule_for(obj, inputs)
    except InvalidCriterionError as error:
        headline = f"Resource '{name(obj)}' was created but cannot be waited for"
        raise NotReady(headline, [str(error)], obj, "failed") from error
    if rule is None:
        return obj
    pace = Pace(rules.effective_timeout(timeout, inputs, operation), cancelled, clock)
    return _Wait(client, obj, rule, pace, report).run()


def check_ready(client: ObjectClient, obj: dict[str, Any], inputs: Document) -> None:
    """Look once whether an object that was read is ready, without waiting for anything.

    A refresh says so of an object that broke since; kinds that the official plug-in does not judge
    in a refresh are not judged.

    Args:
        client: The cluster.
        obj: The object as it was read.
        inputs: The object as the program states it.

    Raises:
        NotReady: The object is not ready.
    """
    rule = rules.rule_for_read(obj, inputs)
    if rule is not None:
        pace = Pace(0.0, threading.Event())
        _Wait(client, obj, rule, pace, lambda line: None).run()


class _Wait:
    """One wait: the object as last seen, and what was last said about it."""

    def __init__(
        self, client: ObjectClient, obj: dict[str, Any], rule: Rule, pace: Pace, report: Report
    ) -> None:
        self._client = client
        self._rule = rule
        self._pace = pace
        self._report = report
        self._live = obj
        self._uid = uid(obj)
        self._generation = number(obj, "metadata", "generation")
        self._said = ""
        self._reasons: tuple[str, ...] = ()
        self._seen: tuple[str, ...] = ()
        self._unchanged_since = pace.now()

    def run(self) -> dict[str, Any]:
        """Look at the object again and again until the verdict is final or the time is up."""
        verdict = self._look()
        while isinstance(verdict, Pending) and not self._pace.over:
            self._say(verdict.message)
            rest = verdict.looks_again_after
            verdict = self._follow() if rest is None else self._look_after(rest)
        if isinstance(verdict, Ready):
            return self._live
        if isinstance(verdict, Pending) and verdict.settles_after is not None:
            # The time is up before it could settle, and nothing speaks against it.
            return self._live
        self._explain()
        if isinstance(verdict, Failed):
            raise self._failure("failed", verdict.message)
        raise self._failure("cancelled" if self._pace.cancelled else "timed out", verdict.message)

    def _look_after(self, seconds: float) -> Verdict:
        self._pace.rest(seconds)
        self._refresh()
        return self._look()

    def _follow(self) -> Verdict:
        """Follow the object's changes for a while and return what is known then."""
        for event, obj in self._events(self._pace.next_window()):
            if not self._take(event, obj):
                continue
            verdict = self._look()
            if not isinstance(verdict, Pending) or verdict.looks_again_after is not None:
                return verdict
            self._say(verdict.message)
        self._refresh()
        verdict = self._look()
        if isinstance(verdict, Pending):
            if self._is_unchanged_for(verdict.settles_after):
                return Ready(verdict.message)
            if self._is_unchanged_for(verdict.fails_after):
                return Failed(f"{verdict.message}; nothing changed for {verdict.fails_after:.0f} s")
            self._explain()
        return verdict

    def _events(self, window: float) -> Iterator[tuple[EventType, Object]]:
        return watch_once(self._client, self._subject(), self._pace, window, self._report)

    def _subject(self) -> Subject:
        """What shows the next step: a service's endpoints once it has its address."""
        space = namespace(self._live)
        has_address = text(self._live, "spec", "type") != "LoadBalancer" or bool(
            documents(self._live, "status", "loadBalancer", "ingress")
        )
        if "endpoint_slices" in self._rule.related and has_address:
            return Subject("discovery.k8s.io/v1", "EndpointSlice", space)
        return Subject(self._live["apiVersion"], self._live["kind"], space, name(self._live))

    def _take(self, event: EventType, obj: Object) -> bool:
        """Take over what an event brought; return whether it is worth another look."""
        version = text(obj, "metadata", "resourceVersion")
        if obj.get("kind") == "EndpointSlice":
            return version not in self._seen and belongs_to_service(obj, self._live)
        if event == "DELETED" or uid(obj) != self._uid:
            return False
        # A watch may start with a state from before the write.
        if number(obj, "metadata", "generation") < self._generation:
            return False
        if version == text(self._live, "metadata", "resourceVersion"):
            return False
        self._live = obj
        return True

    def _look(self) -> Verdict:
        """Judge the object as it was last seen, with what is related to it as it is now."""
        try:
            related = related_to(self._client, self._live, self._rule)
        except ClusterError as error:
            return Pending(f"Cannot read what belongs to {self._live['kind']}: {error}")
        self._note_changes(related)
        return self._rule.judge(self._live, related)

    def _note_changes(self, related: Related) -> None:
        around = (*related.endpoint_slices, *related.services)
        seen = tuple(text(item, "metadata", "resourceVersion") for item in (self._live, *around))
        if seen != self._seen:
            self._seen = seen
            self._unchanged_since = self._pace.now()

    def _is_unchanged_for(self, seconds: float | None) -> bool:
        """Whether nothing changed for so long; `None` is longer than anything."""
        return seconds is not None and self._pace.now() - self._unchanged_since >= seconds

    def _refresh(self) -> None:
        """Read the object anew: a watch that brought nothing may have missed its end."""
        kind, who = self._live["kind"], name(self._live)
        try:
            live = self._client.get(self._live["apiVersion"], kind, who, namespace(self._live))
        except ClusterError as error:
            self._say(f"Cannot read {kind} {who}: {error}")
            return
        if live is None or uid(live) != self._uid:
            raise self._failure("gone", f"{kind} {who} was deleted while it was waited for")
        if number(live, "metadata", "generation") >= self._generation:
            self._live = live

    def _explain(self) -> None:
        try:
            found = explain.reasons(self._live, evidence_about(self._client, self._live))
        except ClusterError:
            # A poorer message is no reason to fail: the credentials may not read pods, and that a
            # cluster does not answer is what the next look at the object itself says.
            return
        self._reasons = found

    def _say(self, message: str) -> None:
        more = len(self._reasons) - 1
        first = f": {self._reasons[0]}" if self._reasons else ""
        line = f"{message}{first}{f' (and {more} more)' if more > 0 else ''}"
        if line != self._said:
            self._said = line
            self._report(line)

    def _failure(self, cause: Cause, message: str) -> NotReady:
        who = name(self._live)
        headline = {
            "timed out": f"'{who}' timed out waiting to be Ready",
            "cancelled": f"Resource operation was cancelled for '{who}'",
            "failed": f"Resource '{who}' was created but failed to initialize",
            "gone": f"Resource '{who}' vanished",
        }[cause]
        return NotReady(headline, [message, *self._reasons], self._live, cause)
