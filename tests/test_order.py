"""The order in which measurements are listed, page by page, and what comes before and after one of them."""

from collections.abc import Callable
from typing import Any
from urllib.parse import urljoin

import pytest
from flask.testing import FlaskClient

from planimeter.store import Filter, Order, Store
from planimeter.store.order import ORDERS
from stored import measurement

pytestmark = [pytest.mark.both_databases, pytest.mark.usefixtures("records_in")]

API = "/api/v1/measurements"
PICTURE: dict[str, Any] = {"picture": b"picture", "overlay_png": b"overlay", "mask_png": b"mask"}
PLATES = [("b.png", 3), ("Ä.png", 0), ("a.png", 3), ("c.png", 9), ("a.png", 1), ("d.png", 3), ("e.png", 0)]
"""File names and percent masked, oldest first; some are equal."""


@pytest.fixture
def ids(store: Store) -> list[str]:
    """Oldest first."""
    return [
        store.add(
            measurement(name, classes={"scratches": masked}), batch="odd" if index % 2 else None, **PICTURE
        ).id
        for index, (name, masked) in enumerate(PLATES)
    ]


def expected(ids: list[str], order: Order) -> list[str]:
    """Return the ids in an order, by Python's own sorting."""
    keys: dict[str, Callable[[int], Any]] = {
        "created_at": lambda index: ids[index],
        "percent_masked": lambda index: (PLATES[index][1], ids[index]),
        "instances": lambda index: (1 if PLATES[index][1] else 0, ids[index]),
        "filename": lambda index: (PLATES[index][0].casefold(), ids[index]),
        "model": lambda index: ids[index],
    }
    key = keys[order.removeprefix("-")]
    return [ids[index] for index in sorted(range(len(ids)), key=key, reverse=order.startswith("-"))]


def read(client: FlaskClient, path: str) -> Any:
    answer = client.get(path)
    assert answer.status_code == 200, answer.text
    return answer.json


@pytest.mark.parametrize("order", ORDERS)
def test_pages_in_any_order_hold_each_measurement_once(
    client: FlaskClient, store: Store, ids: list[str], order: Order
) -> None:
    wanted = [record.id for record in store.list(order=order)]
    if order.removeprefix("-") != "instances":  # the records of this test list none
        assert wanted == expected(ids, order)
    found, address = [], f"{API}?limit=2&order={order}"
    while address:
        answer = read(client, address)
        found += [entry["id"] for entry in answer["measurements"]]
        address = answer["next_url"] and urljoin("http://localhost/api/v1/", answer["next_url"])
        assert len(found) <= len(ids)
    assert found == wanted
    assert [record.id for record in store.walk(order=order)] == wanted
    lines = client.get(f"{API}/csv?order={order}").text.splitlines()[1:]
    assert [line.partition(",")[0] for line in lines] == wanted


@pytest.mark.parametrize("order", ORDERS)
def test_neighbours_are_those_of_the_list(client: FlaskClient, ids: list[str], order: Order) -> None:
    for query in (f"order={order}", f"order={order}&batch=odd"):
        listed = [entry["id"] for entry in read(client, f"{API}?{query}")["measurements"]]
        assert set(listed) == set(ids if query.startswith("order") and "batch" not in query else ids[1::2])
        for place, id_ in enumerate(listed):
            found = read(client, f"{API}/{id_}/neighbours?{query}")
            assert (found["position"], found["count"]) == (place + 1, len(listed))
            before, after = found["previous"], found["next"]
            assert (before and before["id"]) == (listed[place - 1] if place else None)
            assert (after and after["id"]) == (listed[place + 1] if place + 1 < len(listed) else None)


def test_one_that_does_not_match_has_neighbours_and_no_place(client: FlaskClient, ids: list[str]) -> None:
    found = read(client, f"{API}/{ids[2]}/neighbours?batch=odd")
    assert (found["position"], found["count"]) == (None, 3)
    assert (found["previous"]["id"], found["next"]["id"]) == (ids[3], ids[1])


def test_the_list_goes_on_after_a_deletion_or_says_that_it_cannot(
    client: FlaskClient, store: Store, ids: list[str]
) -> None:
    store.delete(ids[3])
    assert [entry["id"] for entry in read(client, f"{API}?before={ids[3]}")["measurements"]] == ids[2::-1]
    answer = client.get(f"{API}?before={ids[3]}&order=-percent_masked")
    assert (answer.status_code, answer.json and answer.json["error"]["code"]) == (409, "cursor_gone")
    assert "was deleted" in answer.text
    assert client.get(f"{API}?order=size").status_code == 400
    assert [entry.id for entry in store.around(ids[2], Filter(), "created_at", reach=9).later] == ids[4:]
