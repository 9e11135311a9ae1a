"""A region drawn on the page, in a real Chromium: its figures are those of the API, and it can be taken back."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from fakes import BlockRuntime, block_pack, blocks, encoded
from planimeter.errors import InvalidOption
from planimeter.masks.region import check_polygon
from planimeter.numbers import write_percent
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


def number(page: Page, name: str) -> int:
    return int("".join(filter(str.isdigit, fact(page, name))))


def set_threshold(page: Page, threshold: float) -> None:
    """Wait for the words of the service too: a request that is cut off by the next page would count as failed."""
    page.locator("#threshold").fill(str(threshold))
    expect(page.locator("[data-trust][data-stale]")).to_have_count(0)
    settle(page)


def agrees(page: Page, answer: Any) -> None:
    """Compare what the page counted with what the service counts."""
    coverage = answer["coverage"]
    percent = coverage["percent_masked"]
    assert page.locator(".reading-number").inner_text().startswith(write_percent(percent))
    for name, value in (
        ("masked", coverage["pixels_masked"]),
        ("counted", coverage["pixels_counted"]),
        ("overlapping", coverage["pixels_overlapping"]),
        ("count", len(answer["instances"])),
    ):
        assert number(page, name) == value, name
    for entry in coverage["by_class"]:
        row = page.locator(f"tr[data-class='{entry['class_id']}']")
        assert row.locator("[data-percent]").inner_text() == write_percent(entry["percent_masked"])
        assert row.locator("[data-pixels]").inner_text() == f"{entry['pixels_masked']:,}"
        assert row.locator("[data-count]").inner_text() == f"{entry['count']:,}"
    areas = page.evaluate("document.querySelector('instance-table').rows.map((row) => [row.area, row.box])")
    assert sorted(area for area, _ in areas) == sorted(entry["area_px"] for entry in answer["instances"])
    assert sorted(box for _, box in areas) == sorted(entry["bbox"] for entry in answer["instances"])


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

    set_threshold(page, 0.8)
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


def test_what_does_not_count_is_drawn_too_and_steps_are_taken_back(service: str, watched: Watched) -> None:
    id_ = measure(service)
    page = opened(watched, service, id_)
    draw(page)
    page.get_by_label("does not count").check()
    for corner in [(100, 60), (200, 60), (200, 150), (100, 150)]:
        click_at(page, *corner)
    undo = page.get_by_role("button", name="Undo")
    undo.click()
    click_at(page, 120, 150)
    undo.press("Backspace")
    click_at(page, 100, 150)
    click_at(page, 100, 60)
    hint = page.locator("[data-region-hint]")
    expect(hint).to_contain_text("Closed.")
    undo.click()  # it is open again
    expect(hint).to_contain_text("Click the next corner")
    page.get_by_role("button", name="Close the polygon").click()
    page.get_by_role("button", name="Count only this").click()
    page.locator("measurement-view.ready").wait_for()
    settle(page)
    answer = read(service, id_)
    region = answer["options"]["counting"]["region"]
    assert [len(ring) for ring in (*region["include"], *region["exclude"])] == [4, 4]
    assert abs(answer["coverage"]["pixels_counted"] - (240 * 170 - 100 * 90)) < 1000
    agrees(page, answer)
    page.locator(".region-tool summary").click()
    page.get_by_role("button", name="Count without a region").click()
    page.locator("measurement-view.ready").wait_for()
    settle(page)
    assert read(service, id_)["coverage"]["pixels_counted"] == 320 * 256


def test_a_region_is_added_to_and_what_else_does_not_count_is_ticked(service: str, watched: Watched) -> None:
    id_ = measure(service)
    page = opened(watched, service, id_)
    tool = page.locator(".region-tool")

    def count_only_this() -> Any:
        page.get_by_role("button", name="Count only this").click()
        page.locator("measurement-view.ready").wait_for()
        settle(page)
        answer = read(service, id_)
        agrees(page, answer)
        return answer

    draw(page)
    before = count_only_this()["options"]["counting"]["region"]["include"]
    tool.locator("summary").click()
    page.get_by_role("button", name="Add to this region").click()
    page.locator("[name=drawn][value=exclude]").check()
    for corner in ((60, 50), (120, 50), (120, 110), (60, 110), (60, 50)):
        click_at(page, *corner)
    after = count_only_this()["options"]["counting"]["region"]
    assert after["include"] == before
    assert len(after["exclude"]) == 1

    name = read(service, id_)["coverage"]["by_class"][1]["class"]
    tool.locator("summary").click()
    tool.get_by_label("black border").check()
    tool.get_by_label(name, exact=True).check()
    tool.locator("[name=least_area]").fill("300")
    answer = count_only_this()
    counting = answer["options"]["counting"]
    assert counting["region"] == after
    assert (counting["ignore"], counting["classes"], counting["least_area"]) == (
        ["black_border"],
        [name],
        300,
    )
    assert {entry["class"] for entry in answer["instances"]} == {name}

    tool.locator("summary").click()
    for label in ("black border", name):
        assert tool.get_by_label(label, exact=True).is_checked()
        tool.get_by_label(label, exact=True).uncheck()
    tool.locator("[name=least_area]").fill("")
    counting = count_only_this()["options"]["counting"]
    assert counting["region"] == after
    assert (counting["ignore"], counting["classes"], counting["least_area"]) == ([], None, 0)


def test_a_mask_is_uploaded_and_shown(service: str, watched: Watched) -> None:
    mask = np.zeros((256, 320), np.uint8)
    mask[40:140, 30:230] = 255
    id_ = measure(service)
    page = opened(watched, service, id_)
    page.locator(".region-tool summary").click()
    file = {"name": "mask.png", "mimeType": "image/png", "buffer": encoded(mask)}
    page.locator(".region-tool [name=region_mask]").set_input_files(file)  # type: ignore[arg-type]
    page.get_by_role("button", name="Count only this").click()
    page.locator("measurement-view.ready").wait_for()
    settle(page)
    answer = read(service, id_)
    assert answer["coverage"]["pixels_counted"] == 100 * 200
    agrees(page, answer)
    assert page.evaluate("document.querySelector('picture-viewer').counted instanceof Path2D")
    # Measured again it stays; the page asks for no model that the service lacks.
    url = urljoin(service, f"{MEASUREMENTS}?from={id_}")
    status, _, again = ask(url, "POST", b"", {"Content-Type": "application/x-www-form-urlencoded"})
    assert status == 201, again
    assert json.loads(again)["coverage"] == answer["coverage"]


def test_percentages_of_a_class_follow_the_slider_as_the_service_counts(
    service: str, watched: Watched
) -> None:
    """Discs of the two classes overlap: at each threshold other pixels count."""
    id_ = measure(service)
    page = opened(watched, service, id_)
    classes = [entry["class"] for entry in read(service, id_)["coverage"]["by_class"]]
    for name in classes:
        page.locator(".region-tool summary").click()
        page.locator(".region-tool [name=of]").select_option(name)
        page.get_by_role("button", name="Count only this").click()
        page.locator("measurement-view.ready").wait_for()
        settle(page)
        assert read(service, id_)["options"]["counting"]["of"] == name
        expect(page.locator("tr", has_text="is what counts")).to_contain_text(name)
        for threshold in (0.5, 0.9, 0.3, 0.7):
            set_threshold(page, threshold)
            agrees(page, read(service, f"{id_}?score_threshold={threshold}"))
    page.locator(".region-tool summary").click()
    page.locator(".region-tool [name=of]").select_option("")
    page.get_by_role("button", name="Count only this").click()
    page.locator("measurement-view.ready").wait_for()
    settle(page)
    assert read(service, id_)["options"]["counting"] is None


def test_nothing_of_the_class_is_said_at_once(tmp_path: Path, watched: Watched) -> None:
    """Red scores 0.9, green 0.6 and covers 16 x 16 of the 1,024 pixels of red."""
    picture = encoded(blocks(red=(0, 0, 32, 32), green=(16, 16, 48, 48)))
    with serve(tmp_path, BlockRuntime(), block_pack()) as service:
        url = urljoin(service, f"{MEASUREMENTS}?of=green")
        status, _, answer = ask(url, "POST", picture, {"Content-Type": "image/png"})
        assert status == 201, answer
        id_ = json.loads(answer)["id"]
        page = opened(watched, service, id_)
        assert page.locator(".reading-number").inner_text().startswith("25.00")
        assert page.locator(".reading-what").inner_text() == "of the green is masked as red"
        set_threshold(page, 0.7)
        assert page.locator(".reading-what").inner_text() == "no percentage: no green found"
        assert page.locator(".reading-number").inner_text().startswith("\N{EN DASH}")
        agrees(page, read(service, f"{id_}?score_threshold=0.7"))
        expect(page.locator("[data-notes]")).to_contain_text("Nothing of green was found in the picture")
        set_threshold(page, 0.5)
        agrees(page, read(service, id_))
        page.goto(urljoin(service, f"measurements/{id_}?score_threshold=0.7"))
        page.locator("measurement-view.ready").wait_for()
        settle(page)
        assert page.locator(".reading-what").inner_text() == "no percentage: no green found"
        page.goto(service)
        page.locator(".choice-of summary").click()
        page.locator(".choice-of select").select_option("red")
        page.set_input_files("#image", {"name": "a.png", "mimeType": "image/png", "buffer": picture})
        page.locator("measurement-view.ready").wait_for()
        settle(page)
        assert page.locator(".reading-what").inner_text() == "of the red is masked as green"


def test_a_profile_says_of_what_on_the_home_page(tmp_path: Path, watched: Watched) -> None:
    picture = encoded(blocks(red=(0, 0, 32, 32), green=(16, 16, 48, 48)))
    with serve(tmp_path, BlockRuntime(), block_pack()) as service:
        url = urljoin(service, "api/v1/profiles/leaf")
        said = json.dumps({"of": "red", "model": "blocks"}).encode()
        status, _, answer = ask(url, "PUT", said, {"Content-Type": "application/json"})
        assert status == 200, answer
        page = watched.open(service)
        page.locator(".choice-of summary").click()
        page.locator(".choice-of select").select_option("green")
        expect(page.locator("[data-of-given]")).to_have_text("the green")
        page.locator("select[name=profile]").select_option("leaf")
        expect(page.locator(".choice-of select")).to_be_disabled()
        expect(page.locator("[data-profile-says]")).to_contain_text("percent of red")
        page.set_input_files("#image", {"name": "a.png", "mimeType": "image/png", "buffer": picture})
        page.locator("measurement-view.ready").wait_for()
        settle(page)
        assert page.locator(".reading-what").inner_text() == "of the red is masked as green"


def test_a_polygon_that_crosses_itself_is_told_of_at_once_and_stays_open(
    service: str, watched: Watched
) -> None:
    id_ = measure(service)
    page = opened(watched, service, id_)
    draw(page)
    for corner in ((100, 220), (200, 250), (200, 220), (100, 250), (100, 220)):
        click_at(page, *corner)
    hint, only = (
        page.locator("[data-region-hint]"),
        page.get_by_role("button", name="Count only this"),
    )
    expect(hint).to_contain_text("The polygon crosses itself")
    expect(only).to_be_disabled()
    page.get_by_role("button", name="Close the polygon").click()
    expect(hint).to_contain_text("The polygon crosses itself")
    undo = page.get_by_role("button", name="Undo")
    undo.click()
    undo.click()
    expect(hint).to_contain_text("Click the next corner")
    for corner in ((200, 220), (100, 220)):
        click_at(page, *corner)
    expect(hint).to_contain_text("Closed.")
    only.click()
    page.locator("measurement-view.ready").wait_for()
    settle(page)
    answer = read(service, id_)
    assert [len(ring) for ring in answer["options"]["counting"]["region"]["include"]] == [4, 3]
    agrees(page, answer)


def test_the_page_holds_for_crossing_what_the_service_does(service: str, watched: Watched) -> None:
    chance = np.random.default_rng(5)
    rings = [chance.integers(0, 7, (count, 2)).tolist() for count in (3, 4, 5, 6) for _ in range(80)]
    rings = [
        [corner for corner, after in zip(ring, ring[1:] + ring[:1], strict=True) if corner != after]
        for ring in rings
    ]
    rings = [ring for ring in rings if len(ring) > 2]

    def refused(ring: list[tuple[float, float]]) -> bool:
        try:
            check_polygon(ring, "a polygon", 8, 8)
        except InvalidOption:
            return True
        return False

    page = watched.open(service)
    told = page.evaluate(
        """async (rings) => {
          const { crossesItself } = await import(new URL("static/polygon-fault.js", location.href));
          return rings.map((ring) => crossesItself(ring.map(([x, y]) => ({ x, y }))));
        }""",
        rings,
    )
    assert told == [refused(ring) for ring in rings]
    assert 60 < sum(told) < len(told) - 60


def test_what_the_service_refuses_is_drawn_again_with_the_reason(service: str, watched: Watched) -> None:
    """Another program may have drawn what this page would not close."""
    id_ = measure(service)
    page = opened(watched, service, f"{id_}?order=created_at")
    draw(page)
    page.evaluate(
        """() => {
          const field = document.querySelector(".region-tool [name=region]");
          const region = JSON.parse(field.value);
          region.exclude.push([[100, 220], [200, 250], [200, 220], [100, 250]]);
          field.value = JSON.stringify(region);
        }"""
    )
    page.get_by_role("button", name="Count only this").click()
    page.locator("measurement-view.ready").wait_for()
    settle(page)
    watched.problems.clear()  # that it was refused
    alert = page.locator(".region-tool").get_by_role("alert")
    expect(alert).to_contain_text("crosses or touches itself")
    expect(alert).to_contain_text("Nothing was changed.")
    assert read(service, id_)["options"]["counting"] is None
    kinds = "document.querySelector('picture-viewer').sketch.polygons.map(({ kind, ring }) => [kind, ring.length])"
    assert page.evaluate(kinds) == [["include", 4], ["exclude", 4]]
    expect(page.locator(".review-place")).to_contain_text("measurement")  # the review goes on
    page.locator("#threshold").fill("0.8")
    expect(page.locator("[data-trust][data-stale]")).to_have_count(0)
    settle(page)
    undo = page.get_by_role("button", name="Undo")
    for _ in range(5):
        undo.click()
    assert page.evaluate(kinds) == [["include", 4]]
    page.get_by_role("button", name="Count only this").click()
    page.locator("measurement-view.ready").wait_for()
    settle(page)
    assert abs(read(service, id_)["coverage"]["pixels_counted"] - 240 * 170) < 700
    page.reload()  # the address is that of the measurement
    settle(page)
    assert page.locator(".region-tool").get_attribute("open") is None


@pytest.mark.parametrize("scripts", [True, False])
def test_a_mask_of_another_size_is_told_beside_all_else_that_was_entered(
    service: str, watched: Watched, scripts: bool
) -> None:
    id_ = measure(service)
    page = watched.open(urljoin(service, f"measurements/{id_}"), java_script_enabled=scripts)
    name = read(service, id_)["coverage"]["by_class"][1]["class"]
    tool = page.locator(".region-tool")
    tool.locator("summary").click()
    mask = encoded(np.full((255, 320), 255, np.uint8))
    tool.locator("[name=region_mask]").set_input_files(
        {"name": "mask.png", "mimeType": "image/png", "buffer": mask}
    )
    tool.locator("[name=least_area]").fill("50")
    tool.get_by_label("saturated").check()
    tool.get_by_label(name, exact=True).check()
    tool.get_by_role("button", name="Count only this").click()
    settle(page)
    watched.problems.clear()  # that it was refused
    expect(tool.get_by_role("alert")).to_contain_text("320 x 255 pixels and the picture 320 x 256")
    expect(tool.locator("[name=least_area]")).to_have_value("50")
    expect(tool.get_by_label("saturated")).to_be_checked()
    expect(tool.get_by_label(name, exact=True)).to_be_checked()
    expect(page.locator(".reading-file")).to_be_visible()
    assert read(service, id_)["options"]["counting"] is None
    tool.get_by_role("button", name="Count only this").click()
    settle(page)
    counting = read(service, id_)["options"]["counting"]
    assert (counting["least_area"], counting["ignore"], counting["classes"]) == (50, ["saturated"], [name])


@pytest.mark.parametrize("size", [(1366, 768), (1280, 900), (1280, 720), (390, 844), (360, 640), (320, 568)])
def test_nothing_has_to_be_scrolled_while_something_is_drawn(
    service: str, watched: Watched, size: tuple[int, int]
) -> None:
    width, height = size
    id_ = measure(service)
    page = opened(watched, service, id_, viewport={"width": width, "height": height})

    def fits(button: str) -> list[float]:
        """Return where the picture is: between two clicks it must not move."""
        places = page.evaluate(
            """(button) => [document.querySelector("picture-viewer canvas"), document.querySelector(button)].map(
              (part) => part.getBoundingClientRect()).map(({ top, bottom, height }) => [top, bottom, height])""",
            button,
        )
        for top, bottom, tall in places:
            assert top >= 0, places
            assert bottom <= height, places
            assert tall > 0, places
        assert places[0][2] >= min(height / 3, 300), places
        return list(places[0])

    page.locator(".region-tool summary").click()
    page.get_by_role("button", name="Draw a region").click()
    settle(page)
    place = fits("[data-region-set]")
    scrolled = page.evaluate("scrollY")
    crossing = [(40, 210), (80, 240), (80, 210), (40, 240), (40, 210)]
    for corner in [*CORNERS, CORNERS[0], *crossing]:
        click_at(page, *corner)
        assert fits("[data-region-set]") == place
    expect(page.locator("[data-region-hint]")).to_contain_text("crosses itself")
    for _ in range(4):
        page.get_by_role("button", name="Undo").click()
    expect(page.locator("[data-region-hint]")).to_contain_text("Closed.")
    assert fits("[data-region-set]") == place
    assert page.evaluate("scrollY") == scrolled
    page.get_by_role("button", name="Cancel the region").click()
    expect(page.locator(".segments").first).to_be_visible()
    page.locator(".scale-tool summary").click()
    page.get_by_role("button", name="Draw a scale bar").click()
    settle(page)
    scrolled = page.evaluate("scrollY")
    place = fits("[data-scale-draw]")
    for corner in CORNERS[:2]:
        click_at(page, *corner)
    assert fits(".scale-tool [type=submit]:not([name])") == place
    assert page.evaluate("scrollY") == scrolled


def test_the_share_of_a_class_is_told_apart_from_its_own_percentage(tmp_path: Path, watched: Watched) -> None:
    picture = encoded(blocks(red=(0, 0, 32, 32), green=(16, 16, 48, 48)))
    with serve(tmp_path, BlockRuntime(), block_pack()) as service:
        url = urljoin(service, f"{MEASUREMENTS}?of=green")
        status, _, answer = ask(url, "POST", picture, {"Content-Type": "image/png"})
        assert status == 201, answer
        page = opened(watched, service, json.loads(answer)["id"])
        assert page.locator(".reading-what").inner_text() == "of the green is masked as red"
        expect(page.locator(".region-tool summary")).to_have_text(
            "Only the green counts: 25.00\u2009% of the picture"
        )
