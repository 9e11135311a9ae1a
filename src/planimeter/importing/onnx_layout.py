"""Which family of networks an ONNX file is of: from the names, kinds and shapes of its outputs, and its metadata."""

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from planimeter.errors import ImportRefused
from planimeter.importing.onnx_file import OnnxFile, Side, Tensor
from planimeter.packs.manifest import Layout

SUPPORTED = """Supported are
  yolo             YOLOv8, YOLO11 and like them, segmentation: predictions [1, 4 + classes + K, places] and prototypes
                   [1, K, h, w]
  yolo-end-to-end  the same with nothing left to suppress (YOLO26, or exported with nms=True): predictions [1, N, 6 + K]
                   and prototypes [1, K, h, w]
  rf-detr          boxes [1, Q, 4], class logits [1, Q, classes], masks [1, Q, h, w]
  box-space        boxes [N, 4], labels [N], scores [N], masks [N, 1, M, M] inside of each box (Detectron2)
  pasted           the same with masks [N, 1, H, W] over the whole picture (torchvision)"""
_LARGEST_BOX_MASK = 112
"""No known mask head answers more cells a side; a picture is larger."""


@dataclass(frozen=True)
class Recognised:
    """A family, and what each output means in it."""

    layout: Layout
    names: Mapping[str, str]
    """Outputs of the file by what they mean."""
    classes: int | None
    """How many the network tells apart; None where its outputs do not show it."""
    most: int | None = None
    """The most instances that it can answer."""
    reasons: tuple[str, ...] = field(default=())
    """What it was recognised by, in words."""
    family: str = ""


def recognise(file: OnnxFile, outputs: Sequence[Tensor], layout: Layout | None = None) -> Recognised:
    """Return the family of a file by its `outputs`, or what these mean in the one that was given.

    Raises `ImportRefused` with a list of the outputs and of what is supported.
    """
    task = file.metadata.get("task", "segment")
    if task != "segment":
        raise ImportRefused(
            f"the file says of itself that its task is {task!r}: it finds no masks, so nothing can be measured; export "
            "a segmentation model (Ultralytics: one whose name ends in -seg)"
        )
    for known in (_yolo, _rf_detr, _instances):
        found = known(file, outputs, layout)
        if found is not None and layout in {None, found.layout}:
            return found
    wanted = "no supported network answers so" if layout is None else f"no {layout} network answers so"
    raise ImportRefused(f"{wanted}: {'; '.join(map(str, outputs))}.\n{SUPPORTED}")


def class_names(file: OnnxFile) -> list[str] | None:
    """Return the class names in the metadata that Ultralytics writes, in the order of their numbers, or None."""
    text = file.metadata.get("names")
    if not text or len(text) > 1_000_000:
        return None
    try:
        names = ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return None
    if isinstance(names, dict) and all(isinstance(key, int) for key in names):
        names = [names[key] for key in sorted(names)]
    if not isinstance(names, list) or not all(isinstance(name, str) and name for name in names):
        return None
    return names


def input_size(file: OnnxFile) -> tuple[int, int] | None:
    """Return the height and width in the metadata that Ultralytics writes, or None."""
    try:
        size = ast.literal_eval(file.metadata.get("imgsz", "")[:100])
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return None
    if isinstance(size, list) and len(size) == 2 and all(isinstance(side, int) for side in size):
        return size[0], size[1]
    return None


def _yolo(file: OnnxFile, outputs: Sequence[Tensor], layout: Layout | None) -> Recognised | None:
    predictions, prototypes = _of_rank(outputs, 3), _of_rank(outputs, 4)
    if len(outputs) != 2 or len(predictions) != 1 or len(prototypes) != 1:
        return None
    mixed = _side(prototypes[0], 1)
    rows, columns = _side(predictions[0], 1), _side(predictions[0], 2)
    if mixed is None:
        return None
    names = {"predictions": predictions[0].name, "prototypes": prototypes[0].name}
    known = class_names(file)
    made_by = file.metadata.get("description", "")
    reasons = tuple(f"its description, {made_by!r}" for _ in range(bool(made_by)))
    finished = columns == 6 + mixed and layout != "yolo"
    if finished or layout == "yolo-end-to-end":
        if columns != 6 + mixed:
            return None
        count = len(known) if known else None
        return Recognised(
            "yolo-end-to-end", names, count, rows, reasons, _ultralytics(file, "YOLO, end to end")
        )
    if rows is None or rows <= 4 + mixed:
        return None
    return Recognised("yolo", names, rows - 4 - mixed, None, reasons, _ultralytics(file, "YOLO"))


