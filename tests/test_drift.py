"""The real error of a model in use: over time, with a warning when it leaves its promise; and of a lot."""

from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from flask.testing import FlaskClient

from fakes import MODEL, blocks, encoded
from planimeter.evaluation.drift import Promise, ReviewedPicture, watch
from planimeter.fields import student_t
from test_api import MEASUREMENTS, body, post

BEGIN = datetime(2026, 1, 1, tzinfo=timezone.utc)
PROMISE = Promise(level=0.9, limits=(-2.0, 2.0))


def pictures(errors: list[float], reach: float = 2.0) -> list[ReviewedPicture]:
    return [
        ReviewedPicture(
            BEGIN + timedelta(days=day), 30 + error, 30.0, (30 + error - reach, 30 + error + reach)
        )
        for day, error in enumerate(errors)
    ]


def test_a_model_that_keeps_its_promise_gives_no_warning() -> None:
    found = watch(pictures([(-1) ** k * (k % 3) / 2 for k in range(100)]), PROMISE)
    assert not found.warnings
    assert found.all is not None
    assert (found.all.pictures, found.all.inside, found.all.beyond_limits) == (100, 100, 0)
    assert [entry.pictures for entry in found.stretches] == [20] * 5
    assert found.all.mean_absolute_error == pytest.approx(sum((k % 3) / 2 for k in range(100)) / 100)


def test_a_model_whose_pictures_have_changed_gives_warnings_and_says_since_when() -> None:
    found = watch(pictures([0.5] * 70 + [3.0] * 30), PROMISE)
    assert [warning.code for warning in found.warnings] == ["intervals_miss", "errors_beyond_limits"]
    assert "30 have the truth inside (50 %), and 90 % were promised" in found.warnings[0].message
    assert "-2.00 to +2.00 points" in found.warnings[1].message
    assert [round(entry.bias.mean, 2) for entry in found.stretches] == [0.5, 0.5, 0.5, 1.75, 3.0]
    assert [entry.inside for entry in found.stretches] == [20, 20, 20, 10, 0]


def test_a_few_bad_pictures_are_chance_and_nothing_is_promised_of_an_unknown_model() -> None:
    assert not watch(pictures([0.0] * 10 + [5.0]), PROMISE).warnings
    assert not watch(pictures([9.0] * 40), Promise(None, None)).warnings
    unlike = [replace(entry, interval=None) for entry in pictures([0.0] * 30)]
    found = watch(unlike, PROMISE)
    assert found.all is not None
    assert (found.all.with_interval, found.warnings) == (0, [])
    assert watch([], PROMISE).all is None


def test_every_picture_is_in_one_stretch() -> None:
    for count in (1, 19, 20, 21, 59, 333):
        stretches = watch(pictures([0.0] * count), PROMISE).stretches
        assert sum(entry.pictures for entry in stretches) == count
        assert len(stretches) <= 13
        assert [entry.first for entry in stretches] == sorted(entry.first for entry in stretches)


def review(client: FlaskClient, number: int, lot: str, *, reject: bool, complete: bool = True) -> None:
    picture = encoded(blocks(red=(0, 0, 8 + number, 32), green=(40, 40, 60, 50)))
    made = body(post(client, picture, lot=lot))["id"]
    changes: dict[str, Any] = {"reject": [2]} if reject else {}
    if complete:
        sent = {"after": 0, "complete": True, **changes}
        assert client.post(f"{MEASUREMENTS}/{made}/corrections", json=sent).status_code == 201


def test_the_api_and_the_page_tell_the_error_of_what_was_reviewed(client: FlaskClient) -> None:
    assert body(client.get(f"/api/v1/models/{MODEL}/drift"))["all"] is None
    assert "In use" not in client.get(f"/models/{MODEL}").text
    for number in range(4):
        review(client, number, "A", reject=number < 2)
    found = body(client.get(f"/api/v1/models/{MODEL}/drift"))
    green = 100 * 20 * 10 / 64**2  # what a person rejected in two of four
    assert found["all"]["pictures"] == 4
    assert found["all"]["bias"] == pytest.approx(green / 2)
    assert found["all"]["mean_absolute_error"] == pytest.approx(green / 2)
    assert (found["level"], found["warnings"]) == (None, [])
    assert "4 reviewed pictures" in client.get(f"/models/{MODEL}").text


def test_a_lot_tells_its_mean_with_what_was_reviewed(client: FlaskClient) -> None:
    for number in range(22):
        review(client, number, "B", reject=True, complete=number < 10)
    (model,) = body(client.get("/api/v1/lots/B"))["by_model"]
    green = 100 * 20 * 10 / 64**2  # rejected wherever a person looked
    red = [100 * 32 * (8 + number) / 64**2 for number in range(22)]
    found = model["with_reviewed"]
    assert (found["reviewed"], found["others"], model["n"]) == (10, 12, 22)
    assert found["bias"] == pytest.approx(green)
    assert found["mean_percent"] == pytest.approx(sum(red[10:]) / 12)
    assert found["reviewed_mean_percent"] == pytest.approx(sum(red[:10]) / 10)
    error = (sum((value - sum(red[10:]) / 12) ** 2 for value in red[10:]) / 12 / 12) ** 0.5
    assert found["high"] - found["mean_percent"] == pytest.approx(student_t(9) * error)
    assert model["mean_percent"] == pytest.approx(sum(red) / 22 + green)  # the plain one stays
    assert "put right by the 10 pictures" in client.get("/lots/B").text
    for number in range(8):
        review(client, number, "C", reject=True)
    assert body(client.get("/api/v1/lots/C"))["by_model"][0]["with_reviewed"] is None
