"""History, trend, report, models and comparison in a real Chromium: what is seen against what the API says."""

import csv
import json
import re
import threading
import zipfile
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from io import BytesIO, StringIO
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urljoin, urlsplit

import pytest
from playwright.sync_api import FilePayload, Page, expect
from pycocotools.coco import COCO

from fakes import MODEL, BlockRuntime, block_pack, blocks, encoded
from planimeter.measurement import Measurement
from planimeter.measuring.segmenter import Segmenter
from planimeter.numbers import write_percent
from planimeter.packs.pack import Pack
from planimeter.service.app import create_app
from planimeter.service.models import Models
from planimeter.service.server import Server, address_of, bind
from planimeter.settings import Settings
from planimeter.store import Filter, Store
from stored import measurement
from test_browser import PHONE, Watched, ask, browser, go, settle, watched  # noqa: F401  fixtures
from test_comparing import PICTURE, ShiftedRuntime
from test_trend import Clock

pytestmark = pytest.mark.browser

WIDE = {"width": 1280, "height": 900}
THUMBNAIL = encoded(blocks(red=(0, 0, 32, 32)))
MANY = 260
"""More than are drawn one by one."""
COVERAGE = {"bias": 0, "mean_absolute_error": 1.18, "limits_of_agreement": [-4.14, 3.36]}


class Site:
    """A service in this process, with two models known by heart."""

    def __init__(self, folder: Path) -> None:
        settings = Settings(
            port=0,
            model=MODEL,
            upload_folder=folder / "uploads",
            output_folder=folder / "outputs",
            packs_folder=folder / "packs",
            database=f"sqlite:///{folder / 'planimeter.db'}",
            threads=4,
        )
        self.store = Store.open(settings.database, settings.upload_folder, settings.output_folder)
        pack = block_pack()
        metrics = {"test": {"pictures": 120, "coverage": COVERAGE}}
        known = Pack(pack.folder, pack.manifest.model_copy(update={"metrics": metrics}))
        packs = {MODEL: known, "shifted": block_pack("shifted")}
        models = Models(
            settings,
            find=lambda _: dict(packs),
            load=lambda pack, _: Segmenter(pack, BlockRuntime() if pack.name == MODEL else ShiftedRuntime()),
        )
        models.get()
        listening = bind("127.0.0.1", 0)
        self.url = address_of(listening) + "/"
        self._server = Server(create_app(settings, self.store, models), settings, listening)
        self._thread = threading.Thread(target=self._server.run)
        self._thread.start()

    def stop(self) -> None:
        self._server.stop()
        self._thread.join()
        self.store.close()

    def add(self, what: Measurement, batch: str | None = None) -> str:
        pictures: dict[str, Any] = {"picture": THUMBNAIL, "overlay_png": THUMBNAIL, "mask_png": THUMBNAIL}
        return self.store.add(what, batch=batch, **pictures).id

    def answer(self, path: str) -> Any:
        status, _, body = ask(urljoin(self.url, f"api/v1/{path}"))
        assert status == 200, body
        return json.loads(body)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    site = Site(tmp_path_factory.mktemp("site"))
    yield site
    site.stop()


@pytest.fixture(scope="module")
def coils(site: Site) -> list[str]:
    """Twelve measurements of a batch, an hour apart, one of them far out; ids oldest first."""
    clock = Clock()
    clock.now = datetime.now(timezone.utc) - timedelta(days=2)
    kept, site.store._ids = site.store._ids, clock  # type: ignore[assignment]
    ids = []
    for number in range(12):
        classes = {"scratches": 60 if number == 7 else 2 + number % 3, "pits": number % 2}
        ids.append(site.add(measurement(f"coil {number:02}.png", classes=classes), batch="shift-7"))
        clock.now += timedelta(hours=1)
    site.store._ids = kept
    return ids


@pytest.fixture(scope="module")
def many(site: Site) -> str:
    """Measurements of ten days, in a batch of their own: its name."""
    clock = Clock()
    clock.now = datetime.now(timezone.utc) - timedelta(days=12)
    kept, site.store._ids = site.store._ids, clock  # type: ignore[assignment]
    for number in range(MANY):
        classes = {"scratches": 90 if number == 100 else 1 + number % 5, "pits": number % 3}
        site.add(measurement(f"plate {number}.png", classes=classes), batch="october")
        clock.now += timedelta(hours=10 * 24 / MANY)
    site.store._ids = kept
    return "october"


