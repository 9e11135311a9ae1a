"""Lots: which there are, and what one sums up to, by the API and on its page."""

import re
from typing import Any
from urllib.parse import quote, urljoin

import pytest
from flask.testing import FlaskClient

from planimeter.details import Details
from planimeter.measurement import Counting, Interval, Region
from planimeter.rules import Verdict
from planimeter.store import Store, lot_list
from stored import measurement
from test_comparing import PICTURE
from test_history import add
from test_report import shown

pytestmark = [pytest.mark.both_databases, pytest.mark.usefixtures("records_in")]

LOTS = "/api/v1/lots"
NAME = "2026/117 B & Söhne?#%"


def put(store: Store, filename: str, percent: int, lot: str = NAME, **more: Any) -> str:
    """Store a measurement of so many percent in a lot."""
    details = Details(lot=lot, sample=more.pop("sample", None), operator=more.pop("operator", None))
    id_ = add(store, filename, classes={"scratches": percent, "pits": 0}, **more)
    store.details.change(id_, details)
    return id_


def lot_of(client: FlaskClient, name: str = NAME, **query: Any) -> Any:
    answer = client.get(f"{LOTS}/{quote(name)}", query_string=query)
    assert answer.status_code == 200, answer.text
    return answer.json


def judged(
    store: Store,
    filename: str,
    percent: int,
    verdict: Verdict | None,
    *,
    model: str = "steel",
    known: bool = True,
) -> None:
    """Store a measurement with a verdict in the lot; where its percentage is not `known`, it has none."""
    what = measurement(filename, classes={"scratches": percent, "pits": 0}, model=model)
    coverage = what.coverage if known else what.coverage.model_copy(update={"percent_masked": None})
    store.add(
        what.model_copy(update={"verdict": verdict, "coverage": coverage}),
        picture=PICTURE,
        overlay_png=PICTURE,
        mask_png=PICTURE,
        details=Details(lot=NAME),
    )


@pytest.fixture
def five(store: Store) -> list[str]:
    """The worked example of docs/lots.md, and one of another lot."""
    put(store, "other.png", 90, lot="118")
    return [
        put(store, f"field {percent}.png", percent, sample=sample, operator="Kim")
        for percent, sample in ((12, "7"), (15, "7"), (11, "8"), (14, "8"), (13, "8"))
    ]


def test_the_worked_example(client: FlaskClient, five: list[str]) -> None:
    lot = lot_of(client)
    assert (lot["name"], lot["measurements"], lot["samples"], lot["operators"]) == (
        NAME,
        5,
        ["7", "8"],
        ["Kim"],
    )
    (model,) = lot["by_model"]
    assert (model["model"], model["n"], model["mean_percent"]) == ("steel", 5, 13.0)
    assert model["standard_deviation"] == pytest.approx(1.58114, abs=1e-5)
    assert model["confidence_95"] == pytest.approx(1.96325, abs=1e-5)
    assert model["relative_accuracy"] == pytest.approx(15.102, abs=1e-3)
    # A tenth of 13 is 1.3: with 8 fields t(7) = 2.36462 gives ± 1.32186, with 9 t(8) = 2.30600 gives ± 1.21537.
    assert model["aim"] == {"within": 1.3, "relative_accuracy": 10.0, "pictures": 9, "more": 4}
    assert model["notes"] == lot["notes"] == []
    total = model["statistics"]
    assert total == client.get("/api/v1/measurements/statistics", query_string={"lot": NAME}).json
    assert sum(entry["count"] for entry in total["histogram"]) == 5
    assert [(entry["class"], entry["mean_percent"]) for entry in total["by_class"]] == [("scratches", 13.0)]
    within = lot_of(client, within=1)["by_model"][0]["aim"]
    assert within == {"within": 1.0, "relative_accuracy": None, "pictures": 13, "more": 8}
    assert lot_of(client, within=5)["by_model"][0]["aim"]["more"] == 0
    listed = client.get(urljoin(f"{LOTS}/{quote(NAME)}", lot["measurements_url"])).json
    assert listed is not None
    assert {entry["id"] for entry in listed["measurements"]} == set(five)


