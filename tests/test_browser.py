"""What a person sees: a real Chromium, a real `planimeter serve`, the bundled model."""

import base64
import http.client
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import urldefrag, urljoin, urlsplit

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, BrowserContext, Page, Request, Response, sync_playwright

from planimeter.samples import Sample, list_samples
from proxy import Proxy, proxy

pytestmark = pytest.mark.browser

PATIENCE_MS = 240_000
"""One measurement takes a fraction of a second on a free machine; a crowded one is no failure."""
ARGUMENTS = [
    "--no-sandbox",  # CI runs as root in a container
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--host-resolver-rules=MAP *.example 127.0.0.1",
]
PUBLIC_HOST = "random-7f3a.example"
PREFIX = "/tools/planimeter"
PHONE = {"width": 390, "height": 844}
MEASUREMENTS = "api/v1/measurements"
EXAMPLE: Sample = list_samples()[0]


# ---- The service as a process


class Service:
    """`planimeter serve` with its data in `folder`; takes another free port at each start."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._process: subprocess.Popen[str] | None = None
        self._log: list[str] = []
        self._reader: threading.Thread | None = None

    def start(self) -> str:
        """Return the address of its page, which ends with a slash."""
        own = {name: value for name, value in os.environ.items() if not name.startswith("PLANIMETER_")}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "planimeter", "serve", "--port", "0", "--public-host", PUBLIC_HOST],
            cwd=self._folder,
            env=own | {"PYTHONUNBUFFERED": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._log.append(line)
            if found := re.search(r"Page +(http://\S+)", line):
                self._reader = threading.Thread(target=self._log.extend, args=(self._process.stdout,))
                self._reader.start()
                return f"{found[1]}/"
        raise AssertionError("the service did not start:\n" + "".join(self._log))

    def stop(self) -> None:
        """Stop it as Ctrl+C does; an error in its log is a failure."""
        if self._process is None:
            return
        self._process.send_signal(signal.SIGINT)
        try:
            status = self._process.wait(60)
        finally:
            self._process.kill()
            if self._reader is not None:
                self._reader.join()
            if self._process.stdout is not None:
                self._process.stdout.close()
            self._process = None
        log = "".join(self._log)
        assert status == 0, log
        assert "ERROR" not in log, log
        assert "Traceback" not in log, log


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """One service for all tests: its address, which ends with a slash."""
    running = Service(tmp_path_factory.mktemp("service"))
    try:
        yield running.start()
    finally:
        running.stop()


@pytest.fixture(scope="module")
def measured(service: str) -> str:
    """A measurement of a sample: its id."""
    return str(post_picture(service, EXAMPLE.read(), EXAMPLE.filename)["id"])


def ask(
    url: str,
    method: str = "GET",
    body: bytes | None = None,
    headers: dict[str, str] | None = None,
) -> tuple[int, dict[str, str], bytes]:
    """Return status, headers (names in lower case) and body; every host is this machine."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection("127.0.0.1", parts.port, timeout=PATIENCE_MS / 1000)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    try:
        connection.request(method, target, body, {"Host": parts.netloc, **(headers or {})})
        answer = connection.getresponse()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
    finally:
        connection.close()


def post_picture(service: str, picture: bytes, filename: str) -> Any:
    boundary = "a-boundary-that-no-picture-contains"
    disposition = f'Content-Disposition: form-data; name="image"; filename="{filename}"'
    body = f"--{boundary}\r\n{disposition}\r\n\r\n".encode() + picture + f"\r\n--{boundary}--\r\n".encode()
    headers = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
    status, _, answer = ask(urljoin(service, MEASUREMENTS), "POST", body, headers)
    assert status == 201, answer
    return json.loads(answer)


def recorded(service: str, page: Page) -> Any:
    """Return what the API says of the measurement that a page shows."""
    id_ = urlsplit(page.url).path.rpartition("/")[2]
    status, _, body = ask(urljoin(service, f"{MEASUREMENTS}/{id_}"))
    assert status == 200, body
    return json.loads(body)


