"""Many pictures from one page in a real Chromium: dropped, pasted, a folder; each with its own end."""

import base64
import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import numpy as np
import pytest
from numpy.typing import NDArray
from playwright.sync_api import Browser, FilePayload, Page, expect

from fakes import DotRuntime, dots, encoded
from planimeter.runtimes import RawDetections
from serving import serve
from test_browser import PATIENCE_MS, Watched, ask, browser, go, settle, watched

__all__ = ["browser", "watched"]  # fixtures

pytestmark = pytest.mark.browser


def picture(lit: int) -> bytes:
    """Return a picture with so many of six cells lit."""
    scores = np.zeros((2, 3), np.uint8)
    scores.flat[:lit] = 250
    return encoded(dots(scores))


class SlowRuntime(DotRuntime):
    """Takes its time, and waits while it is held."""

    def __init__(self) -> None:
        super().__init__()
        self.free = threading.Event()
        self.free.set()

    def run(self, image: NDArray[np.float32]) -> RawDetections:
        self.free.wait(60)
        time.sleep(0.2)
        return super().run(image)


@pytest.fixture(scope="module")
def slow() -> SlowRuntime:
    return SlowRuntime()


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, slow: SlowRuntime) -> Iterator[str]:
    """A service in whose queue one picture can wait, so that the third at once is sent away."""
    with serve(tmp_path_factory.mktemp("many"), slow, queue_size=1) as address:
        yield address


def payloads(*files: tuple[str, bytes]) -> list[FilePayload]:
    return [{"name": name, "mimeType": "image/png", "buffer": data} for name, data in files]


def finish(page: Page, text: str) -> None:
    page.locator(".batch-title", has_text=text).wait_for()
    page.locator("[data-batch-more]").wait_for()


def test_many_pictures_are_measured_each_with_its_own_end_and_lead_to_one_report(
    service: str, browser: Browser
) -> None:
    page = browser.new_page()  # not watched: the browser itself writes refused requests to its console
    page.set_default_timeout(PATIENCE_MS)
    statuses: list[int] = []
    page.on("response", lambda response: statuses.append(response.status))
    go(page, service)
    good = [(f"{lit} lit.png", picture(lit)) for lit in range(7)]
    page.set_input_files("#image", payloads(*good, ("letter.png", b"Dear Sir or Madam")))
    finish(page, "7 of 8 measured, 1 failed")
    assert 429 in statuses  # some were sent away, and came again
    lines = page.locator(".batch-line")
    assert lines.locator(".batch-name").all_text_contents() == ["letter.png", *(name for name, _ in good)]
    shown = lines.locator(".batch-status").all_text_contents()
    assert [text.rpartition("% ")[2] for text in shown[1:]] == [
        f"{lit} instance{'' if lit == 1 else 's'}" for lit in range(7)
    ]
    assert "JPEG, PNG, WebP, TIFF" in shown[0]
    report = urljoin(page.url, str(page.locator("[data-batch-report]").get_attribute("href")))
    batch = report.rpartition("=")[2]
    listed = json.loads(ask(urljoin(service, f"api/v1/measurements?batch={batch}"))[2])
    assert sorted(entry["instance_count"] for entry in listed["measurements"]) == list(range(7))
    first = lines.nth(4).get_by_role("link")
    percents = {
        entry["image"]["filename"]: entry["coverage"]["percent_masked"] for entry in listed["measurements"]
    }
    assert first.text_content() == f"{percents['3 lit.png']:.2f} %"
    page.locator("[data-batch-sort]").select_option("highest")
    falling = sorted(percents, key=lambda name: -percents[name])
    assert lines.locator(".batch-name").all_text_contents() == ["letter.png", *falling]
    # The address is that of the batch: it survives reloading, and leads to its review.
    assert page.url.endswith(f"?batch={batch}")
    page.reload()
    expect(page.locator("#recent-title")).to_contain_text("Measured together 7 pictures")
    assert sorted(page.locator(".card-name").all_text_contents()) == [name for name, _ in good]
    page.get_by_role("link", name="Review them").click()
    expect(page.locator(".review-place")).to_contain_text("1 of 7")
    page.go_back()
    page.get_by_role("link", name="Report of all").click()
    settle(page)
    assert page.url == report
    assert "7" in (page.locator("main").text_content() or "")
    page.close()