def test_verdicts_follow_the_one_rule(client: FlaskClient, store: Store, five: list[str]) -> None:
    assert five
    uncertain = measurement("doubtful.png", classes={"scratches": 13, "pits": 0})
    interval = Interval(low=12, high=14.5, level=0.9, method="split-conformal", calibrated_on="some")
    coverage = uncertain.coverage.model_copy(update={"interval": interval})
    record = store.add(
        uncertain.model_copy(update={"coverage": coverage}),
        picture=PICTURE,
        overlay_png=PICTURE,
        mask_png=PICTURE,
        details=Details(lot=NAME),
    )
    assert record.details.lot == NAME
    total = lot_of(client, limit_percent=13)["by_model"][0]["statistics"]
    assert (total["passed"], total["failed"], total["undecided"]) == (3, 2, 1)
    assert "3 pass, 2 fail, 1 undecided at ≤ 13 % masked" in shown(
        client.get(f"/lots/{quote(NAME)}?limit_percent=13")
    )


def test_one_picture_has_no_interval_and_says_so(client: FlaskClient, store: Store) -> None:
    put(store, "one.png", 4)
    (model,) = lot_of(client)["by_model"]
    assert (model["n"], model["mean_percent"]) == (1, 4.0)
    assert [model[name] for name in ("standard_deviation", "confidence_95", "relative_accuracy", "aim")] == [
        None
    ] * 4
    assert [note["code"] for note in model["notes"]] == ["one_picture"]
    page = shown(client.get(f"/lots/{quote(NAME)}"))
    assert "there is no interval" in page
    assert "±" not in page.partition("Mean to be known to ±")[2]


def test_nothing_found_has_no_relative_accuracy_and_says_so(client: FlaskClient, store: Store) -> None:
    for number in range(3):
        put(store, f"{number}.png", 0)
    (model,) = lot_of(client)["by_model"]
    assert (model["mean_percent"], model["confidence_95"], model["relative_accuracy"]) == (0.0, 0.0, None)
    assert model["aim"] is None
    assert [note["code"] for note in model["notes"]] == ["mean_zero"]
    assert "no relative accuracy" in shown(client.get(f"/lots/{quote(NAME)}"))
    assert lot_of(client, within=1)["by_model"][0]["aim"]["more"] == 0


def test_a_picture_that_was_measured_again_counts_once_as_it_was_last(
    client: FlaskClient, store: Store
) -> None:
    put(store, "a.png", 10)
    put(store, "a.png", 20)
    put(store, "b.png", 40)
    put(store, "a.png", 50, lot="118")
    (model,) = lot_of(client)["by_model"]
    assert (model["n"], model["mean_percent"], model["repeated"]) == (2, 30.0, 1)
    assert model["statistics"]["count"] == 2
    assert [note["code"] for note in model["notes"]] == ["repeats_left_out"]


def test_models_are_never_mixed(client: FlaskClient, store: Store) -> None:
    for name, percents in (("steel", (10, 20)), ("nuclei", (50, 70, 90))):
        for number, percent in enumerate(percents):
            put(store, f"{number}.png", percent, model=name)
    lot = lot_of(client)
    assert [(entry["model"], entry["n"], entry["mean_percent"]) for entry in lot["by_model"]] == [
        ("nuclei", 3, 70.0),
        ("steel", 2, 15.0),
    ]
    assert [note["code"] for note in lot["notes"]] == ["several_models"]
    assert all(entry["repeated"] == 0 for entry in lot["by_model"]), "the same picture, but another model"
    assert "2 models measured in this lot" in shown(client.get(f"/lots/{quote(NAME)}"))


def test_a_model_that_was_trained_again_under_its_name_is_another_one(
    client: FlaskClient, store: Store
) -> None:
    put(store, "a.png", 10)
    before = measurement("b.png", classes={"scratches": 50})
    model = before.model.model_copy(update={"sha256": "2" * 64, "version": "2"})
    store.add(
        before.model_copy(update={"model": model}),
        picture=PICTURE,
        overlay_png=PICTURE,
        mask_png=PICTURE,
        details=Details(lot=NAME),
    )
    lot = lot_of(client)
    found = {entry["model_sha256"]: entry["mean_percent"] for entry in lot["by_model"]}
    assert found == {"1" * 64: 10.0, "2" * 64: 50.0}
    assert {entry["statistics"]["count"] for entry in lot["by_model"]} == {1}
    assert [note["code"] for note in lot["notes"]] == ["several_models"]
    page = shown(client.get(f"/lots/{quote(NAME)}"))
    assert "steel version 1, 1 picture" in page
    assert "steel version 2, 1 picture" in page


