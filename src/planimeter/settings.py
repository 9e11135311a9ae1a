"""Every setting of a service, declared once.

The command line makes its options and its `PLANIMETER_…` environment variables from this table.
"""

import ipaddress
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

Precision = Literal["auto", "f32", "bf16", "f16"]
RuntimeName = Literal["auto", "openvino", "onnxruntime", "torch"]
LogFormat = Literal["text", "json"]
WorkersKind = Literal["here", "ray"]
PACKS_FOLDER = Path("planimeter-data/packs")


@dataclass(frozen=True)
class Limits:
    """How large a picture may be. All are checked before a pixel is decoded."""

    max_bytes: int = 64 * 2**20
    max_pixels: int = 100_000_000
    max_side: int = 30_000


DEFAULT_LIMITS = Limits()


class Inference(BaseModel):
    """How a model is opened: where it is looked for, and what runs it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    packs_folder: Path = Field(PACKS_FOLDER, description="Models beside the bundled ones.")
    infer_with_cpu: bool = Field(default=False, description="Measure on the CPU even where a GPU could.")
    runtime: RuntimeName = Field(
        "auto",
        description="What runs the network; auto is OpenVINO, or PyTorch or ONNX Runtime where they find a GPU.",
    )
    precision: Precision = Field(
        "auto",
        description="Arithmetic of the network; auto is float32. bf16 is for CPUs, f16 for CUDA GPUs with PyTorch.",
    )
    thorough: bool = Field(
        default=False,
        description="Look at each picture four times, mirrored each way: a little more exact, four times as slow; for "
        "models with a pixel branch, others look once.",
    )
    streams: int = Field(
        2,
        ge=1,
        le=64,
        description="Small pictures that OpenVINO looks at at the same time where several wait, each with its share of "
        "the cores; each takes memory for its intermediate values.",
    )


class Settings(Inference):
    """The settings of a service. Defaults suit one person on one machine."""

    host: str = Field("127.0.0.1", description="Address to listen on; 0.0.0.0 for the whole network.")
    insecure_no_auth: bool = Field(
        default=False,
        description="Let everybody who reaches an address other than this machine's own, or ngrok's, do everything.",
    )
    public_host: str = Field(
        "",
        description="Names under which a proxy passes requests on to here, with commas between them; .example.org "
        "stands for all names below it.",
    )
    trusted_proxy: str = Field(
        "",
        description="Address of a proxy whose X-Forwarded-For says who sends a request, 127.0.0.1 for one on this "
        "machine; keys are then asked for as on another address.",
    )
    limit: str = Field(
        "6000/minute",
        description="Requests that one key, or one address without a key, may send where others than the people of "
        "this machine reach the service; none for no limit.",
    )
    log: LogFormat = Field(
        "text",
        description="The log as sentences, or as one JSON object a line, then with a line for each request.",
    )
    port: int = Field(8000, ge=0, le=65535, description="Port to listen on; 0 takes a free one.")
    model: str = Field("nuclei", description="The model that measures where a request names none.")
    upload_folder: Path | str = Field(
        Path("planimeter-data/uploads"),
        description="Receives each uploaded picture: a folder, or s3://bucket/prefix, gs://… or az://….",
    )
    output_folder: Path | str = Field(
        Path("planimeter-data/outputs"), description="Receives each drawn picture and mask; the same."
    )
    database: str = Field(
        "sqlite:///planimeter-data/planimeter.db",
        description="Where measurements are recorded: sqlite:///path or postgresql+psycopg://user:password@host/name.",
    )
    jobs_folder: Path = Field(
        Path("planimeter-data/jobs"), description="Holds a folder for each training that the service runs."
    )
    training_data: Path | None = Field(
        None,
        description="Folder of labelled pictures that such trainings may learn from, each by its name in it.",
    )
    begin_anew: bool = Field(
        default=False,
        description="Begin a new database although there are pictures of measurements that it does not know.",
    )
    keep_trash_days: float = Field(
        30.0,
        ge=0,
        le=36_500,
        allow_inf_nan=False,
        description="Days for which what was deleted can be brought back from the trash; 0 deletes for good at once.",
    )
    keep_days: float | None = Field(
        None,
        gt=0,
        le=36_500,
        allow_inf_nan=False,
        description="Remove measurements that are older, but for pinned and reviewed ones; without it they stay.",
    )
    keep_measurements: int | None = Field(
        None,
        ge=1,
        description="Remove the oldest where there are more, pinned and reviewed ones neither counted nor removed; "
        "without it they stay.",
    )
    keep_gb: float | None = Field(
        None,
        ge=0.01,
        le=1_000_000,
        allow_inf_nan=False,
        description="Remove the trash and then the oldest where more is stored, in 10⁹ bytes, but for pinned and "
        "reviewed ones; without it they stay.",
    )
    most_gb: float | None = Field(
        None,
        ge=0.01,
        le=1_000_000,
        allow_inf_nan=False,
        description="Refuse to measure where so much is stored, in 10⁹ bytes; without it the disk is the limit.",
    )
    use_ngrok: bool = Field(
        default=False, description="Open a public address through ngrok (token in NGROK_AUTHTOKEN)."
    )
    webhook: tuple[str, ...] = Field(
        (), description="Address that is told of each measurement by POST; may be repeated."
    )
    webhook_secret_file: Path | None = Field(
        None,
        description="File with the secret that such messages are signed with; without it, the variable "
        "PLANIMETER_WEBHOOK_SECRET.",
    )
    mqtt: str = Field(
        "",
        description="Broker and topic by which each measurement is published, as mqtt://host:1883/plant/line-3, or "
        "mqtts://.",
    )
    mqtt_user: str = Field("", description="Name that the broker knows the service by.")
    mqtt_password_file: Path | None = Field(
        None, description="File with its password; without it, the variable PLANIMETER_MQTT_PASSWORD."
    )
    label_studio_url: str = Field(
        "",
        description="Address of the Label Studio whose tasks are predicted, as http://127.0.0.1:8080: their pictures "
        "are fetched from there, and from nowhere else (token in PLANIMETER_LABEL_STUDIO_TOKEN).",
    )
    workers: WorkersKind = Field(
        "here",
        description="What measures: this process, or a deployment of Ray Serve on the cluster of RAY_ADDRESS, else on "
        "one started here.",
    )
    threads: int = Field(8, ge=1, le=256, description="Requests handled at the same time.")
    queue_size: int = Field(32, ge=0, le=10_000, description="Pictures that may wait for the model.")
    deadline: float = Field(
        60.0,
        gt=0,
        le=86_400,
        allow_inf_nan=False,
        description="Seconds after which a picture must be measured; one that cannot be is refused at once.",
    )
    memory: int = Field(
        1024,
        ge=64,
        le=1_048_576,
        description="MiB that pictures may take while they are decoded and measured; others wait.",
    )
    max_bytes: int = Field(Limits.max_bytes, ge=1, description="Largest upload, in bytes.")
    max_pixels: int = Field(Limits.max_pixels, ge=1, description="Most pixels in a picture.")
    max_side: int = Field(Limits.max_side, ge=1, description="Longest side of a picture, in pixels.")

    @field_validator("most_gb")
    @classmethod
    def _leaves_room_for_what_is_kept(cls, most: float | None, given: ValidationInfo) -> float | None:
        kept = given.data.get("keep_gb")
        if most is not None and kept is not None and kept >= most:
            raise ValueError(
                f"--keep-gb is {kept:g}, so nothing would be removed before nothing can be measured any more: give "
                "--most-gb more"
            )
        return most

    @field_validator("limit")
    @classmethod
    def _is_limit(cls, value: str) -> str:
        if not re.fullmatch(r"none|[1-9][0-9]{0,8}/(second|minute|hour|day)", value):
            raise ValueError(
                "write a number of requests and a time, as 600/minute, 20/second or 5000/day, or none"
            )
        return value

    @field_validator("trusted_proxy")
    @classmethod
    def _is_address(cls, value: str) -> str:
        try:
            return str(ipaddress.ip_address(value)) if value else value
        except ValueError:
            raise ValueError("write an address in numbers, as 127.0.0.1 or ::1") from None

    @property
    def public_hosts(self) -> tuple[str, ...]:
        """The names in `public_host`, in lower case."""
        return tuple(name.strip().lower() for name in self.public_host.split(",") if name.strip())
