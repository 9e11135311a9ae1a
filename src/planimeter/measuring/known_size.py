"""The scale at which a network sees a picture whose pixels are of a known size, where those of the training were too.

Objects then come to the network as large as it learnt them, whatever the magnification.
"""

from planimeter.measurement import UNLIKE_TRAINING, Note
from planimeter.packs.manifest import Manifest
from planimeter.scale import Scale

MOST_ENLARGED, MOST_REDUCED = 4.0, 16.0
"""Times that a picture is scaled at most; docs/units.md has the figures behind these."""
PROMISED = 2.0
"""Times that a picture may be enlarged and its percentage still be relied on: further, it has too few pixels to show
what was learnt. Reducing loses nothing that the training had."""
WORTH_TELLING = 0.02
"""Of the usual scale."""
SCALED = "scaled_to_training"


def network_scale(manifest: Manifest, scale: Scale | None) -> float | None:
    """Return network pixels for each of the picture's; None where a size is not known, or far from the training's."""
    times = _times(manifest, scale)
    if times is None or not 1 / MOST_REDUCED <= times <= MOST_ENLARGED:
        return None
    return times * manifest.preprocessing.usual_scale


def note_scaled(manifest: Manifest, scale: Scale | None) -> list[Note]:
    """Return the note on a picture that is scaled because of the size of its pixels, or that is too far for that."""
    times = _times(manifest, scale)
    learnt = manifest.training_data.pixel_size_um
    if times is None or scale is None or learnt is None or abs(times - 1) <= WORTH_TELLING:
        return []
    sizes = f"a pixel measures {scale.pixel_metres * 1e6:.4g} µm here and {learnt:.4g} µm in the training"
    notes: list[Note] = []
    if network_scale(manifest, scale) is not None:
        message = f"scaled by {times:.3g} for the network, as {sizes}: objects appear as it learnt them"
        notes.append(Note(code=SCALED, message=message))
    if not 1 / MOST_REDUCED <= times <= PROMISED:
        why = "too few pixels show an object" if times > 1 else "a picture scaled so far down would be lost"
        message = (
            f"{sizes}, {max(times, 1 / times):.3g} times as {'large' if times > 1 else 'small'}: {why}, so nothing is "
            "promised of the percentage: is the size right, and the model?"
        )
        notes.append(Note(code=UNLIKE_TRAINING, message=message))
    return notes


def _times(manifest: Manifest, scale: Scale | None) -> float | None:
    """Return how many times a picture's pixels are as large as those of the training."""
    learnt = manifest.training_data.pixel_size_um
    if scale is None or learnt is None or manifest.preprocessing.size is not None:
        return None
    return scale.pixel_metres * 1e6 / learnt