# ---- The browser


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    executable = shutil.which("chromium")
    if executable is None:
        message = "there is no chromium on the path"
        if "chromium" in os.environ.get("PLANIMETER_TEST_REQUIRE", ""):
            pytest.fail(message)
        pytest.skip(message)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=ARGUMENTS)
        yield browser
        browser.close()


class Watched:
    """Opens pages and notes all that should not happen on them."""

    def __init__(self, browser: Browser) -> None:
        self._browser = browser
        self._contexts: list[BrowserContext] = []
        self._downloads: list[str] = []
        self._failed: list[tuple[str, str]] = []
        self.reloads = False
        """Whether a page may load itself anew, and so end what it was loading."""
        self._requested: set[tuple[str, str]] = set()
        self.problems: list[str] = []

    def open(self, url: str, **options: Any) -> Page:
        """Open `url` in a browser of its own; `options` as for a Playwright context."""
        context = self._browser.new_context(accept_downloads=True, **options)
        context.set_default_timeout(PATIENCE_MS)
        self._contexts.append(context)
        page = context.new_page()
        origin = "{0.scheme}://{0.netloc}".format(urlsplit(url))
        page.on("console", lambda said: self._hear(said.type, f"{said.text} ({said.location})"))
        page.on("pageerror", lambda error: self.problems.append(f"uncaught on {page.url}: {error}"))
        page.on("request", lambda request: self._requested.add((origin, request.url)))
        page.on("requestfailed", self._note_failure)
        page.on("response", self._check)
        page.on("download", lambda download: self._downloads.append(download.url))
        go(page, url)
        return page

    def close(self) -> None:
        for context in self._contexts:
            context.close()

    def check(self) -> None:
        """Fail if anything went wrong on any page."""
        # A download leaves the page, which Chromium tells as a request that was aborted.
        failed = [entry for entry in self._failed if entry[0] not in self._downloads]
        elsewhere = [
            url
            for origin, url in self._requested
            if not url.startswith((f"{origin}/", "data:", f"blob:{origin}/"))
        ]
        assert self.problems == []
        assert failed == []
        assert elsewhere == []

    def _hear(self, kind: str, text: str) -> None:
        if kind in {"error", "warning"}:
            self.problems.append(f"console {kind}: {text}")

    def _note_failure(self, request: Request) -> None:
        if not (self.reloads and request.failure == "net::ERR_ABORTED"):
            self._failed.append((request.url, str(request.failure)))

    def _check(self, response: Response) -> None:
        if response.status >= 400:
            self.problems.append(f"{response.request.method} {response.url}: {response.status}")


@pytest.fixture
def watched(browser: Browser) -> Iterator[Watched]:
    watched = Watched(browser)
    yield watched
    watched.close()
    watched.check()


def go(page: Page, url: str) -> None:
    page.goto(url, wait_until="load")
    settle(page)


def settle(page: Page) -> None:
    """Wait until nothing is loading: a picture that is cut off by the next page would count as a failed request."""
    page.wait_for_load_state("load")
    page.wait_for_load_state("networkidle")


def choose(page: Page, picture: bytes, filename: str) -> None:
    page.set_input_files(
        "#image", {"name": filename, "mimeType": "application/octet-stream", "buffer": picture}
    )


def wait_for_result(page: Page) -> None:
    page.wait_for_url(re.compile(r"/measurements/[0-9A-Z]{26}(\?|$)"))
    settle(page)


def pictures_of(page: Page) -> list[tuple[str, int]]:
    """Return address and natural width of each picture of a page; 0 is one that is not shown."""
    page.evaluate("[...document.images].forEach((image) => { image.loading = 'eager'; })")
    settle(page)
    found = page.evaluate("[...document.images].map((image) => [image.currentSrc, image.naturalWidth])")
    return [(str(url), int(width)) for url, width in found]


def number_shown(page: Page) -> str:
    """Return the percent in large type, without its unit, as text."""
    return (page.locator(".reading-number").text_content() or "").partition("\N{THIN SPACE}")[0].strip()


