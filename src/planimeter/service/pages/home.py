"""The pages: a picture dropped in the browser, its measurement, the history and the models.

Everything works without JavaScript; the modules in `static/` only make it quicker and pleasanter.

State-changing forms are protected from other sites without cookies or sessions, see `refuse_other_sites`.
"""

import secrets
import shlex
from collections.abc import Iterator
from datetime import datetime, timezone
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from typing import Any

from flask import Blueprint, Response, abort, redirect, render_template, request, send_file
from markdown_it import MarkdownIt
from markupsafe import Markup
from werkzeug.datastructures import MultiDict
from werkzeug.wrappers import Response as AnyResponse

from planimeter.drawing.colours import shades
from planimeter.drawing.encoding import encode_png
from planimeter.drawing.encoding import thumbnail as draw_thumbnail
from planimeter.errors import InvalidOption, MissingPicture, PlanimeterError, UnknownModel
from planimeter.measurement import Measurement, classes_found
from planimeter.measuring.numbers import write_decimals, write_percent, write_signed
from planimeter.packs.pack import Pack
from planimeter.pictures.decode import Limits, decode
from planimeter.samples import Sample, find_sample, list_samples, sample_by_sha256
from planimeter.service.accuracy import accuracy_of
from planimeter.service.api.options import DefaultsOptions, ThresholdOptions, parse
from planimeter.service.context import context
from planimeter.service.links import link
from planimeter.service.measuring import UploadOptions, measure_upload, parse_options, record_at
from planimeter.service.origin import from_other_site
from planimeter.service.problems import status_of
from planimeter.store import Filter, Record, Store

blueprint = Blueprint("pages", __name__)

STYLES = (("original", "Original"), ("fill", "Fill"), ("outline", "Outline"), ("splash", "Splash"))
ACCEPT = "image/jpeg,image/png,image/webp,image/tiff,image/bmp,.jpg,.jpeg,.png,.webp,.tif,.tiff,.bmp"
RECENT = 8
THUMBNAIL_SIDE = 320
SAMPLE_SIDE = 208
"""Of the samples on the home page: all of them together must load at once."""
MOST_ROWS = 500
"""Rows of the table without JavaScript; with it there is no limit."""
LARGE_PIXELS = 2_000_000
"""Drawn pictures with more pixels are shown as JPEG; the download stays PNG."""
KEPT = Limits(max_bytes=2**40, max_pixels=2**40, max_side=2**31)
"""What was stored once is shown also after the limits on uploads were lowered."""
NEVER_CHANGES = "private, max-age=31536000, immutable"
FIGURES = {
    "mean_absolute_error": ("Percent masked: mean absolute error", 2, " points"),
    "bias": ("Percent masked: bias", 2, " points"),
    "limits_of_agreement": ("Percent masked: 95 % of errors", 2, ""),
    "bias_interval": ("Percent masked: bias, 95 % interval", 2, ""),
    "mean_absolute_error_interval": ("Percent masked: mean absolute error, 95 % interval", 2, ""),
    "coverage_by_class": ("Class", 2, ""),
    "mask_ap": ("Mask AP", 3, ""),
    "mask_ap50": ("Mask AP50", 3, ""),
    "mask_ap75": ("Mask AP75", 3, ""),
    "mask_ap_by_size": ("Mask AP", 3, ""),
    "mask_ap_by_class": ("Mask AP", 3, ""),
    "ap50_by_class": ("AP50", 3, ""),
    "ap75_by_class": ("AP75", 3, ""),
    "box_ap": ("Box AP", 3, ""),
    "box_ap50": ("Box AP50", 3, ""),
    "box_ap75": ("Box AP75", 3, ""),
    "box_ap_by_size": ("Box AP", 3, ""),
    "box_ap_by_class": ("Box AP", 3, ""),
    "precision": ("Precision at IoU 0.5", 3, ""),
    "recall": ("Recall at IoU 0.5", 3, ""),
    "f1": ("F1 at IoU 0.5", 3, ""),
    "pixel_iou_by_class": ("Pixel IoU", 3, ""),
    "mean_pixel_iou": ("Pixel IoU, mean over classes", 3, ""),
    "dice_by_class": ("Dice", 3, ""),
    "mean_dice": ("Dice, mean over classes", 3, ""),
    "empty_pictures": ("Pictures without an object", 0, ""),
    "empty_pictures_with_instances": ("Of those, with anything found", 0, ""),
    "score_threshold": ("Score threshold", 2, ""),
    "pictures": ("Pictures", 0, ""),
    "instances": ("Instances", 0, ""),
}
"""How the figures of an evaluation are written: name, decimals, unit."""
REPORT_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'self' https://colab.research.google.com https://*.googleusercontent.com"
)
"""A report has its styles and pictures inside and needs nothing else; a pack from elsewhere gets no scripts."""
PAGE_TOKEN = secrets.token_urlsafe(24)


