"""Many measurements in sum with the figures of what was corrected, against plain sums over single answers."""

from typing import Any

import numpy as np
import pytest
from flask.testing import FlaskClient

from fakes import MODEL, blocks, encoded
from test_corrections import MEASUREMENTS, body, box, correct, read, rle

pytestmark = [pytest.mark.both_databases, pytest.mark.usefixtures("records_in")]


@pytest.fixture
def corrected(client: FlaskClient) -> list[Any]:
    """Four pictures of one lot: the second corrected and reviewed, the third corrected so that nothing is left."""
    strip = {"model": MODEL, "rules": [{"figure": "percent_masked", "at_most": 10}]}
    assert client.put("/api/v1/profiles/strip", json=strip).status_code in {200, 201}
    ids = []
    for side in (10, 20, 30, 40):
        picture = encoded(blocks(red=(0, 0, side, side), green=(50, 0, 50 + side, 10), width=96, height=64))
        query = {"lot": "L1", "profile": "strip"}
        answer = client.post(MEASUREMENTS, data=picture, content_type="image/png", query_string=query)
        assert answer.status_code == 201, answer.text
        ids.append(body(answer)["id"])
    correct(
        client, ids[1], reject=[1], add=[{"class": "green", "mask": rle(box(0, 40, 8, 60))}], complete=True
    )
    every = [entry["id"] for entry in read(client, ids[2])["instances"]]
    correct(client, ids[2], reject=every)
    return [read(client, id_) for id_ in ids]


def figures_of(answer: Any, figures: str) -> Any:
    return answer["corrected"] if figures == "corrected" and answer["corrected"] else answer


@pytest.mark.parametrize("figures", ["measured", "corrected"])
def test_sums_are_those_of_single_answers(client: FlaskClient, corrected: list[Any], figures: str) -> None:
    own = [figures_of(answer, figures) for answer in corrected]
    percents = [entry["coverage"]["percent_masked"] for entry in own]
    query = {"figures": figures, "limit_percent": 10}
    found = body(client.get(f"{MEASUREMENTS}/statistics", query_string=query))
    assert (found["figures"], found["corrected"]) == (figures, 2 if figures == "corrected" else 0)
    assert found["percent_masked"]["mean"] == pytest.approx(np.mean(percents))
    assert found["percent_masked"]["maximum"] == max(percents)
    assert found["pixels_masked"] == sum(entry["coverage"]["pixels_masked"] for entry in own)
    assert found["instance_count"] == sum(len(entry["instances"]) for entry in own)
    if figures == "corrected":
        assert found["passed"] >= sum(value <= 10 for value in percents[1:3])
    for row in found["by_class"]:
        classes = [
            entry
            for one in own
            for entry in one["coverage"]["by_class"]
            if entry["class"] == row["class"] and entry["count"]
        ]
        assert row["measurements"] == len(classes)
        assert row["instance_count"] == sum(entry["count"] for entry in classes)
        assert row["mean_percent"] == pytest.approx(sum(entry["percent_masked"] for entry in classes) / 4)

    trend = body(client.get(f"{MEASUREMENTS}/trend", query_string={"figures": figures}))
    assert trend["figures"] == figures
    assert [point["percent_masked"] for point in trend["points"]] == percents
    for point, one in zip(trend["points"], own, strict=True):
        there = {
            entry["class"]: entry["percent_masked"] for entry in one["coverage"]["by_class"] if entry["count"]
        }
        assert {entry["class"]: entry["percent_masked"] for entry in point["by_class"]} == there
    verdicts = [entry["verdict"] for entry in own]
    assert [point["verdict"] for point in trend["points"]] == verdicts
    assert len(set(verdicts)) == 2
    counts = {
        "passed": verdicts.count("pass"),
        "failed": verdicts.count("fail"),
        "undecided": 0,
        "without": 0,
    }
    assert trend["verdicts"] == trend["buckets"][0]["verdicts"] == found["verdicts"] == counts
    means = {row["class"]: row["mean_percent"] for row in found["by_class"]}
    (bucket,) = trend["buckets"]
    assert {entry["class"]: entry["percent_masked"] for entry in bucket["by_class"]} == pytest.approx(means)

    lot = body(client.get("/api/v1/lots/L1", query_string={"figures": figures}))
    (model,) = lot["by_model"]
    assert lot["figures"] == model["statistics"]["figures"] == figures
    assert model["mean_percent"] == pytest.approx(np.mean(percents))
    mixed = [note["message"] for note in model["notes"] if note["code"] == "figures_mixed"]
    assert [text.startswith("2 of 4 pictures") for text in mixed] == (
        [True] if figures == "corrected" else []
    )

    for page in ("/measurements", "/lots/L1", "/report"):
        shown = client.get(page, query_string={"figures": figures})
        assert shown.status_code == 200
        assert f'data-figures="{figures}"' in shown.text, page
    chart = client.get("/measurements", query_string={"figures": figures}).text
    assert ("trend?figures=corrected" in chart) == (figures == "corrected")


def test_what_is_asked_without_a_word_is_as_measured(client: FlaskClient, corrected: list[Any]) -> None:
    for path in (f"{MEASUREMENTS}/statistics", f"{MEASUREMENTS}/trend", "/api/v1/lots/L1"):
        assert body(client.get(path)) == body(client.get(f"{path}?figures=measured"))
        assert client.get(f"{path}?figures=other").status_code == 400
    both = client.get("/report?figures=corrected&score_threshold=0.7")
    assert (both.status_code, "figures do not follow" in both.text) == (400, True)
    assert len(corrected) == 4
