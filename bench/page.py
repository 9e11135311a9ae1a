"""How heavy and how quick the page is: `make bench-page`.

A service with a network that answers 300 discs at once, so that what is timed is the page alone; a real Chromium,
without a graphics card. Each figure is printed beside its budget.
"""

import shutil
import sqlite3
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from statistics import median
from typing import Any
from urllib.parse import urljoin
from urllib.request import Request, urlopen

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from playwright.sync_api import Browser, Page, ViewportSize, sync_playwright

from planimeter.measuring.segmenter import Segmenter
from planimeter.packs.pack import find_pack, find_packs
from planimeter.runtimes import RawDetections
from planimeter.service.app import create_app
from planimeter.service.models import Models
from planimeter.service.server import Server, address_of, bind
from planimeter.settings import Settings
from planimeter.store import Store

INSTANCES = 300
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
VIEW: ViewportSize = {"width": 1440, "height": 900}
LOADS = 7
SLIDES = 25
PAN_SECONDS = 3

INTERACTIVE = "performance.getEntriesByType('navigation')[0].domContentLoadedEventEnd"
"""By then all modules have run: what is dropped is taken."""
SLIDE = """async (threshold) => {
  const view = document.querySelector("measurement-view");
  const frame = () => new Promise(requestAnimationFrame);
  await frame();
  const started = performance.now();
  view.slider.value = threshold;
  view.slider.dispatchEvent(new Event("input"));
  const counted = performance.now();
  await frame(); // in this one all is drawn; the next one begins after it was shown
  await frame();
  return [counted - started, performance.now() - started];
}"""
PAN = """async (seconds) => {
  const viewer = document.querySelector("measurement-view").viewer;
  viewer.go({ ...viewer.goal, zoom: 0.5 }, false);
  const frame = () => new Promise(requestAnimationFrame);
  for (let wait = 0; wait < 20; wait++) await frame();
  const times = [];
  const started = performance.now();
  let last = started;
  while (last - started < 1000 * seconds) {
    const turn = (last - started) / 400;
    viewer.panBy(9 * Math.cos(turn), 9 * Math.sin(turn), false);
    await frame();
    const now = performance.now();
    times.push(now - last);
    last = now;
  }
  return times;
}"""


NEXT = """async () => {
  const deck = document.querySelector("review-deck");
  const before = deck.view;
  const frame = () => new Promise(requestAnimationFrame);
  await frame();
  const started = performance.now();
  document.body.dispatchEvent(new KeyboardEvent("keydown", { key: "j", bubbles: true }));
  while (deck.view === before || !deck.view.viewer.layers.drawn) await frame();
  await frame(); // the one in which it was drawn has been shown
  return performance.now() - started;
}"""
REVIEWED = 8
SCROLL = """async (seconds) => {
  const scroller = document.querySelector(".history-scroll");
  const frame = () => new Promise(requestAnimationFrame);
  const times = [];
  const started = performance.now();
  let last = started;
  while (last - started < 1000 * seconds) {
    scroller.scrollTop += 40; // 20 lines in a quarter of a second
    await frame();
    const now = performance.now();
    times.push(now - last);
    last = now;
  }
  return times;
}"""
LISTED = 10_000


