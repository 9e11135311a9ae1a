"""The history page, as the server renders it; what scripts add is in test_history_browser.py."""

import re
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urljoin, urlsplit

import pytest
from flask.testing import FlaskClient

from fakes import MODEL, blocks, encoded
from planimeter.exports.formats import FORMATS
from planimeter.measuring.table import EXCEL_STYLES
from planimeter.service.pages.history import PAGE_SIZE
from planimeter.service.pages.site import PAGE_TOKEN
from planimeter.settings import Settings
from planimeter.store import Store
from stored import measurement
from test_api import files
from test_pages import HALF, Addresses, measure, shown

PICTURE = encoded(HALF)


def add(store: Store, filename: str = "strip.png", **more: Any) -> str:
    """Store a measurement with pictures that can be drawn; return its id."""
    batch = more.pop("batch", None)
    record = store.add(
        measurement(filename, **more), picture=PICTURE, overlay_png=PICTURE, mask_png=PICTURE, batch=batch
    )
    return record.id


def listed(html: str) -> list[str]:
    """Return the ids that can be ticked, in their order."""
    return re.findall(r'type="checkbox" name="ids" value="(\w+)"', html)


def test_the_history_goes_from_page_to_page_without_gap_or_repeat(client: FlaskClient, store: Store) -> None:
    ids = [add(store, f"n{number}.png") for number in range(PAGE_SIZE + 5)]
    page = client.get("/measurements?view=table").text
    assert f"{PAGE_SIZE + 5} measurements" in page
    assert listed(page) == ids[:4:-1]
    older = re.search(r'href="([^"]*before=[^"]*)"', page)
    assert older
    assert "view=table" in older[1], "the next page keeps the view"
    rest = client.get(urljoin("/measurements", older[1].replace("&amp;", "&"))).text
    assert listed(rest) == ids[4::-1]
    assert "Older" not in rest


@pytest.mark.parametrize("view", ["gallery", "table"])
def test_the_form_narrows_the_list_down_and_shows_what_was_asked(
    client: FlaskClient, store: Store, view: str
) -> None:
    coil = add(store, "Coil 1.png", classes={"pits": 3})
    add(store, "coil 2.png", classes={"scratches": 9})
    add(store, "plate.png", model="nuclei", classes={"nucleus": 2})
    query = {"filename": "coil", "class": "pits", "model": "steel", "max_percent": "5", "view": view}
    page = client.get("/measurements", query_string=query).text
    assert listed(page) == [coil]
    assert "1 of 3 measurements" in shown(client.get("/measurements", query_string=query))
    assert 'name="filename" maxlength="255" value="coil"' in page
    assert "<option selected>pits</option>" in page
    assert (
        'name="max_percent" min="0" max="100" step="any" placeholder="100" aria-label="At most" value="5"'
        in page
    )
    assert listed(client.get("/measurements", query_string={"class": "", "filename": ""}).text) != []