def ticked(page: Page) -> list[str]:
    found = page.eval_on_selector_all("input[name=ids]:checked", "ticks => ticks.map(tick => tick.value)")
    return [str(value) for value in found]


def saved(page: Page, button: str) -> tuple[str, bytes]:
    with page.expect_download() as waiting:
        page.get_by_role("button", name=button).click()
    return waiting.value.suggested_filename, Path(waiting.value.path()).read_bytes()


def test_few_measurements_are_columns_that_lead_to_them_and_outliers_are_ringed(
    site: Site, coils: list[str], watched: Watched
) -> None:
    page = watched.open(urljoin(site.url, "measurements?batch=shift-7"), viewport=WIDE)
    trend = site.answer("measurements/trend?batch=shift-7")
    assert trend["outlier_count"] == 1
    links = page.locator(".trend-slot")
    expect(links).to_have_count(len(coils))
    expect(page.locator(".trend-outlier path")).to_have_count(
        1
    )  # far above the others: at the end of the scale
    assert urlsplit(str(links.nth(3).get_attribute("href"))).path.endswith(coils[3])
    facts = (page.locator(".trend-facts").text_content() or "").replace("\N{THIN SPACE}", " ")
    assert f"median {trend['percent_masked']['median']:.2f} %" in facts
    assert "outliers 1" not in facts
    assert "outlier 1" in facts
    low, high = trend["fences"]
    ends = [f"below {write_percent(low)}"] * (low > 0) + [f"above {write_percent(high)}"]
    assert f"outliers are {' % or '.join(ends)} %" in facts.replace(
        "\u2009", " "
    )  # what the dotted lines are
    heights = page.eval_on_selector_all(
        ".trend-slot",
        "slots => slots.map(slot => [...slot.querySelectorAll('.trend-part')]"
        ".reduce((sum, part) => sum + Number(part.getAttribute('height')), 0))",
    )
    sums = [sum(part["percent_masked"] for part in point["by_class"]) for point in trend["points"]]
    del heights[7], sums[7]
    scale = heights[0] / sums[0]
    assert heights == pytest.approx([value * scale for value in sums])
    expect(page.locator(".trend-above")).to_have_count(1)
    page.locator(".trend-outlier path").click()
    page.wait_for_url(re.compile(coils[7]))
    settle(page)


def test_many_are_stretches_of_time_and_one_leads_to_its_measurements(
    site: Site, many: str, watched: Watched
) -> None:
    page = watched.open(urljoin(site.url, f"measurements?batch={many}"), viewport=WIDE)
    trend = site.answer(f"measurements/trend?batch={many}")
    assert (trend["points"], trend["count"]) == ([], MANY)
    links = page.locator(".trend-slot")
    expect(links).to_have_count(len(trend["buckets"]))
    target = parse_qs(urlsplit(str(links.nth(5).get_attribute("href"))).query)
    assert target["since"] == [trend["buckets"][5]["since"]]
    links.nth(5).locator(".trend-hit").click(position={"x": 2, "y": 3})
    page.wait_for_url(re.compile("since="))
    settle(page)
    count = trend["buckets"][5]["percent_masked"]["count"]
    assert page.locator("input[name=ids][type=checkbox]").count() == count
    assert site.answer(f"measurements?{urlsplit(page.url).query}")["count"] == count


