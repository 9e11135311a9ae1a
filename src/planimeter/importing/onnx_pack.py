"""From an ONNX file to a pack: what goes into the network, how its answer is read, and a picture as proof."""

import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from planimeter.errors import ImportRefused, InferenceFailed, InvalidPack, RuntimeUnavailable
from planimeter.importing.coco_classes import COCO_BY_NUMBER
from planimeter.importing.onnx_file import OnnxFile, Tensor, read_onnx_file
from planimeter.importing.onnx_layout import Recognised, class_names, input_size, recognise
from planimeter.importing.onnx_plan import COCO, OnnxPlan, given_names, given_preprocessing, height_and_width
from planimeter.importing.plan import ImportPlan, name_classes
from planimeter.importing.trial import SECONDS, try_pack, try_shapes
from planimeter.measuring.opening import load
from planimeter.measuring.segmenter import Segmenter
from planimeter.packs.manifest import (
    Layout,
    Manifest,
    Output,
    PackClass,
    Preprocessing,
    Thresholds,
    TrainingData,
)
from planimeter.packs.pack import Pack
from planimeter.packs.packing import ONNX, UNKNOWN_FILE, describe, finished_folder, write_manifest

_RGB_MEAN, _RGB_STD = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)
_ZERO_TO_ONE: dict[str, Any] = {"mean": (0.0, 0.0, 0.0), "std": (255.0, 255.0, 255.0)}
_AS_THEY_ARE: dict[str, Any] = {"mean": (0.0, 0.0, 0.0), "std": (1.0, 1.0, 1.0)}
_USUAL_SIDE = 640
_SCORES: dict[Layout, float] = {"yolo": 0.25, "yolo-end-to-end": 0.25}
"""Default thresholds of the libraries where they are not 0.5."""


@dataclass(frozen=True)
class Imported:
    """A pack made of an ONNX file, and why it looks as it does."""

    pack: Pack
    file: OnnxFile
    recognised: Recognised
    notes: tuple[str, ...]
    """What was assumed and should be checked."""


def draw_up(path: Path, plan: OnnxPlan) -> Imported:
    """Return the pack that the ONNX file at `path` would become, without writing anything.

    Raises `ImportRefused`, which says what is not supported and what would be.
    """
    file = read_onnx_file(path)
    entry = _picture_input(file)
    found = _recognise(path, file, entry, plan)
    preprocessing, notes = _preprocessing(file, entry, found, plan)
    first_label = _first_label(found) if plan.first_label is None else plan.first_label
    classes, labels = _classes(file, found, plan, first_label)
    threshold = _SCORES.get(found.layout, 0.5) if plan.score_threshold is None else plan.score_threshold
    names = [entry.name for entry in classes]
    try:
        manifest = Manifest(
            schema_version=1,
            name=plan.name,
            version=plan.version,
            title=plan.title or plan.name,
            summary=plan.summary or f"{found.family}, imported from an ONNX file. Finds {_shortened(names)}.",
            limitations=plan.limitations
            or "Not known yet: measure labelled pictures of your own with `planimeter evaluate`.",
            classes=classes,
            preprocessing=preprocessing,
            output=Output(
                layout=found.layout,
                names=dict(found.names),
                labels=labels,
                detections=plan.detections or min(found.most or 300, 300),
                score_floor=plan.score_floor,
                nms_iou=plan.nms_iou,
            ),
            thresholds=Thresholds(
                score=max(threshold, plan.score_floor),
                mask_edge="fade" if found.family == "Detectron2" else "extend",
            ),
            onnx=UNKNOWN_FILE,
            training_data=TrainingData(
                name=plan.data_name, licence=plan.data_licence, pictures=0, instances=0
            ),
        )
    except ValidationError as error:
        first = error.errors()[0]
        raise ImportRefused(f"{'.'.join(str(step) for step in first['loc'])}: {first['msg']}") from error
    return Imported(Pack(plan.packs_folder / plan.name, manifest), file, found, tuple(notes))


