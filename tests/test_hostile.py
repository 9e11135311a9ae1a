"""Pictures made to harm: each is refused by what it says of itself, or ends with its decoder; the service goes on."""

import struct
import sys
import threading
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from io import BytesIO
from itertools import count

import numpy as np
import pytest
from flask.testing import FlaskClient
from PIL import Image
from werkzeug.test import TestResponse

from fakes import MODEL, BlockRuntime, block_pack, blocks, encoded
from planimeter.errors import TooManyPixels, UndecodablePicture
from planimeter.measuring.segmenter import Segmenter
from planimeter.pictures.decode import decode
from planimeter.pictures.header import (
    MOST_CHUNKS,
    MOST_EXIF,
    MOST_FILLING,
    MOST_SCANS,
    MOST_SEGMENTS,
    MOST_SIZES,
)
from planimeter.pictures.tiff_tags import MOST_TAGS
from planimeter.service.app import create_app
from planimeter.service.deadline import Deadline
from planimeter.service.decoding import Decoders
from planimeter.service.models import Models
from planimeter.settings import DEFAULT_LIMITS, Settings
from planimeter.store import Store
from test_api import MEASUREMENTS, OVERLAPPING, Gate, assert_problem, body, post

JPEG = encoded(blocks(red=(0, 0, 32, 32)), "JPEG")


