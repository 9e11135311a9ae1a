"""Tasks predicted: each picture fetched, measured once, and told as regions."""

import logging
import os
import time
from hashlib import sha256
from secrets import token_hex
from statistics import fmean
from typing import Any

from planimeter.errors import KeyInUse, PlanimeterError
from planimeter.packs.pack import Pack
from planimeter.service.api.options.uploads import UploadOptions
from planimeter.service.context import context
from planimeter.service.label_studio.config import Labelling
from planimeter.service.label_studio.messages import Prediction, Task, TaskProblem
from planimeter.service.label_studio.pictures import label_studio_of, picture_of
from planimeter.service.label_studio.prompts import pointed_at
from planimeter.service.label_studio.regions import regions_of
from planimeter.service.measuring import measure_upload, record_at
from planimeter.service.pictures import admitted
from planimeter.service.problems import status_of
from planimeter.service.queue import Place
from planimeter.store import Record

TAG = "label-studio"
"""Of the measurements that tasks make."""
_ABOUT_THE_PICTURE = frozenset({400, 404, 413, 415, 422})
"""Statuses of errors that another picture would not have."""
_AGAIN_SECONDS = 0.2
log = logging.getLogger(__name__)


def version_of(pack: Pack) -> str:
    """Return what Label Studio tells predictions apart by: name and version of a model, and which network it is."""
    return f"{pack.name} {pack.manifest.version} {pack.manifest.onnx.sha256[:8]}"


def predict_all(
    pack: Pack, tasks: list[Task], labelling: Labelling, prompts: list[dict[str, Any]]
) -> tuple[list[Prediction | list[Prediction]], list[TaskProblem]]:
    """Return a prediction for each task, and why some have none.

    Raises what is wrong where it is not about one picture of several. What was measured until then is stored, and
    found when the same tasks come again.
    """
    results: list[Prediction | list[Prediction]] = []
    problems: list[TaskProblem] = []
    for task in tasks:
        try:
            results.append(_predict(pack, task, labelling, prompts))
        except PlanimeterError as error:
            if len(tasks) == 1 or status_of(error) not in _ABOUT_THE_PICTURE:
                raise
            log.warning("task %s of Label Studio: %s", task.id, error)
            results.append([])
            problems.append(TaskProblem(task=task.id, code=error.code, message=str(error)))
    return results, problems


def _predict(pack: Pack, task: Task, labelling: Labelling, prompts: list[dict[str, Any]]) -> Prediction:
    parts = context()
    studio = label_studio_of(parts.settings, os.environ)
    with admitted() as place:
        data, name = picture_of(
            task.data.get(labelling.key), task.id, studio, place.deadline, parts.settings.max_bytes
        )
        record = _measure(place, pack, data, name, _threshold(pack, labelling))
    if prompts:  # who points at an object has seen it, whatever it scores
        record = record_at(record, 0.0)
    measurement = record.measurement
    size = measurement.image.height, measurement.image.width
    found = pointed_at(measurement.instances, prompts, size) if prompts else measurement.instances
    regions, unnamed = regions_of(found, labelling, size)
    for region in regions:
        region["id"] = token_hex(5)  # no other of the project has it
    return Prediction(
        result=regions,
        score=fmean(region["score"] for region in regions) if regions else None,
        model_version=version_of(pack),
        measurement=record.id,
        without_label=dict(unnamed),
    )


def _threshold(pack: Pack, labelling: Labelling) -> float:
    """Return the score threshold of the configuration, else the default that was saved, else the model's own."""
    if labelling.score_threshold is not None:
        return labelling.score_threshold
    return context().store.thresholds().get(pack.name, pack.manifest.thresholds.score)


def _measure(place: Place, pack: Pack, data: bytes, name: str, threshold: float) -> Record:
    """Measure a picture, or return what was measured of it in the same way before."""
    options = UploadOptions(model=pack.name, score_threshold=threshold, tags=(TAG,))
    same = f"{pack.manifest.onnx.sha256} {sha256(data).hexdigest()} {name} {options.model_dump_json()}"
    key = f"{TAG} {sha256(same.encode()).hexdigest()}"
    while True:
        try:
            return measure_upload(place, data, name, options, key)
        except KeyInUse:  # clicks that follow each other quickly are of one picture
            place.deadline.check("another request with the same picture")
            time.sleep(_AGAIN_SECONDS)