def _ultralytics(file: OnnxFile, otherwise: str) -> str:
    """Return what Ultralytics says the network is, without the data set's path that its description ends in."""
    description = file.metadata.get("description", "")
    return description.partition(" trained on")[0].strip() or otherwise


def _rf_detr(_: OnnxFile, outputs: Sequence[Tensor], __: Layout | None) -> Recognised | None:
    rank3, masks = _of_rank(outputs, 3), _of_rank(outputs, 4)
    if len(rank3) != 2 or len(masks) != 1 or len(outputs) != 3:
        return None
    queries = _side(masks[0], 1)
    boxes = [entry for entry in rank3 if _side(entry, 2) == 4]
    if queries is None or not boxes or any(_side(entry, 1) != queries for entry in rank3):
        return None
    # With three classes both have four columns; then names tell, or the order that RF-DETR exports in.
    first = next((entry for entry in boxes if "box" in entry.name or "det" in entry.name), boxes[0])
    logits = next(entry for entry in rank3 if entry is not first)
    names = {"boxes": first.name, "scores": logits.name, "masks": masks[0].name}
    return Recognised("rf-detr", names, _side(logits, 2), queries, (), "RF-DETR")


def _instances(file: OnnxFile, outputs: Sequence[Tensor], layout: Layout | None) -> Recognised | None:
    boxes = _boxes(outputs)
    others = [entry for entry in outputs if entry is not boxes and not _is_picture_size(entry)]
    masks = [entry for entry in others if _rank(entry) in {3, 4, 5}]
    flat = [entry for entry in others if _is_flat(entry)]
    labels = [entry for entry in flat if "int" in entry.kind] or [
        entry for entry in flat if "label" in entry.name or "class" in entry.name
    ]
    scores = [entry for entry in flat if entry.kind.startswith("float") and entry not in labels]
    if boxes is None or len(masks) != 1 or len(labels) != 1 or len(scores) != 1:
        return None
    names = {"boxes": boxes.name, "labels": labels[0].name, "scores": scores[0].name, "masks": masks[0].name}
    sides = (masks[0].shape or ())[-2:]
    in_boxes = all(isinstance(side, int) and side <= _LARGEST_BOX_MASK for side in sides)
    picture = next(iter(file.inputs), None)
    if picture is not None and picture.shape is not None and sides == picture.shape[-2:]:
        in_boxes = False
    found: Layout = layout if layout in {"box-space", "pasted"} else "box-space" if in_boxes else "pasted"
    traced = any(_is_picture_size(entry) for entry in outputs)
    family = "Detectron2" if traced else "torchvision" if found == "pasted" else "Mask R-CNN"
    reasons = ("an output with the size of the picture",) if traced else ()
    return Recognised(found, names, None, _side(boxes, -2), reasons, family)


def _boxes(outputs: Sequence[Tensor]) -> Tensor | None:
    return next(
        (entry for entry in outputs if _rank(entry) in {2, 3} and _side(entry, -1) == 4 and _is_float(entry)),
        None,
    )


def _is_flat(entry: Tensor) -> bool:
    return _rank(entry) == 1 or (_rank(entry) == 2 and _side(entry, 0) == 1)


def _is_picture_size(entry: Tensor) -> bool:
    """Return whether an output is the picture's size, two whole numbers: Detectron2's traced networks have one."""
    return _rank(entry) == 1 and _side(entry, 0) == 2 and "int" in entry.kind


def _is_float(entry: Tensor) -> bool:
    return entry.kind.startswith("float")


def _of_rank(outputs: Sequence[Tensor], rank: int) -> list[Tensor]:
    return [entry for entry in outputs if _rank(entry) == rank and _is_float(entry)]


def _rank(entry: Tensor) -> int | None:
    return None if entry.shape is None else len(entry.shape)


def _side(entry: Tensor, index: int) -> int | None:
    side: Side = entry.shape[index] if entry.shape is not None else None
    return side if isinstance(side, int) else None
