"""A segmenter: a pack loaded and ready. A picture goes in, its measurement comes out."""

import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydantic import PrivateAttr

from planimeter.candidates import Candidates, Lineup, coco_box
from planimeter.decode import Limits, Picture, decode, from_array
from planimeter.drawing import Style, draw_measurement
from planimeter.errors import InferenceFailed, InvalidOption, MissingPicture
from planimeter.layouts import has_sentinel, reader
from planimeter.masks import (
    Box,
    FrameMasks,
    MaskEdge,
    PixelProbabilities,
    WindowMask,
    count_coverage,
    paste,
    polygons,
    rle_encode,
    rle_window,
    trim,
    union_mask,
)
from planimeter.measurement import (
    ClassCoverage,
    Coverage,
    Instance,
    MaskFormat,
    Measurement,
    ModelInfo,
    Options,
    Polygons,
    Rle,
    Timing,
    percent,
)
from planimeter.packs import Pack, find_pack
from planimeter.preprocessing import Placement, choose_tiles, preprocess
from planimeter.runtimes import RawDetections, Runtime
from planimeter.runtimes.choice import open_runtime
from planimeter.settings import Precision, RuntimeName
from planimeter.tiles import Found, Queue, Tile, merge


@dataclass(frozen=True)
class Segmentation:
    """What was found in one picture, in the picture's own pixels, sorted by falling score.

    boxes float64 [N, 4] as x0, y0, x1, y1; labels are class ids from 1; one mask an instance.
    """

    boxes: NDArray[np.float64]
    labels: list[int]
    scores: list[float]
    masks: list[WindowMask]
    limit_reached: bool = False
    tiles: int = 1

    @classmethod
    def of(cls, instances: Sequence[Found], *, limit_reached: bool, tiles: int) -> "Segmentation":
        """Return the segmentation that consists of `instances`, given by falling score."""
        return cls(
            np.array([entry.box for entry in instances]).reshape(-1, 4),
            [entry.label for entry in instances],
            [entry.score for entry in instances],
            [entry.mask for entry in instances],
            limit_reached,
            tiles,
        )

    def above(self, threshold: float) -> "Segmentation":
        """Return the instances with a score of at least `threshold`."""
        keep = [index for index, score in enumerate(self.scores) if score >= threshold]
        return replace(
            self,
            boxes=self.boxes[keep],
            labels=[self.labels[index] for index in keep],
            scores=[self.scores[index] for index in keep],
            masks=[self.masks[index] for index in keep],
        )


@dataclass(frozen=True)
class TileDetections:
    """What the network found in one tile, sorted by falling score.

    boxes float64 [N, 4] as x0, y0, x1, y1 in pixels of the whole picture; labels are class ids from 1; masks
    float32 [N, M, M], the probability of each cell of the box, or masks on a grid over the tile.
    """

    tile: Tile
    boxes: NDArray[np.float64]
    labels: list[int]
    scores: list[float]
    masks: NDArray[np.float32] | FrameMasks
    limit_reached: bool = False
    mask_edge: MaskEdge = "extend"
    pixels: PixelProbabilities | None = None
    """What the tile's pixels show, where the network says it."""

    def above(self, score_threshold: float) -> "TileDetections":
        """Return those with a score of at least `score_threshold`."""
        kept = sum(score >= score_threshold for score in self.scores)
        return replace(
            self,
            boxes=self.boxes[:kept],
            labels=self.labels[:kept],
            scores=self.scores[:kept],
            masks=self.masks[:kept],
        )

    def paste(self, height: int, width: int, mask_threshold: float) -> list[Found]:
        """Return the instances, masked where the probability is at least `mask_threshold`."""
        answered = _boxes(self.boxes.round(3))
        # Box-space masks are pasted as exactly as the network says; a frame is cut where the answer says.
        exact = answered if isinstance(self.masks, FrameMasks) else _boxes(self.boxes)
        found = [
            Found(
                box,
                label,
                score,
                trim(
                    paste(
                        mask,
                        place,
                        height,
                        width,
                        mask_threshold,
                        edge=self.mask_edge,
                        pixels=self.pixels,
                        label=label,
                    )
                ),
            )
            for box, place, label, score, mask in zip(
                answered, exact, self.labels, self.scores, self.masks, strict=True
            )
        ]
        # Ultralytics drops what its cut leaves nothing of; where the pixels deny a box, nothing was found there.
        if self.pixels is not None or (isinstance(self.masks, FrameMasks) and self.masks.cut):
            return [entry for entry in found if entry.mask.area]
        return found


