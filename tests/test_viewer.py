"""The page of one measurement in a real Chromium: what it counts by itself is what the API answers."""

import json
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urljoin

import numpy as np
import pytest
from playwright.sync_api import Page, expect
from pycocotools import mask as coco

from fakes import dots, encoded
from planimeter.masks.rle import rle_decode
from planimeter.measurement import Rle
from serving import serve
from test_browser import PATIENCE_MS, PHONE, Watched, ask, browser, settle, watched

__all__ = ["browser", "watched"]  # fixtures

pytestmark = pytest.mark.browser

MEASUREMENTS = "api/v1/measurements"
CHANCE = np.random.default_rng(11)
ROWS, COLUMNS = 15, 21
PICTURE = encoded(
    dots(CHANCE.integers(0, 256, (ROWS, COLUMNS)), second=CHANCE.integers(0, 2, (ROWS, COLUMNS)))
)
"""Some 300 discs of two classes that overlap, with scores from 0 to 1."""
VIEW = "document.querySelector('measurement-view')"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The service with the fake model: its address, which ends with a slash."""
    with serve(tmp_path_factory.mktemp("viewer")) as address:
        yield address


@pytest.fixture(scope="module")
def measured(service: str) -> str:
    """A measurement of the picture: its id."""
    status, _, answer = ask(urljoin(service, MEASUREMENTS), "POST", PICTURE, {"Content-Type": "image/png"})
    assert status == 201, answer
    return str(json.loads(answer)["id"])


@pytest.fixture
def page(service: str, measured: str, watched: Watched) -> Page:
    return opened(watched, urljoin(service, f"measurements/{measured}"))


def opened(watched: Watched, url: str, **options: Any) -> Page:
    """Open the page of a measurement and wait until it counts by itself."""
    page = watched.open(url, **options)
    page.locator("measurement-view.ready").wait_for()
    settle(page)
    return page


def api(service: str, measured: str, path: str = "", **query: object) -> Any:
    text = "&".join(f"{name}={value}" for name, value in query.items())
    status, _, body = ask(urljoin(service, f"{MEASUREMENTS}/{measured}{path}?{text}"))
    assert status == 200, body
    return json.loads(body)


def slide(page: Page, threshold: float) -> None:
    """Move the slider as a hand does."""
    page.locator(".threshold-slider").fill(str(threshold))


def at(page: Page, x: float, y: float) -> tuple[float, float]:
    """Return where a point of the picture is on the page."""
    place = page.evaluate(
        f"""([x, y]) => {{
          const viewer = {VIEW}.viewer;
          const box = viewer.canvas.getBoundingClientRect();
          const {{ zoom, x: middleX, y: middleY }} = viewer.goal;
          return [box.x + box.width / 2 + ((x - middleX) * zoom) / viewer.ratio,
                  box.y + box.height / 2 + ((y - middleY) * zoom) / viewer.ratio];
        }}""",
        [x, y],
    )
    return float(place[0]), float(place[1])


def until(page: Page, condition: str) -> None:
    """Wait for a condition; Playwright's own way evaluates text in the page, which its policy forbids."""
    end = time.monotonic() + PATIENCE_MS / 1000
    while not page.evaluate(condition):
        assert time.monotonic() < end, condition
        page.wait_for_timeout(30)


def still(page: Page) -> None:
    """Wait until the picture has come to rest."""
    until(page, f"{VIEW}.viewer.view === {VIEW}.viewer.goal")


# ---- The threshold


@pytest.mark.parametrize("threshold", [0.0, 0.05, 0.31, 0.5, 0.77, 0.99, 1.0])
def test_the_slider_shows_what_the_api_answers_for_that_threshold(
    service: str, measured: str, page: Page, threshold: float
) -> None:
    page.locator(".threshold-slider").evaluate("slider => { slider.min = 0; }")
    slide(page, threshold)
    answer = api(service, measured, score_threshold=threshold)
    coverage, instances = answer["coverage"], answer["instances"]
    assert (
        page.locator(".reading-number").text_content() == f"{coverage['percent_masked']:.2f}\N{THIN SPACE}%"
    )
    assert page.locator("[data-fact=masked]").text_content() == f"{coverage['pixels_masked']:,}"
    assert page.locator("[data-fact=overlapping]").text_content() == f"{coverage['pixels_overlapping']:,}"
    for entry in coverage["by_class"]:
        row = page.locator(f"[data-class='{entry['class_id']}']")
        assert row.locator("td").all_text_contents() == [
            str(entry["count"]),
            f"{entry['pixels_masked']:,}",
            f"{entry['percent_masked']:.2f}",
        ]
    rows = page.locator("instance-table tbody tr")
    # What is on the screen comes at once, the other rows when the browser has time.
    until(page, f"document.querySelectorAll('instance-table tbody tr').length === {len(instances)}")
    shown = rows.evaluate_all(
        "rows => rows.map((row) => [...row.cells].slice(0, 5).map((cell) => cell.innerText))"
    )
    assert [[text.strip() for text in cells] for cells in shown] == [
        [
            str(entry["id"]),
            entry["class"],
            f"{entry['score']:.3f}",
            f"{entry['area_px']:,}",
            f"{entry['percent']:.3f}",
        ]
        for entry in instances
    ]
    drawn = page.evaluate(f"{VIEW}.drawn.map((index) => {VIEW}.entries[index].mask.area)")
    assert drawn == [entry["area_px"] for entry in instances]


