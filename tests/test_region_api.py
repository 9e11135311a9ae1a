"""A region at every door: the API, the command line, and a measured picture whose region is set afterwards."""

import base64
import json
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from flask.testing import FlaskClient
from PIL import Image

from fakes import blocks, encoded, write_block_pack
from planimeter.commands import main
from test_region import PIXELS, region

API = "/api/v1/measurements"
PICTURE = encoded(PIXELS)


def post(client: FlaskClient, status: int = 201, data: bytes = PICTURE, **fields: Any) -> Any:
    form = {"image": (BytesIO(data), "picture.png"), **fields}
    answer = client.post(API, data=form, content_type="multipart/form-data")
    assert answer.status_code == status, answer.text
    return answer.json


def answered(answer: Any) -> Any:
    assert answer.status_code == 200, answer.text
    return answer.json


def read(client: FlaskClient, path: str) -> Any:
    return answered(client.get(path))


def counts(answer: Any) -> tuple[int, int, int]:
    coverage = answer["coverage"]
    return coverage["pixels_masked"], coverage["pixels_counted"], len(answer["instances"])


def mask_file(height: int = 64) -> tuple[BytesIO, str]:
    mask = np.zeros((height, 64), np.uint8)
    mask[:, :16] = 200
    return BytesIO(encoded(mask)), "mask.png"


def pixels_of(client: FlaskClient, path: str) -> Any:
    answer = client.get(path)
    assert answer.status_code == 200, answer.text
    return np.asarray(Image.open(BytesIO(answer.data)))


def test_a_region_in_a_form_field_clips_what_is_answered_and_kept(client: FlaskClient) -> None:
    answer = post(client, region=json.dumps(region((8, 8, 40, 24))))
    assert counts(answer) == (448, 512, 2)
    stored = read(client, f"{API}/{answer['id']}")
    assert stored["coverage"] == answer["coverage"]
    assert stored["options"]["counting"]["region"]["include"][0][2] == [40, 24]
    assert np.count_nonzero(pixels_of(client, f"{API}/{answer['id']}/mask")) == 448
    at = read(client, f"{API}/{answer['id']}?score_threshold=0.7")
    assert counts(at) == (384, 512, 1)
    anew = post(client, region=json.dumps(region((8, 8, 40, 24))), score_threshold="0.7")
    for name in ("coverage", "instances", "notes", "options"):
        assert at[name] == anew[name]


def test_a_mask_comes_as_a_second_file_or_in_json(client: FlaskClient) -> None:
    answer = post(client, region_mask=mask_file())
    assert counts(answer) == (512, 1024, 1)
    assert answer["coverage"]["left_out"]["outside"] == 1
    body = {
        "image": base64.b64encode(PICTURE).decode(),
        "region_mask": base64.b64encode(mask_file()[0].getvalue()).decode(),
    }
    in_json = client.post(API, json=body)
    assert in_json.status_code == 201, in_json.text
    assert json.loads(in_json.text)["coverage"] == answer["coverage"]


def test_all_that_counts_comes_in_json_as_it_is(client: FlaskClient) -> None:
    sent = {
        "image": base64.b64encode(PICTURE).decode(),
        "region": region((8, 8, 40, 24)),
        "ignore": ["saturated", "black_border"],
        "classes": ["red", "green"],
    }
    at_once = client.post(API, json=sent).json
    form: dict[str, Any] = {
        "region": json.dumps(sent["region"]),
        "ignore": "saturated,black_border",
        "classes": "red,green",
    }
    assert at_once["coverage"] == post(client, **form)["coverage"]  # type: ignore[index]
    later = post(client)
    place = f"{API}/{later['id']}/region"
    mask = base64.b64encode(mask_file()[0].getvalue()).decode()
    assert counts(answered(client.put(place, json={"region_mask": mask}))) == (512, 1024, 1)
    assert counts(answered(client.put(place, json={"region": sent["region"], "whole": True}))) == (
        448,
        512,
        2,
    )
    refused = client.put(place, json={"region": [[0, 0]]})
    assert refused.status_code == 400
    assert "region is a list" in refused.json["error"]["message"]  # type: ignore[index]


def test_transparent_pixels_go_through_the_decoding_process(client: FlaskClient) -> None:
    rgba = np.dstack([PIXELS, np.full((64, 64), 255, np.uint8)])
    rgba[:, 40:, 3] = 100
    answer = post(client, data=encoded(rgba), ignore="transparent")
    assert answer["coverage"]["pixels_counted"] == 64 * 40
    assert answer["coverage"]["left_out"]["transparent"] == 64 * 24
    codes = {note["code"] for note in answer["notes"]}
    assert {"pixels_ignored", "alpha_dropped"} <= codes