def _boxes(table: NDArray[np.float64]) -> list[Box]:
    return [(x0, y0, x1, y1) for x0, y0, x1, y1 in table.tolist()]


@dataclass(frozen=True)
class Detections:
    """All that the network found in one picture, from which instances are made at any mask threshold."""

    height: int
    width: int
    tiles: tuple[TileDetections, ...]

    def segmentation(self, mask_threshold: float, score_threshold: float = 0.0) -> Segmentation:
        """Return the instances of at least that score, masked where the probability is at least that of a mask."""
        tiles = [tile.above(score_threshold) for tile in self.tiles]
        parts = self._paste(tiles, mask_threshold)
        instances = merge(parts, self.height, self.width) if len(parts) > 1 else parts[0][1]
        return Segmentation.of(
            instances, limit_reached=any(tile.limit_reached for tile in tiles), tiles=len(parts)
        )

    def queue(self, mask_threshold: float) -> Queue:
        """Return all instances, from which those that count are chosen at any score threshold."""
        return Queue.of(self._paste(self.tiles, mask_threshold), self.height, self.width)

    def _paste(
        self, tiles: Sequence[TileDetections], mask_threshold: float
    ) -> list[tuple[Tile, list[Found]]]:
        return [(entry.tile, entry.paste(self.height, self.width, mask_threshold)) for entry in tiles]


class Measured(Measurement):
    """A measurement that still holds its picture, so that it can be drawn."""

    _pixels: NDArray[np.uint8] = PrivateAttr()
    _colors: tuple[str, ...] = PrivateAttr()
    _masks: list[WindowMask] = PrivateAttr()
    _lineup: Lineup = PrivateAttr()

    def with_picture(
        self, pixels: NDArray[np.uint8], colors: tuple[str, ...], masks: list[WindowMask], lineup: Lineup
    ) -> "Measured":
        """Keep what drawing and other thresholds need; returns itself."""
        self._pixels, self._colors, self._masks, self._lineup = pixels, colors, masks, lineup
        return self

    def candidates(self) -> Candidates:
        """Return all that the network found, also below the threshold: what `at_threshold` chooses from."""
        return self._lineup.candidates()

    def overlay(self, style: Style = "fill") -> Image.Image:
        """Return the picture with its masks drawn: "fill", "outline" or "splash" (the rest grey)."""
        return Image.fromarray(self.draw(style))

    def draw(self, style: Style = "fill") -> NDArray[np.uint8]:
        """Return the drawn picture, uint8 [H, W, 3] RGB."""
        return draw_measurement(self._pixels, self, self._colors, style, masks=self._masks)

    def mask(self) -> NDArray[np.bool_]:
        """Return the union of all masks, bool [H, W]."""
        height, width = self._pixels.shape[:2]
        return union_mask(self._masks, height, width)


