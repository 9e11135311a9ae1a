"""What is to be reviewed first, by the API and on its page; and one key that says that all is right."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import pytest
from flask.testing import FlaskClient
from playwright.sync_api import expect

from planimeter.details import Details
from planimeter.evaluation.review_order import Waiting, by_chance, worth_a_look
from planimeter.measurement import UNLIKE_TRAINING, Interval, Note
from planimeter.store import Store
from stored import measurement
from test_accessibility import findings
from test_api import MEASUREMENTS, assert_problem, body
from test_browser import Watched, browser, settle, watched
from test_history import add
from test_history_browser import WIDE, Site

__all__ = ["browser", "watched"]  # fixtures

QUEUE = "/api/v1/review-queue"


def waiting(number: int, percent: float = 10, width: float | None = None, **more: Any) -> Waiting:
    low, high = (None, None) if width is None else (percent - width / 2, percent + width / 2)
    values = {"sha256": f"picture {number}", "model": "steel", "model_sha256": "one", "verdict": None, **more}
    return Waiting(id=f"{number:03}", percent=percent, **{"low": low, "high": high, **values})


def reasons(found: list[Waiting]) -> list[tuple[str, tuple[str, ...]]]:
    return [(entry.waiting.id, entry.reasons) for entry in worth_a_look(found)]


def test_the_most_urgent_come_first_and_the_rest_not_at_all() -> None:
    usual = [waiting(number, width=2 + number / 100) for number in range(40)]
    found = reasons(
        [
            waiting(90, width=9),
            waiting(91, verdict="undecided", width=8),
            waiting(92, low=0.0, high=100.0),
            waiting(93, verdict="undecided", width=3),
            *usual,
        ]
    )
    assert found[:4] == [
        ("091", ("undecided", "wide_interval")),
        ("093", ("undecided", "wide_interval")),
        ("092", ("unlike_training",)),
        ("090", ("wide_interval",)),
    ]
    assert {reason for _, why in found[4:] for reason in why} <= {"wide_interval"}
    assert len(found) <= 8
    assert reasons([waiting(number, width=0.5) for number in range(20)]) == []
    assert reasons([]) == []


def test_two_versions_that_disagree_are_one_entry_that_of_the_newest() -> None:
    same: dict[str, Any] = {"sha256": "the same"}
    old = waiting(1, 10, model_sha256="old", **same)
    assert reasons([waiting(2, 16, **same), old]) == [("002", ("models_disagree",))]
    assert reasons([waiting(2, 14, **same), old]) == []
    assert reasons([waiting(2, 16, model="nuclei", **same), old]) == []  # another model sees other things
    apart = [waiting(2, 14, 1, **same), waiting(1, 10, 1, model_sha256="old", **same)]
    assert ("002", ("models_disagree", "wide_interval")) in reasons(apart)


def test_chance_has_nothing_to_do_with_the_figures_and_goes_on_where_it_was() -> None:
    many = [waiting(number, percent=number / 10, width=number / 50) for number in range(400)]
    chosen = by_chance(many)
    assert sorted(entry.id for entry in chosen) == [entry.id for entry in many]
    first = [entry.percent for entry in chosen[:100]]
    assert 16 < sum(first) / 100 < 24  # 20 on average, with a standard error of 1.2
    rest = [entry for entry in many if entry not in chosen[:30]]
    assert by_chance(rest) == chosen[30:]


def put(store: Store, name: str, percent: int, width: float | None = None, *, unlike: bool = False) -> str:
    found = measurement(name, classes={"scratches": percent, "pits": 0})
    interval = None
    if width is not None:
        interval = Interval(
            low=percent - width / 2,
            high=percent + width / 2,
            level=0.9,
            method="split-conformal",
            calibrated_on="x",
        )
    notes = [Note(code=UNLIKE_TRAINING, message="It is unlike.")] if unlike else []
    image = found.image.model_copy(update={"sha256": f"{abs(hash(name)):064x}"[:64]})
    coverage = found.coverage.model_copy(update={"interval": interval})
    changed = found.model_copy(update={"coverage": coverage, "notes": notes, "image": image})
    return store.add(changed, picture=b"x", overlay_png=b"x", mask_png=b"x", details=Details(lot="A")).id


def test_the_api_lists_what_is_worth_a_look(client: FlaskClient, store: Store) -> None:
    usual = [put(store, f"usual {number}", 10, 0.5) for number in range(12)]
    wide, unlike = put(store, "wide", 20, 8), put(store, "unlike", 30, unlike=True)
    found = body(client.get(QUEUE))
    assert (found["count"], found["waiting"]) == (2, 14)
    listed = [(entry["measurement"]["id"], entry["reasons"]) for entry in found["measurements"]]
    assert listed == [(unlike, ["unlike_training"]), (wide, ["wide_interval"])]
    assert body(client.get(f"{QUEUE}?model=nuclei"))["count"] == 0
    assert body(client.get(f"{QUEUE}?lot=A&limit=1"))["count"] == 2
    chance = body(client.get(f"{QUEUE}?by=chance&limit=5"))
    assert (chance["count"], len(chance["measurements"])) == (14, 5)
    assert {entry["measurement"]["id"] for entry in chance["measurements"]} < {wide, unlike, *usual}
    assert_problem(client.get(f"{QUEUE}?limit=201"), 400, "invalid_option", "200")
    reviewed = client.post(f"{MEASUREMENTS}/{unlike}/corrections", json={"after": 0, "complete": True})
    assert reviewed.status_code == 201, reviewed.text
    assert body(client.get(QUEUE))["count"] == 1
    page = client.get("/review-queue").text
    assert "wide interval" in page


def test_an_empty_store_has_nothing_to_review(client: FlaskClient, store: Store) -> None:
    assert body(client.get(QUEUE)) == {"count": 0, "waiting": 0, "measurements": []}
    assert "There is nothing to review." in client.get("/review-queue").text
    add(store, "usual.png")
    assert "Review some by chance" in client.get("/review-queue").text


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    site = Site(tmp_path)
    yield site
    site.stop()


@pytest.mark.browser
def test_one_key_says_that_all_is_right_and_leads_on(site: Site, watched: Watched) -> None:
    from test_profiles_browser import measure  # noqa: PLC0415  its picture has exact figures

    first, second = (measure(site, lot=lot)["id"] for lot in ("A", "A"))
    page = watched.open(urljoin(site.url, "review-queue?by=chance&lot=A"), viewport=WIDE)
    assert findings(page) == []
    page.goto(urljoin(site.url, f"measurements/{second}?lot=A"))
    page.locator("measurement-view.ready").wait_for()
    settle(page)
    page.keyboard.press("a")
    expect(page.locator("measurement-view")).to_have_attribute("data-measurement", first)
    assert site.answer(f"measurements/{second}")["corrected"]["reviewed"] is True
    page.locator("measurement-view.ready").wait_for()
    assert findings(page) == []
    page.get_by_role("button", name="All right").click()
    expect(page.locator("[data-said]")).to_have_text("Reviewed. That was the last one.")
    page.keyboard.press("k")
    expect(page.locator("measurement-view")).to_have_attribute("data-measurement", second)
    page.keyboard.press("c")
    expect(page.locator("[data-correct-foot]")).to_be_visible()