def test_the_address_and_the_downloads_keep_the_threshold(
    service: str, measured: str, page: Page, watched: Watched
) -> None:
    slide(page, 0.25)
    page.wait_for_url("**score_threshold=0.25*")
    settle(page)
    wanted = api(service, measured, score_threshold=0.25)
    for link in page.locator("a[data-at-threshold]").all():
        assert "score_threshold=0.25" in str(link.get_attribute("href"))
    again = opened(watched, page.url)
    assert again.locator("[data-fact=count]").first.text_content() == str(len(wanted["instances"]))
    plain = watched.open(page.url, java_script_enabled=False)
    percent = f"{wanted['coverage']['percent_masked']:.2f}\N{THIN SPACE}%"
    assert plain.locator(".reading-number").text_content() == percent


def test_a_threshold_is_saved_as_the_default_of_the_model_and_reset(service: str, page: Page) -> None:
    def default() -> tuple[float, bool]:
        model = json.loads(ask(urljoin(service, "api/v1/models"))[2])["models"][0]
        return model["score_threshold"], model["score_threshold_saved"]

    def save() -> None:
        page.get_by_text("Default of Blocks: 0.5").click()
        expect(page.locator(".threshold-default")).to_contain_text("For everybody who uses this service")
        page.get_by_role("button", name="Save 0.61 as default for everybody").click()
        page.get_by_text("Default of Blocks: 0.61, saved here").wait_for()
        page.locator("measurement-view.ready").wait_for()

    slide(page, 0.61)
    page.wait_for_url("**score_threshold=0.61*")
    settle(page)
    save()
    assert default() == (0.61, True)
    assert page.locator("#threshold").input_value() == "0.61"  # what was shown is shown still
    page.get_by_role("button", name="Undo, back to 0.5").click()
    page.get_by_text("Default of Blocks: 0.5", exact=True).wait_for()
    assert default() == (0.5, False)
    page.locator("measurement-view.ready").wait_for()
    save()
    settle(page)
    page.goto(page.url.partition("?")[0])
    page.get_by_text("Default of Blocks: 0.61, saved here").click()
    page.get_by_role("button", name="Reset to 0.5").click()
    page.get_by_text("Default of Blocks: 0.5", exact=True).wait_for()
    assert default() == (0.5, False)
    settle(page)


def test_a_threshold_is_kept_for_the_measurement_and_taken_back(
    service: str, measured: str, page: Page
) -> None:
    keep = page.get_by_role("button", name="Keep this threshold for this measurement")
    assert not keep.is_visible()
    before = api(service, measured)
    wanted = api(service, measured, score_threshold=0.3)
    slide(page, 0.3)
    page.wait_for_url("**score_threshold=0.3*")
    settle(page)
    keep.click()
    page.get_by_text("Kept for this measurement: 0.3. It was measured at 0.5.").wait_for()
    page.locator("measurement-view.ready").wait_for()
    assert "score_threshold" not in page.url
    after = api(service, measured)
    assert (after["kept_threshold"], after["measured_threshold"]) == (0.3, 0.5)
    assert after["coverage"] == wanted["coverage"]
    percent = f"{wanted['coverage']['percent_masked']:.2f}\N{THIN SPACE}%"
    assert page.locator(".reading-number").text_content() == percent
    assert not keep.is_visible()
    settle(page)
    page.goto(urljoin(service, "measurements"))
    expect(page.locator(".card-value").first).to_have_text(percent)
    settle(page)
    page.goto(urljoin(service, f"measurements/{measured}"))
    page.get_by_role("button", name="Go back to 0.5").click()
    page.locator("measurement-view.ready").wait_for()
    expect(page.locator(".threshold-was")).to_have_count(0)
    assert api(service, measured) == before
    settle(page)