@pytest.mark.parametrize(
    ("fields", "status", "code", "what"),
    [
        ({"region": "[1"}, 400, "invalid_option", "region is"),
        (
            {"region": json.dumps(region((0, 0, 65, 9)))},
            409,
            "invalid_option",
            "outside the picture of 64 x 64",
        ),
        (
            {"region": '{"include": [[[0,0],[9,9],[9,0],[0,9]]]}'},
            400,
            "invalid_option",
            "crosses or touches itself",
        ),
        (
            {"region": '{"include": [[[0.6,0.6],[0.9,0.6],[0.9,0.9]]]}'},
            409,
            "nothing_to_count",
            "left to count",
        ),
        ({"ignore": "dust"}, 400, "invalid_option", "transparent, black_border, saturated"),
        ({"classes": "blue"}, 409, "invalid_option", "which the model lacks"),
        ({"least_area": "-3"}, 400, "invalid_option", "least_area"),
        ({"region_mask": "not base64!"}, 400, "invalid_option", "region_mask"),
    ],
)
def test_what_cannot_be_is_a_sentence_and_nothing_is_stored(
    client: FlaskClient, fields: dict[str, str], status: int, code: str, what: str
) -> None:
    answer = post(client, status, PICTURE, **fields)
    assert answer["error"]["code"] == code
    assert what in answer["error"]["message"]
    assert read(client, API)["count"] == 0


def test_a_mask_of_another_size_is_named(client: FlaskClient) -> None:
    answer = post(client, 409, region_mask=mask_file(32))
    assert "region_mask has 64 x 32 pixels and the picture 64 x 64" in answer["error"]["message"]


# ---- Afterwards


def test_a_region_set_afterwards_is_that_of_a_new_measurement_and_can_be_taken_back(
    client: FlaskClient,
) -> None:
    before = post(client)
    url = f"{API}/{before['id']}"
    small = json.dumps(region((8, 8, 40, 24)))
    answer = client.put(f"{url}/region", data={"region": small})
    assert answer.status_code == 200, answer.text
    anew = post(client, region=small)
    assert answered(answer)["coverage"] == anew["coverage"]
    assert answered(answer)["options"]["counting"]["set_afterwards"]
    stored = read(client, url)
    assert stored["instances"] == anew["instances"]
    (listed,) = [entry for entry in read(client, API)["measurements"] if entry["id"] == before["id"]]
    assert listed["coverage"]["percent_masked"] == 100 * 448 / 512
    assert np.count_nonzero(pixels_of(client, f"{url}/mask")) == 448
    at = read(client, f"{url}?score_threshold=0.7")
    assert counts(at) == (384, 512, 1)
    kept = client.put(f"{url}/threshold", data={"score_threshold": "0.7"})
    assert counts(read(client, url)) == (384, 512, 1), kept.text
    assert counts(answered(client.put(f"{url}/region", data={"region": json.dumps(region((0, 0, 8, 8)))})))[
        :2
    ] == (64, 64)
    assert counts({**answered(client.delete(f"{url}/region")), "instances": [1]}) == (1024, 4096, 1)
    client.delete(f"{url}/threshold")
    after = read(client, url)
    for name in ("coverage", "instances", "notes", "options"):
        assert after[name] == before[name]
    assert np.count_nonzero(pixels_of(client, f"{url}/mask")) == before["coverage"]["pixels_masked"]


def test_a_region_that_is_none_changes_nothing(client: FlaskClient) -> None:
    before = post(client)
    url = f"{API}/{before['id']}"
    answer = client.put(f"{url}/region", data={"region": json.dumps(region((0, 0, 900, 9)))})
    assert answer.status_code == 409
    assert read(client, url)["coverage"] == before["coverage"]


def test_candidates_are_answered_cut_and_kept_whole(client: FlaskClient) -> None:
    before = post(client, region=json.dumps(region((0, 0, 16, 64))))
    url = f"{API}/{before['id']}"
    found = read(client, f"{url}/candidates")
    assert [entry["left_out"] for entry in found["candidates"]] == [False, True]
    assert found["counted"] == before["coverage"]["counted"]["counts"]
    client.put(f"{url}/region", data={"region": json.dumps(region((0, 0, 64, 64)))})
    assert counts(read(client, url)) == (1792, 4096, 2)


def test_the_command_line_takes_a_region_and_a_mask(tmp_path: Path) -> None:
    pytest.importorskip("onnx")
    write_block_pack(tmp_path / "packs")
    (tmp_path / "picture.png").write_bytes(encoded(blocks(red=(0, 0, 32, 32), green=(16, 16, 48, 48))))
    (tmp_path / "region.json").write_text(json.dumps(region((8, 8, 40, 24))))
    (tmp_path / "mask.png").write_bytes(mask_file()[0].getvalue())

    def percent(*options: str) -> Any:
        given = ["measure", str(tmp_path / "picture.png"), "--format", "json", "--model", "blocks"]
        ran = CliRunner().invoke(main, [*given, "--packs-folder", str(tmp_path / "packs"), *options])
        assert ran.exit_code == 0, ran.output
        return json.loads(ran.stdout)[0]["coverage"]["pixels_counted"]

    assert percent("--region", str(tmp_path / "region.json")) == 512
    assert percent("--region", json.dumps(region((0, 0, 8, 8)))) == 64
    assert percent("--region-mask", str(tmp_path / "mask.png"), "--ignore", "saturated") == 1024
    ran = CliRunner().invoke(main, ["measure", str(tmp_path / "picture.png"), "--region", "nowhere.json"])
    assert ran.exit_code != 0
    assert "neither JSON nor a file" in ran.output
