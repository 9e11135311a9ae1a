"""Counters and durations for Prometheus, in a registry of their own: many apps can live in one process."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from planimeter.measurement import Timing
from planimeter.service.queue import Queue

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

    def render(self) -> bytes:
        """Return all of it in Prometheus' text format."""
        return generate_latest(self.registry)
