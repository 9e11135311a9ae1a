"""Measurements of a service: made, read, changed, deleted."""

# Only the checker of types reads what methods may be asked.
from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

from planimeter.client.answers import (
    ComparisonAnswer,
    CorrectionAnswer,
    CorrectionList,
    InstanceFigures,
    InstanceList,
    MeasurementAnswer,
    NeighboursAnswer,
    PackedCandidates,
)
from planimeter.client.pictures import Picture, picture_bytes
from planimeter.client.transport import Files, Transport, place

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from typing_extensions import Unpack

    from planimeter.client import options as asked

MEASUREMENTS = "/measurements"


class Measurements:
    """What is done with one measurement."""

    _transport: Transport

    def measure(
        self,
        picture: Picture,
        *,
        filename: str | None = None,
        request_key: str | None = None,
        **options: Unpack[asked.UploadOptions],
    ) -> MeasurementAnswer:
        """Have a picture measured, and return what is stored of it.

        However often it has to be sent, it is measured once: each call has an `Idempotency-Key`, its own unless one
        is given as `request_key`.
        """
        files = {"image": picture_bytes(picture, filename)}
        return self._measure(files, {**options}, request_key)

    def measure_again(self, id_: str, **options: Unpack[asked.UploadOptions]) -> MeasurementAnswer:
        """Have the stored picture of a measurement measured, with other options or another model."""
        return self._measure({}, {**options, "from": id_}, None)

    def _measure(self, files: Files, options: dict[str, object], key: str | None) -> MeasurementAnswer:
        headers = {"Idempotency-Key": key or str(uuid4())}
        files = _with_mask(files, options)
        return self._transport.read(
            MeasurementAnswer, "POST", MEASUREMENTS, options=options, files=files, headers=headers
        )

    def get(self, id_: str, **options: Unpack[asked.ReadOptions]) -> MeasurementAnswer:
        """Return a measurement, as it is kept or as another score threshold would have made it."""
        return self._of(id_, "GET", options={**options})

    def delete(self, id_: str, *, for_good: bool = False) -> None:
        """Delete a measurement with its pictures: into the trash, or `for_good`."""
        options = {"for_good": for_good}
        self._transport.call("DELETE", f"{MEASUREMENTS}{place(id_)}", options, repeatable=False)

    def instances(self, id_: str, **options: Unpack[asked.FiguresOptions]) -> list[InstanceFigures]:
        """Return the instances of a measurement in numbers: sizes, diameters, circularity."""
        path = f"{MEASUREMENTS}{place(id_)}/instances"
        return self._transport.read(InstanceList, "GET", path, options=options).instances

    def candidates(self, id_: str) -> PackedCandidates:
        """Return all that the network found, to choose from at any threshold."""
        return self._transport.read(PackedCandidates, "GET", f"{MEASUREMENTS}{place(id_)}/candidates")

    def neighbours(self, id_: str, **filters: Unpack[asked.OrderOptions]) -> NeighboursAnswer:
        """Return what comes before and after a measurement among those that match."""
        path = f"{MEASUREMENTS}{place(id_)}/neighbours"
        return self._transport.read(NeighboursAnswer, "GET", path, options=filters)

    def compare(self, first: str, second: str) -> ComparisonAnswer:
        """Compare two measurements of the same picture."""
        options = {"first": first, "second": second}
        return self._transport.read(ComparisonAnswer, "GET", "/comparisons", options=options)

    # ---- What people correct of it

    def correct(
        self,
        id_: str,
        *,
        after: int,
        reject: Sequence[int] = (),
        restore: Sequence[int] = (),
        reclass: Sequence[Mapping[str, object]] = (),
        add: Sequence[Mapping[str, object]] = (),
        replace: Sequence[Mapping[str, object]] = (),
        reason: str = "",
        complete: bool = False,
    ) -> MeasurementAnswer:
        """Correct a measurement: all of it or nothing; what was measured stays as it is.

        `after` is how many corrections you have seen; where there are others, `CorrectedMeanwhile` is raised. With
        `complete`, all of the picture is right now.
        """
        changes = {"reject": reject, "restore": restore, "reclass": reclass, "add": add, "replace": replace}
        document = {
            "after": after,
            **{name: [*entries] for name, entries in changes.items()},
            "reason": reason,
            "complete": complete,
        }
        path = f"{MEASUREMENTS}{place(id_)}/corrections"
        return self._transport.read(MeasurementAnswer, "POST", path, document=document, repeatable=False)

    def corrections(self, id_: str, *, masks: bool = False) -> Iterator[CorrectionAnswer]:
        """Yield the corrections of a measurement, the first one first; with `masks` those of their changes too.

        A page of them is asked for at a time.
        """
        options = {"after": 0, "masks": "all" if masks else "none"}
        path = f"{MEASUREMENTS}{place(id_)}/corrections"
        while True:
            page = self._transport.read(CorrectionList, "GET", path, options=options)
            yield from page.corrections
            if page.next_url is None or not page.corrections:
                return
            options["after"] = page.corrections[-1].number

    # ---- What people say of it, and how it is read

    def keep_threshold(self, id_: str, score_threshold: float | None) -> MeasurementAnswer:
        """Let a measurement count at another score threshold from now on; None goes back to that of the POST."""
        options = None if score_threshold is None else {"score_threshold": score_threshold}
        return self._of(id_, "DELETE" if options is None else "PUT", "threshold", options)

    def set_details(self, id_: str, **details: Unpack[asked.DetailsOptions]) -> MeasurementAnswer:
        """Say lot, sample, operator, note and tags of a measurement; what is left out is said no more."""
        return self._of(id_, "PUT", "details", {**details})

    def set_scale(self, id_: str, unit: str, **options: Unpack[asked.ScaleOptions]) -> MeasurementAnswer:
        """Say how large a pixel is: by its side, or by a line on the picture and its length."""
        return self._of(id_, "PUT", "scale", {"unit": unit, **options})

    def reset_scale(self, id_: str) -> MeasurementAnswer:
        """Go back to the size of a pixel that the picture was measured with."""
        return self._of(id_, "DELETE", "scale")

    def set_region(self, id_: str, **options: Unpack[asked.RegionOptions]) -> MeasurementAnswer:
        """Say what of the picture counts."""
        chosen: dict[str, object] = {**options}
        files = _with_mask({}, chosen)
        return self._transport.read(
            MeasurementAnswer,
            "PUT",
            f"{MEASUREMENTS}{place(id_)}/region",
            options=chosen,
            files=files or None,
        )

    def reset_region(self, id_: str) -> MeasurementAnswer:
        """Go back to what counted when the picture was measured."""
        return self._of(id_, "DELETE", "region")

    def pin(self, id_: str, *, pinned: bool = True) -> MeasurementAnswer:
        """Let a measurement stay, however old it is and however much is stored; or, with False, no more."""
        return self._of(id_, "PUT" if pinned else "DELETE", "pin")

    def _of(
        self, id_: str, method: str, what: str = "", options: Mapping[str, object] | None = None
    ) -> MeasurementAnswer:
        path = f"{MEASUREMENTS}{place(id_)}" + (f"/{what}" if what else "")
        return self._transport.read(MeasurementAnswer, method, path, options=options)


def _with_mask(files: Files, options: dict[str, object]) -> Files:
    """Return the files of a form with that of a region's mask, which is taken out of the options."""
    mask = options.pop("region_mask", None)
    return files if mask is None else {**files, "region_mask": picture_bytes(mask, None)}