class DiscRuntime:
    """Answers `INSTANCES` discs in rows, with scores from 0.05 to 1."""

    name = "discs"
    precision = "f32"
    device = "cpu"
    streams = 1

    def rest(self) -> None:
        """Hold nothing."""

    def run(self, image: NDArray[np.float32]) -> RawDetections:
        """Return the discs, whatever the picture shows."""
        height, width = image.shape[2:]
        columns = round((INSTANCES * width / height) ** 0.5)
        step = width / columns
        index = np.arange(INSTANCES)
        x, y = (index % columns + 0.5) * step, (index // columns + 0.5) * step
        radius = 0.45 * step
        places = (np.arange(28) - 13.5) / 14
        disc = (places[:, np.newaxis] ** 2 + places**2 < 1).astype(np.float32)
        return RawDetections(
            boxes=np.stack([x - radius, y - radius, x + radius, y + radius], 1).astype(np.float32),
            labels=np.ones(INSTANCES, np.int64),
            scores=np.linspace(1, 0.05, INSTANCES, dtype=np.float32),
            masks=np.repeat(disc[np.newaxis], INSTANCES, axis=0),
        )


@contextmanager
def serve(folder: Path) -> Iterator[str]:
    """Serve with the data in `folder`; yields the address."""
    settings = Settings(
        port=0,
        upload_folder=folder / "uploads",
        output_folder=folder / "outputs",
        packs_folder=folder / "packs",
        database=f"sqlite:///{folder / 'planimeter.db'}",
    )
    pack = find_pack("nuclei")
    whole = pack.manifest.preprocessing.model_copy(update={"least_scale": 0.0})
    pack = type(pack)(pack.folder, pack.manifest.model_copy(update={"preprocessing": whole}), pack.bundled)
    models = Models(
        settings,
        find=lambda _: find_packs() | {"nuclei": pack},
        load=lambda found, _: Segmenter(found, DiscRuntime()),
    )
    models.get()
    store = Store.open(settings.database, settings.upload_folder, settings.output_folder)
    listening = bind(settings.host, 0)
    server = Server(create_app(settings, store, models), settings, listening)
    serving = threading.Thread(target=server.run)
    serving.start()
    try:
        yield f"{address_of(listening)}/"
    finally:
        server.stop()
        serving.join()
        store.close()


def measure(address: str, width: int, height: int, batch: str = "") -> str:
    """Measure a picture of that size; return the address of its page."""
    chance = np.random.default_rng(1)
    pixels = chance.integers(0, 256, (height // 8, width // 8, 3), np.uint8)
    stream = BytesIO()
    Image.fromarray(pixels).resize((width, height)).save(stream, "JPEG", quality=90)
    url = urljoin(address, "api/v1/measurements?score_threshold=0.05&mask_format=none")
    url += f"&batch={batch}" if batch else ""
    request = Request(url, stream.getvalue(), {"Content-Type": "image/jpeg"})
    with urlopen(request, timeout=120) as answer:
        return urljoin(address, f"measurements/{answer.headers['Location'].rpartition('/')[2]}")


def time_home(browser: Browser, address: str) -> tuple[float, float, dict[str, float]]:
    """Return kilobytes, the median of seconds until the page can be used, and the kilobytes by kind."""
    seconds = []
    kinds: dict[str, float] = {}
    for _ in range(LOADS):
        page = browser.new_page(viewport=VIEW)
        kinds = {}
        client = page.context.new_cdp_session(page)
        client.send("Network.enable")
        types: dict[str, str] = {}
        client.on(
            "Network.responseReceived",
            lambda event, types=types: types.update({event["requestId"]: event["type"]}),
        )

        def add(event: Any, types: dict[str, str] = types, kinds: dict[str, float] = kinds) -> None:
            kind = types.get(event["requestId"], "Other")
            kinds[kind] = kinds.get(kind, 0) + event["encodedDataLength"] / 1000

        client.on("Network.loadingFinished", add)
        page.goto(address, wait_until="networkidle")
        seconds.append(page.evaluate(INTERACTIVE) / 1000)
        page.close()
    return sum(kinds.values()), median(seconds), kinds


def open_measurement(browser: Browser, url: str) -> Page:
    """Open the page of a measurement, ready to be used."""
    page = browser.new_page(viewport=VIEW)
    page.goto(url)
    page.locator("measurement-view.ready").wait_for(timeout=120_000)
    page.wait_for_load_state("networkidle")
    return page


def time_slider(browser: Browser, url: str) -> tuple[float, float]:
    """Return the median of milliseconds until the numbers, and until numbers and masks are there."""
    page = open_measurement(browser, url)
    page.evaluate(SLIDE, 0.05)
    times = [page.evaluate(SLIDE, 0.06 + 0.3 * (step % 2) / SLIDES) for step in range(SLIDES)]
    page.close()
    return median(entry[0] for entry in times), median(entry[1] for entry in times)


def time_pan(browser: Browser, url: str) -> tuple[float, float]:
    """Return frames a second while the picture moves: by the median, and by the slowest twentieth."""
    page = open_measurement(browser, url)
    times = sorted(page.evaluate(PAN, PAN_SECONDS))
    page.close()
    return 1000 / median(times), 1000 / times[int(0.95 * (len(times) - 1))]


def time_next(browser: Browser, url: str) -> tuple[float, float]:
    """Return the median and the longest of milliseconds from the key to the next picture with its masks."""
    page = open_measurement(browser, f"{url}?batch=review&order=created_at")
    times = []
    for _ in range(REVIEWED - 1):
        while not page.evaluate("document.querySelector('review-deck').ahead"):
            page.wait_for_timeout(20)
        times.append(page.evaluate(NEXT))
    page.close()
    return median(times), max(times)


def fill_history(folder: Path) -> None:
    """Put so many measurements into the database, without pictures: the table asks for none."""
    with sqlite3.connect(folder / "planimeter.db") as database:
        rows = [
            (f"01M{number:023}", f"strip {number}.png", 100 * number / LISTED) for number in range(LISTED)
        ]
        database.executemany(
            "INSERT INTO measurements (id, created_at, model, batch, percent_masked, pixels_masked, pixels_counted, "
            "instances, filename, folded_name, score_threshold, measured_threshold, upload_name, overlay_name, "
            "mask_name) VALUES (?1, '2026-01-01', 'nuclei', 'many', ?3, 1, 100, 7, ?2, ?2, 0.5, 0.5, 'a', 'b', 'c')",
            rows,
        )
        database.executemany(
            "INSERT INTO measurement_classes VALUES (?, 1, 'nucleus', 7, ?)",
            [(row[0], row[2]) for row in rows],
        )
        measured = database.execute("SELECT document FROM measurement_documents LIMIT 1").fetchone()[0]
        database.executemany(
            "INSERT INTO measurement_documents VALUES (?, ?)", [(row[0], measured) for row in rows]
        )
    database.close()


def time_scroll(browser: Browser, address: str) -> tuple[float, float]:
    """Return frames a second while the table of the history scrolls: by the median, and by the slowest twentieth."""
    page = browser.new_page(viewport=VIEW)
    page.goto(urljoin(address, "measurements?batch=many&view=table"))
    page.locator("history-table.whole").wait_for(timeout=120_000)
    page.wait_for_load_state("networkidle")
    times = sorted(page.evaluate(SCROLL, PAN_SECONDS))
    page.close()
    return 1000 / median(times), 1000 / times[int(0.95 * (len(times) - 1))]


def main() -> None:
    """Print every figure beside its budget."""
    executable = shutil.which("chromium") or shutil.which("google-chrome")
    if executable is None:
        sys.exit("there is no chromium on the path")
    with (
        tempfile.TemporaryDirectory() as folder,
        serve(Path(folder)) as address,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=executable, args=ARGUMENTS)
        kilobytes, seconds, kinds = time_home(browser, address)
        by_kind = ", ".join(f"{kind.lower()} {size:.0f}" for kind, size in sorted(kinds.items()))
        numbers, drawn = time_slider(browser, measure(address, 1024, 1024))
        pan, slowest = time_pan(browser, measure(address, 4000, 3000))
        first, *_ = [measure(address, 1024, 1024, "review") for _ in range(REVIEWED)]
        following, longest = time_next(browser, first)
        fill_history(Path(folder))
        scroll, scroll_slowest = time_scroll(browser, address)
        browser.close()
    rows = [
        ("home page, kB", f"{kilobytes:.0f}", "100", by_kind),
        ("home page interactive, s", f"{seconds:.2f}", "0.50", f"median of {LOADS} loads"),
        (f"slider to numbers, ms ({INSTANCES} instances, 1 MP)", f"{numbers:.0f}", "100", ""),
        (
            "slider to numbers and masks on the screen, ms",
            f"{drawn:.0f}",
            "100",
            "counts two frames of 17 ms",
        ),
        ("next picture in review after the key, ms", f"{following:.0f}", "150", f"longest {longest:.0f}"),
        (
            f"history table of {LISTED:,} rows scrolls, frames/s",
            f"{scroll:.0f}",
            "60",
            f"slowest twentieth {scroll_slowest:.0f}",
        ),
        ("pan on 12 MP, frames/s", f"{pan:.0f}", "60", f"slowest twentieth {slowest:.0f}"),
    ]
    for name, value, budget, note in rows:
        sys.stdout.write(f"{name:52} {value:>7}   budget {budget:>5}   {note}\n")


if __name__ == "__main__":
    main()
