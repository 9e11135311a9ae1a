"""Milliseconds of each stage between the bytes of a picture and its stored measurement, on this machine.

    python bench/stages.py [--instances 20]… [--side 1024] [--number 15] [--json FILE]

Computed pictures of nuclei as JPEG, in this process, one after the other: no HTTP, and the decoder is not a process of
its own. Medians; nothing is asserted. Run it on an otherwise idle machine.
"""

import json
import tempfile
import time
from collections import defaultdict
from io import BytesIO
from pathlib import Path
from statistics import median
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from tables import open_console, print_part

import planimeter
from planimeter.drawing.encoding import encode_mask_png, encode_png
from planimeter.masks.counted import Counted
from planimeter.measurement import Measurement
from planimeter.measuring.coverage import measure_at
from planimeter.measuring.detections import make_candidates
from planimeter.measuring.segmenter import Segmenter
from planimeter.measuring.stopwatch import Stopwatch
from planimeter.pictures.decode import decode
from planimeter.samples.fluorescence import Scene, draw_scene
from planimeter.store import Store

WARM_UP = 2
STAGES = ("decode", "network", "masks", "coverage", "draw", "PNG", "mask PNG", "candidates", "store")


class Laps:
    """Milliseconds of each stage, a list of them."""

    def __init__(self) -> None:
        self.times: dict[str, list[float]] = defaultdict(list)
        self._last = time.perf_counter()

    def start(self) -> None:
        """Begin a picture."""
        self._last = time.perf_counter()

    def lap(self, stage: str) -> None:
        """End a stage."""
        now = time.perf_counter()
        self.times[stage].append(1000 * (now - self._last))
        self._last = time.perf_counter()


@click.command()
@click.option("--instances", "wanted", multiple=True, type=int, default=(20, 300, 1000), show_default=True)
@click.option("--side", default=1024, show_default=True, help="Pixels of a side of the picture.")
@click.option("--number", default=15, show_default=True, type=click.IntRange(1))
@click.option("--json", "json_path", type=click.Path(path_type=Path, dir_okay=False))
def main(*, wanted: tuple[int, ...], side: int, number: int, json_path: Path | None) -> None:
    """Time the stages of pictures with about so many nuclei."""
    results = measure_pictures(wanted, side, number)
    print_table(side, results)
    if json_path:
        json_path.write_text(json.dumps(results, indent=2) + "\n", "utf-8")


def measure_stages(*, quick: bool) -> dict[str, Any]:
    """Return the stages of a megapixel with few instances and many."""
    return measure_pictures((20,), 512, 1) if quick else measure_pictures((1, 20, 100, 300, 1000), 1024, 5)


def measure_pictures(wanted: tuple[int, ...], side: int, number: int) -> dict[str, Any]:
    """Return the medians of each stage, by about how many nuclei there are, and how many were found."""
    segmenter = planimeter.load("nuclei", infer_with_cpu=True)
    results = {}
    for count in wanted:
        laps, found = time_stages(segmenter, draw_picture(side, count), number)
        stages = {stage: round(median(laps.times[stage]), 2) for stage in STAGES}
        others = round(sum(stages.values()) - stages["network"], 2)
        results[str(count)] = {"instances": found, "stages": stages, "others": others}
    return results


def draw_picture(side: int, nuclei: int) -> bytes:
    """Return a picture of about so many nuclei as JPEG."""
    radius = min(14.0, 0.28 * side / nuclei**0.5)
    scene = Scene(
        seed=1,
        width=side,
        height=side,
        nuclei=nuclei,
        radius=(0.8 * radius, 1.2 * radius),
        elongation=(1.1, 1.5),
        bend=0.1,
        touching=0.1,
        light=(420.0, 1000.0),
    )
    encoded = BytesIO()
    Image.fromarray(draw_scene(scene).pixels).convert("RGB").save(encoded, "JPEG", quality=92)
    return encoded.getvalue()


def time_stages(segmenter: Segmenter, data: bytes, number: int) -> tuple[Laps, int]:
    """Measure a picture `number` times, and return the laps and how many instances were found."""
    manifest = segmenter.pack.manifest
    threshold = segmenter.default_threshold
    found = 0
    with tempfile.TemporaryDirectory(prefix="planimeter-bench-") as folder:
        home = Path(folder)
        store = Store.open(f"sqlite:///{home / 'bench.db'}", home / "uploads", home / "outputs")
        laps = Laps()
        for turn in range(WARM_UP + number):
            if turn == WARM_UP:
                laps.times.clear()
            laps.start()
            picture = decode(data, filename="bench.jpg")
            laps.lap("decode")
            tiles = list(segmenter._detect(picture.pixels, 0.0, Stopwatch()))  # noqa: SLF001  a stage of `measure`
            laps.lap("network")
            candidates = make_candidates(
                tiles,
                Counted(*picture.pixels.shape[:2]),
                manifest.thresholds.mask,
                most_instances=manifest.limits.detections,
                score_floor=manifest.limits.score_floor,
            )
            laps.lap("masks")
            measure_at(candidates, threshold, segmenter.classes, segmenter.pack.trust.intervals)
            laps.lap("coverage")
            measured = segmenter.measure(picture)
            found = len(measured.instances)
            laps.start()
            store_one(laps, store, measured, data)
        store.close()
    return laps, found


def store_one(laps: Laps, store: Store, measured: planimeter.Measured, data: bytes) -> None:
    """Draw, encode and store a measurement."""
    drawn: NDArray[np.uint8] = measured.draw()
    laps.lap("draw")
    overlay = encode_png(drawn)
    laps.lap("PNG")
    mask = encode_mask_png(measured.mask())
    laps.lap("mask PNG")
    packed = measured.candidates().packed().pack()
    laps.lap("candidates")
    plain = Measurement(**{name: getattr(measured, name) for name in Measurement.model_fields})
    store.add(plain, picture=data, overlay_png=overlay, mask_png=mask, candidates=packed)
    laps.lap("store")


def print_table(side: int, results: dict[str, Any]) -> None:
    """Print a column for each picture."""
    console = open_console()
    console.print(f"{side} x {side} pixels")
    print_part(console, "stages", results)


if __name__ == "__main__":
    main()
