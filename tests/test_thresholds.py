"""Another threshold for a stored measurement, and the thresholds saved for models: both without the network."""

import csv
import json
import sqlite3
from io import BytesIO, StringIO
from typing import Any
from urllib.parse import urljoin

import numpy as np
import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from fakes import MODEL, DotRuntime, dot_pack, dots, encoded
from planimeter.measuring.segmenter import Segmenter
from planimeter.service.app import create_app
from planimeter.service.models import Models
from planimeter.settings import Settings
from planimeter.store import Store

MEASUREMENTS = "/api/v1/measurements"
DEFAULTS = f"/api/v1/models/{MODEL}/defaults"
CHANCE = np.random.default_rng(5)
PICTURE = encoded(dots(CHANCE.integers(0, 256, (7, 9)), second=CHANCE.integers(0, 2, (7, 9))))
NOT_COMPARED = {
    "id",
    "created_at",
    "timing_ms",
    "url",
    "image",
    "overlay_url",
    "mask_url",
    "coco_url",
    "candidates_url",
    "measured_threshold",
}
"""What two measurements of one picture cannot share."""


@pytest.fixture
def runtime() -> DotRuntime:
    return DotRuntime()


@pytest.fixture
def models(settings: Settings, runtime: DotRuntime) -> Models:
    return Models(settings, find=lambda _: {MODEL: dot_pack()}, load=lambda pack, _: Segmenter(pack, runtime))


def post(client: FlaskClient, **fields: str) -> Any:
    answer = client.post(MEASUREMENTS, data={"image": (BytesIO(PICTURE), "dots.png"), **fields})
    assert answer.status_code == 201, answer.text
    return body(answer)


def body(answer: TestResponse) -> Any:
    return json.loads(answer.data)


def comparable(answer: Any) -> dict[str, Any]:
    return {name: value for name, value in answer.items() if name not in NOT_COMPARED}


def code(answer: TestResponse) -> tuple[int, str]:
    return answer.status_code, body(answer)["error"]["code"]


@pytest.mark.parametrize("threshold", ["0", "0.3", "0.5", "0.777", "1"])
def test_a_stored_measurement_answers_any_threshold_as_a_new_one_would(
    client: FlaskClient, runtime: DotRuntime, threshold: str
) -> None:
    stored = post(client, score_threshold="0.5")
    fresh = post(client, score_threshold=threshold)
    ran = runtime.ran
    query = {"score_threshold": threshold}
    url, fresh_url = f"{MEASUREMENTS}/{stored['id']}", f"{MEASUREMENTS}/{fresh['id']}"
    answer = body(client.get(url, query_string=query))
    assert comparable(answer) == comparable(fresh)
    assert answer["id"] == stored["id"]
    for part in ("overlay", "overlay?style=outline", "mask", "mask?kind=class", "mask?kind=instance"):
        name, _, style = part.partition("?")
        more = dict([style.split("=")]) if style else {}
        derived = client.get(f"{url}/{name}", query_string=query | more)
        assert derived.data == client.get(f"{fresh_url}/{name}", query_string=more).data, part
    derived, own = body(client.get(f"{url}/coco", query_string=query)), body(client.get(f"{fresh_url}/coco"))
    assert derived == own
    assert runtime.ran == ran
    assert comparable(body(client.get(url))) == comparable(stored)


def test_the_links_of_such_an_answer_keep_the_threshold(client: FlaskClient) -> None:
    url = f"{MEASUREMENTS}/{post(client)['id']}"
    answer = body(client.get(f"{url}?score_threshold=0.25"))
    for name in ("overlay_url", "mask_url", "coco_url"):
        assert answer[name].endswith("?score_threshold=0.25")
        assert client.get(f"{MEASUREMENTS}/{answer[name]}").status_code == 200


def test_polygons_come_at_any_threshold_too(client: FlaskClient) -> None:
    stored = post(client, score_threshold="0.9")
    query = {"score_threshold": "0.2", "mask_format": "polygon"}
    answer = body(client.get(f"{MEASUREMENTS}/{stored['id']}", query_string=query))
    assert len(answer["instances"]) > len(stored["instances"])
    assert all(entry["mask"]["polygons"] for entry in answer["instances"])


@pytest.mark.parametrize("value", ["1.5", "-0.1", "nan", "half"])
def test_a_threshold_that_none_can_be_is_refused_everywhere(client: FlaskClient, value: str) -> None:
    url = f"{MEASUREMENTS}/{post(client)['id']}"
    query = {"score_threshold": value}
    for part in ("", "/overlay", "/mask", "/coco"):
        assert code(client.get(f"{url}{part}", query_string=query)) == (400, "invalid_option")
    assert code(client.put(DEFAULTS, query_string=query)) == (400, "invalid_option")


def test_a_record_from_before_candidates_were_kept_is_cut_higher_but_not_lower(
    client: FlaskClient, settings: Settings
) -> None:
    old, higher = post(client, score_threshold="0.4"), post(client, score_threshold="0.7")
    with sqlite3.connect(settings.database.removeprefix("sqlite:///")) as database:
        database.execute("DELETE FROM measurement_candidates")
    database.close()
    url = f"{MEASUREMENTS}/{old['id']}"
    assert comparable(body(client.get(f"{url}?score_threshold=0.4"))) == comparable(old)
    assert comparable(body(client.get(f"{url}?score_threshold=0.7"))) == comparable(higher)
    refused = client.get(f"{url}?score_threshold=0.39")
    assert code(refused) == (409, "scores_not_kept")
    assert "0.4 or more" in refused.text
    kept = body(client.get(f"{url}/candidates"))
    assert [entry["score"] for entry in kept["candidates"]] == [entry["score"] for entry in old["instances"]]
    assert kept["score_floor"] == 0.4