def test_a_hidden_class_is_said_to_be_counted_still(service: str, measured: str, page: Page) -> None:
    answer = api(service, measured)
    number = page.locator(".reading-number").text_content()
    page.locator("[data-show-class='1']").uncheck()
    hidden = answer["coverage"]["by_class"][0]["count"]
    note = page.locator("[data-hidden]")
    expect(note).to_contain_text(f"{hidden} instances are hidden in the picture and still counted.")
    expect(page.locator("[data-class='1'] .still-counted")).to_have_text("hidden, still counted")
    assert page.locator(".reading-number").text_content() == number
    page.locator("instance-table .eye").first.click()
    first = answer["instances"][0]["class_id"]
    expect(note).to_contain_text(f"{hidden + (first != 1)} instances are")
    page.get_by_role("button", name="Draw all").click()
    assert note.is_hidden()
    assert page.locator("[data-show-class='1']").is_checked()
    settle(page)


# ---- Masks and shapes, computed in the browser


def test_masks_are_decoded_as_pycocotools_does(page: Page) -> None:
    rng = np.random.default_rng(3)
    masks = [rng.random((13, 17)) < share for share in (0, 0.02, 0.3, 0.7, 0.98, 1)]
    masks += [np.pad(np.ones((200, 3), bool), ((0, 0), (150, 147))), np.eye(300, dtype=bool)]
    for mask in masks:
        encoded_mask = coco.encode(np.asfortranarray(mask.astype(np.uint8)))
        counts = bytes(encoded_mask["counts"]).decode()  # type: ignore[arg-type]
        decoded = page.evaluate(
            """async ([counts, height, url]) => {
              const { decode, holds } = await import(new URL(url, location.href));
              const mask = decode(counts, height);
              const runs = [...mask.starts].map((start, run) => [start, mask.ends[run]]);
              const every = Array.from({ length: 40 }, (_, position) => holds(mask, position));
              return { runs, area: mask.area, window: [mask.left, mask.top, mask.right, mask.bottom], every };
            }""",
            [counts, mask.shape[0], "../static/rle.js"],
        )
        flat = np.zeros(mask.size, bool)
        for start, end in decoded["runs"]:
            flat[start:end] = True
        assert (flat.reshape(mask.shape, order="F") == mask).all()
        assert (rle_decode(Rle(size=mask.shape, counts=counts)) == mask).all()
        assert decoded["area"] == int(mask.sum())
        assert decoded["every"] == flat[:40].tolist()
        if mask.any():
            columns = np.flatnonzero(mask.any(axis=0))
            assert decoded["window"][0] == columns.min()
            assert decoded["window"][2] == columns.max() + 1


def test_the_figures_of_an_instance_are_those_of_the_api(service: str, measured: str, page: Page) -> None:
    listed = api(service, measured, "/instances")["instances"]
    computed = page.evaluate(
        f"""async () => {{
          const {{ measureShape }} = await import(new URL("../static/shapes.js", location.href));
          return {VIEW}.chosen.map((index) => measureShape({VIEW}.entries[index].mask, {VIEW}.height));
        }}"""
    )
    assert len(computed) == len(listed)
    for own, entry in zip(computed, listed, strict=True):
        assert own["perimeter"] == pytest.approx(entry["perimeter"], abs=1e-9)
        assert own["feretDiameterMax"] == pytest.approx(entry["feret_diameter_max"], abs=1e-9)
        assert own["circularity"] == pytest.approx(entry["circularity"], abs=1e-9)


# ---- Looking


def test_pointing_and_clicking_tie_the_picture_to_the_table(service: str, measured: str, page: Page) -> None:
    entry = api(service, measured, "/instances")["instances"][0]
    x, y, width, height = entry["bbox"]
    place = at(page, x + width / 2, y + height / 2)
    page.mouse.move(*place)
    page.locator("instance-table tbody tr.row-pointed").wait_for()
    assert page.locator(".row-pointed td").first.text_content() == "1"
    page.mouse.click(*place)
    card = page.locator(".viewer-card")
    figures = {
        "area": f"{entry['area_px']:,} px",
        "score": f"{entry['score']:.3f}",
        "perimeter": f"{entry['perimeter']:.1f} px",
        "feret_diameter_max": f"{entry['feret_diameter_max']:.1f} px",
        "equivalent_diameter_area": f"{entry['equivalent_diameter_area']:.1f} px",
        "circularity": f"{entry['circularity']:.3f}",
    }
    shown = {name: card.locator(f"[data-figure={name}]").text_content() for name in figures}
    assert shown == figures
    page.locator("instance-table tbody tr").nth(3).hover()
    assert page.evaluate(f"{VIEW}.viewer.pointed") == 3
    page.locator("instance-table .table-scroll").focus()
    page.keyboard.press("ArrowDown")
    assert page.locator(".row-chosen td").first.text_content() == "2"
    assert "2" in (card.locator(".viewer-card-head").text_content() or "")