def test_the_chart_is_read_by_the_keyboard_and_as_a_table(site: Site, many: str, watched: Watched) -> None:
    page = watched.open(urljoin(site.url, f"measurements?batch={many}"), viewport=WIDE)
    trend = site.answer(f"measurements/trend?batch={many}")
    plot = page.locator(".trend-plot")
    plot.focus()
    plot.press("End")
    plot.press("ArrowLeft")
    bucket = trend["buckets"][-2]["percent_masked"]
    tip = (page.locator(".trend-tip").text_content() or "").replace("\N{THIN SPACE}", " ")
    assert (
        f"{bucket['count']} measurements: mean {bucket['mean']:.2f} %, median {bucket['median']:.2f} %" in tip
    )
    plot.press("Escape")
    expect(page.locator(".trend-tip")).to_be_hidden()
    page.locator(".trend-data summary").click()
    rows = page.locator(".trend-data tbody tr")
    expect(rows).to_have_count(len(trend["buckets"]))
    cells = rows.nth(0).locator("td").all_text_contents()
    first = trend["buckets"][0]["percent_masked"]
    assert cells[:3] == [str(first["count"]), f"{first['mean']:.2f}", f"{first['median']:.2f}"]


@pytest.mark.parametrize("view", ["gallery", "table"])
def test_shift_ticks_a_range_and_files_hold_what_is_ticked(
    site: Site, coils: list[str], watched: Watched, view: str, tmp_path: Path
) -> None:
    page = watched.open(urljoin(site.url, f"measurements?batch=shift-7&view={view}"), viewport=WIDE)
    boxes = page.locator("input[name=ids][type=checkbox]")
    boxes.nth(1).check()
    boxes.nth(4).click(modifiers=["Shift"])
    chosen = coils[::-1][1:5]
    assert ticked(page) == chosen
    assert "4 selected" in (page.locator(".found-count").text_content() or "")
    name, table = saved(page, "CSV")
    assert name == "measurements.csv"
    rows = list(csv.DictReader(StringIO(table.decode())))
    assert [row["id"] for row in rows] == chosen
    _, archive = saved(page, "Pictures, zip")
    with zipfile.ZipFile(BytesIO(archive)) as pictures:
        assert len([entry for entry in pictures.namelist() if entry.endswith("_overlay.png")]) == 4
    _, dataset = saved(page, "COCO json")
    (tmp_path / "coco.json").write_bytes(dataset)
    images = json.loads(dataset)["images"]
    assert [image["measurement"] for image in images] == chosen
    assert len(COCO(str(tmp_path / "coco.json")).getImgIds()) == 4
    page.get_by_role("button", name="All 12 instead").click()
    assert ticked(page) == []
    _, everything = saved(page, "CSV")
    assert len(list(csv.DictReader(StringIO(everything.decode())))) == len(coils)
    page.locator("[data-all]").check()
    assert len(ticked(page)) == len(coils)


def test_the_form_narrows_down_in_the_readers_own_days(
    site: Site, coils: list[str], watched: Watched
) -> None:
    page = watched.open(
        urljoin(site.url, "measurements?batch=shift-7"), viewport=WIDE, timezone_id="Asia/Kolkata"
    )
    page.get_by_label("File name contains").fill("COIL 0")
    page.get_by_label("Class found").select_option("pits")
    day = datetime.now(timezone.utc).date()
    page.get_by_label("From").fill(str(day - timedelta(days=3)))
    page.get_by_role("button", name="Apply").click()
    page.wait_for_url(re.compile("filename="))
    settle(page)
    query = parse_qs(urlsplit(page.url).query)
    assert query["offset"] == ["+05:30"]
    assert "min_percent" not in query, "empty fields stay out of the address"
    found = site.answer("measurements?batch=shift-7&filename=coil%200&class=pits")
    assert page.locator("input[name=ids][type=checkbox]").count() == found["count"] == 5
    assert page.get_by_label("File name contains").input_value() == "COIL 0"
    assert len(coils) > 5


