"""A region drawn on the page, in a real Chromium: its figures are those of the API, and it can be taken back."""

import json
from collections.abc import Iterator
from urllib.parse import urljoin

import pytest
from playwright.sync_api import Page, expect

from serving import serve
from test_browser import PHONE, Watched, ask, browser, settle, watched
from test_units_browser import MEASUREMENTS, click_at, measure, opened, read

__all__ = ["browser", "watched"]  # fixtures

pytestmark = pytest.mark.browser

CORNERS = [(40, 30), (280, 30), (280, 200), (40, 200)]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serve(tmp_path_factory.mktemp("region")) as address:
        yield address


def draw(page: Page) -> None:
    page.locator(".region-tool summary").click()
    page.get_by_role("button", name="Draw a region").click()
    for corner in [*CORNERS, CORNERS[0]]:
        click_at(page, *corner)
    expect(page.locator("[data-region-hint]")).to_contain_text("Closed.")


def fact(page: Page, name: str) -> str:
    return page.locator(f".result [data-fact={name}]").first.inner_text()


def test_a_drawn_region_is_what_counts_and_the_slider_follows(service: str, watched: Watched) -> None:
    id_ = measure(service)
    before = read(service, id_)
    page = opened(watched, service, id_)
    draw(page)
    page.get_by_role("button", name="Count only this").click()
    page.locator("measurement-view.ready").wait_for()
    settle(page)

    answer = read(service, id_)
    assert answer["options"]["counting"]["set_afterwards"]
    (drawn,) = answer["options"]["counting"]["region"]["include"]
    assert len(drawn) == 4
    assert all(
        abs(x - cx) < 1.5 and abs(y - cy) < 1.5 for (x, y), (cx, cy) in zip(drawn, CORNERS, strict=True)
    )
    assert abs(answer["coverage"]["pixels_counted"] - 240 * 170) < 700
    assert fact(page, "masked") == f"{answer['coverage']['pixels_masked']:,}".replace(",", "\u202f") or fact(
        page, "masked"
    ).replace("\u202f", "").replace(",", "") == str(answer["coverage"]["pixels_masked"])
    assert "of the region" in page.locator(".reading-what").inner_text()

    page.locator("#threshold").fill("0.8")
    settle(page)
    at = read(service, f"{id_}?score_threshold=0.8")
    shown = "".join(character for character in fact(page, "masked") if character.isdigit())
    assert int(shown) == at["coverage"]["pixels_masked"]
    assert int("".join(filter(str.isdigit, fact(page, "count")))) == len(at["instances"])

    page.locator(".region-tool summary").click()
    page.get_by_role("button", name="Go back to what counted").click()
    page.locator("measurement-view.ready").wait_for()
    assert read(service, id_)["coverage"] == before["coverage"]


def test_a_region_on_a_phone_stays_within_the_page(service: str, watched: Watched) -> None:
    id_ = measure(service)
    region = json.dumps({"include": [CORNERS]})
    url = urljoin(service, f"{MEASUREMENTS}/{id_}/region")
    body = f"region={region}".encode()
    status, _, answer = ask(url, "PUT", body, {"Content-Type": "application/x-www-form-urlencoded"})
    assert status == 200, answer
    assert json.loads(answer)["coverage"]["pixels_counted"] == 240 * 170
    page = opened(watched, service, id_, viewport=PHONE)
    page.locator(".region-tool summary").click()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
