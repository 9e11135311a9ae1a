"""A verdict is of what its profile says: where something else was kept or set afterwards, every door says so."""

import csv
import json
from io import BytesIO, StringIO
from typing import Any

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient

from fakes import block_segmenter, blocks
from planimeter.measurement import Counting, Region
from planimeter.measuring.coverage import at_threshold
from planimeter.outputs.payload import measurement_data
from planimeter.store import Store
from planimeter.store.tables import DocumentRow
from test_profiles import MEASUREMENTS, PICTURE, PROFILES, SMALL, at_most, get, post, put
from test_region import region

CORNER = region((48, 0, 64, 16))
"""256 pixels in which nothing is."""
NOTE = "measured_otherwise"


def locked(client: FlaskClient, **said: Any) -> Any:
    """Return a measurement that fails by a profile with a threshold, a region of 512 red pixels and a pixel size."""
    fixed = {"score_threshold": 0.5, "region": SMALL, "pixel_size": 0.5, "unit": "mm", "rules": [at_most(5)]}
    put(client, "lock", **{**fixed, **said})
    answer = post(client, profile="lock", lot="7")
    assert answer["verdict"] == "fail"
    return answer


def changed(client: FlaskClient, id_: str, what: str, status: int = 200, **fields: str) -> Any:
    answer = client.put(f"{MEASUREMENTS}/{id_}/{what}", data=fields)
    assert answer.status_code == status, answer.text
    return answer.get_json()


def taken_back(client: FlaskClient, id_: str, what: str) -> Any:
    answer = client.delete(f"{MEASUREMENTS}/{id_}/{what}")
    assert answer.status_code == 200, answer.text
    return answer.get_json()


def reasons(answer: Any) -> list[str]:
    """Return why the rules of an answer are undecided; the note says the same."""
    notes = [note["message"] for note in answer["notes"] if note["code"] == NOTE]
    assert len(notes) <= 1
    assert answer["verdict"] == "undecided" if notes else answer["verdict"] != "undecided"
    for rule in answer["rules"]:
        if notes:
            assert rule["verdict"] == "undecided"
            assert rule["reason"].removeprefix("measured otherwise than the profile says: ") in notes[0]
    return [note.partition(": ")[2] for note in notes]


CHANGES: list[tuple[str, dict[str, Any], str]] = [
    ("threshold", {"score_threshold": "0.99"}, "score threshold 0.99 in place of 0.5"),
    ("region", {"region": json.dumps(CORNER)}, "another region in place of its own"),
    ("scale", {"pixel_size": "0.001", "unit": "mm"}, "0.001 mm a pixel in place of 0.5 mm a pixel"),
]


@pytest.mark.parametrize(("what", "fields", "why"), CHANGES)
def test_a_fail_never_becomes_a_pass_by_what_the_profile_does_not_say(
    client: FlaskClient, what: str, fields: dict[str, Any], why: str
) -> None:
    before = locked(client)
    after = changed(client, before["id"], what, **fields)
    assert reasons(after) == [why]
    assert reasons(get(client, f"{MEASUREMENTS}/{before['id']}")) == [why]
    back = taken_back(client, before["id"], what)
    assert (back["verdict"], back["rules"], reasons(back)) == ("fail", before["rules"], [])
    assert back["notes"] == before["notes"]


@pytest.mark.parametrize(("what", "fields", "why"), CHANGES)
def test_every_list_sum_table_and_page_follows(
    client: FlaskClient, store: Store, what: str, fields: dict[str, Any], why: str
) -> None:
    id_ = locked(client)["id"]
    changed(client, id_, what, **fields)
    (listed,) = get(client, f"{MEASUREMENTS}?verdict=undecided")["measurements"]
    assert (listed["id"], listed["verdict"]) == (id_, "undecided")
    assert get(client, f"{MEASUREMENTS}?verdict=pass")["count"] == 0
    (line,) = get(client, f"{MEASUREMENTS}/lines")["lines"]
    assert line["verdict"] == "undecided"
    (row,) = csv.DictReader(StringIO(client.get(f"{MEASUREMENTS}/csv").text))
    assert row["verdict"] == "undecided"
    assert why in row["notes"]
    sums = {"passed": 0, "failed": 0, "undecided": 1, "without": 0}
    assert get(client, f"{MEASUREMENTS}/statistics")["verdicts"] == sums
    (model,) = get(client, "/api/v1/lots/7")["by_model"]
    assert model["statistics"]["verdicts"] == sums
    page = client.get(f"/measurements/{id_}").text
    assert "UNDECIDED" in page
    assert why in page
    assert ">PASS<" not in page
    report = client.get("/report?lot=7&sheets=1").text
    assert 'class="verdict undecided"' in report
    assert 'class="verdict passed"' not in report
    told = measurement_data(store.get(id_))
    assert (told["verdict"], told["rules"][0]["verdict"]) == ("undecided", "undecided")
    assert NOTE in {note["code"] for note in told["notes"]}


