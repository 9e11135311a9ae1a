"""Areas in units on the page, in a real Chromium: a scale bar on the picture, and figures that are those of the API."""

import json
from collections.abc import Iterator
from math import dist
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from fakes import BlockRuntime, block_pack, blocks, dots, encoded
from planimeter.scale import write_quantity
from serving import serve
from test_browser import PHONE, Watched, ask, browser, settle, watched
from test_units import ome

__all__ = ["browser", "watched"]  # fixtures

pytestmark = pytest.mark.browser

MEASUREMENTS = "api/v1/measurements"
CHANCE = np.random.default_rng(11)
PICTURE = encoded(dots(CHANCE.integers(0, 256, (8, 10)), second=CHANCE.integers(0, 2, (8, 10))))
"""320 x 256 pixels."""


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serve(tmp_path_factory.mktemp("units")) as address:
        yield address


def measure(service: str, query: str = "") -> str:
    url = urljoin(service, f"{MEASUREMENTS}?{query}")
    status, _, answer = ask(url, "POST", PICTURE, {"Content-Type": "image/png"})
    assert status == 201, answer
    return str(json.loads(answer)["id"])


def read(service: str, path: str) -> Any:
    status, _, answer = ask(urljoin(service, f"{MEASUREMENTS}/{path}"))
    assert status == 200, answer
    return json.loads(answer)


def opened(watched: Watched, service: str, id_: str, **options: Any) -> Page:
    page = watched.open(urljoin(service, f"measurements/{id_}"), **options)
    page.locator("measurement-view.ready").wait_for()
    settle(page)
    return page


AT_REST = """async () => {
  const viewer = document.querySelector("picture-viewer");
  const { canvas, ratio } = viewer;
  const frame = () => new Promise(requestAnimationFrame);
  const seen = () => {
    const { left, top, width, height } = canvas.getBoundingClientRect();
    const { x, y, zoom } = viewer.view;
    return { fits: [canvas.width - width * ratio, canvas.height - height * ratio], place: [left, top, x, y, zoom] };
  };
  const before = seen();
  await frame();
  await frame();
  const after = seen();
  return after.fits.every((gap) => Math.abs(gap) <= 1) && String(before.place) === String(after.place);
}"""
"""Whether the picture has taken its place: it does so in the frame after a tool was opened, where a machine is slow."""


def click_at(page: Page, x: float, y: float) -> None:
    """Click at a point of the picture."""
    page.wait_for_function(AT_REST)
    place = page.evaluate(
        """([x, y]) => {
          const viewer = document.querySelector("picture-viewer");
          const box = viewer.canvas.getBoundingClientRect();
          const { view, canvas, ratio } = viewer;
          return [box.left + ((x - view.x) * view.zoom + canvas.width / 2) / ratio,
                  box.top + ((y - view.y) * view.zoom + canvas.height / 2) / ratio];
        }""",
        [x, y],
    )
    page.mouse.click(*place)


def draw_bar(page: Page, *ends: tuple[float, float]) -> None:
    page.locator(".scale-tool summary").click()
    page.get_by_role("button", name="Draw a scale bar").click()
    for end in ends:
        click_at(page, *end)


def test_a_scale_bar_drawn_on_the_picture_sets_the_size_of_a_pixel(service: str, watched: Watched) -> None:
    id_ = measure(service)
    page = opened(watched, service, id_)
    assert "²" not in page.locator(".result").inner_text()
    draw_bar(page, (40, 30), (280, 30))
    expect(page.locator("[data-scale-hint]")).to_contain_text("pixels long")
    page.get_by_label("It measures").fill("120")
    page.locator(".scale-tool [name=unit]").select_option("um")
    page.get_by_role("button", name="Set the size").click()
    page.locator("measurement-view.ready").wait_for()
    settle(page)

    answer = read(service, id_)
    scale = answer["image"]["scale"]
    assert scale["source"] == "drawn"
    assert scale["pixel_size"] == pytest.approx(0.5, rel=0.01), "a click is as exact as a pixel of the screen"
    area = write_quantity(answer["coverage"]["area_masked"])
    line = page.locator(".reading-area")
    expect(line).to_contain_text(f"{area}\N{NO-BREAK SPACE}µm²")
    expect(line).to_contain_text("from a scale bar drawn on the picture")
    for entry in answer["coverage"]["by_class"]:
        row = page.locator(f"tr[data-class='{entry['class_id']}']")
        expect(row.locator("[data-pixels]")).to_have_text(write_quantity(entry["area_masked"]))

    page.locator(".scale-tool summary").click()
    page.get_by_role("button", name="Go back to no size").click()
    page.locator("measurement-view.ready").wait_for()
    assert read(service, id_)["image"]["scale"] is None
    expect(page.locator(".reading-area")).to_have_count(0)


