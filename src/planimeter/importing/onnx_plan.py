"""What a user may say about an ONNX file, and how that is read."""

from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from planimeter.errors import ImportRefused
from planimeter.importing.plan import ImportPlan
from planimeter.reading import read_file_text

COCO = "coco"
"""In place of class names: COCO's."""


class OnnxPlan(ImportPlan):
    """What an ONNX file does not say, or what it says wrongly. Unless given, it follows from the family."""

    classes: str = Field(
        "",
        description="Names of the classes in the network's order, with commas between them, or coco for COCO's 80; "
        "unless given, those in the file.",
    )
    classes_file: Path | None = Field(None, description="The same as a text file with one name a line.")
    layout: Literal["yolo", "yolo-end-to-end", "rf-detr", "box-space", "pasted"] | None = Field(
        None, description="How the network answers."
    )
    fit: Literal["edges", "letterbox", "rectangle", "stretch", "native"] | None = Field(
        None, description="How a picture is brought to the size of the input."
    )
    input_size: str = Field(
        "", description="Height x width of the input, as 480x640, where the file leaves it open."
    )
    shortest_edge: int | None = Field(
        None, ge=32, le=4096, description="Shorter side of a picture, for edges."
    )
    longest_edge: int | None = Field(
        None, ge=32, le=8192, description="Longer side of a picture at most, for edges and native."
    )
    resampling: Literal["antialias", "bilinear"] | None = Field(
        None,
        description="Scaling down by averaging all pixels, as Pillow does, or by reading four, as OpenCV does.",
    )
    channels: Literal["rgb", "bgr"] | None = Field(None, description="Order of the colours in the input.")
    mean: str = Field("", description="Three numbers on 0-255, with commas, that are taken off the channels.")
    std: str = Field(
        "", description="Three numbers that the channels are then divided by; 255,255,255 gives 0-1."
    )
    first_label: int | None = Field(None, ge=0, le=1, description="The network's number of the first class.")
    score_floor: float = Field(
        0.05, ge=0, le=1, description="Instances below this score are never looked at."
    )
    detections: int | None = Field(None, ge=1, le=10_000, description="The most instances in one picture.")
    nms_iou: float = Field(
        0.7, gt=0, le=1, description="Overlap from which the lower of two of a class is dropped (yolo)."
    )


def given_preprocessing(plan: OnnxPlan) -> dict[str, Any]:
    """Return what the plan says of pixels."""
    names = ("shortest_edge", "longest_edge", "channels")
    given = {name: getattr(plan, name) for name in names if getattr(plan, name) is not None}
    given |= {name: _three(name, getattr(plan, name)) for name in ("mean", "std") if getattr(plan, name)}
    if plan.resampling is not None:
        given["antialias"] = plan.resampling == "antialias"
    return given


def given_names(plan: OnnxPlan) -> list[str]:
    """Return the names of the classes that the plan gives, itself or by a file; none where it gives none."""
    if plan.classes_file is None:
        return plan.class_names
    if plan.classes:
        raise ImportRefused("give --classes or --classes-file, not both")
    try:
        lines = read_file_text(plan.classes_file).splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ImportRefused(f"{plan.classes_file} cannot be read as a list of names: {error}") from error
    names = [line.strip() for line in lines if line.strip()]
    if not names:
        raise ImportRefused(f"{plan.classes_file} names no class")
    return names


def height_and_width(text: str) -> tuple[int, int]:
    """Return what `--input-size` says: 480x640, or one side of a square."""
    sides = text.lower().split("x")
    if len(sides) == 1:
        sides *= 2
    try:
        height, width = (int(side) for side in sides)
    except ValueError as error:
        raise ImportRefused(
            f"--input-size {text}: write height x width, as 480x640, or one side of a square"
        ) from error
    return height, width


def _three(name: str, text: str) -> tuple[float, float, float]:
    try:
        first, second, third = (float(number) for number in text.split(","))
    except ValueError as error:
        raise ImportRefused(
            f"--{name} {text}: write three numbers with commas, as 123.7,116.3,103.5"
        ) from error
    return first, second, third
