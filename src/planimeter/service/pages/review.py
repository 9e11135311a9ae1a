"""Reviewing: one measurement after the other of a batch, a filter or the whole history, in an order."""

from collections.abc import Sequence
from dataclasses import dataclass

from flask import request

from planimeter.service.api.options.filters import OrderOptions, query_of
from planimeter.service.api.options.parsing import parse
from planimeter.service.context import context
from planimeter.service.links import link
from planimeter.service.pages.batches import is_named
from planimeter.service.pages.known import known
from planimeter.store import EVERYTHING, Line, Record

REACH = 60
"""So many on each side are listed beside the one that is looked at."""
MOST_IDS = 200
"""A longer selection would make every link of a page too long."""


@dataclass(frozen=True)
class Review:
    """Where a measurement stands among those that are reviewed."""

    query: dict[str, str]
    """What makes a link lead on in the same review."""
    position: int | None
    count: int
    earlier: Sequence[Line]
    later: Sequence[Line]
    batch: str | None
    lot: str | None
    filtered: bool

    @property
    def named_batch(self) -> bool:
        """Whether the name of the batch says something to a person."""
        return is_named(self.batch)

    @property
    def previous(self) -> str | None:
        """The link to the one before."""
        return self.link_to(self.earlier[-1].id) if self.earlier else None

    @property
    def next(self) -> str | None:
        """The link to the one after."""
        return self.link_to(self.later[0].id) if self.later else None

    def lines(self, record: Record) -> list[Line]:
        """Return those that are listed, the record itself among them."""
        return [*self.earlier, record.line, *self.later]

    def link_to(self, id_: str, *, undo: str | None = None) -> str:
        """Return the link to another one of them; `undo` is what brings back what was just deleted."""
        return link("pages.measurement", id=id_, undo=undo, **self.query)


def review_query(options: OrderOptions) -> dict[str, str]:
    """Return what a link to a measurement needs to open it in the review of these; nothing for too long a selection."""
    wanted = options.filter
    if wanted.ids is not None and len(wanted.ids) > MOST_IDS:
        return {}
    return {**query_of(wanted), "order": options.order}


def review_of(record: Record) -> Review | None:
    """Return the review that the request is part of; None where a measurement is looked at alone."""
    given = known(OrderOptions, request.args)
    if not given:
        return None
    options = parse(OrderOptions, given)
    around = context().store.around(record.id, options.filter, options.order, reach=REACH)
    return Review(
        query=review_query(options),
        position=around.position,
        count=around.count,
        earlier=around.earlier,
        later=around.later,
        batch=options.batch,
        lot=options.lot,
        filtered=options.filter != EVERYTHING,
    )