def test_another_click_moves_the_nearer_end_and_the_form_says_where_the_ends_are(
    service: str, watched: Watched
) -> None:
    page = opened(watched, service, measure(service))
    draw_bar(page, (40, 40), (200, 40), (210, 160))
    x0, y0, x1, y1 = map(float, page.locator("[data-scale-line]").input_value().split(","))
    assert (x0, y0, x1, y1) == pytest.approx((40, 40, 210, 160), abs=1)
    expect(page.locator("[data-scale-hint]")).to_contain_text(f"{dist((x0, y0), (x1, y1)):.1f} pixels long")
    page.keyboard.press("Escape")
    expect(page.get_by_label("A pixel measures")).to_be_visible()
    assert page.locator("[data-scale-line]").input_value() == ""
    click_at(page, 48, 48)
    assert page.evaluate("document.querySelector('picture-viewer').bar") is None


def test_all_figures_in_units_follow_the_threshold_as_the_api_answers_them(
    service: str, watched: Watched
) -> None:
    id_ = measure(service, "pixel_size=0.325&unit=um")
    page = opened(watched, service, id_)
    for threshold in (0.2, 0.8):
        page.locator("#threshold").fill(str(threshold))
        settle(page)
        answer = read(service, f"{id_}?score_threshold={threshold}")
        coverage = answer["coverage"]
        for name, figure in (("area", "area_masked"), ("density", "instances_per_mm2")):
            places = page.locator(f"[data-fact={name}]")
            assert set(places.all_inner_texts()) == {write_quantity(coverage[figure])}
        first = page.locator("table.instances tbody tr").first
        expect(first).to_contain_text(write_quantity(answer["instances"][0]["area"]))
    first.click()
    figures = read(service, f"{id_}/instances?score_threshold=0.8")["instances"][0]
    card = page.locator(".viewer-card")
    expect(card.locator("[data-figure=area]")).to_have_text(
        f"{write_quantity(figures['area'])} µm² ({figures['area_px']:,} px)"
    )
    for name, length in figures["lengths"].items():
        expect(card.locator(f"[data-figure={name}]")).to_have_text(f"{write_quantity(length)} µm")


def test_pixels_that_are_not_square_have_no_lengths_on_the_page(service: str, watched: Watched) -> None:
    url = urljoin(service, MEASUREMENTS)
    status, _, answer = ask(url, "POST", ome("0.5", down="0.25"), {"Content-Type": "image/tiff"})
    assert status == 201, answer
    page = opened(watched, service, str(json.loads(answer)["id"]))
    page.locator("table.instances tbody tr").first.click()
    card = page.locator(".viewer-card")
    for name in ("perimeter", "feret_diameter_max", "equivalent_diameter_area", "circularity"):
        expect(card.locator(f"[data-figure={name}]")).to_have_text("\N{EN DASH}")
    expect(card.locator("[data-figure=area]")).to_contain_text("µm²")


def test_a_number_sets_it_too_and_a_wrong_one_is_told(service: str, watched: Watched) -> None:
    id_ = measure(service)
    page = opened(watched, service, id_, viewport=PHONE)
    page.locator(".scale-tool summary").click()
    page.get_by_label("A pixel measures").fill("0.02")
    page.locator(".scale-tool [name=unit]").select_option("mm")
    page.get_by_role("button", name="Set the size").click()
    page.locator("measurement-view.ready").wait_for()
    answer = read(service, id_)
    assert (answer["image"]["scale"]["pixel_size"], answer["image"]["scale"]["source"]) == (0.02, "set")
    expect(page.locator(".reading-area")).to_contain_text("0.02 mm a pixel, set afterwards")
    width = page.evaluate("document.documentElement.scrollWidth")
    assert width <= page.viewport_size["width"]  # type: ignore[index]


def test_the_home_page_sends_the_size_of_a_pixel(service: str, watched: Watched) -> None:
    page = watched.open(service)
    page.locator(".choice-scale summary").click()
    page.get_by_label("Side of a pixel").fill("0.25")
    page.locator(".choice-scale [name=unit]").select_option("mm")
    expect(page.locator(".choice-scale summary")).to_have_text("Pixel size: 0.25 mm")
    page.locator("#image").set_input_files({"name": "a.png", "mimeType": "image/png", "buffer": PICTURE})
    page.locator("measurement-view.ready").wait_for()
    expect(page.locator(".reading-area")).to_contain_text("0.25 mm a pixel, given with the picture")