def downloaded(page: Page, name: str) -> tuple[str, bytes]:
    """Press a download button; return the file's name and content."""
    with page.expect_download() as waiting:
        page.get_by_role("link", name=name).click()
    return waiting.value.suggested_filename, Path(waiting.value.path()).read_bytes()


def check_result(service: str, page: Page, filename: str) -> Any:
    """Check a result page against the API, and return what the API says."""
    record = recorded(service, page)
    coverage, instances = record["coverage"], record["instances"]
    size = record["image"]["width"], record["image"]["height"]
    assert page.locator("h1").text_content() == filename
    assert number_shown(page) == f"{coverage['percent_masked']:.2f}"
    assert (
        page.evaluate("parseFloat(getComputedStyle(document.querySelector('.reading-number')).fontSize)")
        >= 64
    )
    if page.locator("picture-viewer:defined").count():
        page.locator("measurement-view.ready").wait_for()
        viewer = "document.querySelector('picture-viewer')"
        assert page.evaluate(f"[{viewer}.levels[0].width, {viewer}.levels[0].height]") == [*size]
    else:
        assert page.locator(".stage-image").evaluate(
            "image => [image.naturalWidth, image.naturalHeight]"
        ) == [*size]
    assert page.locator("instance-table tbody tr").count() == len(instances)
    assert page.locator(
        "section[aria-labelledby=classes-title] .strong"
    ).first.text_content() == number_shown(page)
    check_downloads(page, Path(filename).stem, record)
    return record


def check_downloads(page: Page, stem: str, record: Any) -> None:
    size = record["image"]["width"], record["image"]["height"]
    stored = f"{re.sub('[^a-z0-9-]+', '_', stem)}_{record['id']}"
    name, drawn = downloaded(page, "Download the drawn picture")
    assert name == f"{stored}_overlay.png"
    with Image.open(BytesIO(drawn)) as picture:
        assert (picture.format, picture.size, picture.mode) == ("PNG", size, "RGB")
    name, mask = downloaded(page, "Mask, PNG")
    assert name == f"{stored}_mask.png"
    with Image.open(BytesIO(mask)) as picture:
        assert np.count_nonzero(np.asarray(picture)) == record["coverage"]["pixels_masked"]
    name, numbers = downloaded(page, "Numbers, JSON")
    assert name == f"{stem}.json"
    assert json.loads(numbers)["coverage"] == record["coverage"]


# ---- Measuring


def test_a_chosen_picture_leads_to_its_drawn_picture_percent_tables_and_downloads(
    service: str, watched: Watched
) -> None:
    page = watched.open(service)
    choose(page, EXAMPLE.read(), "plate 3, well b.png")
    wait_for_result(page)
    shown = check_result(service, page, "plate 3, well b.png")
    posted = post_picture(service, EXAMPLE.read(), "the same by curl.png")
    assert posted["coverage"] == shown["coverage"]
    assert 0 < shown["coverage"]["percent_masked"] < 100


def test_a_picture_dropped_anywhere_on_the_page_is_measured(service: str, watched: Watched) -> None:
    page = watched.open(service)
    text = base64.b64encode(EXAMPLE.read()).decode()
    page.evaluate(
        """([text, name]) => {
          const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
          const carried = new DataTransfer();
          carried.items.add(new File([bytes], name, { type: "image/png" }));
          for (const kind of ["dragenter", "dragover", "drop"]) {
            const event = new DragEvent(kind, { dataTransfer: carried, bubbles: true, cancelable: true });
            document.querySelector("h1").dispatchEvent(event);
          }
        }""",
        [text, "dropped.png"],
    )
    wait_for_result(page)
    record = recorded(service, page)
    assert record["image"]["filename"] == "dropped.png"
    assert number_shown(page) == f"{record['coverage']['percent_masked']:.2f}"


def test_without_javascript_the_form_leads_to_the_same_result(service: str, watched: Watched) -> None:
    page = watched.open(service, java_script_enabled=False)
    choose(page, EXAMPLE.read(), "plain form.png")
    page.get_by_role("button", name="Measure", exact=True).click()
    wait_for_result(page)
    check_result(service, page, "plain form.png")