def test_different_thresholds_are_told(client: FlaskClient, store: Store, five: list[str]) -> None:
    record = store.get(five[0])
    options = record.measurement.options.model_copy(update={"score_threshold": 0.25})
    lower = record.measurement.model_copy(update={"options": options})
    store.keep(record, lower, overlay_png=PICTURE, mask_png=PICTURE)
    (model,) = lot_of(client)["by_model"]
    assert model["score_thresholds"] == [0.25, 0.5]
    assert "(0.25, 0.5)" in model["notes"][0]["message"]


def test_percentages_of_different_things_are_told(client: FlaskClient, store: Store, five: list[str]) -> None:
    def count(id_: str, **what: Any) -> None:
        record = store.get(id_)
        options = record.measurement.options.model_copy(update={"counting": Counting(**what)})
        changed = record.measurement.model_copy(update={"options": options})
        store.keep(record, changed, overlay_png=PICTURE, mask_png=PICTURE)

    def said() -> dict[str, str]:
        (model,) = lot_of(client)["by_model"]
        return {note["code"]: note["message"] for note in model["notes"]}

    assert said() == {}
    count(five[0], classes=("scratches",))
    assert "classes and smallest instances" in said()["several_filters"]
    count(five[0], of="pits")
    count(five[1], region=Region(include=[[(0, 0), (9, 0), (9, 9)]]))
    words = "The percentages are not all of the same (3 of the picture, 1 of the pits, 1 of the region)"
    assert said()["several_denominators"].startswith(words)
    assert words in shown(client.get(f"/lots/{quote(NAME)}"))
    for id_ in five:
        count(id_, of="pits")
    assert said() == {}


def test_denominators_are_told_of_all_pictures_however_many(client: FlaskClient, store: Store) -> None:
    """The first of more than a thousand."""
    first = put(store, "first.png", 10)
    record = store.get(first)
    options = record.measurement.options.model_copy(update={"counting": Counting(of="pits")})
    changed = record.measurement.model_copy(update={"options": options})
    store.keep(record, changed, overlay_png=PICTURE, mask_png=PICTURE)
    for number in range(1001):
        put(store, f"{number}.png", 12)
    (model,) = lot_of(client)["by_model"]
    messages = {note["code"]: note["message"] for note in model["notes"]}
    assert "(1,001 of the picture, 1 of the pits)" in messages["several_denominators"]


def test_the_list_has_pictures_means_and_verdicts_as_the_lots_themselves(
    client: FlaskClient, store: Store
) -> None:
    judged(store, "a.png", 10, "fail")  # measured again below: it does not count
    judged(store, "a.png", 20, "fail")
    judged(store, "b.png", 4, "pass")
    judged(store, "c.png", 6, None)
    judged(store, "d.png", 7, "undecided", known=False)
    judged(store, "a.png", 50, "fail", model="nuclei")
    put(store, "other.png", 90, lot="118")
    listed = {lot["name"]: lot for lot in client.get(LOTS).json["lots"]}  # type: ignore[index]
    assert [entry["n"] for entry in listed["118"]["by_model"]] == [1]
    lot = listed[NAME]
    assert (lot["measurements"], len(lot["by_model"])) == (6, 2)
    steel, nuclei = lot["by_model"]
    assert (steel["model"], steel["n"], steel["mean_percent"]) == ("steel", 3, 10.0)
    assert steel["verdicts"] == {"passed": 1, "failed": 1, "undecided": 1, "without": 1}
    assert (nuclei["model"], nuclei["n"], nuclei["mean_percent"]) == ("nuclei", 1, 50.0)
    for entry, whole in zip(lot["by_model"], lot_of(client)["by_model"], strict=True):
        assert (entry["n"], entry["mean_percent"]) == (whole["n"], pytest.approx(whole["mean_percent"]))
        assert (entry["model_sha256"], entry["verdicts"]) == (
            whole["model_sha256"],
            whole["statistics"]["verdicts"],
        )
    page = shown(client.get("/lots")).replace(" ,", ",")
    assert "10.00 50.00 1 pass, 1 fail, 1 undecided 0 pass, 1 fail" in page


