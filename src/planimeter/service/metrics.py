"""Counters and durations for Prometheus, in a registry of their own: many apps can live in one process."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from planimeter.measurement import Timing
from planimeter.service.queue import Queue
from planimeter.store.retention import REASONS, Reason

STEPS = tuple(Timing.model_fields)
BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)


class Metrics:
    """What an operator watches: how many, how it ended, how long each step took, how many wait."""

    def __init__(self, queue: Queue) -> None:
        self.registry = CollectorRegistry()
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
        waiting = Gauge(
            "planimeter_queue_length", "Pictures that wait for the model now.", registry=self.registry
        )
        waiting.set_function(lambda: queue.length)

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

    def render(self) -> bytes:
        """Return all of it in Prometheus' text format."""
        return generate_latest(self.registry)
