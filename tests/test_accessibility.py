"""What a screen reader or a keyboard would stumble over, as axe-core finds it, on the pages for measuring."""

import json
from collections.abc import Iterator
from urllib.parse import urljoin

import numpy as np
import pytest
from playwright.sync_api import FilePayload, Page

from fakes import dots, encoded
from serving import serve
from test_browser import PHONE, Watched, ask, browser, post_picture, settle, watched

__all__ = ["browser", "watched"]  # fixtures

pytestmark = pytest.mark.browser

axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="needs the dev extra")
SERIOUS = {"serious", "critical"}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serve(tmp_path_factory.mktemp("accessible")) as address:
        yield address


def findings(page: Page) -> list[str]:
    """Return what axe-core holds against a page, with all of its parts open."""
    page.evaluate("document.querySelectorAll('details').forEach((more) => { more.open = true; })")
    found = axe.Axe().run(page).response["violations"]
    return [
        f"{entry['id']}: {node['html'][:160]}"
        for entry in found
        if entry["impact"] in SERIOUS
        for node in entry["nodes"]
    ]


@pytest.mark.parametrize("color_scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_no_page_for_measuring_has_a_serious_finding(
    service: str, watched: Watched, color_scheme: str, width: int
) -> None:
    chance = np.random.default_rng(2)
    several = dots(chance.integers(0, 256, (4, 6)), second=chance.integers(0, 2, (4, 6)))
    measured = post_picture(service, encoded(several), "several.png")["id"]
    empty = post_picture(service, encoded(dots(np.zeros((2, 2), np.uint8))), "empty.png")["id"]
    options = {"viewport": PHONE | {"width": width}, "color_scheme": color_scheme}
    page = watched.open(service, **options)
    assert findings(page) == []
    files: list[FilePayload] = [
        {"name": f"{number}.png", "mimeType": "image/png", "buffer": encoded(several)} for number in range(2)
    ]
    page.set_input_files("#image", files)
    page.locator("[data-batch-more]").wait_for()
    settle(page)
    assert findings(page) == []
    for id_ in (measured, empty):
        page.goto(urljoin(service, f"measurements/{id_}"))
        page.locator("measurement-view.ready").wait_for()
        settle(page)
        assert findings(page) == [], id_
    page.goto(urljoin(service, f"measurements/{measured}"))
    page.locator("measurement-view.ready").wait_for()
    page.locator("[data-tool=split]").check()
    page.locator("instance-table .table-scroll").focus()
    page.keyboard.press("ArrowDown")
    settle(page)
    assert page.locator(".viewer-card").is_visible()
    assert findings(page) == []
    page.evaluate("document.querySelectorAll('details').forEach((more) => { more.open = false; })")
    page.locator("[data-correct-begin]").click()
    page.locator("[data-correct-bar]").wait_for()
    page.locator("instance-table .table-scroll").focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("b")
    settle(page)
    assert findings(page) == []


@pytest.mark.parametrize("color_scheme", ["light", "dark"])
def test_no_page_of_a_profile_has_a_serious_finding(
    service: str, watched: Watched, color_scheme: str
) -> None:
    rules = [{"figure": "count", "at_most": 3}, {"figure": "largest_area", "unit": "mm", "at_most": 3}]
    headers = {"Content-Type": "application/json"}
    status, _, _ = ask(
        urljoin(service, "api/v1/profiles/dots"), "PUT", json.dumps({"rules": rules}).encode(), headers
    )
    assert status == 200
    picture = encoded(dots(np.full((2, 3), 200, np.uint8)))
    url = urljoin(service, "api/v1/measurements?profile=dots")
    _, _, body = ask(url, "POST", picture, {"Content-Type": "image/png"})
    measured = json.loads(body)["id"]
    page = watched.open(urljoin(service, "profiles"), viewport=PHONE, color_scheme=color_scheme)
    assert findings(page) == []
    for path in ("profiles/dots", "new-profile", f"measurements/{measured}", "", "measurements?view=table"):
        page.goto(urljoin(service, path))
        settle(page)
        assert findings(page) == [], path