def test_the_legend_of_the_view_is_a_round_length(service: str, watched: Watched) -> None:
    page = opened(watched, service, measure(service, "pixel_size=0.325&unit=um"))
    legends = page.evaluate(
        """async () => {
          const { legendOf } = await import(new URL("../static/scale-bar.js", location.href));
          return [[0.325, 0.53], [0.325, 40], [2, 1], [0.001, 0.01]].map(([side, zoom]) => legendOf(side, zoom));
        }"""
    )
    assert [entry["length"] for entry in legends] == pytest.approx([50, 0.5, 200, 10])
    assert [entry["width"] for entry in legends] == pytest.approx([81.54, 61.54, 100, 100], abs=0.01)
    pixel = "(at) => [...document.querySelector('.viewer-canvas').getContext('2d').getImageData(20, at, 1, 1).data]"
    height = page.evaluate("document.querySelector('.viewer-canvas').height")
    assert page.evaluate(pixel, height - 16) == [255, 255, 255, 255], "the bar itself"


def test_quantities_are_written_alike_in_python_and_in_the_browser(service: str, watched: Watched) -> None:
    values = [
        0,
        1e-9,
        0.00012345,
        0.001,
        0.053124,
        0.9999,
        0.99996,
        1,
        2.0625,
        12.345,
        99.995,
        105.625,
        999.96,
        1000,
    ]
    values += [1e-12, 1e-6, 0.0009999999, 999_999_999_999, 1e12, 1e21, 4.096e29]
    values += [1234.5, 12345678.4, *(10 ** CHANCE.uniform(-5, 9, 300)).tolist()]
    page = watched.open(service)
    written = page.evaluate(
        """async (values) => {
          const { quantity } = await import(new URL("static/numbers.js", location.href));
          return values.map(quantity);
        }""",
        values,
    )
    assert written == [write_quantity(value) for value in values]


def put(service: str, name: str, **said: Any) -> None:
    body, kind = json.dumps(said).encode(), {"Content-Type": "application/json"}
    status, _, answer = ask(urljoin(service, f"api/v1/profiles/{name}"), "PUT", body, kind)
    assert status == 200, answer


def post(service: str, picture: bytes, query: str) -> str:
    status, _, answer = ask(
        urljoin(service, f"{MEASUREMENTS}?{query}"), "POST", picture, {"Content-Type": "image/png"}
    )
    assert status == 201, answer
    return str(json.loads(answer)["id"])


def shown(page: Page) -> dict[str, Any]:
    """What the page says and draws."""
    facts = {
        name: page.locator(f".tables [data-fact={name}]").first.inner_text()
        for name in ("median", "quartiles", "range", "count")
    }
    parts = page.evaluate(
        """() => {
          const view = document.querySelector("measurement-view");
          return { drawn: view.viewer.instances.length, rows: view.table.rows.length };
        }"""
    )
    number = page.locator(".reading-number").inner_text().split("\N{THIN SPACE}")[0]
    return {**facts, **parts, "number": number}


NOTHING = {
    **dict.fromkeys(("median", "quartiles", "range"), "\N{EN DASH}"),
    "count": "0",
    "drawn": 0,
    "rows": 0,
    "number": "0.00",
}


def test_no_instance_and_a_pixel_size_leave_no_old_figure_standing(tmp_path: Path, watched: Watched) -> None:
    """Red and green mask 43.75 % at 0.5, nothing at 0.95."""
    picture = encoded(blocks(red=(0, 0, 32, 32), green=(16, 16, 48, 48)))
    with serve(tmp_path, BlockRuntime(), block_pack()) as service:
        rules = [{"figure": "percent_masked", "at_most": 30}]
        put(service, "mm", model="blocks", pixel_size=0.5, unit="mm", rules=rules)
        page = opened(watched, service, post(service, picture, "profile=mm"))
        before = {"median": "256.0 mm²", "quartiles": "256.0 to 256.0 mm²", "range": "256.0 to 256.0 mm²"}
        assert shown(page) == {**before, "count": "2", "drawn": 2, "rows": 2, "number": "43.75"}
        word = page.locator("[data-ruling-word]")
        expect(word).to_have_text("FAIL")
        expect(page.locator("[data-areas] text", has_text="256.0 mm²")).to_have_count(
            1
        )  # of one area no range
        page.locator("#threshold").fill("0.95")
        expect(word).to_have_text("PASS")
        settle(page)
        assert shown(page) == NOTHING
        page.locator("#threshold").fill("0.5")
        expect(word).to_have_text("FAIL")
        settle(page)
        assert shown(page)["number"] == "43.75"


