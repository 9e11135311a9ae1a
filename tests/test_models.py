"""The models of a service: found by name, and never an older one than the pack on disk."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from flask.testing import FlaskClient

from fakes import MODEL, BlockRuntime, block_pack, blocks, encoded, write_block_pack
from planimeter.measuring.opening import open_segmenter
from planimeter.measuring.segmenter import Segmenter
from planimeter.packs import pack as packs
from planimeter.packs.manifest import Manifest
from planimeter.packs.pack import Pack, find_pack, find_packs
from planimeter.pictures.decode import decode
from planimeter.samples import find_sample
from planimeter.service.app import create_app
from planimeter.service.models import Models, load_pack
from planimeter.settings import Inference, Settings
from planimeter.store import Store


def client_of(settings: Settings, store: Store, models: Models) -> FlaskClient:
    return create_app(settings, store, models).test_client()


def measure(client: FlaskClient) -> dict[str, object]:
    answer = client.post(
        "/api/v1/measurements", data=encoded(blocks(red=(0, 0, 32, 32))), content_type="image/png"
    )
    assert answer.status_code == 201, answer.text
    return dict(answer.get_json())


def test_a_model_that_was_trained_again_under_its_name_measures_at_once(
    settings: Settings, store: Store
) -> None:
    folder = write_block_pack(settings.packs_folder)
    models = Models(settings)
    client = client_of(settings, store, models)
    assert measure(client)["model"]["version"] == "1"  # type: ignore[index]
    before = models.get()
    assert models.get() is before
    # The new one gives nothing below 0.95: of the rectangle, which scores 0.9, nothing counts any more.
    manifest = Manifest.model_validate_json((folder / "pack.json").read_text("utf-8"))
    thresholds = manifest.thresholds.model_copy(update={"score": 0.95})
    again = manifest.model_copy(update={"version": "2", "thresholds": thresholds})
    aside = folder.with_name("aside")
    shutil.copytree(folder, aside)
    (aside / "pack.json").write_text(again.model_dump_json(), "utf-8")
    shutil.rmtree(folder)
    aside.rename(folder)
    answer = measure(client)
    assert answer["model"]["version"] == "2"  # type: ignore[index]
    assert answer["coverage"]["percent_masked"] == 0.0  # type: ignore[index]
    assert models.get() is not before


def test_the_same_pack_is_loaded_once(settings: Settings) -> None:
    loaded: list[str] = []

    def load(pack: Pack, _: Settings) -> Segmenter:
        loaded.append(pack.name)
        return load_pack(pack, settings)

    write_block_pack(settings.packs_folder)
    models = Models(settings, load=load)
    assert models.get() is models.get(MODEL)
    assert loaded == [MODEL]


def test_a_page_of_the_history_reads_no_manifest_that_it_has_read_before(
    settings: Settings, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_block_pack(settings.packs_folder)
    client = client_of(settings, store, Models(settings))
    for _ in range(5):
        measure(client)
    client.get("/measurements")
    read: list[str] = []
    parse = packs.parse_manifest

    def count(text: str, source: str) -> Manifest:
        read.append(source)
        return parse(text, source)

    monkeypatch.setattr("planimeter.packs.pack.parse_manifest", count)
    assert client.get("/measurements").status_code == 200
    assert read == []


def test_a_manifest_that_changes_is_read_again(tmp_path: Path) -> None:
    folder = write_block_pack(tmp_path)
    assert find_packs(tmp_path)[MODEL].manifest.title == "Blocks"
    other = block_pack().manifest.model_copy(update={"title": "Bricks"})
    (folder / "pack.json").write_text(other.model_dump_json(), "utf-8")
    assert find_packs(tmp_path)[MODEL].manifest.title == "Bricks"


def test_the_thumbnail_of_a_measurement_that_was_deleted_through_the_api_is_gone(
    client: FlaskClient,
) -> None:
    kept, gone = measure(client)["id"], measure(client)["id"]
    for id_ in (kept, gone):
        assert client.get(f"/measurements/{id_}/thumbnail").status_code == 200
    assert client.delete(f"/api/v1/measurements/{gone}").status_code == 204
    assert client.get(f"/measurements/{gone}/thumbnail").status_code == 404
    assert client.delete(f"/api/v1/measurements?ids={kept}&count=1").status_code == 200
    assert client.get(f"/measurements/{kept}/thumbnail").status_code == 404


@pytest.mark.parametrize("side", [64, 200])
def test_the_steps_of_a_measurement_add_up_to_its_total(settings: Settings, store: Store, side: int) -> None:
    write_block_pack(settings.packs_folder)
    settings = settings.model_copy(update={"packs_folder": settings.packs_folder})
    client = client_of(settings, store, Models(settings))  # the first request loads the model
    pixels = np.zeros((side, side, 3), np.uint8)
    answer = client.post("/api/v1/measurements", data=encoded(pixels), content_type="image/png").get_json()
    timing = answer["timing_ms"]
    assert sum(value for step, value in timing.items() if step != "total") == pytest.approx(timing["total"])


def test_a_model_that_measured_nothing_for_a_while_gives_memory_back_once(
    settings: Settings, store: Store, models: Models, runtime: BlockRuntime
) -> None:
    client = client_of(settings, store, models)
    for _ in range(2):
        models.rest_idle()
        assert not runtime.rested, "it never worked"
    measure(client)
    models.rest_idle()
    assert not runtime.rested, "it worked a moment ago"
    models.rest_idle()
    assert runtime.rested
    runtime.rested = False
    models.rest_idle()
    assert not runtime.rested, "it has nothing left to give back"
    measure(client)
    assert not runtime.rested


def test_what_the_network_took_is_given_back_before_a_large_picture_is_drawn(
    runtime: BlockRuntime, monkeypatch: pytest.MonkeyPatch
) -> None:
    segmenter = Segmenter(block_pack(), runtime)
    monkeypatch.setattr("planimeter.measuring.segmenter.REST_PIXELS", 64 * 80)
    assert segmenter.measure(blocks(red=(0, 0, 32, 32))).coverage.pixels_masked == 32 * 32
    assert not runtime.rested
    large = np.pad(blocks(red=(0, 0, 32, 32)), ((0, 0), (0, 64), (0, 0)))
    assert segmenter.measure(large).coverage.pixels_masked == 32 * 32
    assert runtime.rested


@pytest.mark.slow
def test_a_network_that_rested_answers_the_same() -> None:
    pixels = decode(find_sample("steel-scratches").read(), filename="sample").pixels
    segmenter = open_segmenter(find_pack("steel", None), Inference(infer_with_cpu=True))
    before = segmenter.measure(pixels)
    segmenter.rest()
    after = segmenter.measure(pixels)
    assert (after.coverage, after.instances) == (before.coverage, before.instances)
    assert before.instances
