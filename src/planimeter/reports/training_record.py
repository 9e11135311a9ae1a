"""What is kept of a training for the reports of its model: where every picture went, how it ran, what it chose."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from planimeter.errors import DataError
from planimeter.evaluation.calibration import Calibration
from planimeter.evaluation.parity import Parity
from planimeter.labels import LabelledPictures
from planimeter.reports.machine import Machine, describe_machine
from planimeter.reports.study import Data
from planimeter.reports.studying import describe_data

RECORD = "training.json"
MOST_POINTS = 400


class Loss(BaseModel):
    """The losses at one step."""

    model_config = ConfigDict(frozen=True)

    step: int
    epoch: float
    elapsed: float = Field(description="Seconds of training so far.")
    rate: float | None = None
    losses: dict[str, float]


class Validation(BaseModel):
    """The figures of one validation during training."""

    model_config = ConfigDict(frozen=True)

    step: int
    epoch: float
    elapsed: float
    mask_ap: float
    mask_ap50: float
    f1: float
    bias: float
    mean_absolute_error: float


class TrainingRecord(BaseModel):
    """All about a training that a report shows."""

    model_config = ConfigDict(frozen=True)

    finished_at: datetime
    seconds: float | None = None
    device: str
    machine: Machine
    configuration: dict[str, Any]
    train: Data
    validation: Data
    train_names: tuple[str, ...] = Field(description="Names of all pictures that were learnt from.")
    validation_names: tuple[str, ...]
    losses: tuple[Loss, ...] = ()
    validations: tuple[Validation, ...] = ()
    calibration: Calibration | None = None
    parity: Parity | None = None


def record_training(
    learn: LabelledPictures,
    validation: LabelledPictures,
    *,
    device: str,
    configuration: Mapping[str, Any],
    findings: Sequence[str] = (),
    history: Path | None = None,
    calibration: Calibration | None = None,
    parity: Parity | None = None,
) -> TrainingRecord:
    """Return the record of a training that ends now; `history` is its file of JSON lines."""
    losses, validations = read_history(history) if history is not None else ((), ())
    return TrainingRecord(
        finished_at=datetime.now(timezone.utc).replace(microsecond=0),
        seconds=max(
            [entry.elapsed for entry in losses] + [entry.elapsed for entry in validations], default=None
        ),
        device=device,
        machine=describe_machine(),
        configuration=_without_paths(configuration),
        train=describe_data(learn, "training part", findings),
        validation=describe_data(validation, "validation part"),
        train_names=tuple(sorted(picture.name for picture in learn.pictures)),
        validation_names=tuple(sorted(picture.name for picture in validation.pictures)),
        losses=losses,
        validations=validations,
        calibration=calibration,
        parity=parity,
    )


def read_history(path: Path) -> tuple[tuple[Loss, ...], tuple[Validation, ...]]:
    """Return the losses, thinned to what a curve shows, and the validations in a file of JSON lines.

    A line that was torn by a kill is left out; a file that is not there is an empty history.
    """
    losses: list[Loss] = []
    validations: list[Validation] = []
    for text in path.read_text("utf-8").splitlines() if path.is_file() else ():
        try:
            line = json.loads(text)
            if "losses" in line:
                losses.append(Loss.model_validate(line))
            if "validation" in line:
                figures = {**line["validation"], **line["validation"]["coverage"]}
                validations.append(Validation.model_validate({**figures, **line}))
        except (ValueError, KeyError, TypeError):
            continue
    step = -(-len(losses) // MOST_POINTS) or 1
    return tuple(losses[step - 1 :: step]), tuple(validations)


def _without_paths(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return a configuration as JSON has it, without folders: they say nothing to who reads the report."""
    kept = {name: value for name, value in values.items() if not isinstance(value, Path)}
    return {
        name: _without_paths(value)
        if isinstance(value, Mapping)
        else json.loads(json.dumps(value, default=str))
        for name, value in kept.items()
    }


def read_record(folder: Path) -> TrainingRecord | None:
    """Return the record in the folder of a report, if there is one; raises `DataError` where it is damaged."""
    path = folder / RECORD
    if not path.is_file():
        return None
    try:
        return TrainingRecord.model_validate_json(path.read_text("utf-8"))
    except ValidationError as error:
        first = error.errors()[0]
        raise DataError(
            f"{path} is damaged ({'.'.join(map(str, first['loc']))}: {first['msg']}); delete it to go on"
        ) from error
