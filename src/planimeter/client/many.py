"""Many measurements of a service: found, summed up, deleted; and the trash."""

from __future__ import annotations

from typing import TYPE_CHECKING

from planimeter.client.answers import (
    Deleted,
    LineList,
    LotAnswer,
    LotLine,
    LotList,
    MeasurementList,
    MeasurementSummary,
    Restored,
    StatisticsAnswer,
    TrashedAnswer,
    TrashList,
    TrendAnswer,
)
from planimeter.client.measurements import MEASUREMENTS
from planimeter.client.transport import Transport, place

if TYPE_CHECKING:
    from collections.abc import Iterator

    from typing_extensions import Unpack

    from planimeter.client import options as asked

PAGE = 100
"""Of long lists, so many are asked for at a time."""


class Many:
    """What is done with the measurements that match."""

    _transport: Transport

    def measurements(self, **filters: Unpack[asked.ListOptions]) -> Iterator[MeasurementSummary]:
        """Yield the measurements that match, newest first unless `order` says otherwise, a page at a time.

        What is measured meanwhile is not in it. Raises `CursorGone` where, in another order than by time, the last
        one of a page was deleted before the next page was asked for.
        """
        before: str | None = None
        while True:
            options = {**filters, "limit": PAGE, "before": before}
            page = self._transport.read(MeasurementList, "GET", MEASUREMENTS, options=options)
            yield from page.measurements
            if page.next_url is None:
                return
            before = page.measurements[-1].id

    def count(self, **filters: Unpack[asked.FilterOptions]) -> int:
        """Return how many measurements match."""
        return self._transport.read(
            LineList, "GET", f"{MEASUREMENTS}/lines", options={**filters, "limit": 1}
        ).count

    def lines(self, **filters: Unpack[asked.LinesOptions]) -> LineList:
        """Return measurements in short, from any place of their order on."""
        return self._transport.read(LineList, "GET", f"{MEASUREMENTS}/lines", options=filters)

    def statistics(self, **filters: Unpack[asked.StatisticsOptions]) -> StatisticsAnswer:
        """Return sums and spread of the measurements that match."""
        return self._transport.read(StatisticsAnswer, "GET", f"{MEASUREMENTS}/statistics", options=filters)

    def trend(self, **filters: Unpack[asked.TrendOptions]) -> TrendAnswer:
        """Return the percent masked over time."""
        return self._transport.read(TrendAnswer, "GET", f"{MEASUREMENTS}/trend", options=filters)

    def delete_many(self, count: int, **filters: Unpack[asked.DeleteOptions]) -> Deleted:
        """Delete the measurements that match, if there are as many as `count` says."""
        options = {**filters, "count": count}
        return self._transport.read(Deleted, "DELETE", MEASUREMENTS, options=options, repeatable=False)

    # ---- Lots

    def lots(self, **options: Unpack[asked.LotListOptions]) -> Iterator[LotLine]:
        """Yield the lots, a page at a time."""
        offset = 0
        while True:
            page = self._transport.read(
                LotList, "GET", "/lots", options={**options, "limit": PAGE, "offset": offset}
            ).lots
            yield from page
            offset += len(page)
            if len(page) < PAGE:
                return

    def lot(self, name: str, **options: Unpack[asked.LotOptions]) -> LotAnswer:
        """Return a lot, summed up."""
        return self._transport.read(LotAnswer, "GET", f"/lots{place(*name.split('/'))}", options=options)

    # ---- Trash

    def trash(self) -> Iterator[TrashedAnswer]:
        """Yield what was deleted and can be brought back, a page at a time."""
        offset = 0
        while True:
            page = self._transport.read(
                TrashList, "GET", "/trash", options={"limit": PAGE, "offset": offset}
            ).measurements
            yield from page
            offset += len(page)
            if len(page) < PAGE:
                return

    def restore(self, id_: str) -> Restored:
        """Bring a measurement back from the trash."""
        return self._transport.read(Restored, "POST", f"/trash{place(id_)}/restore", repeatable=False)

    def restore_many(self, deletion: str) -> Restored:
        """Bring back what was deleted together: `deletion` is in the answer to that."""
        options = {"deletion": deletion}
        return self._transport.read(Restored, "POST", "/trash/restore", options=options, repeatable=False)

    def delete_from_trash(self, id_: str) -> None:
        """Delete a measurement in the trash for good."""
        self._transport.call("DELETE", f"/trash{place(id_)}", repeatable=False)

    def empty_trash(self, count: int) -> Deleted:
        """Delete all of the trash for good, if there are as many as `count` says."""
        return self._transport.read(Deleted, "DELETE", "/trash", options={"count": count}, repeatable=False)