def test_deleting_a_selection_asks_and_then_they_are_gone(site: Site, watched: Watched) -> None:
    ids = [site.add(measurement(f"wrong {number}.png"), batch="mistake") for number in range(3)]
    page = watched.open(urljoin(site.url, "measurements?batch=mistake"), viewport=WIDE)
    page.locator("input[name=ids][type=checkbox]").nth(0).check()
    page.locator("input[name=ids][type=checkbox]").nth(2).check()
    page.get_by_role("button", name="Delete…").click()
    page.wait_for_url(re.compile("/delete"))
    settle(page)
    expect(page.locator("h1")).to_have_text("Delete 2 measurements?")
    assert site.store.count(Filter(batch="mistake")) == 3
    page.get_by_role("button", name="Delete 2 measurements").click()
    page.wait_for_url(re.compile("deleted=2"))
    settle(page)
    assert [record.id for record in site.store.list(Filter(batch="mistake"))] == [ids[1]]
    assert page.locator("input[name=ids][type=checkbox]").count() == 1

    page.get_by_role("button", name="Undo").click()
    page.wait_for_url(re.compile("restored=2"))
    settle(page)
    assert page.url.startswith(urljoin(site.url, "measurements?"))
    assert "batch=mistake" in page.url
    assert [record.id for record in site.store.list(Filter(batch="mistake"))] == ids[::-1]
    site.store.discard(ids[0], by="line 3")
    page.goto(urljoin(site.url, "trash"))
    settle(page)
    expect(page.get_by_role("row", name="wrong 0.png")).to_contain_text("by line 3")
    page.get_by_role("button", name="Bring wrong 0.png back").click()
    page.wait_for_url(re.compile(ids[0]))
    settle(page)
    assert site.store.count(Filter(batch="mistake")) == 3


def test_without_script_the_filter_the_files_and_the_report_work(
    site: Site, coils: list[str], watched: Watched
) -> None:
    page = watched.open(urljoin(site.url, "measurements"), viewport=PHONE, java_script_enabled=False)
    page.locator(".filters summary").click()
    page.get_by_label("File name contains").fill("coil")
    page.get_by_role("button", name="Apply").click()
    settle(page)
    page.locator("input[name=ids][type=checkbox]").nth(0).check()
    _, table = saved(page, "CSV")
    assert [row["id"] for row in csv.DictReader(StringIO(table.decode()))] == [coils[-1]]
    page.get_by_role("button", name="Report").click()
    settle(page)
    assert page.locator("h1").text_content() == "coil 11.png"
    expect(page.get_by_role("button", name="Print")).to_have_count(0)


def test_the_report_agrees_with_the_statistics_and_prints_on_a4(
    site: Site, coils: list[str], watched: Watched
) -> None:
    page = watched.open(urljoin(site.url, "report?batch=shift-7"), viewport=WIDE)
    page.get_by_label("Passes up to").fill("4")
    page.get_by_role("button", name="Apply").click()
    page.wait_for_url(re.compile("limit_percent=4"))
    settle(page)
    total = site.answer("measurements/statistics?batch=shift-7&limit_percent=4")
    text = re.sub(r"\s+", " ", page.locator("main").text_content() or "")
    assert f"{total['passed']} of {total['count']} pass" in text
    figures = page.locator(".figures dd").all_text_contents()
    spread = total["percent_masked"]
    names = ("median", "mean", "maximum", "minimum")
    expected = [f"{spread[name]:.2f}" for name in names]
    assert [figure.split("\N{THIN SPACE}")[0] for figure in figures[:4]] == expected
    percents = page.locator(".report-table td.strong").all_text_contents()
    numbers = [float(value.split("\N{THIN SPACE}")[0]) for value in percents]
    assert numbers == sorted(numbers, reverse=True)
    assert len(numbers) == len(coils)
    assert page.locator(".report-table .verdict.failed").count() == total["failed"]
    page.emulate_media(media="print")
    for hidden in (".top", ".report-form"):
        expect(page.locator(hidden)).to_be_hidden()
    sheet = re.findall(rb"/MediaBox \[0 0 ([\d.]+) ([\d.]+)\]", page.pdf(prefer_css_page_size=True))
    assert {(round(float(width)), round(float(height))) for width, height in sheet} == {(595, 842)}


def test_one_measurement_prints_on_one_sheet(site: Site, watched: Watched) -> None:
    measured = post(site, PICTURE, "plate 7.png")
    page = watched.open(urljoin(site.url, f"report?ids={measured['id']}&limit_percent=30"), viewport=WIDE)
    percent = f"{measured['coverage']['percent_masked']:.2f}"
    assert percent in (page.locator(".sheet-percent").text_content() or "")
    expect(page.locator(".report-verdict")).to_contain_text("Fails")
    assert "±1.18 points" in (page.locator(".report-foot").text_content() or "")
    assert len(re.findall(rb"/Type\s*/Page\b", page.pdf(prefer_css_page_size=True))) == 1


