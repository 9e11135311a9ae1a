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
from test_browser import PHONE, Watched, ask, browser, choose, go, settle, watched
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


def delete(site: Site, name: str) -> None:
    status, _, body = ask(urljoin(site.url, f"api/v1/profiles/{name}"), "DELETE")
    assert status == 204, body


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


def test_a_profile_that_was_deleted_is_named_until_another_is_chosen(site: Site, watched: Watched) -> None:
    put_profile(site, "two", model="blocks", rules=[{"figure": "count", "at_most": 1}])
    put_profile(site, "three")
    page = watched.open(urljoin(site.url, "?profile=two"), viewport=WIDE)
    gone, choice = page.locator("[data-profile-gone]"), page.locator("select[name=profile]")
    expect(gone).to_be_hidden()
    delete(site, "two")
    for path in ("", "?profile=two", "", "?model=blocks"):
        go(page, urljoin(site.url, path))
        if path == "?model=blocks":  # which takes no profile
            expect(gone).to_be_hidden()
            continue
        expect(gone).to_contain_text("There is no profile two any more")
        expect(choice).to_have_value("")
    go(page, site.url)
    choice.select_option("three")
    expect(gone).to_be_hidden()
    go(page, urljoin(site.url, "?profile=two"))
    expect(gone).to_contain_text("two")
    go(page, site.url)
    expect(choice).to_have_value("three")  # a link that leads nowhere changes nothing
    expect(gone).to_be_hidden()
    delete(site, "three")
    go(page, site.url)  # there is no profile at all, and nothing to choose from
    expect(gone).to_contain_text("three")
    page.get_by_role("button", name="Measure without a profile").click()
    expect(gone).to_be_hidden()
    go(page, site.url)
    expect(gone).to_be_hidden()


def test_of_two_tabs_the_second_does_not_take_back_what_the_first_saved(site: Site, watched: Watched) -> None:
    put_profile(site, "two", rules=[{"figure": "percent_masked", "at_most": 5}])
    first = watched.open(urljoin(site.url, "profiles/two"), viewport=WIDE)
    second = first.context.new_page()
    go(second, urljoin(site.url, "profiles/two"))
    fill_rule(first, 0, "percent masked", "6")
    first.get_by_role("button", name="Save as a new version").click()
    expect(first.get_by_role("status")).to_contain_text("Saved as version 2")
    second.get_by_label("Title").fill("Another title")
    second.get_by_role("button", name="Save as a new version").click()
    settle(second)
    expect(second.get_by_role("alert")).to_contain_text(
        "The profile 'two' is in version 2 now, and this change was made from version 1. Nothing was saved."
    )
    expect(second.get_by_label("Title")).to_have_value("Another title")
    expect(second.locator("[name=rule_limit]").first).to_have_value("5")
    assert site.answer("profiles/two")["version"] == 2
    with second.expect_popup() as window:
        second.get_by_role("link", name="version 2", exact=True).click()
    expect(window.value.locator("[name=rule_limit]").first).to_have_value("6")
    settle(window.value)
    fill_rule(second, 0, "percent masked", "6")
    second.get_by_role("button", name="Save over version 2").click()
    settle(second)
    expect(second.get_by_role("status")).to_contain_text("Saved as version 3")
    said = site.answer("profiles/two")["profile"]
    assert (said["title"], said["rules"][0]["at_most"]) == ("Another title", 6.0)

    go(first, urljoin(site.url, "profiles/two"))
    delete(site, "two")
    first.get_by_label("Title").fill("Again")
    first.get_by_role("button", name="Save as a new version").click()
    settle(first)
    expect(first.get_by_role("alert")).to_contain_text("this change was made from its version 3")
    watched.problems.clear()  # that it was refused
    first.get_by_role("button", name="Save as a new version").click()
    settle(first)
    expect(first.get_by_role("status")).to_contain_text("Saved as version 4")


def test_a_threshold_that_departs_from_the_profile_is_told_before_it_is_kept(
    site: Site, watched: Watched
) -> None:
    region = {"include": [[[0, 0], [32, 0], [32, 32], [0, 32]]]}
    rules = [{"figure": "percent_masked", "at_most": 100}]
    put_profile(site, "strip", score_threshold=0.5, region=region, pixel_size=0.1, unit="mm", rules=rules)
    page = watched.open(
        urljoin(site.url, f"measurements/{measure(site, profile='strip')['id']}"), viewport=WIDE
    )
    told = page.locator("[data-departs]")
    expect(told).to_be_hidden()
    page.locator("#threshold").fill("0.7")
    expect(told).to_have_text(
        "The profile strip says that the score threshold is 0.5. With another one kept its rules decide nothing: "
        "the verdict is undecided."
    )
    page.locator("#threshold").fill("0.5")
    expect(told).to_be_hidden()
    for tool, what in (("region", "what of a picture counts"), ("scale", "how large a pixel is")):
        page.locator(f".{tool}-tool summary").click()
        expect(page.locator(f".{tool}-tool .scale-fixed")).to_contain_text(f"The profile strip says {what}.")
    settle(page)
    put_profile(site, "open", rules=rules)
    go(page, urljoin(site.url, f"measurements/{measure(site, profile='open')['id']}"))
    expect(page.locator("[data-departs], .scale-fixed")).to_have_count(0)


def test_the_call_of_the_home_page_is_what_the_form_says(site: Site, watched: Watched) -> None:
    put_profile(site, "strip", model="blocks", score_threshold=0.5)
    page = watched.open(site.url, viewport=WIDE)
    call = page.locator(".command code")
    address = urljoin(site.url, "api/v1/measurements")
    expect(call).to_have_text(f"curl -F image=@picture.png {address}")
    page.locator("input[name=model][value=shifted]").check()
    page.locator(".choice-threshold summary").first.click()
    page.locator("input[name=score_threshold]").fill("0.3")
    expect(call).to_have_text(f"curl -F image=@picture.png -F model=shifted -F score_threshold=0.3 {address}")
    page.get_by_text("Lot and sample").click()
    page.get_by_label("Lot", exact=True).fill("@it's; 7")
    page.locator("select[name=profile]").select_option("strip")
    expect(call).to_have_text(
        f"""curl -F image=@picture.png -F profile=strip -F 'lot="@it'"'"'s; 7"' {address}"""
    )


def test_rules_can_be_read_whole_on_a_phone(site: Site, watched: Watched) -> None:
    rule = {"figure": "instances_per_mm2", "class": "red", "at_most": 3}
    put_profile(site, "strip", model="blocks", rules=[rule])
    for width in (390, 360, 320):
        page = watched.open(urljoin(site.url, "profiles/strip"), viewport=PHONE | {"width": width})
        cut = page.evaluate(
            """() => [...document.querySelectorAll("[data-rule] select")].flatMap((select) => {
              const style = getComputedStyle(select);
              const pen = document.createElement("canvas").getContext("2d");
              pen.font = style.font;
              const arrow = 24;
              const room = select.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight) - arrow;
              const texts = [...select.options].map((option) => option.text);
              return texts.filter((text) => select.clientWidth && pen.measureText(text).width > room);
            })"""
        )
        assert cut == [], width


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
