"""What the protocol sends and answers, and the tensors of a model (kserve.github.io, Open Inference Protocol V2)."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from planimeter.service.api.options.uploads import PictureOptions

INPUT = "image"
OutputName = Literal[
    "percent_masked", "boxes", "scores", "class_ids", "labels", "areas", "rle", "masks", "mask", "measurement"
]
Base64 = Annotated[str, Field(min_length=1, json_schema_extra={"format": "byte"})]


class Message(BaseModel):
    """A part of the protocol."""

    model_config = ConfigDict(frozen=True, protected_namespaces=())


class TensorInfo(Message):
    """A tensor of a model, in its metadata."""

    name: str
    datatype: str
    shape: list[int] = Field(description="-1 for what varies.")


class InferenceServer(Message):
    """The service."""

    name: str
    version: str
    extensions: list[str]


class Live(Message):
    """The process is alive."""

    live: Literal[True] = True


class Ready(Message):
    """The service can measure."""

    ready: Literal[True] = True


class ModelReady(Message):
    """The model can measure."""

    name: str
    ready: Literal[True] = True


class InferenceModel(Message):
    """A model: what it takes and gives."""

    name: str
    versions: list[str]
    platform: str
    inputs: list[TensorInfo]
    outputs: list[TensorInfo]


class PictureTensor(Message):
    """The picture."""

    name: Literal["image"]
    datatype: Literal["BYTES"] = Field(description="The bytes of a picture's file, as base64.")
    shape: tuple[Literal[1]]
    data: tuple[Base64]


class RequestedOutput(Message):
    """An output that is wanted."""

    name: OutputName


class InferenceRequest(Message):
    """A picture to be measured."""

    id: str | None = Field(None, description="Comes back in the answer.")
    parameters: PictureOptions | None = Field(None, description="The options of POST /api/v1/measurements.")
    inputs: tuple[PictureTensor]
    outputs: list[RequestedOutput] | None = Field(
        None, description="Without it, all but masks, mask and measurement."
    )


class OutputTensor(Message):
    """An output."""

    name: str
    datatype: str
    shape: list[int]
    parameters: dict[str, Any] | None = None
    data: list[Any] | None = Field(None, description="Row after row; null where a number is unknown.")


class InferenceAnswer(Message):
    """What was measured."""

    model_name: str
    model_version: str
    id: str | None = None
    parameters: dict[str, Any] = Field(description="measurement_id: under which it is stored.")
    outputs: list[OutputTensor]


class InferenceProblem(Message):
    """What went wrong, as the protocol says it."""

    error: str = Field(description="A sentence for people: the value, the limit, what to do.")
    code: str = Field(description="Stable name, for programs; the protocol does not know it.")


INPUTS = [TensorInfo(name=INPUT, datatype="BYTES", shape=[1])]
OUTPUTS: Mapping[OutputName, tuple[str, list[int]]] = {
    "percent_masked": ("FP64", [1]),
    "boxes": ("FP32", [-1, 4]),
    "scores": ("FP32", [-1]),
    "class_ids": ("INT64", [-1]),
    "labels": ("BYTES", [-1]),
    "areas": ("INT64", [-1]),
    "rle": ("BYTES", [-1]),
    "masks": ("UINT8", [-1, -1, -1]),
    "mask": ("UINT8", [-1, -1]),
    "measurement": ("BYTES", [1]),
}
"""Type and shape of each."""
LARGE: tuple[OutputName, ...] = ("masks", "mask", "measurement")
"""Outputs that are given only where they are asked for by name."""