def test_a_sample_is_measured_by_one_click_and_shows_the_true_percent_beside(
    service: str, watched: Watched
) -> None:
    sample = list_samples()[-1]
    page = watched.open(service)
    page.get_by_role("button", name=sample.title).click()
    wait_for_result(page)
    record = check_result(service, page, sample.filename)
    difference = record["coverage"]["percent_masked"] - sample.percent_true
    shown = [text.strip() for text in page.locator(".truth dd").all_text_contents()]
    assert shown == [
        f"{sample.percent_true:.2f}\N{THIN SPACE}%",
        f"{difference:+.2f} points".replace("-", "\N{MINUS SIGN}"),
    ]


def test_a_file_that_is_no_picture_is_refused_in_place_and_the_next_one_measured(
    service: str, browser: Browser
) -> None:
    page = browser.new_page()  # not watched: the browser itself writes a refused request to its console
    page.set_default_timeout(PATIENCE_MS)
    go(page, service)
    choose(page, b"Dear Sir or Madam", "letter.png")
    page.locator(".problem").wait_for()
    problem = page.locator(".problem").text_content() or ""
    assert "letter.png was not measured" in problem
    assert "JPEG, PNG, WebP, TIFF" in problem
    assert page.url == service
    choose(page, EXAMPLE.read(), "then a picture.png")
    wait_for_result(page)
    assert recorded(service, page)["image"]["filename"] == "then a picture.png"
    page.close()


def test_without_javascript_a_file_that_is_no_picture_is_refused_with_the_form(
    service: str, browser: Browser
) -> None:
    page = browser.new_page(java_script_enabled=False)
    page.set_default_timeout(PATIENCE_MS)
    go(page, service)
    choose(page, b"Dear Sir or Madam", "letter.png")
    with page.expect_navigation() as waiting:
        page.get_by_role("button", name="Measure", exact=True).click()
    assert waiting.value.status == 415
    problem = page.locator(".problem").text_content() or ""
    assert "letter.png was not measured" in problem
    assert "JPEG, PNG, WebP, TIFF" in problem
    page.close()


def test_without_javascript_the_styles_of_a_result_are_links(
    service: str, measured: str, watched: Watched
) -> None:
    seen = []
    page = watched.open(urljoin(service, f"measurements/{measured}"), java_script_enabled=False)
    for title in ("Original", "Outline", "Splash", "Fill"):
        page.locator(".stage-bar").get_by_role("link", name=title).click()
        page.wait_for_url(re.compile(rf"\?style={title.lower()}$"))
        settle(page)
        chosen = page.locator(".segment[aria-current=true]")
        assert [text.strip() for text in chosen.all_text_contents()] == [title]
        picture = str(chosen.get_attribute("data-picture"))
        page.locator(f".stage-image[src$='{picture.removeprefix('../')}']").wait_for()
        seen.append(str(page.locator(".stage-image").evaluate("image => image.currentSrc")))
        assert all(width for _, width in pictures_of(page))
    assert len(set(seen)) == 4


def test_after_a_restart_on_the_same_folders_the_history_and_the_pages_are_there(
    tmp_path: Path, watched: Watched
) -> None:
    running = Service(tmp_path)
    with ExitStack() as closing:
        closing.callback(running.stop)
        address = running.start()
        posted = post_picture(address, EXAMPLE.read(), "kept.png")
        running.stop()
        address = running.start()
        page = watched.open(urljoin(address, "measurements"))
        assert page.locator(".gallery-item").count() == 1
        assert [width > 0 for _, width in pictures_of(page)] == [True]
        page.get_by_role("link", name="kept.png").click()
        wait_for_result(page)
        assert page.url.partition("?")[0] == urljoin(address, f"measurements/{posted['id']}")
        assert check_result(address, page, "kept.png")["coverage"] == posted["coverage"]


# ---- Behind a proxy, under another name


