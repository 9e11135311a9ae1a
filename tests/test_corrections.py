"""Corrections through the API: what people say is wrong, and the figures that come of it, counted again in NumPy."""

import json
from typing import Any

import numpy as np
from flask.testing import FlaskClient
from numpy.typing import NDArray
from werkzeug.test import TestResponse

from fakes import blocks, encoded
from planimeter.masks.rle import rle_decode, rle_encode
from planimeter.masks.window import WindowMask
from planimeter.measurement import Rle

MEASUREMENTS = "/api/v1/measurements"
HEIGHT, WIDTH = 64, 96
RED, GREEN = (0, 0, 32, 32), (24, 8, 48, 40)
PICTURE = encoded(blocks(red=RED, green=GREEN, width=WIDTH, height=HEIGHT))
Bools = NDArray[np.bool_]


def body(answer: TestResponse) -> Any:
    return json.loads(answer.data)


def post(client: FlaskClient, **query: str) -> Any:
    answer = client.post(MEASUREMENTS, data=PICTURE, content_type="image/png", query_string=query)
    assert answer.status_code == 201, answer.text
    return body(answer)


def send(client: FlaskClient, id_: str, after: int = 0, **changes: Any) -> TestResponse:
    return client.post(f"{MEASUREMENTS}/{id_}/corrections", json={"after": after, **changes})


def correct(client: FlaskClient, id_: str, after: int = 0, **changes: Any) -> Any:
    answer = send(client, id_, after, **changes)
    assert answer.status_code == 201, answer.text
    return body(answer)


def rle(mask: Bools) -> dict[str, Any]:
    return rle_encode(WindowMask(0, 0, mask), *mask.shape).model_dump(mode="json")


def pixels(instance: dict[str, Any]) -> Bools:
    return rle_decode(Rle.model_validate(instance["mask"]))


def box(x0: int, y0: int, x1: int, y1: int) -> Bools:
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[y0:y1, x0:x1] = True
    return mask


def check_figures(figures: Any, counted: Bools | None = None) -> None:
    """Compare figures with what NumPy counts in the masks of their instances."""
    counted = np.ones((HEIGHT, WIDTH), bool) if counted is None else counted
    masks = [pixels(entry) for entry in figures["instances"]]
    stack = np.array(masks or [np.zeros((HEIGHT, WIDTH), bool)])
    union = stack.any(axis=0)
    coverage = figures["coverage"]
    assert coverage["pixels_masked"] == np.count_nonzero(union)
    assert coverage["pixels_counted"] == np.count_nonzero(counted)
    assert coverage["percent_masked"] == 100 * np.count_nonzero(union) / np.count_nonzero(counted)
    assert coverage["pixels_overlapping"] == np.count_nonzero(stack.sum(axis=0) > 1)
    assert not (union & ~counted).any()
    for entry, mask in zip(figures["instances"], masks, strict=True):
        assert entry["area_px"] == np.count_nonzero(mask)
        rows, columns = np.nonzero(mask)
        assert entry["bbox"] == [
            columns.min(),
            rows.min(),
            columns.max() + 1 - columns.min(),
            rows.max() + 1 - rows.min(),
        ]
    for row in coverage["by_class"]:
        own = [
            mask
            for entry, mask in zip(figures["instances"], masks, strict=True)
            if entry["class"] == row["class"]
        ]
        assert row["count"] == len(own)
        assert row["pixels_masked"] == np.count_nonzero(np.array(own).any(axis=0) if own else 0)


def read(client: FlaskClient, id_: str, **query: str) -> Any:
    return body(client.get(f"{MEASUREMENTS}/{id_}", query_string=query))


def as_measured(answer: dict[str, Any]) -> dict[str, Any]:
    new = {"corrected", "reviewed", "corrected_percent_masked"}
    return {name: value for name, value in answer.items() if name not in new}


def test_a_correction_stands_beside_what_was_measured(client: FlaskClient) -> None:
    before = read(client, post(client)["id"])
    assert (before["corrected"], before["reviewed"], before["corrected_percent_masked"]) == (
        None,
        False,
        None,
    )
    answer = correct(
        client,
        before["id"],
        reject=[2],
        reclass=[{"id": 1, "class": "green"}],
        add=[{"class": "red", "mask": rle(box(60, 10, 70, 20))}],
        reason="a reflection",
    )
    corrected = answer["corrected"]
    check_figures(corrected)
    assert [(entry["id"], entry["class"], entry["origin"]) for entry in corrected["instances"]] == [
        (1, "green", "changed"),
        (3, "red", "added"),
    ]
    assert (corrected["number"], corrected["reviewed"], corrected["by"]) == (1, False, None)
    assert corrected["coverage"]["pixels_masked"] == 32 * 32 + 100
    assert answer["corrected_percent_masked"] == 100 * (32 * 32 + 100) / (HEIGHT * WIDTH)
    after = read(client, before["id"])
    assert after["corrected"] == corrected
    assert as_measured(after) == as_measured(before)
