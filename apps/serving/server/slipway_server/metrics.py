"""What Prometheus reads of the server."""

from collections.abc import Callable, Sequence
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

CONTENT_TYPE: Final = CONTENT_TYPE_LATEST

_SECONDS: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10)
_REQUESTS: Final = (1, 2, 4, 8, 16, 32, 64)


class Metrics:
    """The server's own figures, and those of its process.

    What a request costs is resolved once by its labels: 2 microseconds of CPU a request in all.
    """

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        self._requests = Counter(
            "slipway_inference_requests",
            "Inference requests by protocol and HTTP status, over gRPC the one it stands for.",
            ("protocol", "code"),
            registry=self._registry,
        )
        self._counters: dict[tuple[str, int], Counter] = {}
        seconds = Histogram(
            "slipway_inference_duration_seconds",
            "From the head of an inference request to its answer.",
            ("protocol",),
            buckets=_SECONDS,
            registry=self._registry,
        )
        self._seconds = {protocol: seconds.labels(protocol) for protocol in ("rest", "grpc")}
        self._batches = Histogram(
            "slipway_inference_batch_requests",
            "Requests that were joined into one run of the model.",
            buckets=_REQUESTS,
            registry=self._registry,
        )
        self._load = Gauge(
            "slipway_model_load_seconds",
            "From the start of the server until its model was ready.",
            registry=self._registry,
        )

    def watch(self, pending: Callable[[], int], waiting: Callable[[], int]) -> None:
        """Show how many requests are in progress, and how many of them wait for a thread."""
        for name, text, value in (
            ("in_progress", "Requests that are worked on or wait.", pending),
            ("queue_length", "Requests that wait for a thread.", waiting),
        ):
            gauge = Gauge(f"slipway_inference_{name}", text, registry=self._registry)
            gauge.set_function(value)

    def loaded(self, seconds: float) -> None:
        """Keep how long the model took."""
        self._load.set(seconds)

    def answered(self, protocol: str, code: int, seconds: float) -> None:
        """Count one answer; called on the event loop alone."""
        counter = self._counters.get((protocol, code))
        if counter is None:
            counter = self._requests.labels(protocol, str(code))
            self._counters[protocol, code] = counter
        counter.inc()
        self._seconds[protocol].observe(seconds)

    def ran(self, sizes: Sequence[int]) -> None:
        """Count runs of the model by how many requests each had; called in any thread."""
        for size in sizes:
            self._batches.observe(size)

    def text(self) -> bytes:
        """Return the figures as Prometheus reads them."""
        return generate_latest(self._registry)
