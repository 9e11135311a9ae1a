"""A measurement corrected on its page, in a real Chromium: its percentage is the API's after every tool."""

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, urljoin

import numpy as np
import pytest
from numpy.typing import NDArray
from playwright.sync_api import Dialog, Page, expect
from pycocotools import mask as coco

from fakes import dots, encoded
from planimeter.masks.region import polygons_mask
from planimeter.masks.rle import rle_decode
from planimeter.measurement import Rle
from planimeter.numbers import write_percent
from serving import serve
from test_browser import PHONE, Watched, ask, browser, settle, watched

__all__ = ["browser", "watched"]  # fixtures

pytestmark = pytest.mark.browser

MEASUREMENTS = "api/v1/measurements"
CHANCE = np.random.default_rng(5)
SCORES = CHANCE.integers(140, 256, (4, 6))
SCORES[1, 2] = 77
"""This one scores below the threshold of 0.5."""
SCORES[2, 4] = SCORES[3, 1] = SCORES[0, 5] = 0
"""Nothing is found there."""
PICTURE = encoded(dots(SCORES, second=np.indices((4, 6)).sum(axis=0) % 2))
"""192 x 128 pixels, with discs of two classes that overlap."""
WIDTH, HEIGHT = 192, 128
REGION = {"include": [[[10, 6], [180, 6], [180, 120], [10, 120]]]}
Point = tuple[float, float]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serve(tmp_path_factory.mktemp("correct")) as address:
        yield address


def measure(service: str, query: str = "", picture: bytes = PICTURE) -> str:
    url = urljoin(service, f"{MEASUREMENTS}?{query}")
    status, _, answer = ask(url, "POST", picture, {"Content-Type": "image/png"})
    assert status == 201, answer
    return str(json.loads(answer)["id"])


def read(service: str, id_: str) -> Any:
    status, _, answer = ask(urljoin(service, f"{MEASUREMENTS}/{id_}"))
    assert status == 200, answer
    return json.loads(answer)


def correct(service: str, id_: str, **correction: object) -> Any:
    """Correct a measurement as a program does."""
    url = urljoin(service, f"{MEASUREMENTS}/{id_}/corrections")
    body = json.dumps(correction).encode()
    status, _, answer = ask(url, "POST", body, {"Content-Type": "application/json"})
    assert status == 201, answer
    return json.loads(answer)


def opened(watched: Watched, service: str, path: str, **options: Any) -> Page:
    page = watched.open(urljoin(service, f"measurements/{path}"), **options)
    page.locator("measurement-view.ready").wait_for()
    settle(page)
    return page


def begin(page: Page) -> None:
    page.locator("[data-correct-begin]").click()
    page.locator("[data-correct-bar]").wait_for()
    settle(page)


def at(page: Page, x: float, y: float) -> Point:
    """Return where a point of the picture is on the page."""
    place = page.evaluate(
        """([x, y]) => {
          const viewer = document.querySelector("picture-viewer");
          const box = viewer.canvas.getBoundingClientRect();
          const { goal, canvas, ratio } = viewer;
          return [box.left + ((x - goal.x) * goal.zoom + canvas.width / 2) / ratio,
                  box.top + ((y - goal.y) * goal.zoom + canvas.height / 2) / ratio];
        }""",
        [x, y],
    )
    return float(place[0]), float(place[1])


def click(page: Page, *points: Point) -> None:
    for point in points:
        page.mouse.click(*at(page, *point))


def drag(page: Page, *points: Point) -> None:
    page.mouse.move(*at(page, *points[0]))
    page.mouse.down()
    for point in points[1:]:
        page.mouse.move(*at(page, *point), steps=5)
    page.mouse.up()


def middle(row: int, column: int) -> Point:
    """Return the middle of a disc."""
    return 32 * column + 16, 32 * row + 16


def figure(page: Page, name: str) -> str:
    return page.locator(f"[data-correct-figure={name}]").inner_text()


