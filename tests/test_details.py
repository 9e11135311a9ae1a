"""Lot, sample, operator, note and tags: said with a picture or later, found by, kept through the trash."""

import csv
import io
import json
import re
import sqlite3
import zipfile
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from flask.testing import FlaskClient

from fakes import MODEL, blocks, encoded, write_block_pack
from planimeter.commands import main
from planimeter.details import LONGEST_NAME, LONGEST_NOTE, LONGEST_TAG, MOST_TAGS
from planimeter.store import Filter, Store
from stored import add, measurement, open_store

API = "/api/v1/measurements"
PICTURE = encoded(blocks(red=(0, 0, 32, 32)))
SAID = {"lot": "2026/117 B", "sample": "7", "operator": "Jürgen Ä.", "note": "scratched\nby hand"}
HOSTILE = '<img src=x onerror=alert(1)>"&'


def post(client: FlaskClient, filename: str = "a.png", **form: Any) -> Any:
    answer = client.post(API, data={"image": (io.BytesIO(PICTURE), filename), **form})
    assert answer.status_code == 201, answer.text
    return answer.json


def said_of(answer: Any) -> dict[str, Any]:
    return {name: answer[name] for name in ("lot", "sample", "operator", "note", "tags")}


def test_what_is_said_with_a_picture_is_in_answers_lists_and_tables(client: FlaskClient) -> None:
    expected = {**SAID, "tags": ["ring", "worn"]}
    in_form = post(client, **SAID, tags="worn, ring,worn,")
    raw = client.post(
        API, query_string={**SAID, "tags": ["worn", "ring"]}, data=PICTURE, content_type="image/png"
    )
    sent = {"image": b64encode(PICTURE).decode(), **SAID, "tags": ["worn", "ring"]}
    in_json = client.post(API, json=sent)
    for answer in (in_form, raw.json, in_json.json):
        assert answer is not None
        assert said_of(answer) == expected
        assert said_of(client.get(f"{API}/{answer['id']}").json) == expected
    listed = client.get(API).json
    assert listed is not None
    assert [said_of(entry) for entry in listed["measurements"]] == [expected] * 3
    (line, *_) = client.get(f"{API}/lines").json["lines"]  # type: ignore[index]
    assert (line["lot"], line["sample"], line["operator"]) == ("2026/117 B", "7", "Jürgen Ä.")
    for row in csv.DictReader(io.StringIO(client.get(f"{API}/csv").text)):
        assert {name: row[name] for name in SAID} == SAID
        assert row["tags"] == "ring, worn"
    assert said_of(post(client)) == {**dict.fromkeys(SAID), "tags": []}