def test_a_threshold_that_is_only_asked_for_is_no_verdict_either(client: FlaskClient) -> None:
    before = locked(client)
    url = f"{MEASUREMENTS}/{before['id']}"
    asked = get(client, f"{url}?score_threshold=0.99")
    assert reasons(asked) == ["score threshold 0.99 in place of 0.5"]
    assert asked["rules"][0]["value"] == 0.0  # which stays to be read
    assert get(client, f"{url}?score_threshold=0.5")["rules"] == before["rules"]
    page = client.get(f"/measurements/{before['id']}?score_threshold=0.99").text
    assert "UNDECIDED" in page


@pytest.mark.parametrize(
    ("said", "fields", "why"),
    [
        ({"region": SMALL}, {"whole": "true"}, "no region in place of its own"),
        (
            {"ignore": ["saturated"]},
            {"ignore": "transparent"},
            "ignored pixels transparent in place of saturated",
        ),
        ({"classes": ["red"]}, {"classes": "green"}, "classes green in place of red"),
        ({"classes": ["red"]}, {"whole": "true"}, "classes all in place of red"),
        ({"least_area": 9}, {"least_area": "40"}, "instances from 40 pixels in place of 9"),
        ({"of": "red"}, {"whole": "true"}, "percent of all that counts in place of red"),
    ],
)
def test_each_part_of_what_counts_is_named(
    client: FlaskClient, said: dict[str, Any], fields: dict[str, Any], why: str
) -> None:
    put(client, "part", rules=[at_most(100)], **said)
    before = post(client, profile="part")
    assert reasons(before) == []
    after = changed(client, before["id"], "region", **fields)
    assert reasons(after) == [why]
    assert reasons(taken_back(client, before["id"], "region")) == []


def test_a_mask_is_not_the_region_of_the_profile(client: FlaskClient) -> None:
    id_ = locked(client)["id"]
    mask = {"region_mask": (BytesIO(PICTURE), "mask.png")}
    after = client.put(f"{MEASUREMENTS}/{id_}/region", data=mask).get_json()
    assert reasons(after) == ["no region in place of its own; a region mask in place of its region"]
    both = {"region": json.dumps(SMALL), "region_mask": (BytesIO(PICTURE), "mask.png")}
    after = client.put(f"{MEASUREMENTS}/{id_}/region", data=both).get_json()
    assert reasons(after) == ["a region mask beside its region"]


def test_what_the_profile_leaves_open_may_be_set_freely(client: FlaskClient) -> None:
    put(client, "open", rules=[at_most(90)])
    id_ = post(client, profile="open")["id"]
    free: dict[str, dict[str, Any]] = {
        "threshold": {"score_threshold": "0.7"},
        "region": {"region": json.dumps(region((0, 0, 64, 64)))},
        "scale": {"pixel_size": "0.2", "unit": "mm"},
    }
    for what, fields in free.items():
        answer = changed(client, id_, what, **fields)
        assert (answer["verdict"], reasons(answer)) == ("pass", [])


def test_the_same_size_in_another_unit_is_what_the_profile_says(client: FlaskClient) -> None:
    id_ = locked(client)["id"]
    changed(client, id_, "scale", pixel_size="0.6", unit="mm")
    same = changed(client, id_, "scale", pixel_size="500", unit="um")
    assert (same["verdict"], reasons(same)) == ("fail", [])


def test_several_departures_are_told_together_and_leave_one_by_one(client: FlaskClient) -> None:
    id_ = locked(client)["id"]
    for what, fields, _ in CHANGES:
        after = changed(client, id_, what, **fields)
    assert reasons(after) == ["; ".join(why for _, _, why in CHANGES)]
    assert reasons(taken_back(client, id_, "region")) == [f"{CHANGES[0][2]}; {CHANGES[2][2]}"]
    assert reasons(taken_back(client, id_, "threshold")) == [CHANGES[2][2]]
    assert taken_back(client, id_, "scale")["verdict"] == "fail"


def test_a_rule_on_a_class_that_would_not_be_counted_is_refused_as_at_once(client: FlaskClient) -> None:
    put(client, "cmp", rules=[at_most(0, "count", **{"class": "green"})])
    what = "on a class that does not count: classes names red only"
    assert what in post(client, 409, profile="cmp", classes="red")["error"]["message"]
    before = post(client, profile="cmp")
    assert before["verdict"] == "fail"
    refused = changed(client, before["id"], "region", 409, classes="red", whole="true")
    assert what in refused["error"]["message"]
    assert get(client, f"{MEASUREMENTS}/{before['id']}")["verdict"] == "fail"
    on_page = client.post(f"/measurements/{before['id']}?change=region", data={"classes": "red"})
    assert on_page.status_code == 409
    areas = {"figure": "largest_area", "at_most": 5, "class": "green"}
    put(client, "areas", rules=[areas])
    unlisted = post(client, profile="areas")
    refused = changed(client, unlisted["id"], "region", 409, of="green")
    assert "its instances are not listed" in refused["error"]["message"]