@blueprint.before_request
def refuse_other_sites() -> None:
    """Answer 403 to a form that another site's page sends through a visitor's browser.

    There are no sessions and no cookies, so a forged request gains no rights that its sender does not have;
    what is left to protect is a service that only the visitor can reach (this machine, a company's network).
    Where a proxy has changed the host name and says so nowhere, `Origin`
    cannot be compared; then the token in the form decides, which only a page of this service can have read.
    """
    if request.method != "POST" or not from_other_site():
        return
    if secrets.compare_digest(request.form.get("page_token", "").encode(), PAGE_TOKEN.encode()):
        return
    abort(
        403,
        "This form came from another site, or the page is older than the service. Reload it and try again.",
    )


@blueprint.get("/")
def home() -> str:
    """Show the place to drop a picture, the samples and what was measured last."""
    return _home()


def _home(problem: PlanimeterError | None = None) -> str:
    parts = context()
    packs = parts.models.packs()
    chosen = request.form.get("model") or parts.models.default
    default = packs.get(parts.models.default)
    thresholds = {name: pack.manifest.thresholds.score for name, pack in packs.items()}
    thresholds |= {name: score for name, score in parts.store.thresholds().items() if name in packs}
    return render_template(
        "home.html",
        accept=ACCEPT,
        limits=_limits_in_words(),
        packs=list(packs.values()),
        samples=[sample for sample in list_samples() if sample.model in packs],
        records=parts.store.list(limit=RECENT),
        total=parts.store.count(),
        chosen_model=chosen,
        chosen_threshold=request.form.get("score_threshold", ""),
        thresholds=thresholds,
        default_threshold=f"{thresholds[default.name]:g}" if default else "",
        error=str(problem) if problem else None,
        error_in_options=isinstance(problem, (InvalidOption, UnknownModel)),
    )


@blueprint.post("/measure")
def measure() -> AnyResponse:
    """Measure the picture or the sample of a form and lead to the result; or show the form and the reason."""
    try:
        data, filename, options = _chosen_picture()
        record = measure_upload(data, filename, options)
    except PlanimeterError as problem:
        return Response(_home(problem), status_of(problem))
    return redirect(link("pages.measurement", id=record.id), 303)


def _chosen_picture() -> tuple[bytes, str, UploadOptions]:
    """Return what the form asks to measure: bytes, file name and options."""
    fields = {name: request.form.get(name, "").strip() for name in ("model", "score_threshold")}
    name = request.form.get("sample")
    if name:
        sample = find_sample(name)
        return sample.read(), sample.filename, parse_options(fields | {"model": sample.model})
    upload = request.files.get("image")
    if upload is None or not upload.filename:
        raise MissingPicture(
            "No picture was chosen. Choose a file, or one of the samples, and press Measure."
        )
    return upload.read(), upload.filename, parse_options(fields)


