"""The pages of the models."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

from flask import Response, render_template
from markdown_it import MarkdownIt
from markdown_it.token import Token
from markupsafe import Markup
from werkzeug.wrappers import Response as AnyResponse

from planimeter.errors import UnknownModel
from planimeter.numbers import write_decimals, write_signed
from planimeter.packs.pack import Pack
from planimeter.packs.versions import versions_of
from planimeter.samples import list_samples
from planimeter.service.accuracy import accuracy_of
from planimeter.service.api.answers.drift import drift_answer
from planimeter.service.context import context
from planimeter.service.drifting import drift_of
from planimeter.service.hosts import frame_ancestors
from planimeter.service.pages.site import blueprint
from planimeter.service.roles import needs
from planimeter.store import Filter

FIGURES = {
    "mean_absolute_error": ("Percent masked: mean absolute error", 2, " points"),
    "bias": ("Percent masked: bias", 2, " points"),
    "limits_of_agreement": ("Percent masked: 95 % of errors", 2, ""),
    "bias_interval": ("Percent masked: bias, 95 % interval", 2, ""),
    "mean_absolute_error_interval": ("Percent masked: mean absolute error, 95 % interval", 2, ""),
    "coverage_by_class": ("Class", 2, ""),
    "interval": ("Interval of each picture", 2, ""),
    "interval_by_class": ("Interval", 2, ""),
    "level": ("stated level", 2, ""),
    "inside": ("share with the truth inside", 3, ""),
    "mean_width": ("mean width", 2, " points"),
    "withheld": ("pictures without one", 0, ""),
    "unlike_training": ("Pictures unlike those of the training", 0, ""),
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
LIMITS = {"where it fails", "limitations", "limits"}
"""What the section of a card is called that a reader has to know first."""
REPORT_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; "
    f"frame-ancestors {frame_ancestors()}"
)
"""A report has its styles and pictures inside and needs nothing else; a pack from elsewhere gets no scripts."""


@blueprint.get("/models")
@needs("read")
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
@needs("read")
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
        drift=drift_answer(name, pack.manifest.version, *drift_of(pack)),
        versions=versions_of(name, parts.settings.packs_folder),
        changes=parts.store.model_changes.list(name, limit=3),
        records=parts.store.list(wanted, limit=6),
        count=parts.store.count(wanted),
        colors={index: entry.color for index, entry in enumerate(pack.manifest.classes, 1)},
        samples=[sample for sample in list_samples() if sample.model == name],
    )


@blueprint.get("/models/<name>/evaluation")
@needs("read")
def evaluation(name: str) -> str:
    """Show the report of a model's evaluation with the navigation around it."""
    pack = context().models.find(name)
    if pack.report is None:
        raise _without_report(name)
    return render_template("evaluation.html", pack=pack)


@blueprint.get("/models/<name>/report")
@needs("read")
def model_report(name: str) -> AnyResponse:
    """Send the report of a model's evaluation: one page that stands alone, with its own styles and pictures."""
    page = context().models.find(name).report
    if page is None:
        raise _without_report(name)
    return Response(
        page.read_bytes(), mimetype="text/html", headers={"Content-Security-Policy": REPORT_POLICY}
    )


def _without_report(name: str) -> UnknownModel:
    return UnknownModel(f"the model {name!r} comes without a report; planimeter evaluate --record writes one")


def render_card(card: str) -> Markup:
    """Return a model card as HTML, without its first heading: the page has the title already.

    HTML inside the card is shown as text, and pictures as their description.
    """
    markdown = MarkdownIt("commonmark", {"html": False}).enable("table").disable(["image"])
    tokens = markdown.parse(card)
    if tokens and tokens[0].tag == "h1":
        tokens = tokens[3:]  # its start, its text, its end
    tokens = _limits_first(tokens)
    html = markdown.renderer.render(tokens, markdown.options, {})
    return Markup(html)  # noqa: S704  markdown-it has escaped everything


def _limits_first(tokens: Sequence[Token]) -> list[Token]:
    """Return a card's tokens with the section that tells where the model fails before the other sections."""
    starts = [
        index for index, token in enumerate(tokens) if token.type == "heading_open" and token.tag == "h2"
    ]
    for start, end in pairwise([*starts, len(tokens)]):
        if tokens[start + 1].content.strip().lower() in LIMITS:
            return [*tokens[: starts[0]], *tokens[start:end], *tokens[starts[0] : start], *tokens[end:]]
    return list(tokens)


def _metrics(pack: Pack) -> list[tuple[str, list[tuple[str, str]]]]:
    """Return the figures of a pack as they are to be read: one table per set of pictures, by its title."""
    tables = []
    for split, figures in pack.manifest.metrics.items():
        if isinstance(figures, dict):
            tables.append((f"Measured on its {split} pictures", list(read_figures(figures))))
    loose = {name: value for name, value in pack.manifest.metrics.items() if not isinstance(value, dict)}
    return [*tables, ("Measured", list(read_figures(loose)))] if loose else tables


def read_figures(figures: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the figures of an evaluation as they are to be read: name and number."""
    for key, value in figures.items():
        if value is None:
            continue
        name, decimals, unit = FIGURES.get(key, (key.replace("_", " "), 3, ""))
        if isinstance(value, dict):
            yield from (
                (f"{name}, {inner}" if key != "coverage" else inner, text)
                for inner, text in read_figures(value)
            )
        elif isinstance(value, list):
            if value and isinstance(value[0], dict):
                continue  # the bins of intervals: the report has them as a table
            yield name, " to ".join(f"{write_signed(part, decimals)}{unit}" for part in value)
        elif isinstance(value, float):
            yield name, f"{_number(value, decimals)}{unit}"
        else:
            yield name, f"{value:,}" if isinstance(value, int) else str(value)


def _number(value: float, decimals: int) -> str:
    return write_decimals(value, decimals).replace("-", "\N{MINUS SIGN}")