def test_days_are_those_of_the_readers_zone_and_the_last_is_included(
    client: FlaskClient, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.time_ns", lambda: 1_795_476_600_000_000_000)  # 2026-11-23, 22:30 UTC
    late = add(store)
    for query, found in (
        ("from=2026-11-23&to=2026-11-23", [late]),
        ("from=2026-11-24", []),
        ("from=2026-11-24&to=2026-11-24&offset=%2B02:00", [late]),
        ("to=2026-11-23&offset=%2B02:00", []),
        ("to=2026-11-22", []),
    ):
        assert listed(client.get(f"/measurements?{query}").text) == found, query


def test_a_wrong_filter_is_explained_on_the_page_that_keeps_it(client: FlaskClient, store: Store) -> None:
    add(store)
    answer = client.get("/measurements?min_percent=30&max_percent=20")
    assert answer.status_code == 400
    assert "Min_percent" not in answer.text
    assert "nothing lies between them" in answer.text
    assert 'value="30"' in answer.text
    assert listed(answer.text) == []


def test_nothing_found_says_so_and_leads_back(client: FlaskClient, store: Store) -> None:
    assert "Nothing has been measured yet" in client.get("/measurements").text
    add(store)
    page = client.get("/measurements?model=other&utm_source=mail").text
    assert "No measurement matches" in page
    assert "Clear the filter" in page


def test_links_take_along_what_is_meant(client: FlaskClient, store: Store) -> None:
    for number in range(2):
        add(store, f"n{number}.png", batch="shift-7")
    page = client.get("/measurements?batch=shift-7&filename=n").text
    [trend] = re.findall(r'data-trend="([^"]+)"', page)
    query = parse_qs(urlsplit(trend.replace("&amp;", "&")).query)
    assert query == {"batch": ["shift-7"], "filename": ["n"]}
    assert "Batch shift-7" in page
    form = page[page.index('class="found"') :]
    assert '<input type="hidden" name="batch" value="shift-7">' in form
    buttons = [
        dict(re.findall(r'(formaction|name|value)="([^"]*)"', tag))
        for tag in re.findall(r"<button[^>]*formaction[^>]*>", page)
    ]
    for button in buttons:
        path, asked = button["formaction"], {"batch": "shift-7"}
        if "name" in button:
            asked[button["name"]] = button["value"]
        answer = client.get(urljoin("http://localhost/measurements", path), query_string=asked)
        assert answer.status_code == 200, path
        assert not path.startswith(("/", "http"))
    assert len(buttons) == 5 + len(FORMATS) - 1 + len(EXCEL_STYLES)


def test_no_address_is_absolute_and_nothing_is_inline(client: FlaskClient, store: Store) -> None:
    add(store, "<b>'\"&.png")
    for path in ("/measurements", "/measurements?view=table&filename=%3Cb%3E", "/measurements/delete"):
        answer = client.get(path)
        addresses = Addresses(answer.text)
        assert addresses.inline == []
        assert all(not re.match(r"/|[a-z]+:", address) for _, address in addresses.found)
        assert "<b>'" not in answer.text


def test_a_file_that_a_person_moved_away_is_no_crash(
    client: FlaskClient, store: Store, settings: Settings
) -> None:
    id_ = add(store)
    files = store.get(id_).files
    (Path(settings.output_folder) / files.overlay).unlink()
    (Path(settings.upload_folder) / files.image).unlink()
    assert client.get("/measurements").status_code == 200
    for picture in ("thumbnail", "picture"):
        answer = client.get(f"/measurements/{id_}/{picture}")
        assert answer.status_code == 503
        assert "was it moved by hand?" in answer.text


# ---- Deleting many


def test_deleting_asks_first_and_then_deletes_what_it_asked_about(
    client: FlaskClient, store: Store, settings: Settings
) -> None:
    ids = [add(store, f"coil {number}.png") for number in range(15)]
    kept = add(store, "plate.png")
    question = client.get("/measurements/delete?filename=coil")
    assert "Delete 15 measurements?" in question.text
    assert "and 3 more" in question.text
    fields = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', question.text))
    assert fields == {"page_token": PAGE_TOKEN, "count": "15", "filename": "coil"}
    assert store.count() == 16, "asking deletes nothing"
    del fields["page_token"]
    answer = client.post("/measurements/delete", data=fields)
    assert answer.status_code == 303
    assert [record.id for record in store.list()] == [kept]
    after = client.get(urljoin("/measurements/delete", answer.location))
    assert "15 measurements were deleted" in after.text
    fields |= {"for_good": "true", "count": "1", "filename": "plate"}
    assert client.post("/measurements/delete", data=fields).status_code == 303
    assert (store.count(), store.trash.count()) == (0, len(ids))
    assert len(files(settings)) == 3 * len(ids)


def test_a_selection_is_deleted_and_its_filter_stays(client: FlaskClient, store: Store) -> None:
    ids = [add(store, f"coil {number}.png") for number in range(4)]
    question = client.get("/measurements/delete", query_string={"ids": ids[:2], "filename": "coil"})
    assert "Delete 2 measurements?" in question.text
    fields = {"ids": ",".join(ids[:2]), "filename": "coil", "count": "2"}
    answer = client.post("/measurements/delete", data=fields)
    query = parse_qs(urlsplit(answer.location).query)
    (deletion,) = query.pop("undo")
    assert query == {"deleted": ["2"], "filename": ["coil"]}
    assert {entry.deletion for entry in store.trash.list()} == {deletion}
    assert [record.id for record in store.list()] == ids[:1:-1]


def test_what_changed_after_the_question_is_not_deleted(client: FlaskClient, store: Store) -> None:
    add(store)
    fields = {"count": "1", "model": "steel"}
    add(store)
    answer = client.post("/measurements/delete", data=fields)
    assert answer.status_code == 409
    assert "2 measurements match, not 1" in answer.text
    assert store.count() == 2


def test_another_site_cannot_delete(client: FlaskClient, store: Store) -> None:
    add(store)
    answer = client.post(
        "/measurements/delete", data={"count": "1"}, headers={"Sec-Fetch-Site": "cross-site"}
    )
    assert answer.status_code == 403
    assert store.count() == 1


def test_nothing_or_too_much_to_delete_is_said(
    client: FlaskClient, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "Nothing to delete" in client.get("/measurements/delete?model=none").text
    monkeypatch.setattr("planimeter.service.pages.history.MOST_AT_ONCE", 1)
    add(store)
    add(store)
    page = client.get("/measurements/delete").text
    assert "at most 1" in page
    assert "<form" not in page


def test_a_measured_picture_shows_its_class_bar(client: FlaskClient) -> None:
    measure(client, blocks(red=(0, 0, 32, 32), green=(16, 0, 48, 32)))
    page = client.get(f"/measurements?model={MODEL}").text
    # 25 percent each, 37.5 together: on a scale that ends at 50.
    assert '<rect x="0%" width="50.0%" height="6" fill="#d55e00"/>' in page
    assert '<rect x="50.0%" width="50.0%" height="6" fill="#009e73"/>' in page