def write_imported(path: Path, imported: Imported, *, seconds: float = SECONDS) -> tuple[Pack, Segmenter]:
    """Write the pack, once its network has answered within `seconds`; returns both."""
    pack = imported.pack
    with finished_folder(pack.folder) as aside:
        shutil.copyfile(path, aside / ONNX)
        written = pack.manifest.model_copy(update={"onnx": describe(aside / ONNX)})
        write_manifest(aside, written)
        try:
            try_pack(aside, path.name, seconds=seconds)
            segmenter = load(str(aside), infer_with_cpu=True)
        except (InvalidPack, InferenceFailed, RuntimeUnavailable) as error:
            raise ImportRefused(_cannot_run(path, imported, error)) from error
    finished = Pack(pack.folder, written)
    return finished, segmenter


def _recognise(path: Path, file: OnnxFile, entry: Tensor, plan: OnnxPlan) -> Recognised:
    """Return the family by the shapes that the file declares, else by those that the network answers with."""
    try:
        return recognise(file, file.outputs, plan.layout)
    except ImportRefused:
        if all(_is_known(output) for output in file.outputs):
            raise
        _, size = _fixed_size(entry, plan)
        try:
            shapes = try_shapes(path, *(size or input_size(file) or (_USUAL_SIDE, _USUAL_SIDE)))
        except InvalidPack:
            shapes = {}
    outputs = [replace(output, shape=shapes.get(output.name, output.shape)) for output in file.outputs]
    return recognise(file, outputs, plan.layout)


def _is_known(output: Tensor) -> bool:
    return output.shape is not None and all(isinstance(side, int) for side in output.shape)


def _cannot_run(path: Path, imported: Imported, error: Exception) -> str:
    if imported.pack.manifest.output and "scores from" in str(error) and "to 2," in str(error):
        return (
            f"{path.name} looks like a network that Planimeter itself exported; import the zip of its model instead, "
            "which says how pictures go in: planimeter models export --format zip"
        )
    foreign = ", ".join(sorted(imported.file.foreign_operators))
    reason = f"it needs operators that are not ONNX's own ({foreign}); " if foreign else ""
    return (
        f"{path.name} was recognised as {imported.recognised.layout}, but cannot be run: {reason}{error}\n"
        f"Its outputs are: {imported.file.tensors}"
    )


def _picture_input(file: OnnxFile) -> Tensor:
    """Return the input for a picture; raises `ImportRefused` where it is not one that can be filled."""
    listed = "; ".join(map(str, file.inputs))
    if len(file.inputs) != 1:
        raise ImportRefused(
            f"the network wants {len(file.inputs)} inputs ({listed}); supported is one, the picture"
        )
    entry = file.inputs[0]
    if entry.kind not in {"float32", "float16", "uint8"}:
        raise ImportRefused(f"the input is {listed}; supported are float32, float16 and uint8")
    if entry.shape is None or len(entry.shape) not in {3, 4}:
        raise ImportRefused(
            f"the input is {listed}; supported are [1, 3, height, width] and [3, height, width]"
        )
    batch = entry.shape[0] if len(entry.shape) == 4 else 1
    if isinstance(batch, int) and batch != 1:
        raise ImportRefused(f"the input is {listed}, a batch of {batch} pictures; export it for a batch of 1")
    channels = entry.shape[-3]
    if isinstance(channels, int) and channels != 3:
        hint = ", with the channels last; export it with the channels first" if entry.shape[-1] == 3 else ""
        raise ImportRefused(
            f"the input is {listed}{hint}; supported are three channels, [1, 3, height, width]"
        )
    return entry


def _preprocessing(
    file: OnnxFile, entry: Tensor, found: Recognised, plan: OnnxPlan
) -> tuple[Preprocessing, list[str]]:
    """Return how pictures go into the network, and what was assumed for that."""
    fixed, size = _fixed_size(entry, plan)
    how, notes = _usual(found, fixed), []
    if plan.fit:
        how["fit"] = plan.fit
    if how["fit"] == "rectangle" and fixed is not None:
        raise ImportRefused(
            f"--fit rectangle makes inputs of many sizes, but the file fixes it to {_by(fixed)}"
        )
    if how["fit"] in {"letterbox", "rectangle", "stretch"}:
        how["size"] = size or input_size(file) or (_USUAL_SIDE, _USUAL_SIDE)
        if size is None and input_size(file) is None:
            notes.append(
                f"the file leaves the input's size open: {_USUAL_SIDE} x {_USUAL_SIDE} (--input-size)"
            )
    elif fixed is not None:
        raise ImportRefused(
            f"--fit {how['fit']} makes inputs of many sizes, but the file fixes it to {_by(fixed)}; use "
            "letterbox or stretch, or export it with a dynamic height and width"
        )
    if found.layout == "rf-detr" and size is None:
        raise ImportRefused(
            "boxes are shares of the input, whose size the file leaves open: give --input-size"
        )
    if entry.kind == "uint8":
        how |= _AS_THEY_ARE
    how |= given_preprocessing(plan)
    if not file.metadata and found.layout in {"box-space", "pasted"}:
        notes.append(
            "the file does not say how pixels go in: see the drawn picture; --channels, --mean and --std"
        )
    try:
        return Preprocessing(**how), notes
    except ValidationError as error:
        raise ImportRefused(error.errors()[0]["msg"]) from error