@blueprint.get("/measurements/<id>")
def measurement(id: str) -> str:  # noqa: A002  the URL's own word
    """Show one measurement, as it was made or at another score threshold."""
    parts = context()
    stored = parts.store.get(id)
    asked = parse(ThresholdOptions, MultiDict(_given("score_threshold"))).score_threshold
    record = record_at(stored, asked)
    measured = record.measurement
    style = request.args.get("style", "fill")
    names = [name for name, _ in STYLES]
    sample = sample_by_sha256(measured.image.sha256)
    pack = parts.models.packs().get(measured.model.name)
    saved = parts.store.thresholds().get(measured.model.name)
    own = pack.manifest.thresholds.score if pack else None
    return render_template(
        "measurement.html",
        record=record,
        sample=sample,
        stem=Path(measured.image.filename).stem,
        headline=headline(measured),
        classes=[
            *classes_found(measured),
            *(entry for entry in measured.coverage.by_class if not entry.count),
        ],
        class_list=_class_list(measured),
        colors=colors_of(measured),
        styles=STYLES,
        style=style if style in names else "fill",
        asked_threshold=asked,
        measured_threshold=stored.measurement.options.score_threshold,
        model_known=pack is not None,
        own_threshold=own,
        default_threshold=own if saved is None else saved,
        threshold_saved=saved is not None,
        most_rows=MOST_ROWS,
        known=accuracy_of(pack, measured.model.version),
        pictures=_pictures(record, asked),
        urls=_downloads(record, asked),
        timings=[(name, value) for name, value in measured.timing_ms if name != "store" or value],
        curl_parts=_curl_parts(measured, sample),
        other_models=[name for name in parts.models.packs() if name != measured.model.name],
    )


@blueprint.post("/models/<name>/defaults")
def save_defaults(name: str) -> AnyResponse:
    """Save the score threshold of a form as the model's default, or forget it; lead back to where it came from."""
    parts = context()
    pack = parts.models.find(name)
    options = parse(DefaultsOptions, MultiDict({"score_threshold": request.form.get("score_threshold", "")}))
    parts.store.save_threshold(pack.name, None if "reset" in request.form else options.score_threshold)
    measurement_id = request.form.get("measurement")
    if not measurement_id:
        return redirect(link("pages.model", name=name), 303)
    back = {"id": measurement_id, "score_threshold": options.score_threshold}
    return redirect(link("pages.measurement", **back), 303)


def headline(measured: Measurement) -> str:
    """Return what the large percentage is a percentage of, with the class named."""
    found = classes_found(measured)
    if not found:
        return "of the picture: nothing was found"
    if len(measured.coverage.by_class) == 1 or len(found) == 1:
        return f"of the picture is masked as {found[0].class_name}"
    return f"of the picture is masked, most as {found[0].class_name}"


def _given(*names: str) -> dict[str, str]:
    return {name: request.args[name] for name in names if name in request.args}


@blueprint.post("/measurements/<id>/delete")
def delete(id: str) -> AnyResponse:  # noqa: A002
    """Delete a measurement with its pictures, and lead back to the history."""
    context().store.delete(id)
    return redirect(link("pages.history"), 303)


@blueprint.get("/measurements/<id>/thumbnail")
def thumbnail(id: str) -> AnyResponse:  # noqa: A002
    """Send a small JPEG of the drawn picture; what was deleted has none, whoever deleted it."""
    store = context().store
    return _picture_response(_drawn_small(store, store.get(id).id), "image/jpeg")


@blueprint.get("/measurements/<id>/picture")
def picture(id: str) -> AnyResponse:  # noqa: A002
    """Send the picture as it was measured, in a form that every browser shows.

    Browsers show no TIFF, and show 16 bits and transparency in their own ways: those are decoded here.
    """
    record = context().store.get(id)
    if record.measurement.image.format in {"JPEG", "WEBP"}:
        response = send_file(
            BytesIO(context().store.read(record, "image")), f"image/{record.measurement.image.format.lower()}"
        )
        response.headers["Cache-Control"] = NEVER_CHANGES
        return response
    decoded = decode(context().store.read(record, "image"), limits=KEPT)
    return _picture_response(encode_png(decoded.pixels), "image/png")


