"""What a service begins with, before the rest of it is imported and its store is opened: what takes longest.

The network is compiled by a thread, which leaves Python to the others meanwhile; a decoder is a process of its own.
"""

from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from planimeter.service.decoding import shared_decoders
from planimeter.service.models import Models
from planimeter.settings import Settings


@dataclass(frozen=True)
class Ahead:
    """What is under way."""

    models: Models
    decoder: "Future[None]"
    """The first process that decodes, so that the first picture need not wait for it."""


def start_ahead(settings: Settings) -> Ahead:
    """Begin; what goes wrong is raised where it is waited for, and what is right by then is not done twice."""
    models = Models(settings)
    threads = ThreadPoolExecutor(2, thread_name_prefix="ahead")
    decoder = threads.submit(shared_decoders().start)
    if settings.workers == "here":
        threads.submit(
            models.get
        )  # the service that asks for it waits for the same lock, or has it raised again
    threads.shutdown(wait=False)
    return Ahead(models, decoder)
