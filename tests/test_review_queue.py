"""What is to be reviewed first, by the API and on its page; and one key that says that all is right."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import numpy as np
import pytest
from flask.testing import FlaskClient
from playwright.sync_api import expect

from fakes import MODEL, DotRuntime, dot_pack, dots, encoded
from planimeter.details import Details
from planimeter.evaluation.review_order import Waiting, by_chance, worth_a_look
from planimeter.measurement import UNLIKE_TRAINING, Interval, Note
from planimeter.measuring.segmenter import Segmenter
from planimeter.packs.trust import Familiarity, Trust
from planimeter.service.app import create_app
from planimeter.service.models import Models
from planimeter.settings import Settings
from planimeter.store import Store
from stored import measurement
from test_accessibility import findings
from test_api import MEASUREMENTS, assert_problem, body, post
from test_browser import Watched, browser, settle, watched
from test_history import add
from test_history_browser import WIDE, Site
from test_intervals import INTERVALS, pack_with

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
    other = [waiting(2, 16, model="steel-2", **same), old]
    (found,) = worth_a_look(other, {"steel": "scratches", "steel-2": "scratches"})
    assert (found.waiting.id, found.reasons) == ("002", ("models_disagree",))
    assert worth_a_look(other, {"steel": "scratches", "steel-2": "pits"}) == []
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


class BlueRuntime(DotRuntime):
    """Sees what no picture of the training showed where a picture is blue."""

    def run(self, image: Any) -> Any:
        found = super().run(image)
        if (image[0, 2] > 0.5).any():
            blocks = np.full((4, image.shape[2] // 32, image.shape[3] // 32), 9, np.float32)
            object.__setattr__(found, "texture", blocks)
        return found


class LargeRuntime(DotRuntime):
    """Sees discs of twice the radius, at the most."""

    def run(self, image: Any) -> Any:
        found = super().run(image)
        wide = found.boxes + np.array([-21, -21, 21, 21], np.float32)
        object.__setattr__(found, "boxes", np.clip(wide, 0, [*image.shape[:1:-1], *image.shape[:1:-1]]))
        return found


def test_what_was_measured_comes_into_the_queue_for_each_of_the_four_reasons(
    settings: Settings, store: Store, tmp_path: Path
) -> None:
    familiarity = Familiarity(
        mean=(0.0,) * 4, directions=tuple(tuple(row) for row in np.eye(4).tolist()), limit=2.0, pictures=30
    )
    known = pack_with(Trust(intervals=INTERVALS, familiarity=familiarity), tmp_path / MODEL)
    packs = {MODEL: known, "large": dot_pack("large")}
    runtimes = {MODEL: BlueRuntime(), "large": LargeRuntime()}
    models = Models(
        settings, find=lambda _: dict(packs), load=lambda pack, _: Segmenter(pack, runtimes[pack.name])
    )
    client = create_app(settings, store, models).test_client()

    def measure(scores: Any, blue: int = 0, **options: str) -> Any:
        pixels = dots(np.array(scores))
        pixels[:, :, 2] = blue
        return body(post(client, encoded(pixels), score_threshold="0.5", **options))

    sure = [[240, 0, 0, 0, 0, 0, 0, 0]] * 4
    measured = measure(sure)
    limit = measured["coverage"]["percent_masked"]
    rule = {"figure": "percent_masked", "at_most": limit}
    made = client.put(
        "/api/v1/profiles/strip", json={"model": MODEL, "score_threshold": 0.5, "rules": [rule]}
    )
    assert made.status_code == 200, made.text
    undecided = measure([*sure[1:], [230, 0, 0, 0, 0, 0, 0, 0]], profile="strip")
    assert undecided["verdict"] == "undecided"
    strange = measure(sure, blue=255)
    assert [note["code"] for note in strange["notes"]] == ["unlike_training"]
    twice = [[0, 240, 0, 0, 0, 0, 0, 0]] * 2
    one, other = measure(twice), measure(twice, model="large")
    assert other["coverage"]["percent_masked"] - one["coverage"]["percent_masked"] > 5
    wide = measure([[200, 140, 120, 130, 125, 128, 140, 110]] * 4)

    found = {
        entry["measurement"]["id"]: entry["reasons"] for entry in body(client.get(QUEUE))["measurements"]
    }
    assert found == {
        undecided["id"]: ["undecided"],
        strange["id"]: ["unlike_training"],
        other["id"]: ["models_disagree"],
        wide["id"]: ["wide_interval"],
    }
    assert list(found) == [undecided["id"], strange["id"], other["id"], wide["id"]]
    page = client.get("/review-queue").text
    for word in ("undecided verdict", "unlike the training", "models disagree", "wide interval"):
        assert word in page


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

    first, second, third = (measure(site, lot="A")["id"] for _ in range(3))
    page = watched.open(urljoin(site.url, "review-queue?by=chance&lot=A"), viewport=WIDE)
    assert findings(page) == []
    page.goto(urljoin(site.url, f"measurements/{third}?lot=A"))
    page.locator("measurement-view.ready").wait_for()
    settle(page)
    page.keyboard.press("j")  # skipped: nothing is said of it
    expect(page.locator("measurement-view")).to_have_attribute("data-measurement", second)
    assert site.answer(f"measurements/{third}")["corrected"] is None
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
