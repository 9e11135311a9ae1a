"""The size of a pixel that a person sets for a stored measurement: a number, or a scale bar drawn on the picture."""

from math import dist

from planimeter.errors import ContradictoryOptions
from planimeter.measurement import Measurement
from planimeter.measuring.correcting import in_units_of
from planimeter.measuring.judging import judged
from planimeter.measuring.physical import in_units
from planimeter.scale import Scale, clean, given_scale
from planimeter.service.api.options.scale import ScaleOptions
from planimeter.service.caller import caller
from planimeter.service.changing import one_at_a_time
from planimeter.service.context import context
from planimeter.service.profiles import with_fixed
from planimeter.store import Record

SHORTEST = 2
"""Pixels of a scale bar."""


def set_scale(id_: str, options: ScaleOptions) -> Record:
    """Let the pixels of a measurement be as large as the options say.

    Raises `UnknownMeasurement`, `ContradictoryOptions` and `StoreFailed`; nothing has changed then.
    """
    size = options.pixel_size
    if options.line is not None and options.length is not None:
        size = clean(options.length / _length_of(id_, options))
    try:
        scale = given_scale(size, options.unit, "set" if options.line is None else "drawn")
    except ValueError as error:
        raise ContradictoryOptions(str(error)) from None
    return _change(id_, scale)


def _length_of(id_: str, options: ScaleOptions) -> float:
    """Return how many pixels long the line is; refuses one that is no scale bar in the picture."""
    image = context().store.get(id_).measurement.image
    ends = options.ends
    if not all(x <= image.width and y <= image.height for x, y in ends):
        raise ContradictoryOptions(
            f"line is {options.line!r}: it leaves the picture of {image.width:,} x {image.height:,} pixels; "
            "both its ends must lie in it"
        )
    pixels = dist(*ends)
    if pixels < SHORTEST:
        raise ContradictoryOptions(
            f"line is {options.line!r}, which is {pixels:.2g} pixels long: draw a scale bar of {SHORTEST} or more"
        )
    return pixels


def reset_scale(id_: str) -> Record:
    """Go back to the size of a pixel that a picture was measured with, where a person set another."""
    return _change(id_, None)


def _change(id_: str, scale: Scale | None) -> Record:
    store = context().store

    def changed(measurement: Measurement) -> Measurement:
        before = measurement.image.scale
        measured = before.measured if before is not None and before.kept else before
        after = measured if scale is None else scale.model_copy(update={"measured": measured})
        image = measurement.image.model_copy(update={"scale": after})
        return judged(in_units(with_fixed(measurement).model_copy(update={"image": image})))

    with one_at_a_time:
        store.get(id_)  # which knows what is no id
        store.scales.change(id_, changed, in_units_of, by=caller())
    return store.get(id_)