def test_a_list_sums_up_no_more_than_it_can_quickly(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch, five: list[str]
) -> None:
    assert five
    monkeypatch.setattr(lot_list, "MOST_SUMMED", 4)
    listed = {lot["name"]: lot for lot in client.get(LOTS).json["lots"]}  # type: ignore[index]
    assert (listed[NAME]["by_model"], listed[NAME]["measurements"]) == (None, 5)
    assert [entry["mean_percent"] for entry in listed["118"]["by_model"]] == [90.0]
    assert client.get("/lots").status_code == 200


def test_pictures_that_do_not_count_say_so_among_the_most_masked(client: FlaskClient, store: Store) -> None:
    again = put(store, "a.png", 60)
    put(store, "a.png", 50)
    put(store, "b.png", 40)
    put(store, "a.png", 30, model="nuclei")
    put(store, "a.png", 20, lot="118")
    page = client.get(f"/lots/{quote(NAME)}").text
    cards = page.split('<a class="card"')[1:]
    assert (
        [again in card for card in cards]
        == ["data-repeated" in card for card in cards]
        == [True] + [False] * 3
    )


def test_lots_are_listed_the_newest_first_and_found_by_a_part_of_the_name(
    client: FlaskClient, store: Store, five: list[str]
) -> None:
    put(store, "late.png", 1, lot="118")
    add(store, "of no lot.png")
    listed = client.get(LOTS).json
    assert listed is not None
    assert [(lot["name"], lot["measurements"]) for lot in listed["lots"]] == [("118", 2), (NAME, 5)]
    assert listed["count"] == 2
    assert listed["lots"][1]["first"] == client.get(f"/api/v1/measurements/{five[0]}").json["created_at"]  # type: ignore[index]
    linked = client.get(urljoin(LOTS, listed["lots"][1]["url"])).json
    assert linked is not None
    assert linked["name"] == NAME
    found = client.get(LOTS, query_string={"name": "117"}).json
    assert found is not None
    assert [lot["name"] for lot in found["lots"]] == [NAME]
    assert client.get(LOTS, query_string={"name": "%"}).json["count"] == 1  # type: ignore[index]
    put(store, "big.png", 1, lot="Gürtel ÄÖ_7")
    for part_of_name in ("gÜRTEL", "äö_7", "Äö"):
        found = client.get(LOTS, query_string={"name": part_of_name}).json
        assert found is not None
        assert ([lot["name"] for lot in found["lots"]], found["count"]) == (["Gürtel ÄÖ_7"], 1)
    assert client.get(LOTS, query_string={"name": "äö-7"}).json["count"] == 0  # type: ignore[index]
    assert client.get("/lots?name=%C3%A4%C3%96").text.count("Gürtel") > 0
    part = client.get(f"{LOTS}?limit=1&offset=2").json
    assert part is not None
    assert [lot["name"] for lot in part["lots"]] == [NAME]
    assert part["count"] == 3


@pytest.mark.parametrize("name", [NAME, "a/b/c", "ä", "x" * 100, "<b>&amp;x", "a..b", "100 %25", "lots"])
def test_every_name_has_an_address(client: FlaskClient, store: Store, name: str) -> None:
    id_ = put(store, "a.png", 10, lot=name)
    assert lot_of(client, name)["name"] == name
    page = client.get(f"/measurements/{id_}").text
    (to_lot,) = re.findall(r'<dd><a href="([^"]*)">', page)[:1]
    answer = client.get(urljoin(f"/measurements/{id_}", to_lot.replace("&amp;", "&")))
    assert answer.status_code == 200, to_lot
    assert f"Lot {name}" in shown(answer)
    base = answer.request.path
    assert "<b>" not in answer.text
    for way in ("measurements?lot=", "report?lot=", "csv?lot="):
        (found,) = [
            entry
            for entry in re.findall(r'href="([^"]*)"', answer.text)
            if way in entry and "order" not in entry
        ]
        assert client.get(urljoin(quote(base), found.replace("&amp;", "&"))).status_code == 200