class Segmenter:
    """Finds and measures. Safe to share between threads; pictures are inferred one at a time."""

    def __init__(self, pack: Pack, runtime: Runtime) -> None:
        self.pack = pack
        self._runtime = runtime
        self._one_at_a_time = threading.Lock()
        manifest = pack.manifest
        self.classes = tuple(entry.name for entry in manifest.classes)
        self.colors = tuple(entry.color for entry in manifest.classes)
        self.default_threshold = manifest.thresholds.score
        self.info = ModelInfo(
            name=manifest.name,
            version=manifest.version,
            sha256=manifest.onnx.sha256,
            runtime=runtime.name,
            precision=runtime.precision,
            device=runtime.device,
        )

    def segment(self, pixels: NDArray[np.uint8]) -> Segmentation:
        """Return all that the network finds in `pixels`, uint8 [H, W, 3] RGB, down to its own score floor."""
        lineup = self._line_up(pixels, Stopwatch())
        return select(lineup, lineup.score_floor)

    def measure(
        self,
        source: "Path | str | bytes | NDArray[Any] | Picture",
        *,
        score_threshold: float | None = None,
        mask_format: MaskFormat = "rle",
        filename: str | None = None,
        limits: Limits | None = None,
    ) -> Measured:
        """Measure one picture.

        `source` is a path, the bytes of a picture file, an array (uint8 [H, W] or [H, W, 3 or 4] RGB(A),
        uint16 [H, W]), or a `Picture` already decoded. `score_threshold` in [0, 1] replaces the pack's own.
        """
        watch = Stopwatch()
        threshold = self.default_threshold if score_threshold is None else score_threshold
        if not 0 <= threshold <= 1:
            raise InvalidOption(f"score_threshold is {threshold}; it must lie between 0 and 1")
        picture = _read(source, filename, limits or Limits())
        watch.lap("decode")
        lineup = self._line_up(picture.pixels, watch, picture.notes)
        found = select(lineup, threshold)
        height, width = picture.pixels.shape[:2]
        measured = Measured(
            image=picture.info,
            model=self.info,
            options=Options(score_threshold=threshold),
            coverage=measure_coverage(found, self.classes, height, width, lineup.foreground),
            instances=list_instances(found, self.classes, height, width, mask_format),
            notes=[*picture.notes, *list_notes(found, lineup, threshold)],
            timing_ms=watch.timing(),
        )
        return measured.with_picture(picture.pixels, self.colors, found.masks, lineup)

    def detect(self, pixels: NDArray[np.uint8], watch: "Stopwatch | None" = None) -> Detections:
        """Return what `segment` starts from, with masks still as probabilities.

        Thresholds can then be tried without the network. `watch` receives the time that the network took.
        """
        height, width = pixels.shape[:2]
        tiles = self._detect(pixels, self.pack.manifest.limits.score_floor, watch or Stopwatch())
        return Detections(height, width, tuple(tiles))

    def _line_up(
        self, pixels: NDArray[np.uint8], watch: "Stopwatch", picture_notes: Sequence[str] = ()
    ) -> Lineup:
        manifest = self.pack.manifest
        height, width = pixels.shape[:2]
        # One tile's masks are pasted before the next tile is looked at: probabilities take more memory.
        parts, foreground = [], None
        for found in self._detect(pixels, 0.0, watch):
            parts.append((found.tile, found.paste(height, width, manifest.thresholds.mask)))
            if found.pixels is not None:
                shown = found.pixels.foreground()
                foreground = np.zeros((height, width), bool) if foreground is None else foreground
                foreground[shown.window] |= shown.pixels
        limits = manifest.limits
        return Lineup(
            parts, height, width, limits.detections, limits.score_floor, picture_notes, foreground=foreground
        )

    def _detect(
        self, pixels: NDArray[np.uint8], threshold: float, watch: "Stopwatch"
    ) -> Iterator[TileDetections]:
        """Yield what the network finds in one tile after the other."""
        manifest = self.pack.manifest
        height, width = pixels.shape[:2]
        tiles, scale = choose_tiles(height, width, manifest.preprocessing)
        for tile in tiles:
            image, placement = preprocess(
                pixels[tile.y0 : tile.y1, tile.x0 : tile.x1], manifest.preprocessing, scale
            )
            watch.lap("postprocess")
            with self._one_at_a_time:
                raw = self._runtime.run(image)
            watch.lap("inference")
            # Six digits: as exact as float32 is, and 0.9 instead of 0.8999999761581421. Compared as they are answered.
            scores = raw.scores.astype(np.float64).round(6)
            order = [index for index in np.argsort(-scores, kind="stable") if scores[index] >= threshold]
            origin = np.array((tile.x0, tile.y0, tile.x0, tile.y0))
            yield TileDetections(
                tile,
                origin + placement.in_picture(raw.boxes[order]),
                raw.labels[order].tolist(),
                scores[order].tolist(),
                raw.masks_in(placement, tile.x0, tile.y0, order),
                limit_reached=len(order) >= manifest.limits.detections,
                mask_edge=manifest.thresholds.mask_edge,
                pixels=self._pixels(raw, placement, tile),
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
) -> Segmenter:
    """Load a model by the name of its pack, bundled or in `packs_folder`, or by the path of its folder.

    A GPU is used where PyTorch (the `train` extra) or ONNX Runtime (the `onnxruntime` extra) finds one and
    `infer_with_cpu` is false; OpenVINO on the CPU otherwise. `runtime` names one of them instead.
    """
    pack = find_pack(name, packs_folder)
    network = open_runtime(
        pack,
        reader(pack.manifest),
        sentinel=has_sentinel(pack.manifest),
        runtime=runtime,
        precision=precision,
        infer_with_cpu=infer_with_cpu,
    )
    return Segmenter(pack, network)


def select(source: Lineup | Candidates, threshold: float) -> Segmentation:
    """Return what counts in a picture at a score threshold."""
    instances, limit_reached = source.above(threshold)
    return Segmentation.of(instances, limit_reached=limit_reached, tiles=source.tiles)


