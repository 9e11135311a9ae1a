"""Reviewing a batch in a real Chromium: the next picture by a key, its numbers those of the API."""

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urljoin, urlsplit

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from fakes import dots, encoded
from serving import serve
from test_browser import PHONE, Watched, ask, browser, settle, watched
from test_viewer import until

__all__ = ["browser", "watched"]  # fixtures

pytestmark = pytest.mark.browser

MEASUREMENTS = "api/v1/measurements"
WIDE = {"width": 1280, "height": 900}
REVIEW = "batch=coil&order=created_at"
COUNT = 6


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serve(tmp_path_factory.mktemp("review")) as address:
        yield address


@pytest.fixture(scope="module")
def coil(service: str) -> list[dict[str, Any]]:
    """A batch of pictures, as the API answers them, oldest first; one that is not of it lies between them."""
    chance = np.random.default_rng(5)
    answers = []
    for number in range(COUNT):
        picture = encoded(
            dots(chance.integers(0, 256, (4 + number, 7)), second=chance.integers(0, 2, (4 + number, 7)))
        )
        answers.append(post(service, picture, f"filename=strip_{number}.png&batch=coil"))
        post(service, picture, "filename=other.png")
    return answers


def post(service: str, picture: bytes, query: str) -> Any:
    status, _, answer = ask(
        urljoin(service, f"{MEASUREMENTS}?{query}"), "POST", picture, {"Content-Type": "image/png"}
    )
    assert status == 201, answer
    return json.loads(answer)


def opened(watched: Watched, service: str, answer: Any, query: str = REVIEW, **options: Any) -> Page:
    page = watched.open(urljoin(service, f"measurements/{answer['id']}?{query}"), **options)
    page.locator("measurement-view.ready").wait_for()
    settle(page)
    return page


def shows(page: Page, answer: Any, place: int) -> None:
    """Check that the page shows a measurement as the API answers it, and where it stands."""
    expect(page.locator(".reading-file")).to_have_text(answer["image"]["filename"])
    page.locator("measurement-view.ready").wait_for()
    percent = f"{answer['coverage']['percent_masked']:.2f}"
    expect(page.locator(".reading-number")).to_have_text(f"{percent}\N{THIN SPACE}%")
    expect(page.locator(".review-place")).to_contain_text(f"{place} of {COUNT}")
    assert f"/measurements/{answer['id']}?" in page.url
    assert parse_qs(urlsplit(page.url).query) == {"batch": ["coil"], "order": ["created_at"]}
    assert page.title().startswith(f"{percent} % of {answer['image']['filename']}")
    current = page.locator(".review-line[aria-current]")
    expect(current).to_have_count(1)
    expect(current).to_contain_text(answer["image"]["filename"])
    drawn = page.evaluate("document.querySelector('measurement-view').drawn.length")
    assert drawn == len(answer["instances"])
    areas = page.evaluate(
        "(() => { const v = document.querySelector('measurement-view');"
        " return v.chosen.map((index) => v.entries[index].mask.area); })()"
    )
    assert areas == [entry["area_px"] for entry in answer["instances"]]


def test_keys_lead_through_the_batch_and_every_number_is_that_of_the_api(
    service: str, coil: list[Any], watched: Watched
) -> None:
    page = opened(watched, service, coil[0], viewport=WIDE)
    shows(page, coil[0], 1)
    assert page.locator(".review-line").count() == COUNT
    for key, place in (("j", 1), ("ArrowRight", 2), ("J", 3), ("k", 2), ("ArrowLeft", 1), ("ArrowLeft", 0)):
        page.keyboard.press(key)
        shows(page, coil[place], place + 1)
    page.keyboard.press("k")  # there is none before the first
    shows(page, coil[0], 1)
    for _ in range(COUNT + 2):
        page.keyboard.press("j")
        page.wait_for_timeout(40)
    shows(page, coil[-1], COUNT)
    settle(page)


