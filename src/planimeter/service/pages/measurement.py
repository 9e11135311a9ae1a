"""The page of one measurement."""

from pathlib import Path
from typing import Any

from flask import redirect, render_template, request
from werkzeug.datastructures import MultiDict
from werkzeug.wrappers import Response as AnyResponse

from planimeter.drawing.colours import shades
from planimeter.errors import NoRoom
from planimeter.exports.formats import FORMATS
from planimeter.measurement import (
    IGNORED,
    ClassCoverage,
    Measurement,
    Timing,
    class_counted,
    classes_found,
)
from planimeter.measuring.counting import counted_part
from planimeter.measuring.table import EXCEL_STYLES
from planimeter.samples import sample_by_sha256
from planimeter.scale import METRES, Scale, clean, symbol_of
from planimeter.service.accuracy import accuracy_of
from planimeter.service.api.options.measurements import ThresholdOptions
from planimeter.service.api.options.parsing import parse
from planimeter.service.caller import caller, may
from planimeter.service.context import context
from planimeter.service.deleting import delete as delete_measurement
from planimeter.service.links import link
from planimeter.service.measuring import candidates_of, record_at
from planimeter.service.pages.curl import curl_parts
from planimeter.service.pages.fixed import fixed_by_profile
from planimeter.service.pages.refused import Refused
from planimeter.service.pages.review import review_of
from planimeter.service.pages.site import blueprint, given
from planimeter.service.roles import needs
from planimeter.store import Record

STYLES = (("original", "Original"), ("fill", "Fill"), ("outline", "Outline"), ("splash", "Splash"))
MOST_ROWS = 500
"""Rows of the table without JavaScript; with it there is no limit."""
SHOWN_MS = 0.05
LARGE_PIXELS = 2_000_000
"""Drawn pictures with more pixels are shown as JPEG; the download stays PNG."""


@blueprint.get("/measurements/<id>")
@needs("read")
def measurement(id: str) -> str:  # noqa: A002  the URL's own word
    """Show one measurement, as it was made or at another score threshold."""
    return measurement_page(id)


def measurement_page(id_: str, refused: Refused | None = None) -> str:
    """Return the page of a measurement, with a form that was refused as it was sent."""
    parts = context()
    stored = parts.store.get(id_)
    asked = parse(ThresholdOptions, MultiDict(given("score_threshold"))).score_threshold
    record = record_at(stored, asked)
    review = review_of(record)
    as_measured = request.args.get("figures") == "measured"
    corrected = record.corrected is not None and asked is None and not as_measured
    measured = record.with_figures("corrected" if corrected else "measured").measurement
    shown = {"id": id_, "score_threshold": asked, "figures": "corrected" if corrected else None}
    style = request.args.get("style", "fill")
    names = [name for name, _ in STYLES]
    sample = sample_by_sha256(measured.image.sha256)
    pack = parts.models.packs().get(measured.model.name)
    saved = parts.store.thresholds().get(measured.model.name)
    own = pack.manifest.thresholds.score if pack else None
    fixed = fixed_by_profile(measured)
    return render_template(
        "measurement.html",
        record=record,
        measurement=measured,
        refused=refused,
        corrected=corrected,
        may_correct=may("measure"),
        sample=None if measured.options.counting else sample,  # its truth is of the whole picture
        stem=Path(measured.image.filename).stem,
        of=counted_part(measured.options.counting),
        of_class=class_counted(measured),
        headline=headline(measured, 0 if corrected else _below(stored, measured)),
        classes=_classes(measured),
        class_list=_class_list(measured),
        colors=colors_of(measured),
        styles=STYLES,
        style=style if style in names else "fill",
        exports=_exports(shown),
        asked_threshold=asked,
        asked_figures="measured" if as_measured else None,
        # At which the measurement counts everywhere else.
        counting_threshold=stored.measurement.options.score_threshold,
        review=review,
        context=review.query if review else {},
        model_known=pack is not None,
        own_threshold=own,
        default_threshold=own if saved is None else saved,
        threshold_saved=saved is not None,
        undo_threshold=_undone(),
        undo=request.args.get("undo"),
        most_rows=MOST_ROWS,
        known=accuracy_of(pack, measured.model.version),
        pictures=_pictures(record, shown),
        urls=_downloads(record, shown),
        timings=_timings(measured.timing_ms),
        scale_data=_scale_data(measured.image.scale),
        units=[(unit, symbol_of(unit)) for unit in METRES],
        ignored=IGNORED,
        curl_parts=curl_parts(measured, sample, fixed),
        fixed=fixed,
        other_models=[name for name in parts.models.packs() if name != measured.model.name],
    )


def headline(measured: Measurement, below: int = 0) -> str:
    """Return what the large percentage is a percentage of, with the class named.

    `below` is how many candidates score less than the threshold: nothing found is then not all that is to be said.
    """
    found, part = classes_found(measured), counted_part(measured.options.counting)
    if not measured.coverage.pixels_counted:
        return f"no percentage: no {part} found"
    if not found and below:
        candidates = "1 candidate scores" if below == 1 else f"{below:,} candidates score"
        return f"of the {part}: nothing scores high enough, but {candidates} below the threshold"
    if not found:
        return f"of the {part}: nothing was found"
    if len(measured.coverage.by_class) == 1 or len(found) == 1:
        return f"of the {part} is masked as {found[0].class_name}"
    return f"of the {part} is masked, most as {found[0].class_name}"