def test_they_are_searched_exactly_and_together(client: FlaskClient) -> None:
    ids = {
        name: post(client, f"{name}.png", **form)["id"]
        for name, form in {
            "one": {"lot": "A", "sample": "1", "operator": "Kim", "tags": "worn,ring"},
            "two": {"lot": "A", "sample": "2", "operator": "kim", "tags": "wor"},
            "three": {"lot": "a", "tags": "worn"},
            "four": {"lot": "A B", "tags": "100%_,*"},
            "none": {},
        }.items()
    }

    def found(**query: Any) -> set[str]:
        listed = client.get(API, query_string=query).json
        assert listed is not None
        for summed in (
            client.get(f"{API}/statistics", query_string=query).json,
            client.get(f"{API}/trend", query_string=query).json,
        ):
            assert summed is not None
            assert summed["count"] == listed["count"] == len(listed["measurements"])
        return {name for name, id_ in ids.items() if id_ in {each["id"] for each in listed["measurements"]}}

    assert found(lot="A") == {"one", "two"}
    assert found(lot=" A ") == {"one", "two"}
    assert found(lot="A", sample="2") == {"two"}
    assert found(operator="Kim") == {"one"}
    assert found(tag="worn") == {"one", "three"}
    assert found(tag="worn,ring") == found(tag=["ring", "worn"]) == {"one"}
    assert found(tag="worn", lot="a") == {"three"}
    assert found(tag="wor") == {"two"}
    assert found(tag="%") == found(tag="100") == set()
    assert found(tag="100%_") == {"four"}
    assert found(tag="worn", **{"class": "red"}) == {"one", "three"}
    assert found(tag="worn", **{"class": "green"}) == set()

    rows = [*csv.DictReader(io.StringIO(client.get(f"{API}/csv?tag=worn").text))]
    assert {row["filename"] for row in rows} == {"one.png", "three.png"}
    archive = zipfile.ZipFile(io.BytesIO(client.get(f"{API}/zip?lot=A").data))
    assert len([name for name in archive.namelist() if name.endswith(".png")]) == 2
    history = client.get("/measurements?tag=worn,ring").text
    assert ids["one"] in history
    assert ids["three"] not in history
    assert 'name="tag" maxlength="1000" value="worn,ring"' in history
    review = client.get(f"{API}/{ids['one']}/neighbours?lot=A").json
    assert review is not None
    assert (review["count"], review["previous"]["id"]) == (2, ids["two"])
    assert client.delete(f"{API}?tag=worn&count=2").json["deleted"] == 2  # type: ignore[index]
    assert found() == {"two", "four", "none"}


def test_letters_with_accents_are_found_however_they_were_typed(client: FlaskClient) -> None:
    post(client, lot="Mu\u0308ller")
    assert client.get(API, query_string={"lot": "M\u00fcller"}).json["count"] == 1  # type: ignore[index]


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("lot", "x" * 4096, "it has 4,096 characters and may have 100"),
        ("sample", "x" * (LONGEST_NAME + 1), "it has 101 characters and may have 100"),
        ("operator", "a\x00b", "control character"),
        ("lot", "a\nb", "control character"),
        ("lot", "a\u202eb", "control character"),
        ("lot", "..", "begin with a dot"),
        ("lot", "a//b", "empty"),
        ("note", "x" * (LONGEST_NOTE + 1), "it has 2,001 characters and may have 2,000"),
        ("tags", "x" * (LONGEST_TAG + 1), "has 51 characters and may have 50"),
        ("tags", ",".join(map(str, range(MOST_TAGS + 1))), "there are 21 tags and may be 20"),
        ("tags", "a\tb", "control character"),
    ],
)
def test_what_cannot_be_said_is_refused_with_its_limit_and_nothing_is_stored(
    client: FlaskClient, store: Store, name: str, value: str, says: str
) -> None:
    answer = client.post(API, data={"image": (io.BytesIO(PICTURE), "a.png"), name: value})
    assert (answer.status_code, answer.json["error"]["code"]) == (400, "invalid_option")  # type: ignore[index]
    assert says in answer.json["error"]["message"]  # type: ignore[index]
    assert answer.json["error"]["message"].startswith(name)  # type: ignore[index]
    assert len(answer.json["error"]["message"]) < 500  # type: ignore[index]
    assert store.count() == 0
    id_ = post(client, lot="A", tags="b")["id"]
    changed = client.put(f"{API}/{id_}/details", data={"lot": "B", name: value})
    assert changed.status_code == 400
    assert said_of(client.get(f"{API}/{id_}").json)["lot"] == "A"


def test_half_a_character_in_json_is_refused(client: FlaskClient) -> None:
    body = json.dumps({"image": b64encode(PICTURE).decode(), "lot": "\ud800"})
    assert client.post(API, data=body, content_type="application/json").status_code == 400


