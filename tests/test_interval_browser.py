"""The interval beside the percentage, in a browser, against what the API answers."""

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urljoin

import numpy as np
import pytest
from playwright.sync_api import expect

from fakes import DotRuntime
from planimeter.numbers import write_between
from planimeter.packs.trust import Familiarity, Trust
from serving import serve
from test_browser import Watched, ask, browser, settle, watched
from test_intervals import INTERVALS, PICTURE, pack_with

__all__ = ["browser", "watched"]  # fixtures
pytestmark = pytest.mark.browser


class StrangeRuntime(DotRuntime):
    """Sees what no picture of the training showed."""

    def run(self, image: Any) -> Any:
        found = super().run(image)
        blocks = np.full((4, image.shape[2] // 32, image.shape[3] // 32), 9, np.float32)
        object.__setattr__(found, "texture", blocks)
        return found


@pytest.fixture(scope="module", params=["familiar", "strange"])
def service(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("intervals")
    familiarity = Familiarity(
        mean=(0.0,) * 4, directions=tuple(tuple(row) for row in np.eye(4).tolist()), limit=2.0, pictures=30
    )
    runtime = StrangeRuntime() if request.param == "strange" else DotRuntime()
    pack = pack_with(Trust(intervals=INTERVALS, familiarity=familiarity), folder / "blocks")
    with serve(folder, runtime, pack) as address:
        yield address


@pytest.fixture
def measured(service: str) -> Any:
    url = urljoin(service, "api/v1/measurements?score_threshold=0.5")
    status, _, answer = ask(url, "POST", PICTURE, {"Content-Type": "image/png"})
    assert status == 201, answer
    return json.loads(answer)


def sentence(answer: Any) -> str:
    interval = answer["coverage"]["interval"]
    low, high = write_between(interval["low"], interval["high"])
    return f"The truth lies between {low} and {high}\u2009%, 9\u00a0times\u00a0in\u00a010."


def test_the_interval_stands_beside_the_number_and_follows_the_threshold(
    service: str, measured: Any, watched: Watched
) -> None:
    page = watched.open(urljoin(service, f"measurements/{measured['id']}"))
    trust, band = page.locator("[data-trust]"), page.locator(".scale-interval")
    if measured["coverage"]["interval"] is None:
        assert [note["code"] for note in measured["notes"]] == ["unlike_training"]
        expect(trust).to_contain_text("unlike those that the model learnt from")
        page.fill("#threshold", "0.35")
        expect(page.locator("[data-trust]:not([data-stale])")).to_contain_text("unlike those")
        expect(page.locator("[data-notes] .note")).to_have_count(0)
        assert band.get_attribute("width") == "0%"
        settle(page)
        return
    expect(trust).to_contain_text(sentence(measured))
    assert float((band.get_attribute("x") or "").rstrip("%")) == measured["coverage"]["interval"]["low"]
    for threshold in (0.35, 0.8):
        url = urljoin(service, f"api/v1/measurements/{measured['id']}?score_threshold={threshold}")
        answer = json.loads(ask(url)[2])
        page.fill("#threshold", str(threshold))
        expect(trust).to_have_text(sentence(answer))
        interval = answer["coverage"]["interval"]
        width = float((band.get_attribute("width") or "").rstrip("%"))
        assert width == pytest.approx(interval["high"] - interval["low"])
    page.fill("#threshold", "1")
    expect(page.locator("[data-notes]")).to_contain_text("errors were measured from 0.3 to 0.9")
    expect(trust).to_have_text("")
    assert (band.get_attribute("width"), trust.get_attribute("data-stale")) == ("0%", None)
    settle(page)