def test_the_picture_zooms_and_moves_by_wheel_hand_keys_and_buttons(page: Page) -> None:
    canvas = page.locator(".viewer-canvas")
    canvas.scroll_into_view_if_needed()
    zoom = f"{VIEW}.viewer.goal.zoom"
    fit = page.evaluate(zoom)
    place = at(page, 320, 230)
    page.mouse.move(*place)
    page.mouse.wheel(0, -300)
    until(page, f"{zoom} > {fit} * 1.3")
    still(page)
    assert at(page, 320, 230) == pytest.approx(place, abs=1.5)  # what is under the pointer stays there
    before = page.evaluate(f"{VIEW}.viewer.goal")
    page.mouse.down()
    page.mouse.move(place[0] + 40, place[1] + 25, steps=4)
    page.mouse.up()
    after = page.evaluate(f"{VIEW}.viewer.goal")
    assert (before["x"] - after["x"]) * before["zoom"] == pytest.approx(40, abs=1)
    assert (before["y"] - after["y"]) * before["zoom"] == pytest.approx(25, abs=1)
    canvas.focus()
    for key, wanted in (("1", 1.0), ("0", fit)):
        page.keyboard.press(key)
        assert page.evaluate(zoom) == pytest.approx(wanted)
    page.keyboard.press("+")
    assert page.evaluate(zoom) == pytest.approx(fit * 1.35)
    page.keyboard.press("-")
    assert page.evaluate(zoom) == pytest.approx(fit)
    page.get_by_role("button", name="One to one").click()
    assert page.locator("[data-zoom-shown]").text_content() == "100 %"
    page.get_by_role("button", name="Fit").click()
    assert page.evaluate(zoom) == pytest.approx(fit)
    still(page)


def colors_at(page: Page, x: float, y: float) -> list[int]:
    """Return red, green and blue that the canvas shows at a point of the picture."""
    page.evaluate(f"{VIEW}.viewer.draw()")
    found = page.evaluate(
        f"""([x, y]) => {{
          const {{ canvas, goal }} = {VIEW}.viewer;
          const left = Math.round(canvas.width / 2 + (x - goal.x) * goal.zoom);
          const top = Math.round(canvas.height / 2 + (y - goal.y) * goal.zoom);
          const copy = document.createElement("canvas");
          [copy.width, copy.height] = [1, 1];
          const pen = copy.getContext("2d", {{ willReadFrequently: true }});
          pen.drawImage(canvas, left, top, 1, 1, 0, 0, 1, 1);
          return [...pen.getImageData(0, 0, 1, 1).data].slice(0, 3);
        }}""",
        [x, y],
    )
    return [int(channel) for channel in found]


def test_masks_are_drawn_in_each_style_by_class_and_by_instance(
    service: str, measured: str, page: Page
) -> None:
    entry = api(service, measured)["instances"][0]
    x, y, width, height = entry["bbox"]
    middle = x + width / 2, y + height / 2
    filled = colors_at(page, *middle)
    page.get_by_role("link", name="Original").click()
    page.wait_for_url("**style=original*")
    original = colors_at(page, *middle)
    assert filled != original
    page.get_by_role("link", name="Splash").click()
    assert colors_at(page, *middle) == pytest.approx(original, abs=3)
    page.get_by_role("link", name="Fill").click()
    assert colors_at(page, *middle) == filled

    page.get_by_label(f"Draw {entry['class']}", exact=True).uncheck()
    assert entry["id"] not in page.evaluate(f"{VIEW}.drawn.map((index) => {VIEW}.chosen.indexOf(index) + 1)")
    page.get_by_label(f"Draw {entry['class']}", exact=True).check()
    page.get_by_role("button", name="Draw instance 1", exact=True).click()
    assert page.evaluate(f"{VIEW}.drawn.includes({VIEW}.chosen[0])") is False
    page.get_by_role("button", name="Draw all").click()
    assert page.evaluate(f"{VIEW}.drawn.includes({VIEW}.chosen[0])") is True

    page.get_by_label("Before / after", exact=True).check()
    page.locator(".viewer-split").fill("1")
    assert colors_at(page, *middle) == pytest.approx(original, abs=3)
    page.locator(".viewer-split").fill("0")
    assert colors_at(page, *middle) == filled
    page.get_by_label("Opacity").fill("1")
    assert colors_at(page, *middle) != filled


