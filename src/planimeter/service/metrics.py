"""Counters and durations for Prometheus, in a registry of their own: many apps can live in one process."""

from collections import Counter as CountOf
from collections.abc import Iterator, Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily

from planimeter.measurement import Timing
from planimeter.service.memory import Memory
from planimeter.service.queue import Queue
from planimeter.store.retention import REASONS, Reason

STEPS = tuple(Timing.model_fields)
BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)


class Metrics:
    """What an operator watches: how many, how it ended, how long each step took, how many wait, what it takes."""

    def __init__(self, queue: Queue, memory: Memory) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._requests = Counter(
            "planimeter_requests",
            "Requests answered, by method, route and status.",
            ("method", "route", "status"),
            registry=self.registry,
        )
        self._request_seconds = Histogram(
            "planimeter_request_seconds",
            "Seconds until the answer to a request began, by route.",
            ("route",),
            buckets=BUCKETS,
            registry=self.registry,
        )
        self._rejections = Counter(
            "planimeter_rejections",
            "Requests that were refused or failed, by the code of the error and status.",
            ("code", "status"),
            registry=self.registry,
        )
        self._measurements = Counter(
            "planimeter_measurements",
            "Pictures that were sent to be measured, by model and outcome (ok, or the code of the error).",
            ("model", "outcome"),
            registry=self.registry,
        )
        self._seconds = Histogram(
            "planimeter_step_seconds",
            "Seconds that each step of a successful measurement took.",
            ("step",),
            buckets=BUCKETS,
            registry=self.registry,
        )
        self._removed = Counter(
            "planimeter_removed_measurements",
            "Measurements that the service removed for good by itself, by reason.",
            ("reason",),
            registry=self.registry,
        )
        for reason in REASONS:
            self._removed.labels(reason)  # 0 from the beginning
        self._bytes = Gauge(
            "planimeter_stored_bytes",
            "Bytes of all files and records, the trash too, a minute ago at most.",
            registry=self.registry,
        )
        self._stored = Gauge(
            "planimeter_stored_measurements",
            "Measurements, listed or in the trash, a minute ago at most.",
            ("where",),
            registry=self.registry,
        )
        self._sent = Counter(
            "planimeter_messages_sent",
            "Messages that a receiver took.",
            ("receiver",),
            registry=self.registry,
        )
        self._unsent = Counter(
            "planimeter_messages_failed",
            "Attempts to send a message that failed; it is tried again.",
            ("receiver",),
            registry=self.registry,
        )
        self._given_up = Counter(
            "planimeter_messages_given_up",
            "Messages that a receiver never got.",
            ("receiver",),
            registry=self.registry,
        )
        self._waiting = Gauge(
            "planimeter_messages_waiting",
            "Messages that wait for a receiver now.",
            ("receiver",),
            registry=self.registry,
        )
        waiting = Gauge(
            "planimeter_queue_length", "Pictures that wait for the model now.", registry=self.registry
        )
        waiting.set_function(lambda: queue.length)
        reserved = Gauge(
            "planimeter_memory_reserved_bytes", "Reserved for pictures now.", registry=self.registry
        )
        reserved.set_function(lambda: memory.reserved_bytes)
        Gauge("planimeter_memory_limit_bytes", "What pictures may take.", registry=self.registry).set(
            memory.size
        )

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count a request that was answered; `method` and `route` must be known ones."""
        self._requests.labels(method, route, str(status)).inc()
        self._request_seconds.labels(route).observe(seconds)

    def rejected(self, code: str, status: int) -> None:
        """Count an error that was answered."""
        self._rejections.labels(code, str(status)).inc()

    def count(self, model: str, outcome: str) -> None:
        """Count one picture. `model` must be a known name: a client must not be able to invent labels."""
        self._measurements.labels(model, outcome).inc()

    def observe(self, timing: Timing) -> None:
        """Take in the durations of one successful measurement."""
        for step in STEPS:
            self._seconds.labels(step).observe(getattr(timing, step) / 1000)

    def count_removed(self, reason: Reason, count: int) -> None:
        """Count measurements that were removed by themselves."""
        self._removed.labels(reason).inc(count)

    def tell_stored(self, stored: int, measurements: int, trashed: int) -> None:
        """Take in how much is stored."""
        self._bytes.set(stored)
        self._stored.labels("listed").set(measurements)
        self._stored.labels("trash").set(trashed)

    def count_sent(self, receiver: str, sent: int, failed: int) -> None:
        """Count messages that a receiver took, and attempts that failed; its name is the operator's."""
        self._sent.labels(receiver).inc(sent)
        self._unsent.labels(receiver).inc(failed)

    def count_given_up(self, receiver: str, count: int) -> None:
        """Count messages that a receiver never got."""
        self._given_up.labels(receiver).inc(count)

    def tell_waiting(self, waiting: Mapping[str, int]) -> None:
        """Take in how many messages wait, by receiver."""
        self._waiting.clear()
        for receiver, count in waiting.items():
            self._waiting.labels(receiver).set(count)

    def watch_workers(self, measured: CountOf[str]) -> None:
        """Tell of the replicas of a cluster, by the names that Ray gave them; `measured` is looked at when asked."""
        self.registry.register(_Replicas(measured))

    def render(self) -> bytes:
        """Return all of it in Prometheus' text format."""
        return generate_latest(self.registry)


class _Replicas:
    """What each replica of a cluster measured, as it is when somebody asks."""

    def __init__(self, measured: CountOf[str]) -> None:
        self._measured = measured

    def collect(self) -> Iterator[CounterMetricFamily]:
        """Yield the counts by replica."""
        family = CounterMetricFamily(
            "planimeter_worker_measurements",
            "Pictures that a worker measured, by replica.",
            labels=("replica",),
        )
        for replica, count in sorted(self._measured.copy().items()):
            family.add_metric((replica,), count)
        yield family