def test_the_next_picture_is_there_before_it_is_asked_for(
    service: str, coil: list[Any], watched: Watched
) -> None:
    page = opened(watched, service, coil[1], viewport=WIDE)
    until(page, "document.querySelector('review-deck').prepared.size === 2")
    settle(page)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    shown = page.evaluate(
        """async () => {
          const frame = () => new Promise(requestAnimationFrame);
          document.body.dispatchEvent(new KeyboardEvent("keydown", { key: "j", bubbles: true }));
          for (let wait = 0; wait < 4; wait++) await frame();
          return document.querySelector(".reading-file").textContent;
        }"""
    )
    assert shown == "strip_2.png"
    shows(page, coil[2], 3)
    settle(page)
    assert not [url for url in asked if coil[2]["id"] in url]  # all of it had come beforehand


def test_the_threshold_of_the_new_picture_follows_the_slider_and_the_old_one_lets_go(
    service: str, coil: list[Any], watched: Watched
) -> None:
    page = opened(watched, service, coil[0], viewport=WIDE)
    page.locator(".threshold-slider").fill("0.8")
    page.keyboard.press("j")
    shows(page, coil[1], 2)
    page.wait_for_timeout(600)  # longer than the old one would wait before it writes the address
    shows(page, coil[1], 2)
    page.locator(".threshold-slider").fill("0.3")
    page.wait_for_url("**score_threshold=0.3*")
    settle(page)
    status, _, body = ask(urljoin(service, f"{MEASUREMENTS}/{coil[1]['id']}?score_threshold=0.3"))
    assert status == 200
    wanted = json.loads(body)["coverage"]["percent_masked"]
    expect(page.locator(".reading-number")).to_have_text(f"{wanted:.2f}\N{THIN SPACE}%")
    assert "batch=coil" in page.url


def test_reloading_finds_the_same_picture_and_back_the_list(
    service: str, coil: list[Any], watched: Watched
) -> None:
    page = watched.open(
        urljoin(service, "measurements?batch=coil&order=created_at&view=table"), viewport=WIDE
    )
    page.get_by_role("link", name="strip_2.png").first.click()
    page.locator("measurement-view.ready").wait_for()
    page.keyboard.press("j")
    shows(page, coil[3], 4)
    settle(page)
    page.reload()
    shows(page, coil[3], 4)
    settle(page)
    page.go_back()
    page.wait_for_url("**/measurements?batch=coil*")
    settle(page)


def test_letters_that_are_typed_lead_nowhere(service: str, coil: list[Any], watched: Watched) -> None:
    page = opened(watched, service, coil[2], viewport=WIDE)
    page.locator("[data-filter=least]").focus()
    page.keyboard.press("j")
    page.locator(".viewer-canvas").focus()
    page.keyboard.press("ArrowRight")  # pans the picture
    page.locator(".threshold-slider").focus()
    page.keyboard.press("ArrowRight")  # moves the slider
    page.wait_for_timeout(100)
    assert page.locator(".reading-file").text_content() == "strip_2.png"
    page.locator(".viewer-canvas").focus()
    page.keyboard.press("j")
    expect(page.locator(".reading-file")).to_have_text("strip_3.png")
    settle(page)


def test_without_javascript_links_lead_on(service: str, coil: list[Any], watched: Watched) -> None:
    page = watched.open(
        urljoin(service, f"measurements/{coil[4]['id']}?{REVIEW}"), java_script_enabled=False, viewport=PHONE
    )
    page.locator("[data-step=next]").click()
    assert page.locator(".reading-file").text_content() == "strip_5.png"
    assert "href" not in (page.locator("[data-step=next]").evaluate("link => link.outerHTML") or "")
    page.locator("[data-step=previous]").click()
    assert "5 of 6" in (page.locator(".review-place").text_content() or "")


def test_deleting_leads_to_the_next(service: str, watched: Watched) -> None:
    picture = encoded(dots(np.full((4, 4), 200)))
    answers = [post(service, picture, f"filename=gone_{number}.png&batch=short") for number in range(2)]
    page = opened(watched, service, answers[0], "batch=short&order=created_at", viewport=WIDE)
    page.get_by_text("Delete this measurement").click()
    page.get_by_role("button", name="Delete for good").click()
    expect(page.locator(".reading-file")).to_have_text("gone_1.png")
    expect(page.locator(".review-place")).to_contain_text("1 of 1")
    settle(page)
