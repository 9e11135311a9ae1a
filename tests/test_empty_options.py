"""What is empty: an option that decides about a number is not left out by that, and a mask of no bytes is none."""

import base64
import json
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from fakes import MODEL, blocks, encoded, write_block_pack
from planimeter.commands import main
from planimeter.service.api.options.region import RegionOptions
from planimeter.service.api.options.scale import ScaleOptions
from planimeter.service.api.options.uploads import UploadOptions
from test_region_api import API, PICTURE, answered, counts, mask_file, post, read

BASE64 = base64.b64encode(PICTURE).decode()
DECIDE = sorted(UploadOptions.never_empty)
SAID = ("lot", "sample", "operator", "note", "tags", "batch", "filename")


def message(answer: TestResponse, status: int = 400) -> str:
    assert answer.status_code == status, answer.text
    return str(answer.get_json()["error"]["message"])


def test_all_that_decides_about_a_number_is_among_them() -> None:
    said = {*SAID, "mask_format"}
    names = {field.alias or name for name, field in UploadOptions.model_fields.items()}
    assert names - said == UploadOptions.never_empty
    assert {*RegionOptions.model_fields} == RegionOptions.never_empty
    assert {*ScaleOptions.model_fields} == ScaleOptions.never_empty


@pytest.mark.parametrize("name", DECIDE)
def test_empty_it_is_refused_in_a_form_the_query_and_json(client: FlaskClient, name: str) -> None:
    form = {"image": (BytesIO(PICTURE), "x.png"), name: ""}
    assert message(client.post(API, data=form)).startswith(f"{name} is empty")
    in_query = client.post(f"{API}?{name}=", data=PICTURE, content_type="image/png")
    assert message(in_query).startswith(f"{name} is empty")
    assert message(client.post(API, json={"image": BASE64, name: ""})).startswith(f"{name} is empty")
    assert read(client, API)["count"] == 0


@pytest.mark.parametrize("name", SAID)
def test_what_is_said_of_a_picture_may_be_empty(client: FlaskClient, name: str) -> None:
    empty: dict[str, Any] = {name: ""}
    assert post(client, **empty)["coverage"]["percent_masked"] == 43.75


