"""The report of many measurements and of one, and how far a model's percentage can be trusted."""

import re
from html import unescape
from urllib.parse import urljoin

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from fakes import block_pack
from planimeter.packs.pack import Pack
from planimeter.service.accuracy import Accuracy, accuracy_of
from planimeter.store import Store
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
    assert "0" * 64 in page
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