def test_all_that_the_network_found_can_be_had_at_once(client: FlaskClient) -> None:
    stored = post(client, score_threshold="0.9")
    answer = client.get(f"/api/v1/{stored['candidates_url']}")
    assert "no-cache" in answer.headers["Cache-Control"], "the region may change"
    all_of_it = body(client.get(f"{MEASUREMENTS}/{stored['id']}?score_threshold=0"))["instances"]
    assert [entry["counts"] for entry in body(answer)["candidates"]] == [
        entry["mask"]["counts"] for entry in all_of_it
    ]
    assert body(answer)["size"] == [7 * 32, 9 * 32]


def test_the_instances_come_in_numbers_as_json_and_as_csv_at_any_threshold(client: FlaskClient) -> None:
    stored = post(client, score_threshold="0.9")
    url = f"{MEASUREMENTS}/{stored['id']}"
    query = {"score_threshold": "0.4"}
    whole = body(client.get(url, query_string=query))["instances"]
    listed = body(client.get(f"{url}/instances", query_string=query))["instances"]
    shared = ("id", "class", "class_id", "score", "bbox", "area_px", "percent")
    assert [[entry[name] for name in shared] for entry in listed] == [
        [entry[name] for name in shared] for entry in whole
    ]
    assert len(listed) > len(stored["instances"])
    answer = client.get(f"{url}/instances", query_string=query | {"format": "csv"})
    assert answer.headers["Content-Disposition"] == f"attachment; filename=dots_{stored['id']}_instances.csv"
    rows = list(csv.DictReader(StringIO(answer.text)))
    assert [float(row["perimeter"]) for row in rows] == [entry["perimeter"] for entry in listed]
    assert rows[0]["x"] == str(listed[0]["bbox"][0])
    disc = max(listed, key=lambda entry: entry["area_px"])
    assert disc["feret_diameter_max"] == pytest.approx(2 * 16 * 1.3, abs=3)
    assert 0.7 < disc["circularity"] < 1.1


def test_the_page_of_a_measurement_follows_the_threshold_in_its_address(client: FlaskClient) -> None:
    stored = post(client, score_threshold="0.9")
    page = client.get(f"/measurements/{stored['id']}?score_threshold=0.25")
    wanted = body(client.get(f"{MEASUREMENTS}/{stored['id']}?score_threshold=0.25"))["coverage"]
    assert f'<p class="reading-number">{wanted["percent_masked"]:.2f}<' in page.text
    assert "overlay?score_threshold=0.25" in page.text
    assert client.get(f"/measurements/{stored['id']}?score_threshold=2").status_code == 400


def test_without_javascript_a_form_saves_and_resets_the_default(client: FlaskClient) -> None:
    stored = post(client)
    form = {"measurement": stored["id"], "score_threshold": "0.65"}
    foreign = {"Sec-Fetch-Site": "cross-site"}
    assert client.post(f"/models/{MODEL}/defaults", data=form, headers=foreign).status_code == 403
    answer = client.post(f"/models/{MODEL}/defaults", data=form)
    assert answer.status_code == 303
    page = client.get(urljoin(f"/models/{MODEL}/defaults", answer.location))
    assert "Default of Blocks: 0.65, saved here" in page.text
    assert post(client)["options"]["score_threshold"] == 0.65
    client.post(f"/models/{MODEL}/defaults", data=form | {"reset": "1"})
    assert post(client)["options"]["score_threshold"] == 0.5


# ---- The thresholds saved for models


def test_a_saved_threshold_is_what_a_request_without_one_gets(client: FlaskClient) -> None:
    own = post(client)
    answer = body(client.put(DEFAULTS, query_string={"score_threshold": "0.8"}))
    assert (answer["score_threshold"], answer["score_threshold_saved"]) == (0.8, True)
    assert answer["thresholds"]["score"] == 0.5
    listed = body(client.get("/api/v1/models"))["models"][0]
    assert (listed["score_threshold"], listed["score_threshold_saved"]) == (0.8, True)
    assert post(client)["options"]["score_threshold"] == 0.8
    assert comparable(post(client, score_threshold="0.5")) == comparable(own)

    answer = body(client.delete(DEFAULTS))
    assert (answer["score_threshold"], answer["score_threshold_saved"]) == (0.5, False)
    assert comparable(post(client)) == comparable(own)


def test_defaults_of_an_unknown_model_and_none_at_all_are_refused(client: FlaskClient) -> None:
    unknown = client.put("/api/v1/models/nosuch/defaults?score_threshold=0.5")
    assert code(unknown) == (404, "unknown_model")
    assert code(client.delete("/api/v1/models/nosuch/defaults")) == (404, "unknown_model")
    missing = client.put(DEFAULTS)
    assert code(missing) == (400, "invalid_option")
    assert "score_threshold is missing" in missing.text


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_another_sites_page_cannot_change_a_default(client: FlaskClient, method: str) -> None:
    query = {"score_threshold": "0.1"} if method == "PUT" else {}
    foreign = {"Sec-Fetch-Site": "cross-site"}
    assert code(client.open(DEFAULTS, method=method, query_string=query, headers=foreign)) == (
        403,
        "forbidden",
    )
    ours = foreign | {"Planimeter-Page": "1"}
    assert client.open(DEFAULTS, method=method, query_string=query, headers=ours).status_code == 200


def test_a_default_outlives_a_restart(
    client: FlaskClient, settings: Settings, store: Store, models: Models
) -> None:
    client.put(DEFAULTS, query_string={"score_threshold": "0.9"})
    store.close()
    again = Store.open(settings.database, settings.upload_folder, settings.output_folder)
    assert post(create_app(settings, again, models).test_client())["options"]["score_threshold"] == 0.9
    again.close()