def _fixed_size(entry: Tensor, plan: OnnxPlan) -> tuple[tuple[int, int] | None, tuple[int, int] | None]:
    """Return the height and width that the file fixes, and those that it fixes or the plan gives."""
    height, width = (entry.shape or (None, None))[-2:]
    fixed = (height, width) if isinstance(height, int) and isinstance(width, int) else None
    asked = height_and_width(plan.input_size) if plan.input_size else None
    if fixed is not None and asked is not None and asked != fixed:
        raise ImportRefused(f"--input-size {plan.input_size}: the file fixes it to {_by(fixed)}")
    return fixed, fixed or asked


def _by(size: tuple[int, int]) -> str:
    return f"{size[0]}x{size[1]}"


def _usual(found: Recognised, fixed: tuple[int, int] | None) -> dict[str, Any]:
    """Return how pictures go into the networks of a family, unless they were exported otherwise."""
    if found.layout in {"yolo", "yolo-end-to-end"}:
        return {"fit": "letterbox" if fixed else "rectangle", "antialias": False, **_ZERO_TO_ONE}
    if found.layout == "rf-detr":
        return {"fit": "stretch", "antialias": False, "mean": _RGB_MEAN, "std": _RGB_STD}
    if found.family == "Detectron2":
        # Its traced networks normalise inside; its `ResizeShortestEdge` goes before.
        fit = {"fit": "letterbox"} if fixed else {"fit": "edges", "rounding": "half-up"}
        return {**fit, "channels": "bgr", "multiple": 1, **_AS_THEY_ARE}
    # torchvision's networks resize and normalise inside.
    return {"fit": "letterbox" if fixed else "native", "multiple": 1, **_ZERO_TO_ONE}


def _first_label(found: Recognised) -> int:
    """Return the number of the first class: torchvision's 0 is the background, which the others put last."""
    return 1 if found.family in {"torchvision", "Mask R-CNN"} else 0


def _classes(
    file: OnnxFile, found: Recognised, plan: OnnxPlan, first_label: int
) -> tuple[tuple[PackClass, ...], tuple[int, ...]]:
    """Return the classes, and the number that the network gives each."""
    given = given_names(plan)
    coco = given == [COCO] or (not given and found.layout == "rf-detr" and found.classes == 91)
    if coco:
        numbered = found.classes == 91 or (found.classes is None and first_label == 1)
        names = list(COCO_BY_NUMBER.values())
        labels = tuple(COCO_BY_NUMBER) if numbered else tuple(range(first_label, first_label + 80))
        return _named(names), labels
    known = given or class_names(file)
    if known is None and found.classes is None:
        raise ImportRefused(
            "the file does not say which classes the network tells apart; name them with --classes a,b or "
            "--classes-file, or --classes coco for COCO's 80"
        )
    # RF-DETR keeps a last column that stands for nothing.
    count = (found.classes or 0) - (found.layout == "rf-detr" and len(known or ()) != found.classes)
    if found.classes is not None and known is not None and len(known) != count:
        raise ImportRefused(
            f"{len(known)} classes are named ({_shortened(known)}), but the network tells {count} apart"
        )
    names = known or [f"class {number}" for number in range(1, count + 1)]
    return _named(names), tuple(range(first_label, first_label + len(names)))


def _named(names: list[str]) -> tuple[PackClass, ...]:
    return name_classes(ImportPlan(), len(names), names)


def _shortened(names: list[str], most: int = 8) -> str:
    return (
        ", ".join(names) if len(names) <= most else f"{', '.join(names[:most])} and {len(names) - most} more"
    )