def post(site: Site, picture: bytes, filename: str) -> Any:
    headers = {"Content-Type": "image/png"}
    url = urljoin(site.url, f"api/v1/measurements?filename={filename.replace(' ', '%20')}")
    status, _, answer = ask(url, "POST", picture, headers)
    assert status == 201, answer
    return json.loads(answer)


def test_another_model_measures_the_same_picture_and_the_difference_is_the_apis(
    site: Site, watched: Watched
) -> None:
    measured = post(site, PICTURE, "plate 8.png")
    page = watched.open(urljoin(site.url, f"measurements/{measured['id']}"), viewport=WIDE)
    page.get_by_text("Wrong model?").click()
    page.get_by_role("button", name="Measure and compare").click()
    page.wait_for_url(re.compile("/compare"))
    settle(page)
    found = site.answer(f"comparisons?{urlsplit(page.url).query}")
    assert found["second"]["model"]["name"] == "shifted"
    numbers = page.locator(".compare-number").all_text_contents()
    assert [number.split("\N{THIN SPACE}")[0] for number in numbers] == [
        f"{found['first']['coverage']['percent_masked']:.2f}",
        f"{found['second']['coverage']['percent_masked']:.2f}",
        f"{found['overlap']['percent_disagreement']:.2f}",
    ]
    widths = page.eval_on_selector_all(
        ".compare-frame img", "images => images.map(image => image.naturalWidth)"
    )
    assert widths == [64, 64, 64]
    page.locator(".compare-frame").nth(0).hover()
    expect(page.locator(".compare-cross")).to_have_count(2)


def test_a_model_page_says_how_far_to_trust_it_and_shows_results(site: Site, watched: Watched) -> None:
    post(site, PICTURE, "plate 9.png")
    page = watched.open(urljoin(site.url, "models"), viewport=WIDE)
    expect(page.locator(".model-error strong")).to_have_text("±1.18")
    page.get_by_role("link", name="Blocks").first.click()
    page.wait_for_url(re.compile(f"/models/{MODEL}"))
    settle(page)
    expect(page.locator(".model-trust-number")).to_contain_text("±1.18")
    assert page.locator(".model-results .card").count() >= 1


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("viewport", [PHONE, WIDE], ids=["phone", "wide"])
def test_pages_fit_and_an_accessibility_scan_finds_nothing_serious(
    site: Site, coils: list[str], watched: Watched, scheme: str, viewport: dict[str, int]
) -> None:
    scan = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    page = watched.open(site.url, viewport=viewport, color_scheme=scheme)
    measured = post(site, PICTURE, "plate 10.png")
    deletion = site.store.discard(site.add(measurement("thrown away.png")), by="line 3")
    paths = (
        "trash",
        f"measurements?deleted=1&undo={deletion}",
        f"measurements/{measured['id']}?undo={deletion}",
        "measurements?batch=shift-7",
        "measurements?batch=shift-7&view=table",
        "measurements/delete?batch=shift-7",
        "report?batch=shift-7&limit_percent=4",
        f"report?ids={measured['id']}",
        f"compare?first={measured['id']}&second={measured['id']}",
        "models",
        f"models/{MODEL}",
    )
    for path in paths:
        go(page, urljoin(site.url, path))
        page.evaluate("document.querySelectorAll('details').forEach(details => { details.open = true; })")
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
        found = scan.run(page).response["violations"]
        serious = [
            (violation["id"], violation["nodes"][0]["html"])
            for violation in found
            if violation["impact"] in {"serious", "critical"}
        ]
        assert serious == [], path
    assert coils