def _classes(measured: Measurement) -> list[ClassCoverage]:
    """Return the classes as the page lists them: the one that percentages are of, those found, the others."""
    of, found = class_counted(measured), classes_found(measured)
    itself = [entry for entry in measured.coverage.by_class if entry.class_name == of]
    listed = {entry.class_id for entry in (*itself, *found)}
    return [*itself, *found, *(entry for entry in measured.coverage.by_class if entry.class_id not in listed)]


@blueprint.post("/measurements/<id>/delete")
@needs("admin")
def delete(id: str) -> AnyResponse:  # noqa: A002
    """Delete a measurement with its pictures, and lead to the next one of the review, or back to the history."""
    review = review_of(context().store.get(id))
    try:
        deletion = delete_measurement(id, for_good="for_good" in request.form)
    except NoRoom:  # nothing is left but to delete for good
        return redirect(link("pages.confirm_deleting", full=1, ids=id), 303)
    after = review and (review.later or review.earlier[::-1])
    if review and after:
        return redirect(review.link_to(after[0].id, undo=deletion), 303)
    query = review.query if review else {}
    return redirect(link("pages.history", deleted=1, undo=deletion, **query), 303)


@blueprint.post("/measurements/<id>/pin")
@needs("measure")
def pin(id: str) -> AnyResponse:  # noqa: A002
    """Pin a measurement, or take its pin away, and lead back to it."""
    record = context().store.pin(id, pinned="pinned" in request.form, by=caller())
    review = review_of(record)
    return redirect(link("pages.measurement", id=id, **(review.query if review else {})), 303)


def _below(stored: Record, measured: Measurement) -> int:
    """Return how many candidates score less than the threshold, where nothing reaches it."""
    if measured.instances:
        return 0
    threshold = measured.options.score_threshold
    return sum(entry.score < threshold and not entry.left_out for entry in candidates_of(stored).candidates)


def _timings(timing: Timing) -> list[tuple[str, float]]:
    """Return the parts of the time taken, with what is in none of them, so that they sum to the total."""
    parts = [(name, value) for name, value in timing if name != "total" and (name != "store" or value)]
    rest = timing.total - sum(value for _, value in parts)
    return [*parts, *([("everything else", rest)] if rest >= SHOWN_MS else []), ("total", timing.total)]


def _undone() -> float | None:
    """Return the default threshold that a person has just replaced, so that the page can offer to go back to it."""
    try:
        return float(request.args["was"])
    except (KeyError, ValueError):
        return None


def _scale_data(scale: Scale | None) -> dict[str, Any] | None:
    """Return what the page's scripts need to write areas and lengths."""
    if scale is None:
        return None
    return {
        "area": scale.pixel_area,
        "side": scale.pixel_size,
        "unit": scale.unit,
        "symbol": scale.symbol,
        "mm2": clean(scale.area_in(1, "mm")),
    }


def _class_list(measured: Measurement) -> list[dict[str, Any]]:
    """Return the classes as the page's scripts need them: id, name, and the colours of their instances."""
    by_class = measured.coverage.by_class
    colors = shades(context().models.colors(measured.model.name, len(by_class)))
    return [
        {"id": entry.class_id, "name": entry.class_name, "colors": colors[index]}
        for index, entry in enumerate(by_class)
    ]


def colors_of(measured: Measurement) -> dict[int, str]:
    """Return the colour of each class id, also where the model of an old measurement is gone."""
    colors = context().models.colors(measured.model.name, len(measured.coverage.by_class))
    return {entry.class_id: colors[index] for index, entry in enumerate(measured.coverage.by_class)}


def _pictures(record: Record, shown: dict[str, Any]) -> dict[str, str]:
    """Return the link to the picture in each style, with the figures that are shown."""
    image = record.measurement.image
    encoding = {"format": "jpeg"} if image.width * image.height > LARGE_PIXELS else {}
    drawn = {
        style: link("api.overlay", **shown, style=style, **encoding)
        for style, _ in STYLES
        if style != "original"
    }
    return {"original": link("pages.picture", id=record.id), **drawn}


def _downloads(record: Record, shown: dict[str, Any]) -> dict[str, str]:
    """Return the links to files with the figures that are shown, and to what the page's scripts need."""
    whole = {"id": record.id, "score_threshold": shown["score_threshold"]}
    return {
        "overlay": link("api.overlay", **shown),
        "mask": link("api.mask", **shown),
        "json": link("api.get_measurement", **whole),  # it has the measured and the corrected ones
        "coco": link("api.coco", **shown),
        "csv": link("api.list_instances", **shown, format="csv"),
        "report": link("pages.report", ids=record.id, score_threshold=shown["score_threshold"]),
        "candidates": link("api.candidates", id=record.id),
        "corrections": link("api.post_correction", id=record.id),
    }


def _exports(shown: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Return what each file for another program is called, its link, and what it cannot carry."""
    files = [
        (form.title, link("api.export", **shown, format=name), form.cannot_carry)
        for name, form in FORMATS.items()
        if name != "coco"  # it has a button of its own
    ]
    tables = [
        (title, link("api.list_instances", **shown, format="csv", csv_style=style), "")
        for style, title in EXCEL_STYLES.items()
    ]
    return files + tables
