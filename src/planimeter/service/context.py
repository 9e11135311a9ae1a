"""What every request needs: the settings, the store, the models, and the queue in front of them."""

from dataclasses import dataclass, field
from typing import cast

from flask import Flask, current_app

from planimeter.service.decoding import Decoders, shared_decoders
from planimeter.service.gates import (
    DOWNLOADS,
    DRAWINGS,
    FINISHING_SECONDS,
    WAITING_DRAWINGS,
    Gate,
    SingleFile,
)
from planimeter.service.job_runner import JobRunner
from planimeter.service.memory import Memory
from planimeter.service.metrics import Metrics
from planimeter.service.models import Models
from planimeter.service.queue import Queue
from planimeter.service.repeats import Repeats
from planimeter.service.tracing import Tracing
from planimeter.settings import Limits, Settings
from planimeter.store import Store

EXTENSION = "planimeter"
UPLOADS_AT_ONCE = 4
"""Of the largest size, in memory."""


@dataclass
class Context:
    """The parts of one running service."""

    settings: Settings
    store: Store
    models: Models
    queue: Queue = field(init=False)
    memory: Memory = field(init=False)
    """What pictures may take while they are decoded and measured."""
    uploads: Memory = field(init=False)
    """What the bodies of requests may take."""
    repeats: Repeats = field(default_factory=Repeats)
    decoders: Decoders = field(default_factory=shared_decoders)
    jobs: JobRunner = field(init=False)
    metrics: Metrics = field(init=False)
    tracing: Tracing = field(default_factory=Tracing)
    downloads: Gate = field(default_factory=lambda: Gate("downloads", DOWNLOADS))
    drawings: Gate = field(default_factory=lambda: Gate("drawings", DRAWINGS, WAITING_DRAWINGS))
    finishing: SingleFile = field(default_factory=lambda: SingleFile(FINISHING_SECONDS))
    """Small pictures, from the answer of the network to their record."""
    public_url: str | None = None
    """The address that the tunnel gave, with no slash at its end; None without a tunnel."""

    def __post_init__(self) -> None:
        self.queue = Queue(self.settings.queue_size)
        self.memory = Memory(self.settings.memory * 2**20)
        self.uploads = Memory(UPLOADS_AT_ONCE * self.settings.max_bytes)
        self.jobs = JobRunner(self.store, self.settings.jobs_folder)
        self.metrics = Metrics(self.queue, self.memory)

    @property
    def limits(self) -> Limits:
        """The limits on uploaded pictures."""
        settings = self.settings
        return Limits(settings.max_bytes, settings.max_pixels, settings.max_side)

    def attach(self, app: Flask) -> None:
        """Make this the context of `app`."""
        app.extensions[EXTENSION] = self


def context() -> Context:
    """Return the context of the app that handles the current request."""
    return cast("Context", current_app.extensions[EXTENSION])