def masked(page: Page) -> int:
    return int(figure(page, "masked").replace(",", ""))


def save(page: Page, button: str = "save") -> None:
    page.locator(f"[data-correct-act={button}]").click()
    page.locator("[data-corrected-line]").wait_for()
    page.locator("measurement-view.ready").wait_for()
    settle(page)


def agrees(page: Page, coverage: Any) -> None:
    """Compare what the tools say with what the API answers."""
    assert figure(page, "corrected") == write_percent(coverage["percent_masked"])
    assert masked(page) == coverage["pixels_masked"]
    assert page.locator(".reading-number").inner_text().startswith(write_percent(coverage["percent_masked"]))
    for entry in coverage["by_class"]:
        row = page.locator(f"tr[data-class='{entry['class_id']}']")
        assert row.locator("[data-pixels]").inner_text() == f"{entry['pixels_masked']:,}"
        assert row.locator("[data-count]").inner_text() == f"{entry['count']:,}"


# ---- Every tool


class Hand:
    """Uses each tool once. Where percentages are of the red class, only what lies on red discs is there to be clicked:
    neighbours are of the other class, and overlap.
    """

    def __init__(self, page: Page, *, on_red: bool) -> None:
        self.page = page
        self.on_red = on_red

    def spot(self, row: int, column: int) -> Point:
        """Return a point of a disc."""
        x, y = middle(row, column)
        return (x + (-16 if column else 16) + 0.5, y) if self.on_red else (x, y)

    def take(self, key: str) -> None:
        self.page.keyboard.press("n")
        self.page.keyboard.press(key)

    def says(self, start: str) -> None:
        said = self.page.locator("[data-correct-hint]").inner_text()
        assert said.startswith(start) or self.on_red, said

    def reject(self) -> None:
        self.take("v")
        click(self.page, self.spot(0, 0))
        self.page.keyboard.press("Delete")

    def restore(self) -> None:
        self.take("v")
        click(self.page, middle(0, 0))
        self.says("Rejected")
        self.page.keyboard.press("r")

    def reclass(self) -> None:
        self.take("v")
        click(self.page, middle(1, 0))
        self.page.keyboard.press("1")

    def brush(self) -> None:
        self.take("b")
        self.page.keyboard.press("]")
        drag(self.page, (3, 3), (60, 90), (150, 122))

    def paint_on(self) -> None:
        self.take("v")
        click(self.page, self.spot(1, 4))
        self.page.keyboard.press("b")
        drag(self.page, self.spot(1, 4), (150, 82), (186, 60))

    def erase(self) -> None:
        self.take("e")
        drag(self.page, self.spot(0, 3), (120, 40))

    def polygon(self) -> None:
        self.take("p")
        click(self.page, (131.5, 66), (170, 70), (188, 20))
        self.page.keyboard.press("Backspace")
        click(self.page, (100.2, 118), (131.5, 66))

    def candidate(self) -> None:
        self.take("s")
        click(self.page, self.spot(1, 2))
        self.says("Seen by the network, with a score of 0.30.")

    def grown(self) -> None:
        self.take("s")
        click(self.page, middle(1, 1) if self.on_red else middle(3, 1))
        self.says("Grown from what looks alike there")
        self.page.locator("[data-correct-field=tolerance]").fill("3")

    def cut(self) -> None:
        self.take("c")
        x, y = middle(2, 2)
        drag(self.page, (x - 30, y - 5), (x + 30, y + 9))
        self.says("Cut into")

    def join(self) -> None:
        self.take("m")
        click(self.page, self.spot(2, 1), self.spot(1, 0))


TOOLS = ("reject", "reclass", "brush", "paint_on", "erase", "polygon", "candidate", "grown", "cut", "join")
REGION_QUERY = f"region={quote(json.dumps(REGION))}&least_area=20"


