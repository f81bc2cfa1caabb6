"""A cluster in memory whose objects change by a script while they are watched."""

import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal

from toolchain.kubernetes_plugin.client import EventType, Object

Change = Callable[["FakeCluster"], object]


class FakeClock:
    """Seconds that pass only when someone waits."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


class FakeCancellation(threading.Event):
    """An event whose waits pass on the fake clock."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__()
        self._clock = clock

    def wait(self, timeout: float | None = None) -> bool:
        self._clock.seconds += timeout or 0.0
        return self.is_set()


class FakeCluster:
    """Objects by kind and name, and a script: what changes at which second.

    Attributes:
        calls: Verb and kind of every request.
        failing: Errors that the next requests of a verb end with.
        closing: How many of the next watches the server closes at once.
        served_from: Second at which the server starts to list a kind, by its `apiVersion`.
    """

    def __init__(self, clock: FakeClock, *objects: Object) -> None:
        self.clock = clock
        self.objects: dict[tuple[str, str], Object] = {}
        self.event_list: dict[str, list[Object]] = {}
        self.calls: list[tuple[str, str]] = []
        self.failing: dict[str, list[Exception]] = {}
        self.closing = 0
        self.served_from: dict[str, float] = {}
        self._script: list[tuple[float, Change]] = []
        self._version = 0
        self._pending: list[tuple[EventType, Object]] = []
        for obj in objects:
            self.put(obj)

    def at(self, second: float, change: Change) -> None:
        """Let something change at a second of the fake clock."""
        self._script.append((second, change))
        self._script.sort(key=lambda step: step[0])

    def put(self, obj: Object) -> Object:
        """Store an object with a new resource version."""
        self._version += 1
        metadata = {"uid": f"uid-{obj['metadata']['name']}", **obj["metadata"]}
        stored = obj | {"metadata": metadata | {"resourceVersion": str(self._version)}}
        key = (obj["kind"], obj["metadata"]["name"])
        self._pending.append(("MODIFIED" if key in self.objects else "ADDED", stored))
        self.objects[key] = stored
        return stored

    def remove(self, kind: str, name: str) -> None:
        """Remove an object."""
        self._pending.append(("DELETED", self.objects.pop((kind, name))))

    def serves(self, api_version: str, kind: str) -> bool:
        self._called("serves", kind)
        return self.clock.seconds >= self.served_from[api_version]

    def get(
        self, api_version: str, kind: str, name: str, namespace: str | None = None
    ) -> Object | None:
        self._called("get", kind)
        return self.objects.get((kind, name))

    def watch(
        self,
        api_version: str,
        kind: str,
        namespace: str | None = None,
        name: str | None = None,
        timeout_seconds: float = 30.0,
    ) -> Iterator[tuple[EventType, Object]]:
        self._called("watch", kind)
        self._pending.clear()
        for (of_kind, of_name), obj in list(self.objects.items()):
            if of_kind == kind and name in (None, of_name):
                yield "ADDED", obj
        if self.closing:
            self.closing -= 1
            return
        end = self.clock.seconds + timeout_seconds
        while self._script and self._script[0][0] <= end:
            second, change = self._script.pop(0)
            self.clock.seconds = max(self.clock.seconds, second)
            change(self)
            for event, obj in self._drain():
                if obj["kind"] == kind and name in (None, obj["metadata"]["name"]):
                    yield event, obj
        self.clock.seconds = end

    def events(self, obj: Object) -> list[Object]:
        self._called("events", obj["kind"])
        return self.event_list.get(obj["metadata"]["uid"], [])

    def create(self, obj: Object, *, field_manager: str, dry_run: bool = False) -> Object:
        raise AssertionError("waiting writes nothing")

    def apply(
        self, obj: Object, *, field_manager: str, force: bool = False, dry_run: bool = False
    ) -> Object:
        raise AssertionError("waiting writes nothing")

    def patch(
        self, obj: Object, body: list[Mapping[str, Any]] | Mapping[str, Any], *, media_type: str
    ) -> Object:
        raise AssertionError("waiting writes nothing")

    def delete(
        self,
        api_version: str,
        kind: str,
        name: str,
        namespace: str | None = None,
        *,
        propagation: Literal["Foreground", "Background", "Orphan"] = "Foreground",
        uid: str | None = None,
    ) -> None:
        raise AssertionError("waiting writes nothing")

    def _called(self, verb: str, kind: str) -> None:
        self.calls.append((verb, kind))
        if self.failing.get(verb):
            raise self.failing[verb].pop(0)

    def _drain(self) -> list[tuple[EventType, Object]]:
        drained, self._pending = self._pending, []
        return drained

    def list(
        self,
        api_version: str,
        kind: str,
        namespace: str | None = None,
        label_selector: str | None = None,
        field_selector: str | None = None,
    ) -> list[Object]:
        self._called("list", kind)
        return [obj for (of_kind, _), obj in self.objects.items() if of_kind == kind]
