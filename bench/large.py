"""JPEGs of 12, 50 and 100 megapixels: what is not the network beside a bare decode, and memory beside the pixels.

The network is that of `nuclei` with its tiles scaled to a quarter, so that 50 megapixels take 6 tiles in the place of
some 150: what is not the network is what is measured, and that works on every pixel of the picture all the same. The
nuclei of the picture are as much larger, so that the network finds them and their masks are large. Memory is what
the service takes at its most beyond what it takes when idle, after one picture of 12 megapixels.
"""

import json
import shutil
import tempfile
import time
from http.client import HTTPConnection
from io import BytesIO
from pathlib import Path
from statistics import median
from typing import Any

import click
from children import Server, serving
from footprint import memory_mib, watching
from load import Target, post_for
from pictures import large_picture
from PIL import Image

import planimeter
from planimeter.measuring.segmenter import Segmenter
from planimeter.measuring.stopwatch import Stopwatch
from planimeter.packs.pack import MANIFEST, find_pack
from planimeter.pictures.decode import decode as decode_picture

SIZES = {12: (4000, 3000), 50: (8660, 5774), 100: (12_500, 8000)}
MODEL, NAME, SCALE = "nuclei", "nuclei-large-tiles", 0.25
DECODES = 3
SETTLE_SECONDS = 2.0
"""Until what a picture took has been given back."""


def measure_large(*, quick: bool) -> dict[str, Any]:
    """Return the figures of each size."""
    with tempfile.TemporaryDirectory(prefix="planimeter-bench-") as folder:
        _scaled_pack(Path(folder))
        options = ["--packs-folder", folder, "--model", NAME, "--infer-with-cpu", "--memory", "4096"]
        segmenter = planimeter.load(NAME, packs_folder=Path(folder), infer_with_cpu=True)
        with serving(options) as server:
            _warm_up(server.port)
            before = memory_mib(server.process.pid)
            sizes = [12] if quick else list(SIZES)
            return {
                str(size): _measure(server, segmenter, size, before, repeats=1 if quick else 2)
                for size in sizes
            }


def _warm_up(port: int) -> None:
    """Have the network take what it keeps for its intermediate values, some 400 MiB for a whole tile."""
    connection = HTTPConnection("127.0.0.1", port, timeout=300)
    picture, kind = large_picture(*SIZES[12]), {"Content-Type": "image/jpeg"}
    connection.request("POST", "/api/v1/measurements", picture, kind)
    answer = connection.getresponse()
    if answer.status != 201:
        raise click.ClickException(f"the service answered {answer.status}: {answer.read()[:500]!r}")
    answer.read()
    connection.close()
    time.sleep(SETTLE_SECONDS)


def _scaled_pack(folder: Path) -> None:
    """Copy the model, and let its tiles be scaled down."""
    pack = shutil.copytree(find_pack(MODEL).folder, folder / NAME)
    manifest = json.loads((pack / MANIFEST).read_text("utf-8"))
    manifest["name"] = NAME
    manifest["preprocessing"] |= {"scale": SCALE, "least_scale": SCALE, "tile_scale": SCALE}
    (pack / MANIFEST).write_text(json.dumps(manifest), "utf-8")


def _measure(
    server: Server, segmenter: Segmenter, size: int, before: tuple[float, float] | None, *, repeats: int
) -> dict[str, Any]:
    width, height = SIZES[size]
    data = large_picture(width, height)
    target = Target(server.port, content_type="image/jpeg", steps=True)
    decode, posts, network = [], [], []
    with watching(server.process.pid) as peak:
        for _ in range(repeats):
            decode += [_decode_ms(data) for _ in range(DECODES)]
            posts += post_for(target, data, 1, 0.1).posts
            network.append(_network_ms(segmenter, data))
    took = [1000 * (post["answered"] - post["started"]) for post in posts]
    others = median(took) - median(network)
    pixels_mib = 3 * width * height / 2**20
    figures: dict[str, Any] = {
        "width": width,
        "height": height,
        "file_mb": round(len(data) / 1e6, 2),
        "instances": posts[0]["instances"],
        "post_ms": round(median(took), 1),
        "network_ms": round(median(network), 1),
        "all_but_network_ms": round(others, 1),
        "steps_ms": {
            step: round(median(post["timing"][step] for post in posts), 1)
            for step in ("decode", "queue", "inference", "postprocess", "store")
        },
        "decode_ms": round(median(decode), 1),
        "others_over_decode": round(others / median(decode), 3),
        "pixels_mib": round(pixels_mib, 1),
    }
    if before:
        figures["memory_mib"] = round(peak.proportional - before[1], 1)
        figures["peak_mib"] = round(peak.proportional, 1)
        figures["memory_over_pixels"] = round((peak.proportional - before[1]) / pixels_mib, 3)
    return figures


def _network_ms(segmenter: Segmenter, data: bytes) -> float:
    """Return what the network alone takes for the tiles, one after the other, with nothing beside it."""
    pixels, watch = decode_picture(data).pixels, Stopwatch()
    segmenter.detect(pixels, watch)
    segmenter.rest()
    return watch.timing().inference


def _decode_ms(data: bytes) -> float:
    """Decode as Pillow does by itself, with libjpeg-turbo."""
    most, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
    started = time.perf_counter()
    with Image.open(BytesIO(data)) as image:
        image.load()
    milliseconds = 1000 * (time.perf_counter() - started)
    Image.MAX_IMAGE_PIXELS = most
    return milliseconds