@pytest.mark.parametrize("query", ["", REGION_QUERY, "of=red"], ids=["all", "region", "of"])
def test_the_percentage_is_the_apis_after_every_tool(service: str, watched: Watched, query: str) -> None:
    """After each, what is shown is what is answered once it is saved; undo and redo lead there and back."""
    id_ = measure(service, query)
    before = read(service, id_)
    page = opened(watched, service, id_)
    on_red = query == "of=red"
    hand = Hand(page, on_red=on_red)
    areas = "document.querySelector('instance-table').rows.map((row) => row.area).sort((a, b) => a - b)"
    for number, tool in enumerate(tool for tool in TOOLS if not (on_red and tool == "reclass")):
        begin(page)
        first = masked(page), page.evaluate(areas)
        getattr(hand, tool)()
        said, shown = page.locator("[data-correct-foot]").inner_text(), page.evaluate(areas)
        pixels, percent = masked(page), figure(page, "corrected")
        assert page.locator("[data-correct-count]").inner_text() != "0 changes", tool
        page.keyboard.press("Control+z")
        assert (masked(page), page.evaluate(areas)) == first, tool
        page.keyboard.press("Control+Shift+z")
        assert page.locator("[data-correct-foot]").inner_text() == said, tool
        save(page)
        answer = read(service, id_)
        corrected = answer["corrected"]
        assert answer["coverage"] == before["coverage"]
        assert corrected["number"] == number + 1
        assert corrected["coverage"]["pixels_masked"] == pixels, tool
        assert write_percent(corrected["coverage"]["percent_masked"]) == percent, tool
        assert sorted(entry["area_px"] for entry in corrected["instances"]) == shown, tool
    begin(page)
    agrees(page, read(service, id_)["corrected"]["coverage"])
    if not on_red:
        hand.restore()
        pixels = masked(page)
        save(page)
        last = read(service, id_)["corrected"]
        assert last["coverage"]["pixels_masked"] == pixels
        assert {entry["origin"] for entry in last["instances"]} == {"measured", "changed", "added"}
    settle(page)
    if query == REGION_QUERY:
        keeps_what_lies_outside(service, id_, last["instances"])


def keeps_what_lies_outside(service: str, id_: str, inside: list[Any]) -> None:
    """Let all of the picture count: what was measured outside the region is there, and what was drawn inside it."""
    _, _, measured = ask(urljoin(service, f"{MEASUREMENTS}/{id_}/region?whole=true"), "PUT")
    assert json.loads(measured)["options"]["counting"]["region"] is None
    answer = read(service, id_)
    corners = [(float(x), float(y)) for x, y in REGION["include"][0]]
    region = polygons_mask([corners], HEIGHT, WIDTH)
    drawn, found = (
        np.any([rle_decode(Rle.model_validate(entry["mask"])) for entry in entries], axis=0)
        for entries in (inside, answer["instances"])
    )
    now = np.any(
        [rle_decode(Rle.model_validate(entry["mask"])) for entry in answer["corrected"]["instances"]], axis=0
    )
    assert np.array_equal(now & region, drawn)
    assert np.count_nonzero(found & ~region) > 300
    assert np.array_equal(now & ~region, found & ~region)