def test_hostile_words_are_words(client: FlaskClient) -> None:
    lot = "<b>A&b"
    form = {"lot": lot, **dict.fromkeys(("sample", "operator", "note", "tags"), HOSTILE)}
    answer = post(client, **form)
    assert said_of(answer) == {**form, "tags": [HOSTILE]}
    for page in (
        f"/measurements/{answer['id']}",
        "/measurements?view=table",
        f"/report?ids={answer['id']}",
        "/",
    ):
        text = client.get(page).text
        assert "<img src=x" not in text
        assert "<b>A" not in text
    (row,) = csv.DictReader(io.StringIO(client.get(f"{API}/csv").text))
    assert row["sample"] == HOSTILE
    post(client, sample="=cmd|' /C calc'!A0")
    (row, _) = csv.DictReader(io.StringIO(client.get(f"{API}/csv").text))
    assert row["sample"].startswith("'=")


def test_they_are_changed_later_as_a_whole_and_no_figure_with_them(client: FlaskClient) -> None:
    before = post(client, **SAID, tags="worn")
    id_ = before["id"]
    changed = client.put(f"{API}/{id_}/details", data={"lot": "118", "tags": "new,worn"}).json
    assert changed is not None
    after = {"lot": "118", "sample": None, "operator": None, "note": None, "tags": ["new", "worn"]}
    assert said_of(changed) == said_of(client.get(f"{API}/{id_}").json) == after
    assert changed["coverage"] == before["coverage"]
    assert client.get(f"{API}?tag=new").json["count"] == 1  # type: ignore[index]
    assert client.get(f"{API}?lot=2026/117 B").json["count"] == 0  # type: ignore[index]
    assert client.put(f"{API}/{id_}/details").json["tags"] == []  # type: ignore[index]
    assert client.put(f"{API}/01ARZ3NDEKTSV4RRFFQ69G5FAV/details").status_code == 404


def test_they_are_changed_by_json_and_by_no_body_that_nobody_reads(client: FlaskClient) -> None:
    id_ = post(client, **SAID, tags="worn")["id"]
    place = f"{API}/{id_}/details"
    before = said_of(client.get(f"{API}/{id_}").json)
    refused = client.put(place, data=json.dumps({"lot": "118"}), content_type="text/plain")
    assert refused.status_code == 400
    assert "text/plain" in refused.json["error"]["message"]  # type: ignore[index]
    for sent, said in (
        (["118"], "no object"),
        ({"lot": ["118"]}, "lot is a list"),
        ({"lot": True}, "lot is true"),
        ({"lots": "118"}, "lots"),
        ({"lot": "x" * 4096}, "may have 100"),
    ):
        refused = client.put(place, json=sent)
        assert refused.status_code == 400, refused.text
        assert said in refused.json["error"]["message"]  # type: ignore[index]
    assert said_of(client.get(f"{API}/{id_}").json) == before
    changed = client.put(place, json={"lot": "118", "note": None, "tags": ["a", "b"]})
    expected = {**dict.fromkeys(SAID), "lot": "118", "tags": ["a", "b"]}
    assert said_of(changed.json) == said_of(client.get(f"{API}/{id_}").json) == expected
    assert client.put(f"{place}?sample=7", json={"lot": "119"}).json["sample"] == "7"  # type: ignore[index]


def test_the_page_says_and_changes_them_without_script(client: FlaskClient) -> None:
    answer = client.post(
        "/measure",
        data={"image": (io.BytesIO(PICTURE), "a.png"), "model": MODEL, "lot": " 117 ", "of_sample": "7"},
    )
    id_ = answer.headers["Location"].rpartition("/")[2]
    assert said_of(client.get(f"{API}/{id_}").json)["lot"] == "117"
    form = {"lot": "118", "sample": "8", "operator": "Kim", "tags": "a, b", "note": "one\r\ntwo"}
    assert client.post(f"/measurements/{id_}?change=details", data=form).status_code == 303
    expected = {**form, "tags": ["a", "b"], "note": "one\ntwo"}
    assert said_of(client.get(f"{API}/{id_}").json) == expected
    for page in (client.get(f"/measurements/{id_}").text, client.get(f"/report?ids={id_}").text):
        for word in ("118", "Kim", "one\ntwo"):
            assert word in page
    refused = client.post(
        f"/measurements/{id_}?change=details", data={"lot": "x" * 101, "note": "three & four"}
    )
    assert refused.status_code == 400
    assert "may have 100" in refused.text
    assert "Nothing was changed" in refused.text
    assert re.search(r'<details class="said-change" open>', refused.text)
    assert "three &amp; four</textarea>" in refused.text  # what was written is not lost
    assert "x" * 101 in refused.text
    assert said_of(client.get(f"{API}/{id_}").json) == expected
    problem = client.post(
        "/measure", data={"image": (io.BytesIO(PICTURE), "a.png"), "model": MODEL, "lot": "x" * 101}
    )
    assert problem.status_code == 400
    assert "may have 100" in problem.text