def test_pictures_can_be_cancelled_one_by_one_and_all_at_once_and_tried_again(
    service: str, slow: SlowRuntime, browser: Browser
) -> None:
    page = browser.new_page()
    page.set_default_timeout(PATIENCE_MS)
    go(page, service)
    slow.free.clear()
    page.set_input_files("#image", payloads(*((f"{number}.png", picture(number)) for number in range(6))))
    page.get_by_role("button", name="Cancel 5.png").click()
    page.locator(".batch-line[data-state=cancelled]").wait_for()
    assert page.locator(".batch-line[data-state=cancelled]").count() == 1
    page.get_by_role("button", name="Cancel all").click()
    finish(page, "0 of 6 measured, 6 cancelled")
    slow.free.set()
    page.get_by_role("button", name="Try 4.png again").click()
    finish(page, "1 of 6 measured, 5 cancelled")
    assert "4 instances" in (page.locator(".batch-line").nth(4).text_content() or "")
    page.get_by_role("button", name="Measure more").click()
    page.locator(".drop-idle").wait_for()
    page.close()


def test_a_folder_is_measured_without_what_is_no_picture(
    service: str, browser: Browser, tmp_path: Path
) -> None:
    folder = tmp_path / "plates"
    (folder / "monday").mkdir(parents=True)
    (folder / "a.png").write_bytes(picture(1))
    (folder / "monday" / "b.PNG").write_bytes(picture(2))
    (folder / "notes.txt").write_text("mine")
    page = browser.new_page()
    page.set_default_timeout(PATIENCE_MS)
    go(page, service)
    page.set_input_files("#folder", str(folder))
    finish(page, "2 of 2 measured")
    names = page.locator(".batch-name").all_text_contents()
    assert sorted(names) == ["plates/a.png", "plates/monday/b.PNG"]
    assert (page.locator(".batch-passed").text_content() or "").startswith("1 other file was passed over")
    page.close()


def carried(page: Page, kind: str, files: list[tuple[str, bytes]]) -> None:
    """Let the page receive files by a drop or from the clipboard."""
    made: list[Any] = [[name, base64.b64encode(data).decode()] for name, data in files]
    page.evaluate(
        """([kind, files]) => {
          const carried = new DataTransfer();
          for (const [name, text] of files) {
            const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
            carried.items.add(new File([bytes], name, { type: "image/png" }));
          }
          const options = { bubbles: true, cancelable: true };
          const event = kind === "paste"
            ? new ClipboardEvent("paste", { clipboardData: carried, ...options })
            : new DragEvent("drop", { dataTransfer: carried, ...options });
          document.querySelector("h1").dispatchEvent(event);
        }""",
        [kind, made],
    )


@pytest.mark.parametrize("kind", ["drop", "paste"])
def test_many_are_dropped_or_pasted_and_previewed_at_once(
    service: str, slow: SlowRuntime, watched: Watched, kind: str
) -> None:
    page = watched.open(service)
    slow.free.clear()
    carried(page, kind, [("one.png", picture(1)), ("two.png", picture(2))])
    preview = page.locator(".batch-line canvas").nth(1)
    preview.wait_for()
    while preview.evaluate("canvas => canvas.width") == 1:
        page.wait_for_timeout(30)
    assert page.locator(".batch-line[data-state=done]").count() == 0
    slow.free.set()
    finish(page, "2 of 2 measured")
    settle(page)


def test_a_pasted_picture_leads_to_its_result(service: str, watched: Watched) -> None:
    page = watched.open(service)
    carried(page, "paste", [("pasted.png", picture(5))])
    page.wait_for_url("**/measurements/*")
    page.locator("measurement-view.ready").wait_for()
    settle(page)
    assert page.locator("[data-fact=count]").first.text_content() == "5"


def test_a_phone_offers_its_camera(service: str, watched: Watched) -> None:
    phone = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}
    page = watched.open(service, **phone)
    assert page.locator("#camera").get_attribute("capture") == "environment"
    page.get_by_text("Take a photo").wait_for()
    assert page.get_by_text("Choose a folder").is_hidden()