# ---- The table


def test_the_table_sorts_and_filters_and_bars_of_the_histogram_filter_it(
    service: str, measured: str, page: Page
) -> None:
    instances = api(service, measured)["instances"]
    areas = page.locator("instance-table tbody td:nth-child(4)")
    page.get_by_role("button", name="Area, px").click()
    shown = [int(text.replace(",", "")) for text in areas.all_text_contents()]
    assert shown == sorted(entry["area_px"] for entry in instances)
    page.locator("[data-filter=class]").select_option("green")
    green = [entry["area_px"] for entry in instances if entry["class"] == "green"]
    assert [int(text.replace(",", "")) for text in areas.all_text_contents()] == sorted(green)
    assert page.locator(".table-shown").text_content() == f"{len(green)} of {len(instances)}"
    page.get_by_role("button", name="Clear").click()
    until(page, f"document.querySelectorAll('instance-table tbody tr').length === {len(instances)}")
    bar = page.locator(".histogram-bin").last
    title = bar.locator("title").text_content() or ""
    bar.click()
    count = int(title.split(" ")[0].replace(",", ""))
    assert page.locator("instance-table tbody tr").count() == count > 0


def test_thousands_of_rows_are_in_the_page_only_where_they_are_seen(page: Page) -> None:
    page.evaluate(
        f"""() => {{
          const table = {VIEW}.table;
          const [row] = table.rows;
          const made = (_, at) => ({{ ...row, index: 10000 + at, id: at + 1, area: at }});
          table.show(Array.from({{ length: 5000 }}, made));
        }}"""
    )
    rows = page.locator("instance-table tbody tr[data-index]")
    assert 20 < rows.count() < 150
    scroller = page.locator("instance-table .table-scroll")
    scroller.evaluate("scroller => { scroller.scrollTop = scroller.scrollHeight; }")
    page.locator("instance-table tbody tr[data-index='14999']").wait_for()
    assert rows.last.locator("td").first.text_content() == "5000"
    assert rows.count() < 150
    page.get_by_role("button", name="Area, px").click()
    page.get_by_role("button", name="Area, px").click()
    assert rows.first.locator("td").first.text_content() == "5000"


@pytest.mark.parametrize("color_scheme", ["light", "dark"])
def test_the_page_fits_a_phone(service: str, measured: str, watched: Watched, color_scheme: str) -> None:
    page = opened(
        watched,
        urljoin(service, f"measurements/{measured}"),
        viewport=PHONE,
        device_scale_factor=3,
        is_mobile=True,
        has_touch=True,
        color_scheme=color_scheme,
    )
    assert page.evaluate("document.documentElement.scrollWidth") == 390


def test_tones_change_what_is_seen_and_nothing_that_was_measured(page: Page) -> None:
    number = page.locator(".reading-number").text_content()
    page.locator("a[data-style=original]").click()
    seen = f"""(() => {{
      const viewer = {VIEW}.viewer;
      viewer.draw();
      const copy = document.createElement("canvas");
      const {{ width, height }} = viewer.canvas;
      copy.getContext("2d").drawImage(viewer.canvas, -width / 2, -height / 2);
      return [...copy.getContext("2d").getImageData(0, 0, 1, 1).data].slice(0, 3);
    }})()"""
    before = page.evaluate(seen)
    page.get_by_text("Brightness").first.click()
    page.locator("[data-tone=gamma]").fill("1")  # a gamma of two
    page.locator("[data-tone=brightness]").fill("0.1")
    after = page.evaluate(seen)
    wanted = [min(255, 255 * ((value / 255) ** 0.5 + 0.1)) for value in before]
    assert after == pytest.approx(wanted, abs=2)
    page.locator("[data-tone=channel]").select_option("0")
    red = page.evaluate(seen)
    assert red == pytest.approx([wanted[0]] * 3, abs=2)
    page.locator("[data-tones=reset]").click()
    assert page.evaluate(seen) == before
    page.locator("[data-tones=auto]").click()
    assert page.locator("[data-tones-changed]").is_visible() or page.evaluate(seen) == before
    assert page.locator(".reading-number").text_content() == number
    settle(page)