@pytest.fixture(scope="module", params=[True, False], ids=["host kept", "host replaced"])
def public(service: str, request: pytest.FixtureRequest) -> Iterator[Proxy]:
    """A proxy that strips a prefix and terminates TLS, as far as the service can tell, before the service."""
    with proxy(service, PREFIX, keeps_host=request.param) as running:
        yield running


def pages_of(measured: str) -> list[str]:
    return [
        "", "measurements", "measurements?model=nuclei", f"measurements/{measured}",
        f"measurements/{measured}?style=outline", "models", "models/nuclei", "docs",
    ]  # fmt: skip


def addresses_in(page: Page) -> set[str]:
    """Return every address that a page names, as the browser resolves it, without fragments."""
    found = page.evaluate(
        """() => [...document.querySelectorAll("[href], [src], [data-picture], [data-api]")].flatMap((element) =>
          ["href", "src", "data-picture", "data-api"]
            .filter((name) => element.hasAttribute(name))
            .map((name) => new URL(element.getAttribute(name), document.baseURI).href))"""
    )
    return {urldefrag(str(url)).url for url in found}


def test_behind_a_proxy_a_picture_is_measured_shown_and_deleted(
    service: str, public: Proxy, watched: Watched
) -> None:
    page = watched.open(public.address(PUBLIC_HOST))
    choose(page, EXAMPLE.read(), "from outside.png")
    wait_for_result(page)
    assert page.url.startswith(public.address(PUBLIC_HOST) + "measurements/")
    check_result(service, page, "from outside.png")
    delete(page)
    assert page.url.startswith(public.address(PUBLIC_HOST) + "measurements?")
    assert "from outside.png" not in page.content()
    sent = [entry.sent for entry in public.passed if entry.sent]
    host = f"{PUBLIC_HOST}:{public.port}" if public.keeps_host else urlsplit(service).netloc
    assert {entry["host"] for entry in sent} == {host}
    assert {entry["x-forwarded-proto"] for entry in sent} == {"https"}
    assert not any("x-forwarded-prefix" in entry or "x-forwarded-host" in entry for entry in sent)


def test_behind_a_proxy_everything_works_without_javascript_too(
    service: str, public: Proxy, watched: Watched
) -> None:
    page = watched.open(public.address(PUBLIC_HOST), java_script_enabled=False)
    choose(page, EXAMPLE.read(), "from outside plain.png")
    page.get_by_role("button", name="Measure", exact=True).click()
    wait_for_result(page)
    assert page.url.startswith(public.address(PUBLIC_HOST) + "measurements/")
    check_result(service, page, "from outside plain.png")
    delete(page)
    assert page.url.startswith(public.address(PUBLIC_HOST) + "measurements?")
    assert "from outside plain.png" not in page.content()


def delete(page: Page) -> None:
    page.get_by_text("Delete this measurement").click()
    page.get_by_role("button", name="Delete", exact=True).click()
    page.wait_for_url(re.compile(r"/measurements\?deleted=1"))
    settle(page)


def test_behind_a_proxy_a_sample_is_measured_by_one_click(
    service: str, public: Proxy, watched: Watched
) -> None:
    page = watched.open(public.address(PUBLIC_HOST))
    page.get_by_role("button", name=EXAMPLE.title).click()
    wait_for_result(page)
    assert number_shown(page) == f"{recorded(service, page)['coverage']['percent_masked']:.2f}"
    assert all(width for _, width in pictures_of(page))


def test_behind_a_proxy_every_page_has_its_style_scripts_and_pictures(
    public: Proxy, measured: str, watched: Watched
) -> None:
    for path in pages_of(measured):
        page = watched.open(public.address(PUBLIC_HOST) + path)
        assert page.evaluate("[...document.styleSheets].every((sheet) => sheet.cssRules.length > 0)"), path
        margin = page.evaluate("getComputedStyle(document.body).marginTop")
        assert margin == "0px"  # 8px without a style sheet
        assert "Times" not in page.evaluate("getComputedStyle(document.body).fontFamily")
        undefined = "[...document.querySelectorAll(':not(:defined)')].map((element) => element.localName)"
        assert page.evaluate(undefined) == [], path
        pictures = pictures_of(page)
        assert bool(pictures) != path.startswith("docs")
        assert [url for url, width in pictures if width == 0] == []


