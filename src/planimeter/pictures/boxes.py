"""JPEG 2000, AVIF and HEIC: what their headers say that their decoders do not."""

from io import BytesIO

from PIL import ImageFile
from PIL.AvifImagePlugin import AvifImageFile
from PIL.Jpeg2KImagePlugin import Jpeg2KImageFile

from planimeter.errors import UndecodablePicture
from planimeter.measurement import Note
from planimeter.pictures.limits import check_single, check_size
from planimeter.pictures.stored import StoredImage
from planimeter.settings import Limits

_CODESTREAM = b"\xff\x4f\xff\x51"
_MOST_TILES = 10_000


def read_avif(data: bytes, limits: Limits) -> StoredImage:
    """Return the picture of an AVIF file, in the orientation that its header states."""
    image = AvifImageFile(BytesIO(data))
    check_size(image.size, limits)
    check_single(image, "AVIF")
    image.load()
    return StoredImage(image, depth=_avif_depth(data), lossy=True)  # few writers can do without losses


def _avif_depth(data: bytes) -> int:
    """Return the bits per channel ("pixi"); Pillow hands out 8 of them."""
    at = data.find(b"pixi", 0, 100_000)
    depths = data[at + 9 : at + 9 + data[at + 8]] if 0 <= at < len(data) - 9 else b""
    return max(depths, default=8)


def read_heic(data: bytes, limits: Limits) -> StoredImage:
    """Return the main picture of a HEIC file; libheif has turned it upright. Needs the extra `heic`."""
    from pillow_heif.as_plugin import HeifImageFile  # noqa: PLC0415 - an extra, and heavy

    image: ImageFile.ImageFile = HeifImageFile(BytesIO(data))  # type: ignore[no-untyped-call]
    check_size(image.size, limits)
    pictures, depth = int(getattr(image, "n_frames", 1)), int(image.info.get("bit_depth", 8))
    image.load()
    check_size(image.size, limits)
    message = f"HEIC with {pictures} pictures: its main one was measured"
    notes = (Note(code="picture_chosen", message=message),) if pictures > 1 else ()
    return StoredImage(image, depth=depth, notes=notes, lossy=True)


def read_jpeg2000(data: bytes, limits: Limits) -> StoredImage:
    """Return the picture of a JPEG 2000 file or codestream, where its components are grey, RGB or RGB with alpha."""
    image = Jpeg2KImageFile(BytesIO(data))
    check_size(image.size, limits)
    depth, components = _check_codestream(data, image.size)
    if image.mode not in {"L", "P", "I;16", "RGB", "RGBA"}:
        raise UndecodablePicture(f"the JPEG 2000 has {image.mode} colours; convert it to RGB or grey")
    image.load()
    if components == 4 and image.mode == "RGBA" and b"cdef" not in data[: data.find(_CODESTREAM)]:
        message = "JPEG 2000 with a fourth component without a stated meaning: only red, green and blue were measured"
        notes = (Note(code="channel_dropped", message=message),)
        return StoredImage(image.convert("RGB"), depth, notes=notes, lossy=_loses(data))
    return StoredImage(image, depth, lossy=_loses(data))


def _loses(data: bytes) -> bool:
    """Say whether a codestream is of the transform that cannot be undone exactly: COD of ISO 15444-1."""
    at = data.find(_CODESTREAM) + 2
    while 2 <= at <= len(data) - 14 and data[at] == 0xFF and data[at + 1] != 0x90:
        if data[at + 1] == 0x52:
            return data[at + 13] == 0
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return True


def _check_codestream(data: bytes, size: tuple[int, int]) -> tuple[int, int]:
    """Return the bits and the number of components, held against what is read: SIZ of ISO 15444-1."""
    at = data.find(_CODESTREAM)
    header = data[at + 8 :]
    if at < 0 or len(header) < 36:
        raise UndecodablePicture(
            "the bytes start like JPEG 2000 but cannot be decoded (there is no codestream in them)"
        )
    x1, y1, x0, y0, across, down = (int.from_bytes(header[i : i + 4], "big") for i in range(0, 24, 4))
    count = int.from_bytes(header[32:34], "big")
    components = [header[34 + 3 * i : 37 + 3 * i] for i in range(count)]
    if (x1 - x0, y1 - y0) != size:
        raise UndecodablePicture(
            f"the JPEG 2000 says {size[0]} x {size[1]} pixels and its codestream {x1 - x0} x {y1 - y0}; it is damaged"
        )
    if not across or not down or -(-x1 // across) * -(-y1 // down) > _MOST_TILES:
        raise UndecodablePicture(
            f"the JPEG 2000 has tiles of {across} x {down} pixels; save it with larger ones"
        )
    kinds = {part[0] for part in components if len(part) == 3}
    if count not in {1, 3, 4} or len(kinds) != 1 or any(part[1:] != b"\x01\x01" for part in components):
        raise UndecodablePicture(
            f"the JPEG 2000 has {count} components of {len(kinds)} kinds, and only grey, RGB and RGB with alpha at one "
            "depth and resolution are read; convert it to RGB or grey"
        )
    kind = kinds.pop()
    depth = (kind & 0x7F) + 1
    # Of deeper colours Pillow rounds the upper 8 bits, and white becomes black; few bits it does not spread out.
    if kind & 0x80 or not 8 <= depth <= (16 if count == 1 else 8):
        signs = "signed" if kind & 0x80 else "unsigned"
        raise UndecodablePicture(
            f"the JPEG 2000 has {count} {signs} components of {depth} bits, and only grey of 8 to 16 and "
            "colour of 8 bits are read; convert it to PNG or TIFF"
        )
    return depth, count