def test_what_is_too_small_or_lies_outside_is_not_drawn(service: str, watched: Watched) -> None:
    """With a least area of 500 pixels, half a disc is too small: it is rejected, as the API would leave it out."""
    id_ = measure(service, f"region={quote(json.dumps(REGION))}&least_area=500")
    page = opened(watched, service, id_)
    begin(page)
    hand = Hand(page, on_red=False)
    first = masked(page)
    hint, count = page.locator("[data-correct-hint]"), page.locator("[data-correct-count]")
    for line, why in (
        (((60, 110), (68, 112)), "Too small to count: "),
        (((2, 20), (3, 100)), "None of it lies in what counts."),
    ):
        hand.take("b")
        drag(page, *line)
        expect(hint).to_contain_text(why)
        expect(count).to_have_text("0 changes")
    x, y = middle(2, 2)
    hand.take("e")
    for _ in range(10):
        page.keyboard.press("]")
    drag(page, (x - 8, y - 14), (x - 8, y + 14))
    expect(hint).to_contain_text("Too small to count: ")
    expect(count).to_have_text("1 change")
    page.keyboard.press("n")
    drag(page, (1, 1), (2, 2))  # nothing lies there
    expect(hint).to_contain_text("Nothing lies there.")
    pixels = masked(page)
    assert pixels < first
    save(page)
    assert read(service, id_)["corrected"]["coverage"]["pixels_masked"] == pixels


# ---- Saving


def test_nothing_is_lost_between_tabs_and_people(service: str, watched: Watched) -> None:
    id_ = measure(service)
    page = opened(watched, service, id_)
    begin(page)
    Hand(page, on_red=False).reject()
    mine = masked(page)
    page.locator("[data-correct-foot] [name=reason]").fill("a reflection")
    page.wait_for_timeout(600)  # hands rest
    asked: list[str] = []

    def answer(dialog: Dialog) -> None:
        asked.append(dialog.type)
        dialog.dismiss() if dialog.type == "confirm" else dialog.accept()

    page.on("dialog", answer)
    page.locator("[data-correct-act=leave]").click()
    assert asked == ["confirm"]
    expect(page.locator("[data-correct-bar]")).to_be_visible()  # dismissed
    page.reload()
    assert asked == ["confirm", "beforeunload"]
    page.locator("measurement-view.ready").wait_for()
    page.get_by_role("button", name="Go on correcting").click()
    page.locator("[data-correct-bar]").wait_for()
    assert masked(page) == mine
    assert page.locator("[data-correct-foot] [name=reason]").input_value() == "a reflection"

    theirs = correct(service, id_, after=0, reject=[2])["corrected"]["coverage"]["pixels_masked"]
    page.locator("[data-correct-act=save]").click()
    expect(page.locator("[data-correct-note]")).to_contain_text("corrected this meanwhile")
    # The browser itself says in its console that the answer was 409.
    assert len(watched.problems) == 2
    assert all("409" in problem for problem in watched.problems)
    watched.problems.clear()
    page.get_by_role("button", name="Load theirs").click()
    assert masked(page) == theirs
    page.keyboard.press("Control+Shift+z")
    both = masked(page)
    assert both < min(mine, theirs)
    save(page, "review")
    corrected = read(service, id_)["corrected"]
    assert (corrected["number"], corrected["reviewed"]) == (2, True)
    assert corrected["coverage"]["pixels_masked"] == both
    line = page.locator("[data-corrected-line]")
    expect(line).to_contain_text("Corrected and reviewed")
    expect(page.get_by_role("button", name="Correct", exact=True)).to_be_enabled()
    line.get_by_role("link").click()
    page.locator("measurement-view.ready").wait_for()
    settle(page)
    assert (
        page.locator(".reading-number")
        .inner_text()
        .startswith(write_percent(read(service, id_)["coverage"]["percent_masked"]))
    )
    expect(page.locator("[data-corrected-line]")).to_contain_text("As measured.")
    settle(page)