def test_a_lot_that_is_not_there_is_told(client: FlaskClient, store: Store, five: list[str]) -> None:
    answer = client.get(f"{LOTS}/{quote(NAME.lower())}")
    assert (answer.status_code, answer.json["error"]["code"]) == (404, "unknown_lot")  # type: ignore[index]
    assert "capitals make a difference" in answer.json["error"]["message"]  # type: ignore[index]
    assert client.get("/lots/none").status_code == 404
    for id_ in five:
        store.discard(id_)
    assert client.get(f"{LOTS}/{quote(NAME)}").status_code == 404, "what is in the trash belongs to no lot"
    assert "No picture was put into a lot yet" not in client.get("/lots").text
    assert client.get(LOTS).json["count"] == 1  # type: ignore[index]


def test_the_page_says_what_the_api_answers(client: FlaskClient, five: list[str]) -> None:
    assert five
    page = shown(client.get(f"/lots/{quote(NAME)}?within=1"))
    assert "13.00 ± 1.96 %" in page
    assert "15.1 %" in page
    assert "1.58 points" in page
    assert "About 8 more pictures to know the mean to ± 1.00 points" in page
    assert "5 measurements of 2 samples" in page
    refused = client.get(f"/lots/{quote(NAME)}?within=0")
    assert refused.status_code == 400
    assert "Within is '0'" in shown(refused)
    assert "13.00 ± 1.96 %" in shown(refused)


def test_the_report_of_a_lot_is_of_that_lot_also_where_an_option_is_wrong(
    client: FlaskClient, five: list[str]
) -> None:
    assert five
    for query, status in ({"lot": NAME}, 200), ({"lot": NAME, "limit_percent": "none"}, 400):
        answer = client.get("/report", query_string=query)
        assert answer.status_code == status
        page = shown(answer)
        assert f"Lot {NAME}" in page
        assert "5 measurements" in page
        assert "other.png" not in page


def test_the_report_of_a_lot_has_what_its_mean_is_worth(
    client: FlaskClient, store: Store, five: list[str]
) -> None:
    put(store, "field 12.png", 12)  # the first once more: it counts once
    for query in ({}, {"repeats": "true"}):
        page = shown(client.get("/report", query_string={"lot": NAME, **query}))
        assert "Mean of the lot" in page
        assert "5 13.00 ± 1.96 15.1 1.58" in page
    put(store, "one.png", 40, model="nuclei")
    page = shown(client.get("/report", query_string={"lot": NAME}))
    assert "nuclei 1 40.00 \N{EN DASH} \N{EN DASH} \N{EN DASH}" in page
    assert "steel 5 13.00 ± 1.96 15.1 1.58" in page
    for query in ({"min_percent": "12"}, {"verdict": "fail"}, {"class": "scratches"}, {"filename": "field"}):
        assert "Mean of the lot" not in shown(client.get("/report", query_string={"lot": NAME, **query}))
    assert "Mean of the lot" in shown(client.get("/report", query_string={"lot": NAME, "sample": "8"}))
    assert "Mean of the lot" not in shown(client.get("/report"))
    assert len(five) == 5


def test_the_list_of_a_report_says_what_was_said_of_each_picture(client: FlaskClient, store: Store) -> None:
    first, _ = put(store, "a.png", 12), put(store, "b.png", 15)
    store.details.change(
        first, Details(lot=NAME, sample="7", operator="Kim", tags=("worn", "ring"), note="one\ntwo <b>")
    )
    page = shown(client.get("/report", query_string={"lot": NAME}))
    assert re.search(
        r"a\.png\s+Sample 7\s+Operator Kim\s+Tags: (worn, ring|ring, worn)\s+Note: one\s+two <b>", page
    )
    assert page.count("Operator") == 1
