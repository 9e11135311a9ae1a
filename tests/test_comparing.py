"""Measuring a stored picture again with another model, and comparing the two to the pixel."""

import re
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import numpy as np
import pytest
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st

from fakes import MODEL, BlockRuntime, block_pack, blocks, encoded
from planimeter.errors import DifferentPictures
from planimeter.measuring.difference import ONLY_FIRST, ONLY_SECOND, difference, draw_difference
from planimeter.measuring.segmenter import Segmenter
from planimeter.packs.pack import Pack
from planimeter.runtimes import RawDetections
from planimeter.service.app import create_app
from planimeter.service.models import Models
from planimeter.settings import Settings
from planimeter.store import Store
from test_api import MEASUREMENTS, assert_problem, body, pixels_of, post
from test_pages import Addresses

PICTURE = encoded(blocks(red=(0, 0, 32, 32), green=(40, 40, 56, 56)))
"""Red: 1024 of 4096 pixels, green: 256."""


class ShiftedRuntime(BlockRuntime):
    """Finds what `BlockRuntime` does, each 8 pixels further right."""

    def run(self, image: "np.ndarray[Any, np.dtype[np.float32]]") -> RawDetections:
        found = super().run(image)
        moved = found.boxes + np.array([8, 0, 8, 0], np.float32)
        return RawDetections(boxes=moved, labels=found.labels, scores=found.scores, masks=found.masks)


@pytest.fixture
def models(settings: Settings) -> Models:
    def find(_: Path | None) -> dict[str, Pack]:
        return {MODEL: block_pack(), "shifted": block_pack("shifted")}

    def load(pack: Pack, _: Settings) -> Segmenter:
        return Segmenter(pack, BlockRuntime() if pack.name == MODEL else ShiftedRuntime())

    models = Models(settings, find=find, load=load)
    models.get()
    return models


@pytest.fixture
def client(settings: Settings, store: Store, models: Models) -> FlaskClient:
    return create_app(settings, store, models).test_client()


def two(client: FlaskClient) -> tuple[str, str]:
    """Measure one picture with both models, the second time from what was stored; return the ids."""
    first = body(post(client, PICTURE, "plate 7.png"))["id"]
    again = client.post(MEASUREMENTS, data={"from": first, "model": "shifted"})
    assert again.status_code == 201, again.text
    return first, body(again)["id"]


def test_a_stored_picture_is_measured_again_without_sending_it(client: FlaskClient, store: Store) -> None:
    first, second = two(client)
    one, other = store.get(first), store.get(second)
    assert other.measurement.model.name == "shifted"
    assert other.measurement.image == one.measurement.image
    assert store.read(other, "image") == PICTURE
    by_query = client.post(f"{MEASUREMENTS}?from={first}&score_threshold=0.7")
    assert by_query.status_code == 201, by_query.text
    assert len(body(by_query)["instances"]) == 1


def test_from_and_a_picture_together_are_refused_and_so_is_an_unknown_one(
    client: FlaskClient, store: Store, settings: Settings
) -> None:
    first = body(post(client, PICTURE))["id"]
    both = client.post(MEASUREMENTS, data={"from": first, "image": (BytesIO(PICTURE), "a.png")})
    assert_problem(both, 409, "invalid_option", "from", "one of the two")
    assert_problem(client.post(f"{MEASUREMENTS}?from=none"), 404, "unknown_measurement", "none")
    (Path(settings.upload_folder) / store.get(first).files.image).unlink()
    assert_problem(client.post(f"{MEASUREMENTS}?from={first}"), 503, "store_failed", "moved by hand")
    assert store.count() == 1


def test_a_comparison_counts_each_pixel_where_it_belongs(client: FlaskClient) -> None:
    first, second = two(client)
    found = body(client.get(f"/api/v1/comparisons?first={first}&second={second}"))
    # 24 x 32 of the red stay under both, 8 x 32 on each side; of the green 8 x 16 and 8 x 16.
    overlap = found["overlap"]
    assert (overlap["pixels_both"], overlap["pixels_only_first"], overlap["pixels_only_second"]) == (
        24 * 32 + 8 * 16,
        8 * 32 + 8 * 16,
        8 * 32 + 8 * 16,
    )
    assert overlap["percent_disagreement"] == 100 * 768 / 4096
    assert overlap["iou"] == pytest.approx(896 / (896 + 768))
    red, green = found["by_class"]
    assert (red["class"], red["pixels_both"], red["color"]) == ("red", 768, "#d55e00")
    assert (green["class"], green["pixels_only_first"]) == ("green", 128)
    assert (
        found["first"]["coverage"]["percent_masked"]
        == overlap["percent_both"] + overlap["percent_only_first"]
    )
    assert found["first"]["url"] == f"measurements/{first}"


def test_a_comparison_with_itself_agrees(client: FlaskClient) -> None:
    first, _ = two(client)
    overlap = body(client.get(f"/api/v1/comparisons?first={first}&second={first}"))["overlap"]
    assert (overlap["percent_disagreement"], overlap["iou"]) == (0, 1)