def test_behind_a_proxy_every_link_of_every_page_answers(
    public: Proxy, measured: str, watched: Watched
) -> None:
    start = public.address(PUBLIC_HOST)
    found: set[str] = set()
    for path in pages_of(measured):
        found |= addresses_in(watched.open(start + path, java_script_enabled=False))
    own = {url for url in found if urlsplit(url).netloc == urlsplit(start).netloc}
    assert len(own) > 25
    assert [url for url in own if not url.startswith(start)] == []
    assert {url: status for url in own if (status := ask(url)[0]) != 200} == {}


def test_behind_a_proxy_the_addresses_in_json_lead_to_the_pictures(service: str, public: Proxy) -> None:
    asked = public.address(PUBLIC_HOST) + MEASUREMENTS
    picture = EXAMPLE.read()
    status, headers, body = ask(asked, "POST", picture, {"Content-Type": "image/png"})
    assert status == 201, body
    record = json.loads(body)
    for name in ("url", "overlay_url", "mask_url", "coco_url"):
        assert ask(urljoin(asked, record[name]))[0] == 200
    own = urljoin(asked, headers["location"])
    assert ask(urljoin(own, json.loads(ask(own)[2])["image"]["url"]))[2] == picture
    assert ask(own, "DELETE")[0] == 204
    assert ask(urljoin(service, f"{MEASUREMENTS}/{record['id']}"))[0] == 404


def test_behind_a_proxy_the_shown_command_line_names_the_public_address(
    public: Proxy, watched: Watched
) -> None:
    page = watched.open(public.address(PUBLIC_HOST))
    command = page.locator("command-line code").first.text_content()
    assert command == f"curl -F image=@picture.png {public.address(PUBLIC_HOST)}{MEASUREMENTS}"


def test_a_form_of_another_site_cannot_measure_or_delete(
    public: Proxy, service: str, measured: str, browser: Browser
) -> None:
    target = public.address(PUBLIC_HOST) + f"measurements/{measured}/delete"
    page = browser.new_page()
    page.route(
        "http://elsewhere.example/",
        lambda route: route.fulfill(
            content_type="text/html",
            body=f"<form method=post action={target}><button>Win a prize</button></form>",
        ),
    )
    page.goto("http://elsewhere.example/")
    with page.expect_navigation() as waiting:
        page.get_by_role("button").click()
    assert waiting.value.status == 403
    assert ask(urljoin(service, f"measurements/{measured}"))[0] == 200
    page.close()


# ---- All pages


@pytest.mark.parametrize("color_scheme", ["light", "dark"])
def test_on_a_phone_no_page_scrolls_sideways(
    service: str, measured: str, watched: Watched, color_scheme: str
) -> None:
    options = {"viewport": PHONE, "device_scale_factor": 3, "is_mobile": True, "has_touch": True}
    for path in pages_of(measured):
        page = watched.open(urljoin(service, path), color_scheme=color_scheme, **options)
        page.evaluate("document.querySelectorAll('details').forEach((more) => { more.open = true; })")
        widths = page.evaluate(
            "[document.documentElement.scrollWidth, document.body.scrollWidth, innerWidth]"
        )
        assert widths == [390, 390, 390], path
        background = page.evaluate("getComputedStyle(document.body).backgroundColor")
        channels = [int(channel) for channel in re.findall(r"\d+", background)[:3]]
        assert (sum(channels) > 384) == (color_scheme == "light")


def test_on_a_wide_screen_all_pages_are_free_of_errors_and_of_other_origins(
    service: str, measured: str, watched: Watched
) -> None:
    for path in pages_of(measured):
        page = watched.open(urljoin(service, path), viewport={"width": 1440, "height": 900})
        assert [url for url, width in pictures_of(page) if width == 0] == []
        assert page.evaluate("document.documentElement.scrollWidth") == 1440
