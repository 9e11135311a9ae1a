"""A segmenter: a pack loaded and ready. A picture goes in, its measurement comes out."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydantic import PrivateAttr

from planimeter.drawing.drawing import Style, draw_measurement
from planimeter.errors import InferenceFailed, InvalidOption
from planimeter.layouts import has_sentinel, reader
from planimeter.masks.counted import Counted
from planimeter.masks.pixels import PixelProbabilities
from planimeter.masks.union import union_mask
from planimeter.masks.window import WindowMask
from planimeter.measurement import (
    Counting,
    Ignored,
    MaskFormat,
    Measurement,
    ModelInfo,
    Note,
    Options,
    Timing,
)
from planimeter.measuring.candidates import Candidate, Candidates
from planimeter.measuring.counting import count_within
from planimeter.measuring.coverage import list_instances, measure_at
from planimeter.measuring.detections import Detections, make_candidates
from planimeter.measuring.familiarity import note_unlike, texture_of
from planimeter.measuring.judging import Judging, check_rules
from planimeter.measuring.known_size import network_scale, note_scaled
from planimeter.measuring.of_class import within_class
from planimeter.measuring.parts import RegionSource, make_counting
from planimeter.measuring.physical import coverage_in_units, instances_in_units, with_scale
from planimeter.measuring.profile import NamedProfile, counting_of
from planimeter.measuring.profile_files import ProfileSource, open_profile
from planimeter.packs.manifest import Architecture
from planimeter.packs.pack import Pack, find_pack
from planimeter.pictures.decode import Picture
from planimeter.pictures.left_out import find_ignored
from planimeter.pictures.preprocessing import Placement, choose_tiles, preprocess
from planimeter.pictures.sources import Source, read_source
from planimeter.pictures.tiles import Tile
from planimeter.runtimes import RawDetections, Runtime
from planimeter.runtimes.choice import open_runtime
from planimeter.runtimes.thorough import ThoroughRuntime
from planimeter.scale import Scale, checked_scale
from planimeter.settings import Inference, Limits, Precision, RuntimeName

Turn = Callable[[], AbstractContextManager[object]]
"""What waits until the network may be used, and is held as long as it is."""

REST_PIXELS = 16_000_000
"""From so many pixels on, the memory of the network is given back before the picture is drawn, which takes as much."""


class Measured(Measurement):
    """A measurement that still holds its picture, so that it can be drawn."""

    _pixels: NDArray[np.uint8] = PrivateAttr()
    _colors: tuple[str, ...] = PrivateAttr()
    _candidates: Candidates = PrivateAttr()

    def with_picture(
        self, pixels: NDArray[np.uint8], colors: tuple[str, ...], candidates: Candidates
    ) -> "Measured":
        """Keep what drawing and other thresholds need; returns itself."""
        self._pixels, self._colors, self._candidates = pixels, colors, candidates
        return self

    def candidates(self) -> Candidates:
        """Return all that the network found, also below the threshold: what `at_threshold` chooses from."""
        return self._candidates

    def overlay(self, style: Style = "fill") -> Image.Image:
        """Return the picture with its masks drawn: "fill", "outline" or "splash" (the rest grey)."""
        return Image.fromarray(self.draw(style))

    def draw(self, style: Style = "fill") -> NDArray[np.uint8]:
        """Return the drawn picture, uint8 [H, W, 3] RGB."""
        return draw_measurement(self._pixels, self, self._colors, style, masks=self._masks())

    def mask(self) -> NDArray[np.bool_]:
        """Return the union of all masks, bool [H, W]."""
        height, width = self._pixels.shape[:2]
        return union_mask(self._masks(), height, width)

    def without_picture(self) -> Measurement:
        """Return the measurement alone, which can be kept by the thousand."""
        return Measurement(**{name: getattr(self, name) for name in Measurement.model_fields})

    def _masks(self) -> list[WindowMask]:
        return [entry.mask for entry in self._candidates.above(self.options.score_threshold)]


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
        watch: "Stopwatch | None" = None,
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
            station = self._station(profile, counting)
            filled = station.fill({name: value for name, value in given.items() if not _is_open(value)})
            score_threshold, pixel_size, unit = map(filled.get, ("score_threshold", "pixel_size", "unit"))
            counting, judging = counting_of(filled), station.judging
        threshold = self.default_threshold if score_threshold is None else score_threshold
        if not 0 <= threshold <= 1:
            raise InvalidOption(f"score_threshold is {threshold}; it must lie between 0 and 1")
        picture = read_source(source, filename=filename, limits=limits or Limits())
        picture = with_scale(picture, checked_scale(pixel_size, unit))
        if not isinstance(source, Picture):
            watch.lap("decode")
        counting = counting or make_counting(region, region_mask, ignore, classes, least_area, of)
        height, width = picture.pixels.shape[:2]
        if judging is not None:
            check_rules(judging.rules, self.classes, counting)
        whole = Candidates(Counted(height, width), ())
        if counting is not None:
            ignored = find_ignored(picture.pixels, picture.transparent, counting.ignore)
            whole = replace(whole, ignored=ignored)
            count_within(whole, counting, self.classes)  # what cannot be is refused before the network runs
        candidates = self._find(picture.pixels, watch, picture.notes, turn, picture.info.scale)
        candidates = count_within(replace(candidates, ignored=whole.ignored), counting, self.classes)
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

    def _station(self, profile: ProfileSource, counting: Counting | None) -> NamedProfile:
        """Return a profile that is given, if it is one for this model."""
        station = open_profile(profile)
        if counting is not None:
            raise InvalidOption("counting and profile are given; give what counts in the profile")
        wanted = station.profile.model
        if wanted is not None and wanted != self.pack.name:
            raise InvalidOption(
                f"the profile {station.name!r} measures with the model {wanted!r}, and this is {self.pack.name!r}"
            )
        return station

    def detect(
        self, pixels: NDArray[np.uint8], watch: "Stopwatch | None" = None, scale: Scale | None = None
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
        watch: "Stopwatch",
        picture_notes: Sequence[Note] = (),
        turn: Turn | None = None,
        scale: Scale | None = None,
    ) -> Candidates:
        manifest = self.pack.manifest
        height, width = pixels.shape[:2]
        candidates = make_candidates(
            self._detect(pixels, 0.0, watch, scale, turn),
            Counted(height, width),
            manifest.thresholds.mask,
            most_instances=manifest.limits.detections,
            score_floor=manifest.limits.score_floor,
            picture_notes=picture_notes,
        )
        unlike = note_unlike(self._trust.familiarity, candidates.texture)
        scaled = note_scaled(manifest, scale)
        return replace(candidates, picture_notes=[*picture_notes, *scaled, *unlike])

    def _detect(
        self,
        pixels: NDArray[np.uint8],
        threshold: float,
        watch: "Stopwatch",
        known: Scale | None = None,
        turn: Turn | None = None,
    ) -> Iterator[Detections]:
        """Yield what the network finds in one tile after the other."""
        manifest = self.pack.manifest
        height, width = pixels.shape[:2]
        wanted = network_scale(manifest, known)
        tiles, scale = choose_tiles(height, width, manifest.preprocessing, wanted)
        for tile in tiles:
            image, placement = preprocess(
                pixels[tile.y0 : tile.y1, tile.x0 : tile.x1], manifest.preprocessing, scale
            )
            watch.lap("postprocess")
            with turn() if turn else nullcontext():
                if turn:
                    watch.lap("queue")
                with self._at_a_time:
                    raw = self._runtime.run(image)
                self.used += 1
                watch.lap("inference")
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
                texture=None if raw.texture is None else texture_of(raw.texture, placement),
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


def _is_open(value: object) -> bool:
    """Return whether an option is not given."""
    return value is None or (isinstance(value, (tuple, list, int)) and not value)


class Stopwatch:
    """Milliseconds of each step of a measurement."""

    def __init__(self) -> None:
        self._start = self._last = time.perf_counter()
        self._steps: dict[str, float] = {}

    def lap(self, step: str) -> None:
        """End `step` now."""
        now = time.perf_counter()
        self._steps[step] = self._steps.get(step, 0.0) + 1000 * (now - self._last)
        self._last = now

    def timing(self) -> Timing:
        """Return all steps; what came after the last lap is post-processing."""
        self.lap("postprocess")
        return Timing(**self._steps, total=1000 * (self._last - self._start))


def load(
    name: str = "nuclei",
    *,
    packs_folder: Path | None = None,
    infer_with_cpu: bool = False,
    precision: Precision = "auto",
    runtime: RuntimeName = "auto",
    thorough: bool = False,
) -> Segmenter:
    """Load a model by the name of its pack, bundled or in `packs_folder`, or by the path of its folder.

    A GPU is used where PyTorch (the `train` extra) or ONNX Runtime (the `onnxruntime` extra) finds one and
    `infer_with_cpu` is false; OpenVINO on the CPU otherwise. `runtime` names one of them instead.
    `thorough` looks at each picture four times, mirrored each way, where the model has a pixel branch.
    """
    how = Inference(infer_with_cpu=infer_with_cpu, precision=precision, runtime=runtime, thorough=thorough)
    return open_segmenter(find_pack(name, packs_folder), how)


def open_segmenter(pack: Pack, how: Inference | None = None) -> Segmenter:
    """Return the segmenter of a pack, its network loaded as `how` says."""
    how = how or Inference()
    network = open_runtime(pack, reader(pack.manifest), sentinel=has_sentinel(pack.manifest), how=how)
    architecture = pack.manifest.architecture
    if how.thorough and isinstance(architecture, Architecture) and architecture.pixel_channels:
        network = ThoroughRuntime(network)
    return Segmenter(pack, network)