def test_a_mask_without_bytes_is_refused_as_the_command_line_does(
    client: FlaskClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    what = "region_mask: the picture is empty (0 bytes)"
    assert what in post(client, 400, region_mask=(BytesIO(), "mask.png"))["error"]["message"]
    before = post(client, region_mask=mask_file())
    url = f"{API}/{before['id']}/region"
    fields = {"region_mask": (BytesIO(), "mask.png"), "ignore": "saturated"}
    assert what in message(client.put(url, data=fields))
    assert "region_mask is empty" in message(client.put(url, json={"region_mask": "", "whole": True}))
    assert "'region_mask' is empty" in message(
        client.put(url, json={"region_mask": "data:image/png;base64,"})
    )
    sent = {
        "region": "",
        "region_mask": (BytesIO(), "mask.png"),
    }  # as a browser sends a field that is not filled
    page = client.post(f"/measurements/{before['id']}?change=region", data=sent)
    assert page.status_code == 400
    assert what in page.text
    assert read(client, f"{API}/{before['id']}")["coverage"] == before["coverage"]
    write_block_pack(tmp_path / "packs")
    (tmp_path / "x.png").write_bytes(PICTURE)
    (tmp_path / "mask.png").write_bytes(b"")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PLANIMETER_PACKS_FOLDER", "packs")
    done = CliRunner().invoke(main, ["measure", "x.png", "--model", MODEL, "--region-mask", "mask.png"])
    assert what in done.output


def test_a_file_field_of_a_browser_that_was_not_filled_is_not_there(client: FlaskClient) -> None:
    line = b"--cut\r\nContent-Disposition: form-data; name="
    octets = b"\r\nContent-Type: application/octet-stream"

    def sent(mask: bytes, *more: bytes) -> TestResponse:
        image = line + b'"image"; filename="x.png"' + octets + b"\r\n\r\n" + PICTURE + b"\r\n"
        body = (
            image
            + line
            + b'"region_mask"; '
            + mask
            + octets
            + b"\r\n\r\n\r\n"
            + b"".join(more)
            + b"--cut--\r\n"
        )
        return client.post(API, data=body, content_type="multipart/form-data; boundary=cut")

    unfilled = sent(b'filename=""')
    assert unfilled.status_code == 201, unfilled.text
    assert counts(unfilled.get_json()) == (1792, 4096, 2)
    assert "region_mask: the picture is empty" in message(sent(b'filename="m.png"'))
    page = client.post(
        f"/measurements/{unfilled.get_json()['id']}?change=region",
        data=line
        + b'"region_mask"; filename=""'
        + octets
        + b"\r\n\r\n\r\n"
        + line
        + b'"least_area"\r\n\r\n\r\n'
        + line
        + b'"ignore"\r\n\r\nsaturated\r\n--cut--\r\n',
        content_type="multipart/form-data; boundary=cut",
    )
    assert page.status_code == 303, page.text


def test_two_masks_are_refused(client: FlaskClient) -> None:
    form = {"image": (BytesIO(PICTURE), "x.png"), "region_mask": [mask_file(), mask_file()]}
    assert "2 files came in the field 'region_mask'" in message(client.post(API, data=form))


def test_what_is_set_afterwards_is_refused_empty_too(client: FlaskClient) -> None:
    url = f"{API}/{post(client)['id']}"
    for name in RegionOptions.never_empty:
        assert f"{name} is empty" in message(client.put(f"{url}/region", data={name: ""}))
    for name in ScaleOptions.never_empty:
        said = {"pixel_size": "1", "unit": "mm", name: ""}
        assert f"{name} is empty" in message(client.put(f"{url}/scale", data=said))


def test_an_empty_list_of_what_is_ignored_ignores_nothing(client: FlaskClient) -> None:
    answer = client.post(API, json={"image": BASE64, "ignore": []})
    assert (answer.status_code, answer.get_json()["options"]["counting"]) == (201, None)
    assert "classes is empty" in message(client.post(API, json={"image": BASE64, "classes": []}))


def test_the_open_inference_protocol_refuses_it_too(client: FlaskClient) -> None:
    inputs = [{"name": "image", "datatype": "BYTES", "shape": [1], "data": [BASE64]}]
    answer = client.post(f"/v2/models/{MODEL}/infer", json={"inputs": inputs, "parameters": {"profile": ""}})
    assert answer.status_code == 400
    assert "profile is empty" in answer.text


def test_a_form_without_a_script_may_leave_its_fields_empty(client: FlaskClient) -> None:
    fields = {"model": MODEL, "score_threshold": "", "of": "", "profile": "", "pixel_size": "", "unit": "um"}
    answer = client.post(
        "/measure", data={"image": (BytesIO(encoded(blocks(red=(0, 0, 8, 8)))), "x.png"), **fields}
    )
    assert answer.status_code == 303, answer.text


# ---- What is no corner, and what is said of it


@pytest.mark.parametrize("corner", [[True, False], ["8", "8"], [8, "8"], [None, 8]])
def test_a_corner_is_two_numbers(client: FlaskClient, corner: list[Any]) -> None:
    region = {"include": [[[0, 0], [9, 0], corner]]}
    for body in ({"region": region}, {"region": json.dumps(region)}):
        said = message(client.post(API, json={"image": BASE64, **body}))
        assert "region.include.0.2." in said or "include.0.2." in said
        assert said.count("region is") == 1
    profile = client.put("/api/v1/profiles/strip", json={"region": region})
    assert "valid number" in message(profile)


def test_whole_numbers_are_corners(client: FlaskClient) -> None:
    region = {"include": [[[0, 0], [16, 0.0], [16, 64], [0, 64]]]}
    assert counts(client.post(API, json={"image": BASE64, "region": region}).get_json()) == (512, 1024, 1)
    assert answered(client.put("/api/v1/profiles/strip", json={"region": region}))
