"""A picture between its decoder and its pixels."""

from dataclasses import dataclass

from PIL import Image

from planimeter.measurement import Note
from planimeter.scale import Scale


@dataclass(frozen=True)
class StoredImage:
    """What a decoder hands out: values as stored, and what must be known to read them."""

    image: Image.Image
    depth: int = 8
    """Bits of a sample in the file; the image may have fewer."""
    white_is_zero: bool = False
    """Whether deep grey is still to be turned round."""
    notes: tuple[Note, ...] = ()
    scale: Scale | None = None
    """How large a pixel is, where the file says so; of the pixels as they are stored."""
    lossy: bool = False
    """Whether values were changed to make the file small: what was black or white is only nearly so then."""