def chunk(kind: bytes, data: bytes = b"") -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def black_png(width: int, height: int, *extra: bytes) -> bytes:
    """Return a black 1-bit PNG: some kilobytes, however large it is."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0))
    rows = chunk(b"IDAT", zlib.compress(bytes((1 + (width + 7) // 8) * height), 9))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(extra) + rows + chunk(b"IEND")


def segment(marker: int, content: bytes) -> bytes:
    return bytes([0xFF, marker]) + struct.pack(">H", len(content) + 2) + content


def tiff(*entries: tuple[int, int, int, int], data: bytes = b"") -> bytes:
    """Return a TIFF of one page; an entry is tag, type, count and value, which 0 makes the place of `data`."""
    where = 8 + 2 + 12 * len(entries) + 4
    fields = b"".join(
        struct.pack("<HHII", tag, kind, count_, value or where) for tag, kind, count_, value in entries
    )
    return b"II*\0" + struct.pack("<IH", 8, len(entries)) + fields + bytes(4) + data


def grey_tiff(size: int, *more: tuple[int, int, int, int], compression: int = 1, data: bytes) -> bytes:
    entries = (
        *((256, 4, 1, size), (257, 4, 1, size), (258, 3, 1, 8), (259, 3, 1, compression)),
        *((262, 3, 1, 1), (277, 3, 1, 1)),
    )
    return tiff(*sorted((*entries, *more)), data=data)


def paged(pages: int, values: int, tag: int = 273) -> bytes:
    """Return a TIFF whose pages all name the same bytes, as their strips or in another tag."""
    size = 2 + 3 * 12 + 4
    where = 8 + pages * size
    head = (256, 4, 1, 64), (257, 4, 1, 64), (tag, 1, values, where)
    fields = struct.pack("<H", 3) + b"".join(struct.pack("<HHII", *entry) for entry in head)
    each = (fields + struct.pack("<I", 8 + size * number) for number in range(1, pages + 1))
    return b"II*\0" + struct.pack("<I", 8) + b"".join(each) + bytes(values)


def box(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", 8 + len(content)) + kind + content


PACKED = zlib.compress(bytes(4096), 9)
HOSTILE = {
    "a PNG of many chunks": (black_png(64, 64, chunk(b"teSt") * (MOST_CHUNKS + 1)), "100,000 chunks"),
    "a JPEG of filling": (JPEG[:2] + b"\xff" * (MOST_FILLING + 2) + JPEG[2:], "10,000 bytes of filling"),
    "a JPEG of many segments": (
        JPEG[:2] + segment(0xFE, b"") * (MOST_SEGMENTS + 1) + JPEG[2:],
        "2,000 segments",
    ),
    "a JPEG of much EXIF": (
        JPEG[:2] + segment(0xE1, b"Exif\0\0" + bytes(60_000)) * (MOST_EXIF + 1) + JPEG[2:],
        "64 segments of EXIF",
    ),
    "a JPEG of many scans": (JPEG[:-2] + b"\xff\xda\0\x08\1\1\0\0\x3f\0" * (MOST_SCANS + 1), "1,000 scans"),
    "a TIFF of many tags": (
        tiff(*((1000 + at % 60_000, 3, 1, 1) for at in range(MOST_TAGS + 1))),
        "50,001 tags",
    ),
    "a TIFF whose tags lie over each other": (
        tiff(*((1000 + at, 7, 100_000, 0) for at in range(50)), data=bytes(100_000)),
        "5,000,000 bytes",
    ),
    "a TIFF whose pages name the same values again and again": (paged(40, 400_000), "8,000,000 values"),
    "a TIFF whose pages name the same description again and again": (
        paged(40, 400_000, tag=270),
        "8,000,000 values",
    ),
    "an AVIF of many sizes": (
        box(b"ftyp", b"avif\0\0\0\0avifmif1") + box(b"meta", b"ispe" * (MOST_SIZES + 1)),
        "10,000 sizes",
    ),
    "a TIFF of one vast tile": (
        grey_tiff(
            64,
            *((322, 4, 1, 32_768), (323, 4, 1, 32_768), (324, 4, 1, 0), (325, 4, 1, len(PACKED))),
            compression=8,
            data=PACKED,
        ),
        "save it with smaller tiles",
    ),
    "a TIFF whose strips lie over each other": (
        grey_tiff(
            *(64, (273, 4, 64, 0), (278, 4, 1, 1), (279, 4, 64, 0)),
            data=struct.pack("<64I", *[400] * 64) + bytes(512),
        ),
        "lie over each other",
    ),
}


@pytest.mark.parametrize(("left", "top"), [(2**31, 0), (0, 65)])
def test_a_negative_size_gives_no_room(client: FlaskClient, left: int, top: int) -> None:
    whole = encoded(blocks(width=64, height=64), "JPEG2000")
    at = whole.index(b"\xff\x4f\xff\x51") + 16  # where the picture begins on its grid of 64 x 64
    data = whole[:at] + struct.pack(">II", left, top) + whole[at + 8 :]
    answer = client.post(MEASUREMENTS, data=data, content_type="image/jp2")
    assert_problem(answer, 422, "undecodable_picture", "says that it has")
    assert "planimeter_memory_reserved_bytes 0.0" in client.get("/metrics").text
    assert post(client, OVERLAPPING).status_code == 201


@pytest.mark.parametrize("name", HOSTILE)
def test_what_no_honest_file_says_is_refused_with_a_reason(client: FlaskClient, name: str) -> None:
    data, words = HOSTILE[name]
    answer = client.post(MEASUREMENTS, data=data, content_type="application/octet-stream")
    assert answer.status_code == 422
    assert words in body(answer)["error"]["message"]


def test_a_webp_that_claims_more_than_the_limit_is_refused_before_its_decoder_makes_room() -> None:
    # 30 bytes: a lossless WebP of 16,384 x 16,384 pixels, for which libwebp would take 2 GB to begin with.
    claim = (
        b"RIFF" + struct.pack("<I", 22) + b"WEBPVP8L" + struct.pack("<IB", 10, 0x2F) + b"\xff" * 4 + bytes(5)
    )
    with pytest.raises(TooManyPixels, match=r"268,435,456 pixels"):
        decode(claim)


# ---- Decoders in processes of their own


def ask(decoders: Decoders, data: bytes) -> tuple[int, int]:
    found = decoders.decode(data, filename="a.png", limits=DEFAULT_LIMITS, deadline=Deadline(60))
    assert found.pixels.shape == (found.info.height, found.info.width, 3)
    return found.info.width, found.info.height


def test_a_picture_comes_whole_out_of_its_process() -> None:
    random = np.random.default_rng(3).integers(0, 256, (333, 777, 3), np.uint8)
    decoders = Decoders(1)
    data = encoded(random)
    found = decoders.decode(data, filename="ä.png", limits=DEFAULT_LIMITS, deadline=Deadline(60))
    decoders.close()
    alone = decode(data, filename="ä.png")
    assert np.array_equal(found.pixels, random)
    assert (found.info, found.notes) == (alone.info, alone.notes)


def test_a_decoder_that_takes_too_long_is_ended_and_the_next_picture_decoded() -> None:
    hurried = Decoders(1, patience=0.0)
    with pytest.raises(UndecodablePicture, match="decoding took longer than"):
        ask(hurried, black_png(9_000, 9_000))
    hurried.patience = 1.0
    assert ask(hurried, OVERLAPPING) == (64, 64)
    hurried.close()


@pytest.mark.skipif(sys.platform != "linux", reason="the system cannot limit memory")
def test_a_decoder_that_takes_more_memory_than_the_header_said_is_refused() -> None:
    # A GIF whose screen is 1 x 1, with a frame of 9,000 x 9,000 in it.
    stream = BytesIO()
    Image.new("L", (9_000, 9_000)).save(stream, "GIF")
    data = bytearray(stream.getvalue())
    data[6:10] = struct.pack("<HH", 1, 1)
    decoders = Decoders(1)
    with pytest.raises(UndecodablePicture):
        ask(decoders, bytes(data))
    assert ask(decoders, OVERLAPPING) == (64, 64)
    decoders.close()


def test_a_decoder_that_died_is_replaced() -> None:
    decoders = Decoders(1)
    assert ask(decoders, OVERLAPPING) == (64, 64)
    decoders._idle[0]._process.kill()
    decoders._idle[0]._process.wait()
    assert ask(decoders, OVERLAPPING) == (64, 64)
    decoders.close()


def test_pictures_at_once_share_a_process_that_is_soon_free_and_get_another_where_it_is_not() -> None:
    pictures = 6
    for shared_for, processes in ((60.0, range(1, 2)), (0.0, range(2, pictures + 1))):
        decoders, begin = Decoders(pictures, shared_for=shared_for), threading.Barrier(pictures)
        decoders.start()

        def one(_: int, decoders: Decoders = decoders, begin: threading.Barrier = begin) -> tuple[int, int]:
            begin.wait()
            return ask(decoders, black_png(3_000, 3_000))

        with ThreadPoolExecutor(pictures) as threads:
            assert set(threads.map(one, range(pictures))) == {(3_000, 3_000)}
        assert len(decoders._idle) in processes
        decoders.close()


# ---- Memory, and turns at the model


@pytest.fixture
def gate(models: Models) -> Gate:
    gate = Gate()
    models.get()._runtime = BlockRuntime(gate)
    return gate


def in_thread(call: Callable[[], TestResponse]) -> tuple[threading.Thread, list[TestResponse]]:
    answers: list[TestResponse] = []
    thread = threading.Thread(target=lambda: answers.append(call()))
    thread.start()
    return thread, answers


def test_a_picture_waits_for_the_memory_that_another_has_but_a_small_one_does_not(
    settings: Settings, store: Store, models: Models, gate: Gate
) -> None:
    large = black_png(2_700, 2_700)  # 58 MB while it is decoded, of 64
    app = create_app(settings.model_copy(update={"memory": 64, "deadline": 3}), store, models)
    first, answers = in_thread(lambda: post(app.test_client(), large))
    assert gate.entered.acquire(timeout=30)
    small, small_answers = in_thread(lambda: post(app.test_client(), OVERLAPPING))
    assert_problem(post(app.test_client(), large), 504, "deadline_exceeded", "3 s for memory")
    gate.opened.set()
    first.join()
    small.join()
    # The small one stood in line at the model, not for memory.
    assert [answer.status_code for answer in answers] == [201]
    assert small_answers[0].status_code in {201, 504}
    assert post(app.test_client(), large).status_code == 201


def test_a_picture_that_needs_more_memory_than_there_is_is_refused_at_once(
    settings: Settings, store: Store, models: Models
) -> None:
    app = create_app(settings.model_copy(update={"memory": 64}), store, models)
    assert_problem(
        post(app.test_client(), black_png(4_000, 4_000)), 422, "too_many_pixels", "122 MiB", "--memory"
    )


def tiling(settings: Settings, runtime: BlockRuntime) -> Models:
    """Return a model that measures what is larger than 64 pixels in tiles of 256."""
    pack = block_pack()
    tiles = {"least_scale": 1.0, "tile": 256, "tile_overlap": 64}
    preprocessing = pack.manifest.preprocessing.model_copy(update=tiles)
    pack = replace(pack, manifest=pack.manifest.model_copy(update={"preprocessing": preprocessing}))
    return Models(settings, find=lambda _: {MODEL: pack}, load=lambda *_: Segmenter(pack, runtime))


def test_a_large_picture_lets_a_small_one_through_between_its_tiles(settings: Settings, store: Store) -> None:
    finished: list[str] = []
    seen: list[TestResponse] = []
    runs = count(1)
    started: list[threading.Thread] = []

    def during() -> None:
        if next(runs) == 1:
            started.append(threading.Thread(target=small))
            started[0].start()
            while not queue.length:
                threading.Event().wait(0.005)

    def small() -> None:
        seen.append(post(app.test_client(), OVERLAPPING))
        finished.append("small")

    app = create_app(settings, store, tiling(settings, BlockRuntime(during)))
    queue = app.extensions["planimeter"].queue
    large = post(app.test_client(), encoded(blocks(width=1_000, height=1_000)))
    finished.append("large")
    started[0].join()
    assert (large.status_code, seen[0].status_code) == (201, 201)
    assert body(large)["notes"]
    assert finished == ["small", "large"]


def test_a_picture_that_cannot_be_measured_in_time_is_refused_before_it_is_decoded(
    settings: Settings, store: Store
) -> None:
    def rest() -> None:
        threading.Event().wait(0.05)

    runtime = BlockRuntime(rest)
    app = create_app(settings.model_copy(update={"deadline": 4.0}), store, tiling(settings, runtime))
    assert post(app.test_client(), OVERLAPPING).status_code == 201
    refused = post(app.test_client(), black_png(8_000, 8_000))
    assert_problem(refused, 504, "deadline_exceeded", "needs about", "--deadline")
    assert runtime.ran == 1