def at_threshold(measurement: Measurement, candidates: Candidates, threshold: float) -> Measurement:
    """Return what measuring the same picture with another score threshold answers, without the network."""
    height, width = candidates.size
    classes = [entry.class_name for entry in measurement.coverage.by_class]
    found = select(candidates, threshold)
    return measurement.model_copy(
        update={
            "options": Options(score_threshold=threshold),
            "coverage": measure_coverage(found, classes, height, width, candidates.shown()),
            "instances": list_instances(found, classes, height, width, "rle"),
            "notes": [*candidates.picture_notes, *list_notes(found, candidates, threshold)],
        }
    )


def list_notes(found: Segmentation, source: Lineup | Candidates, threshold: float) -> list[str]:
    """Return what a careful reader must know about how the instances were found."""
    notes = []
    if found.limit_reached:
        notes.append(
            f"the model's limit of {source.most_instances} instances was reached: there may be more; "
            "cut the picture into parts to find them"
        )
    if found.tiles > 1:
        notes.append(
            f"a large picture, measured in {found.tiles} overlapping tiles so that objects keep their size; an "
            "object larger than the overlap counts as several instances, but its area once"
        )
    if threshold < source.score_floor:
        notes.append(
            f"the model gives no instance below a score of {source.score_floor}, whatever the threshold"
        )
    return notes


def measure_coverage(
    found: Segmentation,
    classes: Sequence[str],
    height: int,
    width: int,
    foreground: NDArray[np.bool_] | None = None,
) -> Coverage:
    """Return how much of the picture the instances cover: exact unions, never sums.

    `foreground` [H, W] are the pixels that the network takes for one of its classes, whether in an instance or not.
    """
    counted = height * width
    counts = count_coverage(found.masks, found.labels, height, width, len(classes))
    return Coverage(
        percent_masked=percent(counts.masked, counted),
        pixels_masked=counts.masked,
        pixels_counted=counted,
        pixels_overlapping=counts.overlapping,
        pixels_unclaimed=None if foreground is None else _count_unclaimed(foreground, found.masks),
        by_class=[
            ClassCoverage(
                class_name=name,
                class_id=class_id,
                count=found.labels.count(class_id),
                pixels_masked=counts.by_class[class_id - 1],
                percent_masked=percent(counts.by_class[class_id - 1], counted),
            )
            for class_id, name in enumerate(classes, start=1)
        ],
    )


def _count_unclaimed(foreground: NDArray[np.bool_], masks: Sequence[WindowMask]) -> int:
    unclaimed = foreground.copy()
    for mask in masks:
        unclaimed[mask.window] &= ~mask.pixels
    return int(np.count_nonzero(unclaimed))


def list_instances(
    found: Segmentation, classes: Sequence[str], height: int, width: int, mask_format: MaskFormat
) -> list[Instance]:
    """Return the instances as the answer lists them, by falling score."""
    return [
        Instance(
            id=index,
            class_name=classes[label - 1],
            class_id=label,
            score=score,
            bbox=coco_box(box),
            area_px=mask.area,
            percent=percent(mask.area, height * width),
            mask=_encode(mask, height, width, mask_format),
        )
        for index, (box, label, score, mask) in enumerate(
            zip(found.boxes.tolist(), found.labels, found.scores, found.masks, strict=True), start=1
        )
    ]


def with_mask_format(measurement: Measurement, mask_format: MaskFormat) -> Measurement:
    """Return a measurement whose masks are RLE with its masks in another format."""
    if mask_format == "rle":
        return measurement
    instances = [
        entry.model_copy(
            update={
                "mask": polygons(rle_window(entry.mask))
                if mask_format == "polygon" and isinstance(entry.mask, Rle)
                else None
            }
        )
        for entry in measurement.instances
    ]
    return measurement.model_copy(update={"instances": instances})


def _encode(mask: WindowMask, height: int, width: int, mask_format: MaskFormat) -> Rle | Polygons | None:
    if mask_format == "rle":
        return rle_encode(mask, height, width)
    return polygons(mask) if mask_format == "polygon" else None


def _read(source: Any, filename: str | None, limits: Limits) -> Picture:
    if isinstance(source, Picture):
        return source
    if isinstance(source, bytes):
        return decode(source, filename=filename or "picture", limits=limits)
    if isinstance(source, np.ndarray):
        return from_array(source, filename=filename or "array")
    path = Path(source)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise MissingPicture(f"{path} cannot be read: {error.strerror}") from error
    return decode(data, filename=filename or path.name, limits=limits)