def test_a_finger_draws_and_two_move_the_picture(service: str, watched: Watched) -> None:
    id_ = measure(service)
    page = opened(watched, service, id_, viewport=PHONE, has_touch=True, is_mobile=True, color_scheme="dark")
    begin(page)
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    page.locator("[data-correct-tool=brush]").tap()
    before = masked(page)
    page.locator("picture-viewer").scroll_into_view_if_needed()
    session = page.context.new_cdp_session(page)

    def touch(kind: str, *points: Point) -> None:
        session.send(
            "Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": x, "y": y} for x, y in points]}
        )

    start, end = at(page, 2, 2), at(page, 2, 120)
    touch("touchStart", start)
    touch("touchMove", end)
    touch("touchEnd")
    expect(page.locator("[data-correct-count]")).to_have_text("1 change")
    drawn = masked(page)
    assert drawn > before
    zoom = page.evaluate("document.querySelector('picture-viewer').goal.zoom")
    touch("touchStart", start)
    touch("touchStart", start, end)
    touch("touchMove", (start[0], start[1] - 40), (end[0], end[1] + 40))
    touch("touchEnd")
    assert page.evaluate("document.querySelector('picture-viewer').goal.zoom") > 1.2 * zoom
    assert masked(page) == drawn
    expect(page.locator("[data-correct-count]")).to_have_text("1 change")
    page.on("dialog", lambda dialog: dialog.accept())
    page.locator("[data-correct-act=leave]").click()
    expect(page.locator("[data-correct-bar]")).to_be_hidden()
    settle(page)


def test_in_a_review_who_corrects_is_asked_before_the_next_picture(service: str, watched: Watched) -> None:
    first, second = (measure(service, "batch=pair") for _ in range(2))
    theirs = correct(service, second, after=0, reject=[1], complete=True)["corrected"]["coverage"]
    page = opened(watched, service, f"{first}?batch=pair&order=created_at")
    begin(page)
    hand = Hand(page, on_red=False)
    hand.reject()
    answers = [False, True]
    page.on("dialog", lambda dialog: dialog.accept() if answers.pop() else dialog.dismiss())
    answers.reverse()
    page.keyboard.press("j")
    assert answers == [True]
    expect(page.locator("[data-correct-count]")).to_have_text("1 change")
    page.keyboard.press("j")
    expect(page.locator(".review-place")).to_contain_text("2 of 2")
    page.locator("measurement-view.ready").wait_for()
    percent = write_percent(theirs["percent_masked"])
    expect(page.locator(".reading-number")).to_have_text(f"{percent}\N{THIN SPACE}%")
    expect(page.locator("[data-corrected-line]")).to_contain_text("Corrected and reviewed")
    shown = page.evaluate("document.querySelector('measurement-view').viewer.instances.length")
    assert shown == sum(entry["count"] for entry in theirs["by_class"])
    page.keyboard.press("b")  # its tools are not there until they are asked for
    expect(page.locator("[data-correct-bar]")).to_be_hidden()
    settle(page)


# ---- Masks, drawn in the browser


def test_masks_are_drawn_by_the_rules_of_the_service(service: str, watched: Watched) -> None:
    page = opened(watched, service, measure(service))
    chance = np.random.default_rng(2)
    masks = [chance.random((37, 23)) < share for share in (0, 0.05, 0.5, 0.95, 1)]
    others = [chance.random((37, 23)) < 0.4 for _ in masks]
    rings = [(chance.integers(0, 61, (count, 2)) / 2).tolist() for count in (3, 4, 5, 9)]
    rings += [(chance.random((6, 2)) * (23, 37)).tolist(), [[2, 3], [20, 3], [20, 30.5], [2, 30.5]]]
    rings = [[[min(x, 23), y] for x, y in ring] for ring in rings]
    made = page.evaluate(
        """async ([masks, others, rings, size, address]) => {
          const at = (name) => import(new URL(`${address}/${name}.js`, location.href));
          const [rle, bits, { fillPolygon }] = await Promise.all(["rle", "bits", "polygon-fill"].map(at));
          const [height, width] = size;
          const picture = { width, height };
          const text = (mask) => rle.encode(mask, width * height);
          const decoded = masks.map((counts) => rle.decode(counts, height));
          const beside = others.map((counts) => rle.decode(counts, height));
          const all = { left: 0, top: 0, width, height };
          const part = { left: 3, top: 5, width: 11, height: 20 };
          return {
            same: decoded.map(text),
            around: decoded.map((mask) => text(bits.maskOf(bits.bitsIn(mask, all, height), height))),
            part: decoded.map((mask) => text(bits.maskOf(bits.bitsIn(mask, part, height), height))),
            both: decoded.map((mask, index) => text(rle.union([mask, beside[index], mask], height))),
            less: decoded.map((mask, index) => text(rle.difference(mask, beside[index], height))),
            filled: rings.map((ring) => text(fillPolygon(ring.map(([x, y]) => ({ x, y })), picture))),
          };
        }""",
        [[counts(mask) for mask in masks], [counts(mask) for mask in others], rings, [37, 23], "../static"],
    )
    window = np.zeros((37, 23), bool)
    window[5:25, 3:14] = True
    assert made["same"] == made["around"] == [counts(mask) for mask in masks]
    assert made["part"] == [counts(mask & window) for mask in masks]
    assert made["both"] == [counts(mask | other) for mask, other in zip(masks, others, strict=True)]
    assert made["less"] == [counts(mask & ~other) for mask, other in zip(masks, others, strict=True)]
    wanted = [polygons_mask([[(x, y) for x, y in ring]], 37, 23) for ring in rings]
    assert made["filled"] == [counts(mask) for mask in wanted]


