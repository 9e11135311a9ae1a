"""What a person says of a torchvision model. Without PyTorch, which help and options do not need."""

from pydantic import BaseModel, ConfigDict, Field

MODELS = ("maskrcnn_resnet50_fpn", "maskrcnn_resnet50_fpn_v2")


class Settings(BaseModel):
    """What no state dict tells: what torchvision's constructor was given, with its own defaults."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    min_size: int = Field(800, ge=32, le=4096, description="Shorter side of a picture in the network.")
    max_size: int = Field(
        1333, ge=32, le=8192, description="Longer side of a picture in the network, at most."
    )
    box_detections_per_img: int = Field(100, ge=1, description="The most instances in one picture.")
    box_score_thresh: float = Field(0.05, ge=0, le=1, description="Instances below this score are dropped.")
    box_nms_thresh: float = Field(
        0.5, ge=0, le=1, description="Overlap at which the lower score of a class is dropped."
    )
    norm_eps: float | None = Field(
        None,
        ge=0,
        description="Of the normalisation layers; unless given, torchvision's own: 0 where they are frozen in "
        "maskrcnn_resnet50_fpn (as in its COCO weights and what was fine-tuned from them), else 0.00001.",
    )