def test_the_model_is_chosen_above_the_pictures_and_remembered(site: Site, watched: Watched) -> None:
    page = watched.open(site.url, viewport=WIDE)
    assert page.locator("[name=model]:checked").input_value() == MODEL
    page.locator("[name=model][value=shifted]").check()
    settle(page)
    page.reload()
    assert page.locator("[name=model]:checked").input_value() == "shifted"
    page.set_input_files("#image", FilePayload(name="plate.png", mimeType="image/png", buffer=PICTURE))
    page.wait_for_url("**/measurements/*")
    page.locator("measurement-view.ready").wait_for()
    id_ = urlsplit(page.url).path.rpartition("/")[2]
    assert site.answer(f"measurements/{id_}")["model"]["name"] == "shifted"
    page.get_by_text("Wrong model?").click()
    page.get_by_role("button", name="Measure with it").click()
    page.wait_for_url(lambda url: id_ not in url)
    page.locator("measurement-view.ready").wait_for()
    other = site.answer(f"measurements/{urlsplit(page.url).path.rpartition('/')[2]}")
    assert (other["model"]["name"], other["image"]["filename"]) == (MODEL, "plate.png")
    settle(page)
    page.goto(urljoin(site.url, f"models/{MODEL}"))
    page.get_by_role("link", name="Measure with this model").click()
    expect(page.locator("[name=model]:checked")).to_have_value(MODEL)  # what the address asks for goes before
    settle(page)


def test_the_table_is_whole_sorts_and_shows_the_columns_that_are_chosen(
    site: Site, many: str, watched: Watched
) -> None:
    page = watched.open(urljoin(site.url, f"measurements?batch={many}&view=table"), viewport=WIDE)
    page.locator("history-table.whole").wait_for()
    page.get_by_role("link", name="Masked").click()
    page.wait_for_url("**order=-percent_masked*")
    page.locator("history-table.whole").wait_for()
    wanted = site.answer(f"measurements/lines?batch={many}&order=-percent_masked&limit=1000")
    assert wanted["count"] == MANY == len(wanted["lines"])
    settle(page)
    rows = page.locator(".history tbody tr[aria-rowindex]")
    first = wanted["lines"][0]
    expect(rows.first.locator("th")).to_have_text(first["filename"])
    assert (rows.first.locator(".history-percent").text_content() or "").startswith("91.00")
    # The columns of classes are there to be chosen, and stay chosen.
    head = page.locator("[data-column='class:scratches']")
    assert head.is_hidden()
    page.get_by_text("Columns", exact=True).click()
    page.get_by_label("scratches, %").check()
    page.get_by_label("Batch", exact=True).uncheck()
    page.reload()
    page.locator("history-table.whole").wait_for()
    assert head.is_visible()
    assert page.locator("[data-column=batch]").is_hidden()
    place = int(head.evaluate("head => head.cellIndex"))
    assert rows.first.locator("th, td").nth(place).text_content() == "90.00"
    # All of it is in one table, fetched as it comes into view.
    scroller = page.locator(".history-scroll")
    scroller.evaluate("scroller => { scroller.scrollTop = scroller.scrollHeight; }")
    last = wanted["lines"][-1]
    link = page.locator(f"a[href*='{last['id']}']")
    link.wait_for()
    page.get_by_label(f"Select {last['filename']}", exact=True).check()
    scroller.evaluate("scroller => { scroller.scrollTop = 0; }")
    page.get_by_label(f"Select {first['filename']}", exact=True).check()
    expect(page.locator(".found-chosen")).to_contain_text("2 selected")
    name, data = saved(page, "CSV")
    ids = [row["id"] for row in csv.DictReader(StringIO(data.decode()))]
    assert (name, sorted(ids)) == ("measurements.csv", sorted([first["id"], last["id"]]))
    settle(page)


JUDGED = (("fail", 30), ("pass", 10), ("fail", 40), ("undecided", 20), (None, 10))


def judge(site: Site, batch: str, number: int, hours: float) -> list[str]:
    """Add measurements with verdicts, so many hours from the first to the last; return the ids of failed ones."""
    clock, failed = Clock(), []
    clock.now = datetime.now(timezone.utc) - timedelta(days=20)
    kept, site.store._ids = site.store._ids, clock  # type: ignore[assignment]
    for index in range(number):
        verdict, percent = JUDGED[index % len(JUDGED)]
        what = measurement(f"part {index}.png", classes={"scratches": percent})
        id_ = site.add(what.model_copy(update={"verdict": verdict}), batch=batch)
        failed += [id_] if verdict == "fail" else []
        clock.now += timedelta(hours=hours / number)
    site.store._ids = kept
    return failed