@pytest.mark.parametrize("size", ["", "pixel_size=0.5&unit=mm", "pixel_size=1e13&unit=nm"])
def test_a_clean_picture_is_shown_whatever_counts_and_however_large_a_pixel_is(
    tmp_path: Path, watched: Watched, size: str
) -> None:
    clean = blocks()
    clean[20:40, 20:40] = 90  # not all of it is a black border
    with serve(tmp_path, BlockRuntime(), block_pack()) as service:
        for query in ("", "of=red", "classes=red", "ignore=black_border"):
            page = opened(watched, service, post(service, encoded(clean), f"{query}&{size}"))
            number = "\N{EN DASH}" if query == "of=red" else "0.00"
            assert shown(page) == NOTHING | {"number": number}, query
            page.locator("#threshold").fill("0.05")
            expect(page.locator("[data-trust][data-stale]")).to_have_count(0)
            settle(page)
            assert shown(page) == NOTHING | {"number": number}, query
            page.get_by_role("button", name="Correct", exact=True).click()
            page.locator("[data-correct-bar]").wait_for()
            expect(page.locator("[data-correct-figure=corrected]").first).to_have_text(number)
            settle(page)


def test_the_largest_and_the_smallest_pixels_are_written_for_people(tmp_path: Path, watched: Watched) -> None:
    picture = encoded(blocks(red=(0, 0, 32, 32)))
    with serve(tmp_path, BlockRuntime(), block_pack()) as service:
        for size, pixel, area in (
            (
                "pixel_size=0.000001&unit=m",
                "1 \N{MULTIPLICATION SIGN} 10⁻⁶ m",
                "1.024 \N{MULTIPLICATION SIGN} 10⁻⁹ m²",
            ),
            (
                "pixel_size=1e13&unit=nm",
                "1 \N{MULTIPLICATION SIGN} 10¹³ nm",
                "1.024 \N{MULTIPLICATION SIGN} 10²⁹ nm²",
            ),
        ):
            page = opened(watched, service, post(service, picture, size))
            expect(page.locator(".reading-area")).to_contain_text(f"{area} at {pixel} a pixel")
            row = page.locator("tr[data-class='1'] [data-pixels]")
            expect(row).to_have_text(area.removesuffix(" m²").removesuffix(" nm²"))


def test_areas_are_narrowed_down_in_the_unit_of_their_column(service: str, watched: Watched) -> None:
    id_ = measure(service, "pixel_size=0.325&unit=um")
    page = opened(watched, service, id_)
    areas = sorted(entry["area"] for entry in read(service, id_)["instances"])
    filters = page.locator(".table-filter")
    expect(filters).to_contain_text("Area, µm², from")
    filters.locator("[data-filter=least]").fill(str(areas[3]))
    filters.locator("[data-filter=most]").fill(str(areas[-3]))
    found = page.evaluate("document.querySelector('instance-table').shown.map((row) => row.area)")
    wanted = [area for area in areas if areas[3] <= area <= areas[-3]]
    assert sorted(area * 0.325**2 for area in found) == pytest.approx(wanted)
    bar = page.locator(".histogram-bin", has=page.locator("title:has-text('instance')")).last
    count = int((bar.locator("title").text_content() or "").split()[0].replace(",", ""))
    bar.click()
    rows = page.evaluate("document.querySelector('instance-table').shown.length")
    assert rows == count > 0


def test_a_scale_bar_that_cannot_be_is_shown_again_with_the_reason(service: str, watched: Watched) -> None:
    id_ = measure(service)
    page = opened(watched, service, id_)
    draw_bar(page, (40, 30), (280, 30))
    line = page.locator("[data-scale-line]").input_value()
    page.get_by_label("It measures").fill("90000000")
    page.locator(".scale-tool [name=unit]").select_option("m")
    page.get_by_role("button", name="Set the size").click()
    page.locator("measurement-view.ready").wait_for()
    settle(page)
    watched.problems.clear()  # that it was refused
    expect(page.get_by_role("alert")).to_contain_text(
        "a pixel measures between 1 picometre and 10 kilometres"
    )
    assert read(service, id_)["image"]["scale"] is None
    assert page.locator("[data-scale-line]").input_value() == line
    expect(page.get_by_label("It measures")).to_have_value("90000000")
    expect(page.locator(".scale-tool [name=unit]")).to_have_value("m")
    page.get_by_label("It measures").fill("90")
    page.get_by_role("button", name="Set the size").click()
    page.locator("measurement-view.ready").wait_for()
    settle(page)
    assert read(service, id_)["image"]["scale"]["pixel_size"] == pytest.approx(90 / 240, rel=0.01)
