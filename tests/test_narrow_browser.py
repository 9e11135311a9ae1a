"""Narrow phones in Chromium: no page has to be scrolled sideways, whatever stands on it."""

from pathlib import Path
from urllib.parse import quote, urlencode, urljoin

import pytest
from playwright.sync_api import Page

from fakes import blocks, encoded
from planimeter.details import LONGEST_NAME
from test_browser import Watched, ask, browser, go, settle, watched
from test_history_browser import Site
from test_profiles_browser import put_profile

__all__ = ["browser", "watched"]  # fixtures

pytestmark = pytest.mark.browser

WIDTHS = (390, 375, 360, 320)
LONG = "strip-of-line-3-" * 4
"""As long as the name of a profile may be, without a place to break it."""
LOT = ("L" * LONGEST_NAME)[:LONGEST_NAME]
FILENAME = f"{'coil_' * 20}.png"


FOLD = "(open) => document.querySelectorAll('details').forEach((more) => { more.open = open; })"
NAVIGATION = """() => [...document.querySelectorAll(".top-nav a")]
  .map((link) => [link.innerText, link.getBoundingClientRect().right])"""


def measure(site: Site, picture: bytes, **options: str) -> str:
    url = urljoin(site.url, f"api/v1/measurements?{urlencode({'filename': FILENAME, **options})}")
    status, _, body = ask(url, "POST", body=picture, headers={"Content-Type": "image/png"})
    assert status == 201, body
    return str(site.answer("measurements?limit=1")["measurements"][0]["id"])


def too_wide(page: Page) -> list[str]:
    """Return what reaches beyond the window, or is cut by what it stands in."""
    found: list[str] = page.evaluate(
        """() => {
          const width = document.documentElement.clientWidth;
          const beyond = [...document.querySelectorAll("body *")]
            .filter((part) => !part.closest(".table-scroll, .trend-fold, pre, svg, [hidden]"))
            .filter((part) => part.getBoundingClientRect().right > width + 0.5)
            .filter((part) => part.getBoundingClientRect().width > 1)
            .map((part) => `${part.tagName}.${part.className}`);
          const cut = [...document.querySelectorAll(".figures dd")]
            .filter((part) => [part, part.parentElement].some((one) => one.scrollWidth > one.clientWidth))
            .map((part) => `cut: ${part.textContent}`);
          const whole = document.documentElement.scrollWidth;
          return whole > width ? [`the page: ${whole}`, ...beyond, ...cut] : cut;
        }"""
    )
    return found


def test_no_page_is_wider_than_a_narrow_phone(tmp_path: Path, watched: Watched) -> None:
    site = Site(tmp_path)
    try:
        _check(site, watched)
    finally:
        site.stop()


def _check(site: Site, watched: Watched) -> None:
    rules = [
        {"figure": "percent_masked", "class": "red", "at_most": 30},
        {"figure": "instances_per_mm2", "at_most": 4},
    ]
    put_profile(site, LONG, title="T" * LONGEST_NAME, model="blocks", pixel_size=0.5, unit="mm", rules=rules)
    put_profile(site, "short", rules=rules)
    pictures = [
        encoded(blocks(red=(0, 0, 64, 64))),
        encoded(blocks()),
        encoded(blocks(red=(0, 0, 32, 32), green=(16, 16, 48, 48))),
    ]
    said = {"lot": LOT, "sample": LOT, "operator": LOT, "tags": "t" * 50, "batch": "shift-7"}
    ids = [measure(site, picture, profile=LONG, **said) for picture in pictures]
    empty = measure(site, pictures[0], of="green", lot="of nothing")
    other = measure(site, pictures[0], model="shifted")
    one, two = measure(site, pictures[2]), measure(site, pictures[2], model="shifted")
    trashed = measure(site, pictures[2])
    status, _, body = ask(urljoin(site.url, f"api/v1/measurements/{trashed}"), "DELETE")
    assert status == 204, body
    paths = [
        "",
        "?profile=gone",
        "?batch=shift-7",
        "measurements",
        "measurements?view=table",
        f"measurements/{ids[0]}",
        f"measurements/{ids[1]}?order=created_at",
        f"measurements/{empty}",
        f"measurements/delete?ids={other}",
        f"compare?first={one}&second={two}",
        "report?batch=shift-7",
        "lots",
        f"lots/{LOT}",
        f"lots/{quote('of nothing')}",
        "review-queue",
        "models",
        "models/blocks",
        "profiles",
        f"profiles/{LONG}",
        "new-profile",
        f"new-profile?from={ids[0]}",
        "trash",
        "jobs",
        "docs",
        "nowhere",
    ]
    wide: list[tuple[object, ...]] = []
    watched.reloads = True  # an icon that is still on its way when the page is left is no failure
    page = watched.open(site.url)
    for path in paths:
        go(page, urljoin(site.url, path))
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 740})
            for unfolded in (False, True):
                page.evaluate(FOLD, unfolded)
                settle(page)
                wide += [(path, width, unfolded, part) for part in too_wide(page)]
            ends = page.evaluate(NAVIGATION)
            assert [name for name, _ in ends] == ["Measure", "History", "Models", "Profiles", "API"]
            assert max(end for _, end in ends) <= width, path
    watched.problems[:] = [
        problem for problem in watched.problems if "nowhere" not in problem
    ]  # it is not there
    assert not wide, "\n".join(map(str, wide))