def test_what_fails_is_marked_counted_and_in_the_table(site: Site, watched: Watched) -> None:
    failed = judge(site, "judged", 10, 10)
    page = watched.open(urljoin(site.url, "measurements?batch=judged"), viewport=WIDE)
    marked = page.locator(".trend-slot:has(.trend-failed)")
    hrefs = marked.evaluate_all("slots => slots.map(slot => slot.getAttribute('href'))")
    assert [href.partition("?")[0].rpartition("/")[2] for href in hrefs] == failed
    facts = page.locator(".trend-facts")
    expect(facts).to_contain_text("verdicts 2 pass, 4 fail, 2 undecided, 2 without")
    expect(page.locator(".trend-legend-failed")).to_contain_text("fails")
    page.locator(".trend-data summary").click()
    assert page.locator(".trend-data tbody td:nth-child(3)").all_text_contents() == [
        verdict or "\N{EN DASH}" for verdict, _ in JUDGED * 2
    ]
    plot = page.locator(".trend-plot")
    plot.focus()
    plot.press("Home")
    expect(page.locator(".trend-tip")).to_contain_text("fail")
    page.locator(".trend-bar input").fill("20")
    total = site.answer("measurements/statistics?batch=judged&limit_percent=20")
    assert (total["passed"], total["failed"], total["undecided"]) == (6, 4, 0)
    expect(page.locator(".trend-at-limit")).to_have_text(re.compile(r"^at ≤ 20\s% 6 pass, 4 fail$"))
    page.locator(".trend-bar input").fill("")
    expect(page.locator(".trend-at-limit")).to_be_empty()
    settle(page)


def test_stretches_of_time_count_their_verdicts(site: Site, watched: Watched) -> None:
    judge(site, "judged many", 250, 72)
    page = watched.open(urljoin(site.url, "measurements?batch=judged+many"), viewport=WIDE)
    trend = site.answer("measurements/trend?batch=judged+many")
    expect(page.locator(".trend-slot .trend-failed")).to_have_count(
        sum(bucket["verdicts"]["failed"] > 0 for bucket in trend["buckets"])
    )
    page.locator(".trend-data summary").click()
    heads = page.locator(".trend-data thead th").all_text_contents()
    for title, name in (("Pass", "passed"), ("Fail", "failed"), ("Undecided", "undecided")):
        cells = page.locator(
            f".trend-data tbody tr > :nth-child({heads.index(title) + 1})"
        ).all_text_contents()
        assert cells == [str(bucket["verdicts"][name]) for bucket in trend["buckets"]]
    settle(page)


def test_the_trend_shows_one_model_at_a_time_and_a_limit(site: Site, watched: Watched) -> None:
    for model in ("blocks", "shifted"):
        for number in range(3):
            status, _, body = ask(
                urljoin(site.url, f"api/v1/measurements?model={model}&batch=two&filename={number}.png"),
                "POST",
                PICTURE,
                {"Content-Type": "image/png"},
            )
            assert status == 201, body
    page = watched.open(urljoin(site.url, "measurements?batch=two"), viewport=WIDE)
    slots = page.locator(".trend-slot")
    expect(slots).to_have_count(3)
    assert page.locator(".trend-bar select").input_value() == "shifted"  # the one that measured last
    page.locator(".trend-bar select").select_option("blocks")
    found = site.answer("measurements/trend?batch=two&model=blocks")
    expect(slots.first).to_have_attribute("href", re.compile(found["points"][0]["id"]))
    expect(slots).to_have_count(3)
    hrefs = slots.evaluate_all("slots => slots.map(slot => slot.getAttribute('href'))")
    assert [href.partition("?")[0].rpartition("/")[2] for href in hrefs] == [
        point["id"] for point in found["points"]
    ]
    page.locator(".trend-bar input").fill("12.5")
    expect(page.locator(".trend-limit")).to_have_count(1)
    page.locator(".trend-fold > summary").click()
    settle(page)
    page.reload()
    expect(page.locator(".trend-fold")).not_to_have_attribute("open", "")
    page.locator(".trend-fold > summary").click()
    expect(page.locator(".trend-limit-text")).to_contain_text("12.5")
    settle(page)
