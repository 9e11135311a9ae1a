"""What is to be reviewed next."""

from dataclasses import dataclass

from planimeter.evaluation.review_order import Reason, Waiting, by_chance, worth_a_look
from planimeter.service.api.options.review_queue import QueueOptions
from planimeter.service.context import context
from planimeter.store import Filter, Line

LOOKED_AT = 5000
"""The newest measurements that nobody has reviewed: older ones are not looked at."""


@dataclass(frozen=True)
class Queued:
    """One measurement in the queue, and why it is there."""

    line: Line
    reasons: tuple[Reason, ...]


@dataclass(frozen=True)
class ReviewQueue:
    """What is to be reviewed, the first ones of it."""

    count: int
    """How many there are in all."""
    waiting: int
    """How many measurements nobody has reviewed, of those that were looked at."""
    entries: list[Queued]


def queue_of(options: QueueOptions) -> ReviewQueue:
    """Return what is to be reviewed."""
    store = context().store
    found = [Waiting(**vars(entry)) for entry in store.reviews.waiting(options.filter, most=LOOKED_AT)]
    wanted: list[tuple[str, tuple[Reason, ...]]]
    if options.by == "doubt":
        packs = context().models.packs().values()
        seen = {pack.name: "\n".join(sorted(entry.name for entry in pack.manifest.classes)) for pack in packs}
        wanted = [(entry.waiting.id, entry.reasons) for entry in worth_a_look(found, seen)]
    else:
        wanted = [(entry.id, ()) for entry in by_chance(found)]
    first = wanted[: options.limit]
    ids = tuple(id_ for id_, _ in first)
    lines = {line.id: line for line in store.lines(Filter(ids=ids), limit=len(ids))} if ids else {}
    return ReviewQueue(
        count=len(wanted),
        waiting=len(found),
        entries=[Queued(lines[id_], reasons) for id_, reasons in first if id_ in lines],
    )