def test_nothing_in_both_has_no_iou(client: FlaskClient) -> None:
    empty = body(post(client, encoded(blocks())))["id"]
    overlap = body(client.get(f"/api/v1/comparisons?first={empty}&second={empty}"))["overlap"]
    assert (overlap["iou"], overlap["percent_both"]) == (None, 0)


def test_different_pictures_are_not_compared(client: FlaskClient) -> None:
    first = body(post(client, PICTURE, "a.png"))["id"]
    other = body(post(client, encoded(blocks()), "b.png"))["id"]
    for path in ("comparisons", "comparisons/picture"):
        answer = client.get(f"/api/v1/{path}?first={first}&second={other}")
        assert_problem(answer, 409, "different_pictures", "a.png", "b.png", "same picture")
    assert_problem(
        client.get(f"/api/v1/comparisons?first={first}"), 400, "invalid_option", "second is missing"
    )
    assert_problem(client.get(f"/api/v1/comparisons?first={first}&second=x"), 404, "unknown_measurement")


def test_the_difference_is_drawn_in_its_colours_on_grey(client: FlaskClient) -> None:
    first, second = two(client)
    drawn = pixels_of(client.get(f"/api/v1/comparisons/picture?first={first}&second={second}"))
    only_first, only_second, both, neither = drawn[4, 4], drawn[4, 36], drawn[4, 20], drawn[60, 4]
    assert only_first[0] > only_first[2] + 60, f"orange: {ONLY_FIRST}"
    assert only_second[2] > only_second[0] + 60, f"blue: {ONLY_SECOND}"
    assert np.ptp(both) < 12
    assert both.mean() > neither.mean() + 60
    assert neither.tolist() == [0, 0, 0]
    jpeg = client.get(f"/api/v1/comparisons/picture?first={first}&second={second}&format=jpeg")
    assert jpeg.content_type == "image/jpeg"


@given(st.integers(0, 2**30))
def test_the_parts_of_a_drawn_difference_are_those_of_the_masks(seed: int) -> None:
    numbers = np.random.default_rng(seed)
    first, second = numbers.random((2, 9, 7)) < 0.5
    drawn = draw_difference(np.zeros((9, 7, 3), np.uint8), first, second)
    assert ((drawn.sum(axis=2) > 0) == (first | second)).all()


def test_the_page_measures_again_and_shows_both_side_by_side(client: FlaskClient) -> None:
    first = body(post(client, PICTURE, "plate 7.png"))["id"]
    page = client.get(f"/measurements/{first}").text
    assert f'action="{first}/again"' in page
    assert '<option value="shifted">' in page
    alone = client.post(f"/measurements/{first}/again", data={"model": "shifted"})
    assert re.search(r"measurements/\w{26}$", urljoin(f"/measurements/{first}/again", alone.location))
    answer = client.post(f"/measurements/{first}/again", data={"model": "shifted", "compare": "1"})
    assert answer.status_code == 303
    path = urljoin(f"/measurements/{first}/again", answer.location)
    compared = client.get(path)
    assert "18.75<small>&thinsp;% disagree" in compared.text
    assert re.findall(r"only [AB] <strong>([\d.]+)", compared.text) == ["9.38", "9.38"]
    addresses = Addresses(compared.text)
    assert addresses.inline == []
    for tag, address in addresses.found:
        assert not re.match(r"/|[a-z]+:", address)
        if tag == "img":
            assert client.get(urljoin(f"http://localhost{path}", address)).status_code == 200
    forged = client.post(f"/measurements/{first}/again", headers={"Sec-Fetch-Site": "cross-site"})
    assert forged.status_code == 403


def test_a_model_page_shows_its_last_results_and_its_error(
    settings: Settings, store: Store, client: FlaskClient
) -> None:
    measured = body(post(client, PICTURE, "plate 7.png"))["id"]
    page = client.get(f"/models/{MODEL}").text
    assert measured in page
    assert "plate 7.png" in page
    assert "has not been measured" in client.get("/models").text
    coverage = {"bias": 0, "mean_absolute_error": 1.18, "limits_of_agreement": [-4.14, 3.36]}
    metrics = {"test": {"pictures": 120, "coverage": coverage}}
    pack = block_pack()
    known = Pack(pack.folder, pack.manifest.model_copy(update={"metrics": metrics}))
    models = Models(
        settings, find=lambda _: {MODEL: known}, load=lambda pack, _: Segmenter(pack, BlockRuntime())
    )
    other = create_app(settings, store, models).test_client()
    for path in ("/models", f"/models/{MODEL}"):
        text = other.get(path).text
        assert "±1.18" in text
        assert "between \N{MINUS SIGN}4.14 and +3.36 points" in text
        assert "120 test pictures" in text


def test_the_core_refuses_different_files(client: FlaskClient, store: Store) -> None:
    first = store.get(body(post(client, PICTURE, "a.png"))["id"]).measurement
    image = first.image.model_copy(update={"sha256": "f" * 64})
    with pytest.raises(DifferentPictures, match="different files"):
        difference(first, first.model_copy(update={"image": image}))