@blueprint.get("/samples/<name>/thumbnail")
def sample_thumbnail(name: str) -> AnyResponse:
    """Send a small JPEG of a sample."""
    return _picture_response(_sample_thumbnail_of(find_sample(name)), "image/jpeg")


@blueprint.get("/models")
def models() -> str:
    """List the models."""
    parts = context()
    packs = parts.models.packs()
    return render_template(
        "models.html",
        packs=list(packs.values()),
        default_model=parts.models.default,
        accuracies={name: accuracy_of(pack) for name, pack in packs.items()},
        recent={name: parts.store.list(Filter(model=name), limit=4) for name in packs},
        counts={name: parts.store.count(Filter(model=name)) for name in packs},
    )


@blueprint.get("/models/<name>")
def model(name: str) -> str:
    """Show what a model sees, how good it is and what it comes from."""
    parts = context()
    pack = parts.models.find(name)
    wanted = Filter(model=name)
    return render_template(
        "model.html",
        pack=pack,
        metrics=_metrics(pack),
        card=render_card(pack.card),
        known=accuracy_of(pack),
        records=parts.store.list(wanted, limit=6),
        count=parts.store.count(wanted),
        colors={index: entry.color for index, entry in enumerate(pack.manifest.classes, 1)},
        samples=[sample for sample in list_samples() if sample.model == name],
    )


@blueprint.get("/models/<name>/report")
def model_report(name: str) -> AnyResponse:
    """Send the report of a model's evaluation: one page that stands alone, with its own styles and pictures."""
    page = context().models.find(name).report
    if page is None:
        raise UnknownModel(
            f"the model {name!r} comes without a report; planimeter evaluate --record writes one"
        )
    return Response(
        page.read_bytes(), mimetype="text/html", headers={"Content-Security-Policy": REPORT_POLICY}
    )


def render_card(card: str) -> Markup:
    """Return a model card as HTML, without its first heading: the page has the title already.

    HTML inside the card is shown as text, and pictures as their description.
    """
    markdown = MarkdownIt("commonmark", {"html": False}).enable("table").disable(["image"])
    tokens = markdown.parse(card)
    if tokens and tokens[0].tag == "h1":
        tokens = tokens[3:]  # its start, its text, its end
    html = markdown.renderer.render(tokens, markdown.options, {})
    return Markup(html)  # noqa: S704  markdown-it has escaped everything


def _metrics(pack: Pack) -> list[tuple[str, list[tuple[str, str]]]]:
    """Return the figures of a pack as they are to be read: one table per set of pictures, by its title."""
    tables = []
    for split, figures in pack.manifest.metrics.items():
        if isinstance(figures, dict):
            tables.append((f"Measured on its {split} pictures", list(_figures(figures))))
    loose = {name: value for name, value in pack.manifest.metrics.items() if not isinstance(value, dict)}
    return [*tables, ("Measured", list(_figures(loose)))] if loose else tables


