"""The report of many measurements and of one, and how far a model's percentage can be trusted."""

import re
from html import unescape
from urllib.parse import urljoin

import numpy as np
import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from fakes import MODEL, DotRuntime, block_pack, dot_pack, dots, encoded
from planimeter.measuring.segmenter import Segmenter
from planimeter.numbers import write_percent
from planimeter.packs.pack import Pack
from planimeter.service.accuracy import Accuracy, accuracy_of
from planimeter.service.app import create_app
from planimeter.service.models import Models
from planimeter.settings import Settings
from planimeter.store import Store
from stored import hash_of
from test_api import MEASUREMENTS, body
from test_history import add
from test_pages import Addresses
from test_pages import shown as shown_raw

COVERAGE = {"bias": -0.4, "mean_absolute_error": 1.18, "limits_of_agreement": [-4.14, 3.36]}


def shown(answer: TestResponse) -> str:
    """Return the text of a page as it reads, its entities too."""
    return re.sub(r"\s+", " ", unescape(shown_raw(answer)))


def pack_with(metrics: dict[str, object]) -> Pack:
    pack = block_pack()
    return Pack(pack.folder, pack.manifest.model_copy(update={"metrics": metrics}))


@pytest.fixture
def batch(store: Store) -> list[str]:
    """Four measurements of one batch, 1 to 9 percent, oldest first, and one that is not meant."""
    add(store, "other.png", classes={"scratches": 50})
    return [
        add(store, f"coil {value}.png", classes={"scratches": value, "pits": 0}, batch="shift-7")
        for value in (1, 9, 3, 5)
    ]


def test_a_report_lists_the_batch_by_falling_percent_with_its_totals(
    client: FlaskClient, batch: list[str]
) -> None:
    answer = client.get("/report?batch=shift-7")
    page = shown(answer)
    assert "Batch shift-7" in page
    assert "Median 4.00 % Mean 4.50 % Highest 9.00 % Lowest 1.00 % Of all pixels 4.50 % Instances" in page
    assert re.findall(r"coil (\d)\.png</a>", answer.text) == ["9", "5", "3", "1"]
    assert "Verdict" not in page
    assert "other.png" not in page
    total = body(client.get(f"{MEASUREMENTS}/statistics?batch=shift-7"))
    assert total["percent_masked"]["median"] == 4
    counts = re.findall(r'<rect class="spread-bar[^>]*><title>[^<]*: (\d+)</title>', answer.text)
    assert [int(count) for count in counts] == [entry["count"] for entry in total["histogram"]]
    assert len(batch) == total["count"] == 4


def test_a_batch_that_the_page_named_is_called_by_its_number(client: FlaskClient, store: Store) -> None:
    for name in ("a.png", "b.png"):
        add(store, name, batch="2026-11-23T03-10-00-000Z")
    assert "<h1>2 pictures</h1>" in client.get("/report?batch=2026-11-23T03-10-00-000Z").text


def test_a_limit_marks_each_picture_and_at_the_limit_passes(client: FlaskClient, batch: list[str]) -> None:
    answer = client.get("/report?batch=shift-7&limit_percent=5")
    assert "3 of 4 pass at ≤ 5 % masked" in shown(answer)
    assert re.findall(r'class="verdict (\w+)"', answer.text) == ["failed", "passed", "passed", "passed"]
    assert len(batch) == 4


def test_one_measurement_is_a_sheet_with_its_picture_and_numbers(
    client: FlaskClient, batch: list[str]
) -> None:
    answer = client.get(f"/report?ids={batch[1]}&limit_percent=5")
    page = shown(answer)
    assert "<h1>coil 9.png</h1>" in answer.text
    assert "Fails at ≤ 5 % masked" in page
    assert "9.00 % masked" in page
    assert "Pixels masked 3,600 of 40,000" in page
    assert batch[1] in page
    assert hash_of("coil 9.png") in page
    [picture] = re.findall(r'class="sheet-picture" src="([^"]+)"', answer.text)
    address = urljoin("http://localhost/report", picture.replace("&amp;", "&"))
    assert client.get(address).status_code in {200, 503}, "a fake picture cannot be drawn again"


def test_sheets_follow_where_they_are_asked_for(client: FlaskClient, batch: list[str]) -> None:
    query = {"ids": batch[:3], "sheets": "true", "title": "Delivery <17>"}
    answer = client.get("/report", query_string=query)
    assert answer.text.count('class="sheet"') == 3
    assert "<h1>Delivery &lt;17&gt;</h1>" in answer.text
    assert client.get("/report?batch=shift-7").text.count('class="sheet"') == 0


def test_a_wrong_limit_is_explained_and_the_report_is_still_there(
    client: FlaskClient, batch: list[str]
) -> None:
    answer = client.get("/report?batch=shift-7&limit_percent=500")
    assert answer.status_code == 400
    assert "limit_percent" in answer.text
    assert answer.text.count("</a></th>") == len(batch)


