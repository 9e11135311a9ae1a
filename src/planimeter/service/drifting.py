"""How a model does in use, of what people reviewed of its measurements."""

from planimeter.errors import InvalidPack
from planimeter.evaluation.drift import Drift, Promise, ReviewedPicture, watch
from planimeter.packs.pack import Pack
from planimeter.service.accuracy import accuracy_of
from planimeter.service.context import context
from planimeter.store import Filter

MOST_REVIEWED = 2000
"""The newest reviewed pictures that are looked at."""


def drift_of(pack: Pack) -> tuple[Drift, Promise]:
    """Return the real error of the very version that a pack is, and what that promised."""
    wanted = Filter(model=pack.name, model_sha256=pack.manifest.onnx.sha256)
    found = context().store.reviews.percents(wanted, most=MOST_REVIEWED)
    pictures = [
        ReviewedPicture(
            entry.created_at,
            entry.measured,
            entry.true,
            None if entry.low is None or entry.high is None or entry.unlike else (entry.low, entry.high),
        )
        for entry in reversed(found)
    ]
    promise = _promise(pack)
    return watch(pictures, promise), promise


def _promise(pack: Pack) -> Promise:
    known = accuracy_of(pack)
    try:
        intervals = pack.trust.intervals
    except InvalidPack:
        intervals = None
    return Promise(
        level=None if intervals is None else intervals.level,
        limits=None if known is None else (known.low, known.high),
    )