def test_strokes_and_grown_regions_are_exact(service: str, watched: Watched) -> None:
    page = opened(watched, service, measure(service))
    chance = np.random.default_rng(4)
    height, width = 60, 80
    own, others = (chance.random((height, width)) < share for share in (0.2, 0.3))
    counted = np.ones((height, width), bool)
    counted[:8] = counted[:, 70:] = False
    steps: list[list[tuple[float, float]]] = [
        [(5, 5), (40, 30)],
        [(70, 50), (70.4, 12)],
        [(2, 58), (79, 57.5)],
        [(33.3, 20)],
    ]
    taken = np.zeros((height, width), bool)
    taken[20:50, 44:47] = taken[31:34, 36:38] = True
    waves = np.sin(np.indices((height, width)) / 6).sum(axis=0)
    pixels = np.stack([128 + 50 * waves, 90 + 20 * waves, np.full((height, width), 7.0)], 2)
    rgba = np.dstack([pixels, np.full((height, width), 255.0)]).astype(np.uint8)
    made = page.evaluate(
        """async ([own, others, counted, taken, steps, rgba, size, address]) => {
          const at = (name) => import(new URL(`${address}/${name}.js`, location.href));
          const [rle, { LiveStroke }, { grow }] = await Promise.all(["rle", "live-stroke", "grow"].map(at));
          const [height, width] = size;
          const picture = { width, height };
          const text = (mask) => rle.encode(mask, width * height);
          const decoded = [own, others, counted, taken].map((counts) => rle.decode(counts, height));
          const strokes = [];
          for (const radius of [0.5, 3, 7.5]) for (const erases of [false, true]) for (const line of steps) {
            const [mask, beside, region] = decoded;
            const stroke = { mask, others: beside, counted: region, color: "#d55e00", erases, radius, picture };
            const points = line.map(([x, y]) => ({ x, y }));
            const live = new LiveStroke(stroke, points[0]);
            for (const point of points) live.extend(point);
            strokes.push([text(live.mask), live.gained]);
          }
          const window = { left: 0, top: 0, width, height };
          const data = Uint8ClampedArray.from(rgba);
          const seed = { x: 40.5, y: 30.5 };
          const grown = [4, 20, 60].map(
            (tolerance) => text(grow(data, window, seed, tolerance, decoded[3], height)));
          return { strokes, grown };
        }""",
        [
            *map(counts, (own & counted, others & counted, counted, taken)),
            steps,
            rgba.ravel().tolist(),
            [height, width],
            "../static",
        ],
    )
    own, others = own & counted, others & counted
    wanted: list[list[Any]] = []
    for radius in (0.5, 3, 7.5):
        for erases in (False, True):
            for line in steps:
                near = swept(line, radius, height, width)
                mask = own & ~near if erases else own | (near & counted)
                wanted.append([counts(mask), int((mask | others).sum()) - int((own | others).sum())])
    assert made["strokes"] == wanted
    seed = rgba[29:32, 39:42, :3].reshape(9, 3).mean(axis=0)
    for text, tolerance in zip(made["grown"], (4, 20, 60), strict=True):
        alike = (np.abs(rgba[..., :3] - seed) <= tolerance).all(axis=2) & ~taken
        region = spread(alike, [(30, 40)])
        border = [(y, x) for y, x in zip(*np.nonzero(~region), strict=True) if y in {0, 59} or x in {0, 79}]
        assert text == counts(~spread(~region, border) & ~taken), tolerance