def test_a_stored_picture_that_is_measured_again_keeps_what_was_said(client: FlaskClient) -> None:
    first = post(client, **SAID, tags="worn")
    again = client.post(API, query_string={"from": first["id"], "operator": "Kim"}).json
    assert said_of(again) == {**said_of(first), "operator": "Kim"}


def test_the_trash_gives_them_back(client: FlaskClient, store: Store) -> None:
    id_ = post(client, **SAID, tags="worn,ring")["id"]
    before = store.get(id_)
    client.delete(f"{API}/{id_}")
    assert store.count(Filter(tag=("worn",))) == store.count(Filter(lot=SAID["lot"])) == 0
    assert client.put(f"{API}/{id_}/details", data={"lot": "B"}).status_code == 404
    store.trash.restore(id_)
    assert store.get(id_) == before
    assert store.count(Filter(tag=("ring", "worn"), lot=SAID["lot"])) == 1


def test_deleting_for_good_takes_the_tags_too(client: FlaskClient, store: Store, tmp_path: Path) -> None:
    store.delete(post(client, tags="worn")["id"])
    store.discard(post(client, tags="worn")["id"])
    store.trash.empty(count=1)
    database = sqlite3.connect(tmp_path / "planimeter.db")
    for table in ("measurement_tags", "trashed_measurement_tags"):
        assert database.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,)  # noqa: S608
    database.close()


def test_searches_by_them_use_their_indexes(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    add(store, measurement())
    store.close()
    database = sqlite3.connect(tmp_path / "records" / "planimeter.db")
    for name in ("lot", "sample", "operator"):
        plan = database.execute(
            f"EXPLAIN QUERY PLAN SELECT id FROM measurements WHERE {name} = 'a' ORDER BY id DESC"  # noqa: S608
        ).fetchall()
        assert f"measurements_by_{name}" in str(plan)
        assert "TEMP B-TREE" not in str(plan)
    database.close()


def test_the_command_line_says_them_in_its_results(tmp_path: Path) -> None:
    write_block_pack(tmp_path / "packs")
    picture = tmp_path / "a.png"
    picture.write_bytes(PICTURE)
    command = [
        *("measure", str(picture), "--model", MODEL, "--packs-folder", str(tmp_path / "packs")),
        *("--lot", "2026/117", "--sample", "7", "--operator", "Kim", "--tags", "worn,ring", "--tags", "old"),
    ]
    results = tmp_path / "results.csv"
    ran = CliRunner().invoke(main, [*command, "--results", str(results), "--format", "json"])
    assert ran.exit_code == 0, ran.output
    (row,) = csv.DictReader(io.StringIO(results.read_text("utf-8")))
    assert (row["lot"], row["sample"], row["operator"], row["tags"]) == (
        "2026/117",
        "7",
        "Kim",
        "old, ring, worn",
    )
    assert json.loads(ran.stdout)[0]["tags"] == ["old", "ring", "worn"]
    refused = CliRunner().invoke(main, [*command, "--lot", "x" * 4096])
    assert refused.exit_code == 2
    assert "4,096 characters and may have 100" in refused.output.replace("\n", " ")