def _figures(figures: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for key, value in figures.items():
        if value is None:
            continue
        name, decimals, unit = FIGURES.get(key, (key.replace("_", " "), 3, ""))
        if isinstance(value, dict):
            yield from (
                (f"{name}, {inner}" if key != "coverage" else inner, text) for inner, text in _figures(value)
            )
        elif isinstance(value, list):
            yield name, " to ".join(f"{part:+.{decimals}f}{unit}" for part in value)
        elif isinstance(value, float):
            yield name, f"{value:.{decimals}f}{unit}"
        else:
            yield name, f"{value:,}" if isinstance(value, int) else str(value)


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


def _pictures(record: Record, threshold: float | None) -> dict[str, str]:
    """Return the link to the picture in each style."""
    image = record.measurement.image
    encoding = {"format": "jpeg"} if image.width * image.height > LARGE_PIXELS else {}
    drawn = {
        style: link("api.overlay", id=record.id, style=style, score_threshold=threshold, **encoding)
        for style, _ in STYLES
        if style != "original"
    }
    return {"original": link("pages.picture", id=record.id), **drawn}


def _downloads(record: Record, threshold: float | None) -> dict[str, str]:
    at = {"id": record.id, "score_threshold": threshold}
    return {
        "overlay": link("api.overlay", **at),
        "mask": link("api.mask", **at),
        "json": link("api.get_measurement", **at),
        "coco": link("api.coco", **at),
        "csv": link("api.list_instances", **at, format="csv"),
        "candidates": link("api.candidates", id=record.id),
    }


def _curl_parts(measured: Measurement, sample: Sample | None) -> list[str]:
    """Return the form fields of the curl call that repeats a measurement, quoted for a shell."""
    filename = sample.filename if sample else measured.image.filename
    return [
        shlex.quote(part)
        for part in (
            f"image=@{_quoted_for_curl(filename)}",
            f"model={measured.model.name}",
            f"score_threshold={measured.options.score_threshold:g}",
        )
    ]


def _quoted_for_curl(filename: str) -> str:
    """Return a file name as curl's own -F syntax needs it: there a comma or a semicolon ends a bare name."""
    if not set(filename) & set(',;"'):
        return filename
    return '"' + filename.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _limits_in_words() -> str:
    limits = context().limits
    return f"{limits.max_bytes / 2**20:.4g} MB and {limits.max_pixels / 1e6:.4g} megapixels"


@lru_cache(maxsize=512)
def _drawn_small(store: Store, id_: str) -> bytes:
    overlay = store.read(store.get(id_), "overlay")
    return draw_thumbnail(decode(overlay, limits=KEPT).pixels, THUMBNAIL_SIDE)


@lru_cache(maxsize=32)
def _sample_thumbnail_of(sample: Sample) -> bytes:
    return draw_thumbnail(decode(sample.read()).pixels, SAMPLE_SIDE)


def _picture_response(data: bytes, mimetype: str) -> AnyResponse:
    response = send_file(BytesIO(data), mimetype)
    response.headers["Cache-Control"] = NEVER_CHANGES
    return response


@blueprint.app_context_processor
def for_every_page() -> dict[str, Any]:
    """Return what every template knows beside `link`."""
    return {"page_token": PAGE_TOKEN, "api": link("api.create_measurement"), "docs_endpoint": "docs"}


blueprint.add_app_template_filter(write_decimals, "decimals")
blueprint.add_app_template_filter(write_percent, "percent")
blueprint.add_app_template_filter(write_signed, "signed")


@blueprint.app_template_filter("sentence")
def write_sentence(message: str) -> str:
    """Write a message of an error or a note as a sentence of a page; a name like score_threshold stays."""
    text = message if "_" in message.partition(" ")[0] else message[:1].upper() + message[1:]
    return text if text.endswith((".", "!", "?", "…")) else f"{text}."


@blueprint.app_template_filter("grouped")
def write_grouped(value: int) -> str:
    """Write a count with its thousands apart: 307,200."""
    return f"{value:,}"


@blueprint.app_template_filter("box")
def write_box(box: tuple[float, float, float, float]) -> str:
    """Write a bounding box in whole pixels."""
    return ", ".join(write_decimals(value, 0) for value in box)


@blueprint.app_template_filter("short")
def write_short(value: float) -> str:
    """Write a number without needless zeros: 2.5, 10."""
    return f"{value:g}"


@blueprint.app_template_filter("iso")
def write_iso(moment: datetime) -> str:
    """Write a moment for machines."""
    return moment.astimezone(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@blueprint.app_template_filter("utc")
def write_utc(moment: datetime) -> str:
    """Write a moment for people who have no JavaScript to turn it into their own time zone."""
    utc = moment.astimezone(timezone.utc)
    return f"{utc.day} {utc:%b %Y, %H:%M} UTC"
