"""Two measurements of the same picture, and how they differ."""

from flask import Response

from planimeter.drawing.encoding import encode_jpeg, encode_png
from planimeter.measuring.difference import counted_by_both, difference, draw_difference, union
from planimeter.service.api.answering import json_answer, stored_picture, unchanging
from planimeter.service.api.answers.comparisons import ComparisonAnswer, comparison_answer
from planimeter.service.api.described import answer_of, pictures
from planimeter.service.api.options.measurements import ComparisonOptions, DifferenceOptions
from planimeter.service.api.routes import api
from planimeter.service.context import context


@api.get(
    "/comparisons",
    "Compare two measurements of the same picture",
    answer_of("The comparison.", ComparisonAnswer),
    role="read",
    options=ComparisonOptions,
    errors=(400, 404, 409),
)
def show_comparison(options: ComparisonOptions) -> Response:
    """Answer how two measurements of the same picture differ."""
    return json_answer(compared(options.first, options.second))


def compared(first: str, second: str) -> ComparisonAnswer:
    """Return the comparison of the measurements with two ids."""
    parts = context()
    one, other = parts.store.get(first), parts.store.get(second)
    classes = (*one.measurement.coverage.by_class, *other.measurement.coverage.by_class)
    colors = parts.models.class_colors(entry.class_name for entry in classes)
    return comparison_answer(one, other, colors)


@api.get(
    "/comparisons/picture",
    "Get the difference of two measurements as a picture",
    pictures("The difference drawn.", "image/png", "image/jpeg"),
    role="read",
    options=DifferenceOptions,
    errors=(400, 404, 409),
)
def show_difference(options: DifferenceOptions) -> Response:
    """Answer the difference drawn."""
    store = context().store
    one, other = store.get(options.first), store.get(options.second)
    difference(one.measurement, other.measurement)  # refuses different pictures
    name = f"{one.files.stem}_difference.{'jpg' if options.format == 'jpeg' else 'png'}"

    def drawn() -> bytes:
        with stored_picture(one) as picture:
            both = one.measurement, other.measurement
            pixels = draw_difference(picture.pixels, union(both[0]), union(both[1]), counted_by_both(*both))
            return encode_png(pixels) if options.format == "png" else encode_jpeg(pixels)

    return unchanging(one, f"image/{options.format}", name, drawn, follows=(one, other))