def test_nothing_to_report_is_said(client: FlaskClient) -> None:
    answer = client.get("/report?batch=unknown")
    assert answer.status_code == 200
    assert "No measurement matches" in answer.text


def test_a_report_holds_nothing_inline_and_no_absolute_address(client: FlaskClient, batch: list[str]) -> None:
    for path in ("/report?batch=shift-7&limit_percent=4&sheets=true", f"/report?ids={batch[0]}"):
        addresses = Addresses(client.get(path).text)
        assert addresses.inline == []
        assert all(not re.match(r"/|[a-z]+:", address) for _, address in addresses.found)


@pytest.mark.parametrize(
    ("metrics", "expected"),
    [
        (
            {"validation": {"pictures": 45, "coverage": {}}, "test": {"pictures": 120, "coverage": COVERAGE}},
            Accuracy("test", 120, 1.18, -4.14, 3.36, None),
        ),
        (
            {"validation": {"pictures": 45, "coverage": COVERAGE}},
            Accuracy("validation", 45, 1.18, -4.14, 3.36, None),
        ),
        ({"test": {"pictures": 120, "coverage": {"mean_absolute_error": 1}}}, None),
        ({"test": {"pictures": 120, "coverage": {**COVERAGE, "limits_of_agreement": [1]}}}, None),
        ({"coverage_mae": 0.0, "test": 3}, None),
    ],
)
def test_how_far_a_percentage_can_be_trusted_is_what_the_pack_measured(
    metrics: dict[str, object], expected: Accuracy | None
) -> None:
    assert accuracy_of(pack_with(metrics)) == expected
    assert accuracy_of(None) is None
    assert accuracy_of(pack_with(metrics), "0.0.0") is None  # another version measured


# ---- At another threshold, and each picture once

DOTS = encoded(dots(np.random.default_rng(8).integers(1, 256, (5, 6))))


@pytest.fixture
def dotted(settings: Settings, store: Store) -> FlaskClient:
    models = Models(
        settings, find=lambda _: {MODEL: dot_pack()}, load=lambda pack, _: Segmenter(pack, DotRuntime())
    )
    return create_app(settings, store, models).test_client()


def measure(client: FlaskClient, picture: bytes, name: str) -> str:
    answer = client.post(f"{MEASUREMENTS}?batch=b&filename={name}", data=picture, content_type="image/png")
    return str(body(answer)["id"])


def test_a_report_at_a_threshold_says_what_each_measurement_answers_at_it(dotted: FlaskClient) -> None:
    other = encoded(dots(np.full((5, 6), 120)))  # nothing of it counts at 0.5
    ids = [measure(dotted, DOTS, "a.png"), measure(dotted, other, "b.png")]
    answer = dotted.get("/report?batch=b&score_threshold=0.2")
    wanted = [body(dotted.get(f"{MEASUREMENTS}/{id_}?score_threshold=0.2"))["coverage"] for id_ in ids]
    percents = sorted((entry["percent_masked"] for entry in wanted), reverse=True)
    listed = re.findall(r'<td class="number strong">([\d.]+)<small>', answer.text)
    assert listed == [write_percent(value) for value in percents]
    assert f"Mean {write_percent(sum(percents) / 2)} %" in shown(answer)
    pixels = sum(entry["pixels_masked"] for entry in wanted)
    assert f"Of all pixels {write_percent(100 * pixels / (2 * 5 * 6 * 32 * 32))} %" in shown(answer)
    assert "at a score threshold of 0.2" in shown(answer)
    one = dotted.get(f"/report?ids={ids[1]}&score_threshold=0.2")
    assert f"{write_percent(wanted[1]['percent_masked'])} % masked" in shown(one)
    assert "Score threshold 0.2" in shown(one)
    assert "score_threshold=0.2" in dotted.get(f"/measurements/{ids[1]}?score_threshold=0.2").text
    # Summed up here as the store sums up, where both can.
    plain, asked = dotted.get("/report?batch=b"), dotted.get("/report?batch=b&score_threshold=0.5")
    figures = re.compile(r'<dl class="figures">.*?</dl>', re.DOTALL)
    assert figures.findall(plain.text) == figures.findall(asked.text) != []
    assert dotted.get("/report?batch=b&score_threshold=2").status_code == 400


def test_a_picture_that_was_measured_twice_counts_once(client: FlaskClient, store: Store) -> None:
    for name, masked in (("a.png", 2), ("b.png", 4), ("a.png", 8)):
        add(store, name, classes={"scratches": masked}, batch="twice")
    answer = client.get("/report?batch=twice")
    assert "Mean 6.00 %" in shown(answer)
    assert "2 pictures" in shown(answer) or "Batch twice" in shown(answer)
    assert "1 earlier measurement of the same pictures is not counted" in shown(answer)
    assert re.findall(r"(\w)\.png</a>", answer.text) == ["a", "b"]
    whole = client.get("/report?batch=twice&repeats=true")
    assert "Mean 4.67 %" in shown(whole)
    assert re.findall(r"(\w)\.png</a>", whole.text) == ["a", "b", "a"]
