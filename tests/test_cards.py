"""What the card of each bundled model says is what the model does: reproduced on a fixed part of its own evaluation."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from labelled import shared_dataset
from planimeter.evaluation import Compared, compare, summarise
from planimeter.evaluation.matching import rates
from planimeter.labels import LabelledPictures, open_labels
from planimeter.labels.entries import Report
from planimeter.measuring.opening import load
from planimeter.packs.pack import BUNDLED_FOLDER, find_pack

MODELS = ("nuclei", "steel", "tiles")
PICTURES = 24
PERCENT_TOLERANCE = 0.05
"""Points of percent masked, mean over the part: what float32 rounds differently on another processor."""
F1_TOLERANCE = 0.01
AP50 = {"nuclei": 0.865, "steel": 0.867, "tiles": 0.422}
"""Of each model on its part of two dozen pictures, when it was bundled; the card's is of all pictures."""
AP50_TOLERANCE = 0.02
CARD_DIGITS = 0.005
"""Half of the last digit that a card shows."""


def recorded(name: str) -> dict[str, Any]:
    """Return the study in the report that comes with a model."""
    path = BUNDLED_FOLDER / name / "report" / "metrics.json"
    study: dict[str, Any] = json.loads(path.read_text("utf-8"))["studies"][0]
    return study


def part_of(name: str, study: dict[str, Any]) -> tuple[LabelledPictures, list[dict[str, Any]]]:
    """Return every n-th picture of an evaluation, with what was recorded of it."""
    rows = study["pictures"]
    chosen = {row["name"]: row for row in rows[:: max(1, len(rows) // PICTURES)][:PICTURES]}
    file = "test.json" if study["part"] == "test" else "train.json"
    data = read_some(shared_dataset(name) / file, set(chosen))
    return data, [chosen[picture.name] for picture in data.pictures]


def read_some(path: Path, names: set[str]) -> LabelledPictures:
    report = Report()
    labels = open_labels(path, None, report)
    pictures = tuple(picture for picture in labels.read(report) if picture.name in names)
    assert len(pictures) == len(names)
    return LabelledPictures(labels.classes, pictures)


def f1_of(rows: list[dict[str, Any]]) -> float:
    hits, found, true = (
        sum(row[key] for row in rows) for key in ("matched_instances", "found_instances", "true_instances")
    )
    return rates(hits, found, true)[2]


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
def test_error_f1_and_ap_of_a_bundled_model_are_those_of_its_card(name: str) -> None:
    study = recorded(name)
    data, rows = part_of(name, study)
    segmenter = load(name, infer_with_cpu=True)
    data = data.with_classes(segmenter.classes)
    compared: list[Compared] = compare(segmenter, data)
    metrics = summarise(compared, data.classes, segmenter.default_threshold)
    measured = [segmenter.measure(entry.pixels, mask_format="none").coverage for entry in data.pictures]
    differences = [
        abs(now.percent_masked - row["measured_percent"]) for now, row in zip(measured, rows, strict=True)
    ]
    assert sum(differences) / len(differences) <= PERCENT_TOLERANCE
    # A picture that is unlike those of the training has none in an answer; the report knows what it would be.
    spans = [
        abs(now.interval.low - row["interval"][0]) + abs(now.interval.high - row["interval"][1])
        for now, row in zip(measured, rows, strict=True)
        if now.interval is not None and row["interval"] is not None
    ]
    assert study["part"] == "validation" or len(spans) >= 0.9 * len(rows)
    assert sum(spans) <= 4 * PERCENT_TOLERANCE * len(rows)
    error = sum(abs(row["measured_percent"] - row["true_percent"]) for row in rows) / len(rows)
    assert metrics.coverage.mean_absolute_error == pytest.approx(error, abs=PERCENT_TOLERANCE)
    assert metrics.f1 == pytest.approx(f1_of(rows), abs=F1_TOLERANCE)
    assert metrics.mask_ap50 == pytest.approx(AP50[name], abs=AP50_TOLERANCE)


@pytest.mark.parametrize("name", MODELS)
def test_a_card_says_what_its_report_says(name: str) -> None:
    pack, study = find_pack(name), recorded(name)
    assert study["model"]["sha256"] == pack.manifest.onnx.sha256
    assert study["metrics"]["score_threshold"] == pack.manifest.thresholds.score
    figures = study["metrics"]["coverage"]
    for figure in ("mean_absolute_error", "bias", "limits_of_agreement"):
        assert pack.manifest.metrics[study["part"]]["coverage"][figure] == pytest.approx(
            figures[figure], abs=CARD_DIGITS
        )
    assert (
        f"| percent masked: mean absolute error | {figures['mean_absolute_error']:.2f} points |" in pack.card
    )
    assert f"| percent masked: bias (measured - true) | {figures['bias']:+.2f} points |" in pack.card


@pytest.mark.slow
@pytest.mark.parametrize("times", [2, 4])
def test_nuclei_answer_the_same_for_a_picture_and_for_it_repeated(times: int) -> None:
    """Fixed scale: an object keeps its size in the network, however large the picture around it."""
    segmenter = load("nuclei", infer_with_cpu=True)
    names = [row["name"] for row in recorded("nuclei")["pictures"] if max(row["width"], row["height"]) <= 256]
    for picture in read_some(shared_dataset("nuclei") / "test.json", set(names[:4])).pictures:
        once = segmenter.measure(picture.pixels, mask_format="none").coverage.percent_masked
        repeated = np.tile(picture.pixels, (times, times, 1))
        again = segmenter.measure(repeated, mask_format="none").coverage.percent_masked
        assert again == pytest.approx(once, abs=1.0)
