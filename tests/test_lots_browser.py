"""Lots in Chromium: said on the home page and on that of a measurement, and summed up as the API does."""

import re
from urllib.parse import urljoin

import pytest
from playwright.sync_api import FilePayload, expect

from fakes import blocks, encoded
from planimeter.details import Details
from planimeter.numbers import write_percent
from stored import measurement
from test_browser import PHONE, Watched, browser, go, settle, watched
from test_history_browser import THUMBNAIL, WIDE, Site, site

__all__ = ["browser", "site", "watched"]  # fixtures

pytestmark = pytest.mark.browser


def fill(site: Site, lot: str, percents: tuple[int, ...]) -> None:
    for number, percent in enumerate(percents):
        site.store.add(
            measurement(f"field {number}.png", classes={"red": percent}, model="blocks"),
            picture=THUMBNAIL,
            overlay_png=THUMBNAIL,
            mask_png=THUMBNAIL,
            details=Details(lot=lot, sample=str(number // 2)),
        )


def test_the_page_of_a_lot_shows_the_numbers_of_the_api(site: Site, watched: Watched) -> None:
    fill(site, "2026/117", (12, 15, 11, 14, 13))
    page = watched.open(urljoin(site.url, "lots"), viewport=WIDE)
    page.get_by_role("link", name="2026/117").click()
    page.get_by_label("Passes up to").fill("12")
    page.get_by_label("Mean to be known to ±").fill("1")
    settle(page)
    page.get_by_role("button", name="Apply").click()
    settle(page)
    (model,) = site.answer("lots/2026/117?limit_percent=12&within=1")["by_model"]
    assert model["mean_percent"] == 13.0
    expect(page.locator("[data-figure=mean]")).to_have_text(
        re.compile(rf"^{write_percent(13.0)} ± {write_percent(model['confidence_95'])}\s*%$")
    )
    expect(page.locator("[data-figure=relative]")).to_have_text(
        re.compile(rf"^{model['relative_accuracy']:.1f}\s*%$")
    )
    expect(page.locator("[data-figure=deviation]")).to_contain_text(f"{model['standard_deviation']:.2f}")
    expect(page.locator("[data-figure=aim]")).to_contain_text(f"About {model['aim']['more']} more pictures")
    total = model["statistics"]
    assert (total["passed"], total["failed"], total["undecided"]) == (2, 3, 0)
    expect(page.locator("[data-verdict]")).to_contain_text("2 pass, 3 fail at ≤ 12")
    bars = page.locator(".spread-bar title").all_text_contents()
    counts = [entry["count"] for entry in total["histogram"]]
    assert [int(bar.rpartition(": ")[2]) for bar in bars] == counts
    settle(page)
    page.get_by_role("link", name="Review").click()
    settle(page)
    expect(page.locator(".review-place")).to_have_text(re.compile(r"1\s+of 5 in the lot"))
    expect(page.locator(".said")).to_contain_text("2026/117")
    page.go_back()
    settle(page)
    page.get_by_role("link", name="In the history").click()
    expect(page.locator(".found-count")).to_contain_text("All 5 that match")
    settle(page)


def test_lot_and_sample_are_remembered_and_sent_with_every_picture(site: Site, watched: Watched) -> None:
    page = watched.open(site.url, viewport=WIDE)
    page.get_by_text("Lot and sample").click()
    page.get_by_label("Lot", exact=True).fill("<b>119")
    page.get_by_label("Sample", exact=True).fill("3")
    go(page, site.url)
    expect(page.locator("[data-lot-given]")).to_have_text(": <b>119, 3")
    pictures: list[FilePayload] = [
        {"name": f"{side}.png", "mimeType": "image/png", "buffer": encoded(blocks(red=(0, 0, side, 64)))}
        for side in (16, 32)
    ]
    page.set_input_files("#image", pictures)
    page.locator("[data-batch-review]").wait_for()
    lot = site.answer("lots/%3Cb%3E119")
    (model,) = lot["by_model"]
    assert (model["n"], model["mean_percent"], lot["samples"]) == (2, 37.5, ["3"])


def test_what_a_measurement_is_of_is_changed_on_its_page(site: Site, watched: Watched) -> None:
    id_ = site.add(measurement("later.png", model="blocks"))
    page = watched.open(urljoin(site.url, f"measurements/{id_}"), viewport=WIDE)
    settle(page)
    page.get_by_text("Lot, sample, tags…").click()
    page.get_by_label("Lot", exact=True).fill("120")
    page.get_by_label("Operator").fill("Kim")
    page.get_by_label("Tags, with commas between them").fill("worn, ring")
    page.get_by_label("Note").fill("one\ntwo")
    page.get_by_role("button", name="Save", exact=True).click()
    settle(page)
    expect(page.locator(".said-tags")).to_have_text("ringworn")
    answer = site.answer(f"measurements/{id_}")
    said = [answer[name] for name in ("lot", "sample", "operator", "tags", "note")]
    assert said == ["120", None, "Kim", ["ring", "worn"], "one\ntwo"]
    page.get_by_role("link", name="worn").click()
    expect(page.locator(".found-count")).to_contain_text("All 1 that match")
    settle(page)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("viewport", [WIDE, PHONE])
def test_the_pages_fit_and_an_accessibility_scan_finds_nothing_serious(
    site: Site, watched: Watched, scheme: str, viewport: dict[str, int]
) -> None:
    scan = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    lot = f"{'Charge mit sehr langem Namen ' * 2}{scheme}{viewport['width']}"
    fill(site, lot, (3, 9, 30))
    id_ = site.answer(f"measurements?lot={lot.replace(' ', '+')}")["measurements"][0]["id"]
    page = watched.open(site.url, viewport=viewport, color_scheme=scheme)
    paths = ("", "lots", f"lots/{lot}?limit_percent=5", f"measurements/{id_}", f"measurements?lot={lot}")
    for path in paths:
        go(page, urljoin(site.url, path))
        page.evaluate("document.querySelectorAll('details').forEach(details => { details.open = true; })")
        settle(page)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
        found = scan.run(page).response["violations"]
        serious = [
            (violation["id"], violation["nodes"][0]["html"])
            for violation in found
            if violation["impact"] in {"serious", "critical"}
        ]
        assert serious == [], path
