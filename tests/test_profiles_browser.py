"""Profiles in Chromium: made on the page, measured by on the home page, and what they decide shown as the API says."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urljoin

import pytest
from playwright.sync_api import Page, Route, expect

from fakes import blocks, encoded
from test_browser import PHONE, Watched, ask, browser, choose, settle, watched
from test_history_browser import WIDE, Site

__all__ = ["browser", "watched"]  # fixtures

pytestmark = pytest.mark.browser

PICTURE = encoded(blocks(red=(0, 0, 32, 32), green=(40, 40, 48, 44)))
"""25 % red, found with a score of 0.9; 32 pixels of green, found with one of 0.6."""


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    site = Site(tmp_path)
    yield site
    site.stop()


def put_profile(site: Site, name: str, **said: Any) -> None:
    status, _, body = ask(
        urljoin(site.url, f"api/v1/profiles/{name}"),
        "PUT",
        body=json.dumps(said).encode(),
        headers={"Content-Type": "application/json"},
    )
    assert status == 200, body


def measure(site: Site, **options: str) -> Any:
    """Measure the picture and return the answer."""
    url = urljoin(site.url, f"api/v1/measurements?{urlencode(options)}")
    status, _, body = ask(url, "POST", body=PICTURE, headers={"Content-Type": "image/png"})
    assert status == 201, body
    return json.loads(body)


def fill_rule(page: Page, place: int, figure: str, limit: str, **more: str) -> None:
    row = page.locator("[data-rule]").nth(place)
    row.get_by_label("Figure").select_option(label=figure)
    row.get_by_label("Limit", exact=True).fill(limit)
    for label, value in more.items():
        row.get_by_label(
            {"side": "At most or at least", "of": "Of the class", "unit": "Unit"}[label]
        ).select_option(label=value)


def test_a_profile_is_made_on_the_page_and_measured_by(site: Site, watched: Watched) -> None:
    page = watched.open(urljoin(site.url, "profiles"), viewport=WIDE)
    page.get_by_role("link", name="Make a profile").click()
    settle(page)
    page.get_by_label("Name", exact=True).fill("strip-3")
    page.get_by_label("Title").fill("Strip, line 3")
    page.locator("select[name=model]").select_option("blocks")
    page.get_by_label("Score threshold", exact=True).fill("0.5")
    expect(page.locator("[data-rule]")).to_have_count(1)
    fill_rule(page, 0, "percent masked", "25", of="of red")
    page.get_by_role("button", name="Add a rule").click()
    fill_rule(page, 1, "longest diameter", "0.2", side="at least (≥)", unit="mm")
    page.get_by_role("button", name="Add a rule").click()
    fill_rule(page, 2, "instances", "7")
    page.get_by_role("button", name="Remove").nth(2).click()
    page.get_by_label("Side of a pixel").fill("0.1")
    page.locator("select[name=unit]").select_option(label="mm")
    settle(page)
    page.get_by_role("button", name="Make the profile").click()
    settle(page)
    expect(page.get_by_role("status")).to_contain_text("Saved as version 1")
    made = site.answer("profiles/strip-3")
    assert made["profile"]["rules"] == [
        {"figure": "percent_masked", "class": "red", "unit": None, "at_most": 25.0, "at_least": None},
        {"figure": "largest_feret_diameter", "class": None, "unit": "mm", "at_most": None, "at_least": 0.2},
    ]
    assert (made["profile"]["pixel_size"], made["profile"]["unit"]) == (0.1, "mm")

    page.get_by_role("link", name="Measure by it").click()
    settle(page)
    expect(page.locator("select[name=profile]")).to_have_value("strip-3")
    expect(page.locator("input[name=model]").first).to_be_disabled()
    expect(page.locator("[data-profile-says]")).to_contain_text("percent masked of red ≤ 25 %")
    expect(page.locator("input[name=score_threshold]")).to_be_disabled()
    expect(page.locator(".choice-scale")).to_be_hidden()
    choose(page, PICTURE, "strip.png")
    page.wait_for_url(re.compile("/measurements/0"))
    settle(page)
    expect(page.locator("[data-ruling-word]")).to_have_text("PASS")
    rules = page.locator(".ruling-rules li")
    expect(rules.nth(0)).to_contain_text("Percent masked of red ≤ 25 %: 25.00 %")
    (measured,) = site.answer("measurements")["measurements"]
    assert (measured["verdict"], measured["profile"]["version"]) == ("pass", 1)
    longest = site.answer(f"measurements/{measured['id']}")["rules"][1]["value"]
    expect(rules.nth(1).locator("[data-rule-value]")).to_have_text(f"{longest:.3f} mm")

    page.get_by_role("link", name="History").click()
    settle(page)
    expect(page.locator(".card-note .verdict")).to_have_text("pass")
    page.get_by_role("link", name="Table").click()
    settle(page)
    expect(page.locator("history-table .verdict")).to_have_text("pass")
    page.goto(site.url)
    settle(page)
    expect(page.locator("select[name=profile]")).to_have_value("strip-3")  # remembered


def test_another_threshold_leaves_no_old_verdict_standing(site: Site, watched: Watched) -> None:
    put_profile(site, "count", rules=[{"figure": "count", "at_most": 1}])
    id_ = measure(site, profile="count")["id"]
    page = watched.open(urljoin(site.url, f"measurements/{id_}"), viewport=WIDE)
    expect(page.locator("[data-ruling-word]")).to_have_text("FAIL")
    expect(page.locator("[data-rule-value]")).to_have_text("2")
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page.route("**/measurements/*?*score_threshold=0.7*", hold)
    page.locator("#threshold").fill("0.7")
    expect(page.locator("[data-ruling-word]")).to_have_text("…")
    page.wait_for_function("document.querySelector('[data-ruling]').dataset.stale === ''")
    while not held:
        page.wait_for_timeout(50)
    held[0].continue_()
    expect(page.locator("[data-ruling-word]")).to_have_text("PASS")
    expect(page.locator("[data-rule-value]")).to_have_text("1")
    settle(page)
    page.get_by_role("button", name="Keep this threshold").click()
    settle(page)
    expect(page.locator("[data-ruling-word]")).to_have_text("PASS")
    assert site.answer("measurements?verdict=pass")["count"] == 1


def test_a_profile_of_a_measurement_takes_its_ways_over(site: Site, watched: Watched) -> None:
    region = '{"include": [[[0, 0], [32, 0], [32, 32], [0, 32]]]}'
    id_ = measure(site, region=region, pixel_size="0.1", unit="mm", score_threshold="0.3")["id"]
    page = watched.open(urljoin(site.url, f"measurements/{id_}"), viewport=WIDE)
    page.get_by_role("link", name="Make a profile of this").click()
    settle(page)
    page.get_by_label("Name", exact=True).fill("Line 4")
    fill_rule(page, 0, "percent masked", "101")
    settle(page)
    page.evaluate("document.querySelector('.profile-form').noValidate = true")
    page.get_by_role("button", name="Make the profile").click()
    settle(page)
    expect(page.get_by_role("alert")).to_contain_text("Nothing was saved")
    expect(page.locator("[name=rule_limit]").first).to_have_value("101")
    watched.problems.clear()  # that it was refused
    page.get_by_label("Name", exact=True).fill("line-4")
    fill_rule(page, 0, "percent masked", "100")
    page.get_by_role("button", name="Make the profile").click()
    settle(page)
    said = site.answer("profiles/line-4")["profile"]
    assert said["region"]["include"] == [[[0, 0], [32, 0], [32, 32], [0, 32]]]
    assert (said["model"], said["score_threshold"]) == ("blocks", 0.3)
    assert (said["pixel_size"], said["unit"]) == (0.1, "mm")
    page.get_by_role("button", name="Save as a new version").click()
    settle(page)
    expect(page.get_by_role("status")).to_contain_text("still version 1")


@pytest.mark.parametrize("viewport", [PHONE, WIDE])
def test_the_pages_of_profiles_fit_and_have_no_errors(
    site: Site, watched: Watched, viewport: dict[str, int]
) -> None:
    rule = {"figure": "largest_area", "class": "red", "unit": "mm", "at_most": 3}
    put_profile(site, "strip", title="Strip", model="blocks", rules=[rule] * 3)
    id_ = measure(site, profile="strip", lot="7")["id"]
    paths = (
        "",
        "profiles",
        "profiles/strip",
        "new-profile",
        f"measurements/{id_}",
        "lots/7",
        f"report?ids={id_}",
    )
    for path in paths:
        page = watched.open(urljoin(site.url, path), viewport=viewport)
        width = page.evaluate("document.documentElement.scrollWidth")
        assert width <= viewport["width"], path


def test_at_another_threshold_than_the_profile_s_the_page_decides_nothing_as_the_api(
    site: Site, watched: Watched
) -> None:
    put_profile(site, "lock", score_threshold=0.5, rules=[{"figure": "percent_masked", "at_most": 5}])
    id_ = measure(site, profile="lock")["id"]
    page = watched.open(urljoin(site.url, f"measurements/{id_}"), viewport=WIDE)
    settle(page)
    word, reason = page.locator("[data-ruling-word]"), page.locator("[data-rule-reason]")
    expect(word).to_have_text("FAIL")
    for threshold, shown in ((0.95, "UNDECIDED"), (0.7, "UNDECIDED"), (0.5, "FAIL")):
        page.locator("#threshold").fill(str(threshold))
        expect(word).to_have_text(shown)
        answer = site.answer(f"measurements/{id_}?score_threshold={threshold}")
        assert answer["verdict"].upper() == shown
        why = f"score threshold {threshold} in place of 0.5"
        if shown == "FAIL":
            expect(page.locator("[data-notes]")).not_to_contain_text("measured otherwise")
        else:
            assert answer["rules"][0]["reason"].endswith(why)
            expect(reason).to_contain_text(why)
            expect(page.locator("[data-notes]")).to_contain_text(why)
    page.locator("#threshold").fill("0.95")
    page.get_by_role("button", name="Keep this threshold for this measurement").click()
    settle(page)
    expect(word).to_have_text("UNDECIDED")
    expect(page.locator("[data-rule-verdict]")).to_have_text("undecided")
    settle(page)