def swept(line: list[tuple[float, float]], radius: float, height: int, width: int) -> NDArray[np.bool_]:
    """Return the pixels whose centre is within `radius` of a line between the centres of its ends' pixels."""
    (x0, y0), (x1, y1) = (np.floor(line[end]) + 0.5 for end in (0, -1))
    y, x = np.indices((height, width)) + 0.5
    dx, dy = x1 - x0, y1 - y0
    length = dx * dx + dy * dy
    along = np.clip(((x - x0) * dx + (y - y0) * dy) / length, 0, 1) if length else np.zeros((height, width))
    near: NDArray[np.bool_] = (x - x0 - along * dx) ** 2 + (y - y0 - along * dy) ** 2 <= radius * radius
    return near


def spread(free: NDArray[np.bool_], seeds: list[tuple[int, int]]) -> NDArray[np.bool_]:
    """Return what hangs together with the seeds over shared sides, through what is free."""
    found = np.zeros_like(free)
    for seed in seeds:
        found[seed] = True
    while True:
        grown = found.copy()
        grown[1:] |= found[:-1]
        grown[:-1] |= found[1:]
        grown[:, 1:] |= found[:, :-1]
        grown[:, :-1] |= found[:, 1:]
        grown &= free | found
        if (grown == found).all():
            return found
        found = grown


def counts(mask: NDArray[np.bool_]) -> str:
    """Return what pycocotools makes of a mask."""
    found = coco.encode(np.asfortranarray(mask.astype(np.uint8)))["counts"]
    return bytes(found).decode()  # type: ignore[arg-type]


def test_a_cut_loses_no_pixel_and_parts_whseedlies_on_either_side(service: str, watched: Watched) -> None:
    page = opened(watched, service, measure(service))
    rows, columns = np.indices((50, 60))
    disc = (rows - 25) ** 2 + (columns - 30) ** 2 < 400
    line = [{"x": 2, "y": 3.3}, {"x": 30.5, "y": 24}, {"x": 58, "y": 31}]
    short = line[:2]
    pieces, whole = page.evaluate(
        """async ([counts, lines, height, width, address]) => {
          const at = (name) => import(new URL(`${address}/${name}.js`, location.href));
          const [rle, { cut }] = await Promise.all(["rle", "cut"].map(at));
          const mask = rle.decode(counts, height);
          return lines.map((line) => cut(mask, line, height).map((part) => rle.encode(part, width * height)));
        }""",
        [counts(disc), [line, short], 50, 60, "../static"],
    )
    assert whole == [counts(disc)]
    found = [rle_decode(Rle(size=(50, 60), counts=text)) for text in pieces]
    assert len(found) == 2
    assert (found[0] ^ found[1] == disc).all()
    assert not (found[0] & found[1]).any()
    corners = [(2, 3.3), (30.5, 24), (58, 31), (60, 31), (60, 0), (2, 0)]
    above = polygons_mask([corners], 50, 60)
    assert min(int((part & disc & above).sum()) for part in found) == 0
    assert max(int((part & disc & above).sum()) for part in found) == int((disc & above).sum())
