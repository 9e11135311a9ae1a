"""A segmenter: a pack loaded and ready. A picture goes in, its measurement comes out."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from planimeter.errors import InferenceFailed, InvalidOption
from planimeter.masks.counted import Counted
from planimeter.masks.pixels import PixelProbabilities
from planimeter.measurement import (
    Counting,
    Ignored,
    MaskFormat,
    ModelInfo,
    Note,
    Options,
)
from planimeter.measuring.beside import Begin, helping, when_waited_for
from planimeter.measuring.candidates import Candidate, Candidates
from planimeter.measuring.counting import count_within, scope_of
from planimeter.measuring.coverage import list_instances, measure_at
from planimeter.measuring.detections import Detections, make_candidates
from planimeter.measuring.familiarity import MARGIN, note_unlike, texture_of
from planimeter.measuring.judging import Judging, check_rules
from planimeter.measuring.known_size import network_scale, note_scaled
from planimeter.measuring.measured import Measured
from planimeter.measuring.of_class import within_class
from planimeter.measuring.parts import RegionSource, make_counting
from planimeter.measuring.physical import coverage_in_units, instances_in_units, with_scale
from planimeter.measuring.profile import counting_of
from planimeter.measuring.profile_files import ProfileSource, open_profile
from planimeter.measuring.stopwatch import Stopwatch
from planimeter.packs.pack import Pack
from planimeter.pictures.decode import Picture
from planimeter.pictures.left_out import find_ignored
from planimeter.pictures.preprocessing import Placement, choose_tiles, preprocess
from planimeter.pictures.sources import Source, read_source
from planimeter.pictures.tiles import Tile
from planimeter.runtimes import RawDetections, Runtime
from planimeter.scale import Scale, checked_scale
from planimeter.settings import Limits

Turn = Callable[[], AbstractContextManager[object]]
"""What waits until the network may be used, and is held as long as it is."""

REST_PIXELS = 16_000_000
"""From so many pixels on, the memory of the network is given back before the picture is drawn, which takes as much."""


class Segmenter:
    """Finds and measures. Safe to share between threads; up to `streams` pictures are in the network at a time."""

    def __init__(self, pack: Pack, runtime: Runtime) -> None:
        self.pack = pack
        self._runtime = runtime
        self.streams = runtime.streams
        self.used = 0
        """How often the network ran."""
        self._at_a_time = threading.BoundedSemaphore(runtime.streams)
        manifest = pack.manifest
        self.classes = tuple(entry.name for entry in manifest.classes)
        self.colors = tuple(entry.color for entry in manifest.classes)
        self.default_threshold = manifest.thresholds.score
        self._trust = pack.trust
        self.info = ModelInfo(
            name=manifest.name,
            version=manifest.version,
            sha256=manifest.onnx.sha256,
            runtime=runtime.name,
            precision=runtime.precision,
            device=runtime.device,
            passes=getattr(runtime, "passes", 1),
        )

    def segment(self, pixels: NDArray[np.uint8]) -> list[Candidate]:
        """Return all that the network finds in `pixels`, uint8 [H, W, 3] RGB, down to its own score floor."""
        candidates = self._find(pixels, Stopwatch())
        return candidates.above(candidates.score_floor)

    def measure(
        self,
        source: Source,
        *,
        score_threshold: float | None = None,
        mask_format: MaskFormat = "rle",
        filename: str | None = None,
        limits: Limits | None = None,
        pixel_size: float | None = None,
        unit: str | None = None,
        counting: Counting | None = None,
        region: RegionSource | None = None,
        region_mask: Source | None = None,
        ignore: Sequence[Ignored] = (),
        classes: Sequence[str] | None = None,
        least_area: int = 0,
        of: str | None = None,
        profile: ProfileSource | None = None,
        judging: Judging | None = None,
        watch: Stopwatch | None = None,
        turn: Turn | None = None,
    ) -> Measured:
        """Measure one picture.

        `source` is a path, the bytes of a picture file, a binary file that is open (also `BytesIO`), an array (uint8
        [H, W] or [H, W, 3 or 4] RGB(A), uint16 [H, W]), a `PIL.Image.Image`, or a `Picture` already decoded; anything
        else raises `InvalidOption`. `score_threshold` in [0, 1] replaces the pack's own. `pixel_size`
        is the side of a pixel in `unit` (nm, um, mm, cm, m or in), in place of what the file says of it.

        `region` is what counts, as `{"include": [[[x, y], …], …], "exclude": […]}`, `region_mask` a picture or an
        array of the same size whose non-zero pixels count; `ignore` leaves out pixels ("transparent", "black_border",
        "saturated"), `classes` all instances but those of the classes that it names, `least_area` those with fewer
        pixels. `of` names the class that all percentages are of: only pixels of its instances count then, and where
        there are none, `coverage.percent_masked` is None. `counting` is all of these as one value. What was left out
        is in the notes and in `coverage.left_out`.

        `profile` is how a station measures: a TOML or JSON file, a mapping, or a `Profile`. What it says must not be
        contradicted by what is given beside it; its rules make the `verdict`. `judging` is rules alone, for what was
        filled in from a profile before.

        A `watch`
        that already runs goes on; its time so far is in the measurement's. `turn` is entered for each use of the
        network.
        """
        watch = watch or Stopwatch()
        if profile is not None:
            given = {
                "score_threshold": score_threshold,
                "pixel_size": pixel_size,
                "unit": unit,
                "region": region,
                "region_mask": region_mask,
                "ignore": ignore,
                "classes": classes,
                "least_area": least_area,
                "of": of,
            }
            if counting is not None:
                raise InvalidOption("counting and profile are given; give what counts in the profile")
            station = open_profile(profile)
            filled = station.fill_for(self.pack.name, given)
            score_threshold, pixel_size, unit = map(filled.get, ("score_threshold", "pixel_size", "unit"))
            counting, judging = counting_of(filled), station.judging
        threshold = self.default_threshold if score_threshold is None else score_threshold
        if not 0 <= threshold <= 1:
            raise InvalidOption(f"score_threshold is {threshold}; it must lie between 0 and 1")
        picture = read_source(source, filename=filename, limits=limits or Limits())
        scale = checked_scale(pixel_size, unit)
        picture = with_scale(picture, scale if judging is None else judging.scale(scale))
        if not isinstance(source, Picture):
            watch.lap("decode")
        counting = counting or make_counting(region, region_mask, ignore, classes, least_area, of)
        return self.measure_picture(
            picture,
            threshold=threshold,
            counting=counting,
            judging=judging,
            mask_format=mask_format,
            watch=watch,
            turn=turn,
        )

    def measure_picture(
        self,
        picture: Picture,
        *,
        threshold: float,
        counting: Counting | None = None,
        judging: Judging | None = None,
        mask_format: MaskFormat = "rle",
        watch: Stopwatch,
        turn: Turn | None = None,
    ) -> Measured:
        """Measure a picture that was decoded; all that `measure` was given stands for itself by now."""
        height, width = picture.pixels.shape[:2]
        if judging is not None:
            check_rules(judging.rules, self.classes, counting)
        whole = Candidates(Counted(height, width), ())
        if counting is not None:
            ignored = find_ignored(picture.pixels, picture.transparent, counting.ignore)
            whole = replace(whole, ignored=ignored)
        scope = scope_of(whole, counting, self.classes)  # what cannot be is refused before the network runs
        candidates = self._find(picture.pixels, watch, picture.notes, turn, picture.info.scale)
        candidates = count_within(replace(candidates, ignored=whole.ignored), counting, self.classes, scope)
        if height * width >= REST_PIXELS:
            self.rest()
        candidates = within_class(candidates, threshold)
        found, counted = candidates.above(threshold), candidates.counted
        coverage, notes = measure_at(candidates, threshold, self.classes, self._trust.intervals)
        measured = Measured(
            image=picture.info,
            model=self.info,
            options=Options(score_threshold=threshold, counting=counting),
            coverage=coverage_in_units(
                coverage, picture.info.scale, None if counting is None else counting.of
            ),
            instances=instances_in_units(
                list_instances(found, self.classes, counted, mask_format), picture.info.scale
            ),
            notes=notes,
            timing_ms=watch.timing(),
        )
        if judging is not None:
            measured = judging.of(measured, [entry.mask for entry in found])
        return measured.with_picture(picture.pixels, self.colors, candidates)

    def detect(
        self, pixels: NDArray[np.uint8], watch: Stopwatch | None = None, scale: Scale | None = None
    ) -> tuple[Detections, ...]:
        """Return what `segment` starts from, tile by tile, with masks still as probabilities.

        Thresholds can then be tried without the network. `watch` receives the time that the network took; `scale` is
        how large a pixel is, where that is known.
        """
        floor = self.pack.manifest.limits.score_floor
        return tuple(self._detect(pixels, floor, watch or Stopwatch(), scale))

    def rest(self) -> None:
        """Give back the memory that the network took for its intermediate values; the next picture takes it anew."""
        self._runtime.rest()

    def tiles(self, height: int, width: int, scale: Scale | None = None) -> int:
        """Return in how many pieces a picture of that size is shown to the network."""
        manifest = self.pack.manifest
        return len(choose_tiles(height, width, manifest.preprocessing, network_scale(manifest, scale))[0])

    def _find(
        self,
        pixels: NDArray[np.uint8],
        watch: Stopwatch,
        picture_notes: Sequence[Note] = (),
        turn: Turn | None = None,
        scale: Scale | None = None,
    ) -> Candidates:
        manifest = self.pack.manifest
        height, width = pixels.shape[:2]
        # Another thread prepares the next tile, and makes the masks of the last, while the network is at work.
        with helping(worth_it=self.tiles(height, width, scale) > 1) as begin:
            candidates = make_candidates(
                self._detect(pixels, 0.0, watch, scale, turn=turn, begin=begin),
                Counted(height, width),
                manifest.thresholds.mask,
                most_instances=manifest.limits.detections,
                score_floor=manifest.limits.score_floor,
                picture_notes=picture_notes,
                begin=begin,
            )
        unlike = note_unlike(self._trust.familiarity, candidates.texture)
        scaled = note_scaled(manifest, scale)
        return replace(candidates, picture_notes=[*picture_notes, *scaled, *unlike])

    def _detect(
        self,
        pixels: NDArray[np.uint8],
        threshold: float,
        watch: Stopwatch,
        known: Scale | None = None,
        *,
        turn: Turn | None = None,
        begin: Begin = when_waited_for,
    ) -> Iterator[Detections]:
        """Yield what the network finds in one tile after the other; `begin` begins to prepare the next."""
        manifest = self.pack.manifest
        height, width = pixels.shape[:2]
        wanted = network_scale(manifest, known)
        tiles, scale = choose_tiles(height, width, manifest.preprocessing, wanted)
        known_pictures = self._trust.familiarity
        margin = MARGIN if known_pictures is None else known_pictures.margin
        inputs: list[NDArray[np.float32] | None] = [None, None]
        """One is looked at while the other is written."""

        def prepare(index: int) -> tuple[NDArray[np.float32], Placement]:
            tile = tiles[index]
            here = pixels[tile.y0 : tile.y1, tile.x0 : tile.x1]
            made = preprocess(here, manifest.preprocessing, scale, into=inputs[index % 2])
            inputs[index % 2] = made[0]
            return made

        prepared = begin(partial(prepare, 0))
        for index, tile in enumerate(tiles):
            image, placement = prepared()
            if index + 1 < len(tiles):
                prepared = begin(partial(prepare, index + 1))
            watch.lap("postprocess")
            with turn() if turn else nullcontext():
                if turn:
                    watch.lap("queue")
                with self._at_a_time:
                    raw = self._runtime.run(image)
                self.used += 1
                watch.lap("inference")
            if turn:
                watch.lap("queue")  # until those that go on before are through
            # Six digits: as exact as float32 is, and 0.9 instead of 0.8999999761581421. Compared as they are answered.
            scores = raw.scores.astype(np.float64).round(6)
            order = [index for index in np.argsort(-scores, kind="stable") if scores[index] >= threshold]
            origin = np.array((tile.x0, tile.y0, tile.x0, tile.y0))
            yield Detections(
                tile,
                origin + placement.in_picture(raw.boxes[order]),
                raw.labels[order].tolist(),
                scores[order].tolist(),
                raw.masks_in(placement, tile.x0, tile.y0, order),
                mask_edge=manifest.thresholds.mask_edge,
                pixels=self._pixels(raw, placement, tile),
                pixel_cells=manifest.thresholds.pixel_cells,
                mask_nms_iou=manifest.thresholds.mask_nms_iou,
                texture=None if raw.texture is None else texture_of(raw.texture, placement, margin),
            )

    def _pixels(self, raw: RawDetections, placement: Placement, tile: Tile) -> PixelProbabilities | None:
        if raw.pixels is None:
            return None
        outputs, rows, columns = raw.pixels.shape
        if outputs != 1 + len(self.classes):
            raise InferenceFailed(
                f"the pixel branch of {self.pack.name!r} answers {outputs} classes, the background among them; its "
                f"manifest names {len(self.classes)} without the background: export the pack again"
            )
        across, down = columns / placement.input_width, rows / placement.input_height
        return PixelProbabilities(
            raw.pixels,
            (tile.x0, tile.y0, tile.x1, tile.y1),
            (placement.across * across, placement.down * down),
            (placement.left * across, placement.top * down),
        )