# ---- What people corrected


def corrected(client: FlaskClient, id_: str, *, complete: bool) -> Any:
    said = {"after": 0, "reject": [1], "complete": complete}
    answer = client.post(f"{MEASUREMENTS}/{id_}/corrections", json=said)
    assert answer.status_code == 201, answer.text
    return get(client, f"{MEASUREMENTS}/{id_}")["corrected"]


@pytest.mark.parametrize(("what", "fields", "why"), CHANGES)
def test_corrected_figures_are_no_verdict_of_the_profile_then(
    client: FlaskClient, what: str, fields: dict[str, Any], why: str
) -> None:
    id_ = locked(client)["id"]
    assert corrected(client, id_, complete=False)["verdict"] == "pass"  # red was none
    after = changed(client, id_, what, **fields)["corrected"]
    assert reasons(after) == [why]
    assert taken_back(client, id_, what)["corrected"]["verdict"] == "pass"


def test_of_what_a_person_reviewed_no_score_decides(client: FlaskClient) -> None:
    id_ = locked(client)["id"]
    assert corrected(client, id_, complete=True)["verdict"] == "pass"
    after = changed(client, id_, "threshold", score_threshold="0.99")
    assert after["verdict"] == "undecided"
    assert (after["corrected"]["verdict"], reasons(after["corrected"])) == ("pass", [])


# ---- Records of before, and Python


def test_a_record_that_does_not_know_what_its_profile_fixes_learns_it(
    client: FlaskClient, store: Store
) -> None:
    id_ = locked(client)["id"]
    with store._database.writing() as connection:
        row = DocumentRow.measurement_id == id_
        document = json.loads(connection.scalar(sa.select(DocumentRow.document).where(row)) or "")
        del document["profile"]["fixes"]
        connection.execute(sa.update(DocumentRow).where(row).values(document=json.dumps(document)))
        connection.commit()
    put(client, "lock", rules=[])  # another version: the one that measured counts
    client.delete(f"{PROFILES}/lock")
    assert get(client, f"{MEASUREMENTS}/{id_}")["profile"]["fixes"] is None
    for what, fields, why in CHANGES:
        assert reasons(changed(client, id_, what, **fields)) == [why]
        assert taken_back(client, id_, what)["verdict"] == "fail"


def test_from_python_another_threshold_is_no_verdict_either() -> None:
    pixels = blocks(red=(0, 0, 32, 32), green=(40, 40, 48, 44))
    profile = {"score_threshold": 0.5, "rules": [at_most(5)]}
    measured = block_segmenter().measure(pixels, profile=profile)
    assert measured.verdict == "fail"
    at = at_threshold(measured.without_picture(), measured.candidates(), 0.99)
    assert (at.verdict, at.rules[0].value) == ("undecided", 0.0)
    assert "score threshold 0.99 in place of 0.5" in (at.rules[0].reason or "")
    corner = Counting(region=Region.model_validate(CORNER))
    assert (
        at_threshold(measured.without_picture(), measured.candidates(), 0.5, None, corner).verdict == "pass"
    )


def test_the_answer_says_what_the_version_fixes_and_whose_pixel_size_it_is(client: FlaskClient) -> None:
    answer = locked(client)
    fixes = answer["profile"]["fixes"]
    assert fixes["score_threshold"] == 0.5
    assert fixes["counting"]["region"]["include"] == SMALL["include"]
    assert (fixes["scale"]["pixel_size"], fixes["scale"]["unit"]) == (0.5, "mm")
    assert answer["image"]["scale"]["source"] == "profile"
    assert (
        "<strong>0.5 mm a pixel</strong>, from the profile."
        in client.get(f"/measurements/{answer['id']}").text
    )
    (row,) = csv.DictReader(StringIO(client.get(f"{MEASUREMENTS}/csv").text))
    assert row["pixel_size_source"] == "profile"
    assert post(client, pixel_size="0.5", unit="mm")["image"]["scale"]["source"] == "given"
    again = client.post(MEASUREMENTS, query_string={"from": answer["id"], "whole": "true"}).get_json()
    assert (again["profile"], again["image"]["scale"]["source"]) == (None, "given")
    kept = client.post(MEASUREMENTS, query_string={"from": answer["id"]}).get_json()
    assert (kept["profile"]["name"], kept["image"]["scale"]["source"]) == ("lock", "profile")
