"""Profiles at every door: made in versions, measured by, and the verdict that follows each later change."""

import csv
import json
import re
from io import BytesIO, StringIO
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from flask.testing import FlaskClient

from fakes import BlockRuntime, blocks, encoded, write_block_pack
from planimeter.commands import main
from planimeter.measuring.profile_files import LARGEST
from planimeter.service.models import Models
from planimeter.store import Store
from test_region import region

PROFILES = "/api/v1/profiles"
MEASUREMENTS = "/api/v1/measurements"
PICTURE = encoded(blocks(red=(0, 0, 32, 32), green=(40, 40, 48, 44)))
"""25 % red, found with a score of 0.9; 32 pixels of green, found with one of 0.6: 25.78125 % in all."""
SMALL = {"include": [[[0, 0], [32, 0], [32, 16], [0, 16]]]}
"""512 pixels, all of them red."""


def at_most(limit: float, figure: str = "percent_masked", **more: Any) -> dict[str, Any]:
    return {"figure": figure, "at_most": limit, **more}


def put(client: FlaskClient, name: str, status: int = 200, **said: Any) -> Any:
    answer = client.put(f"{PROFILES}/{name}", json=said)
    assert answer.status_code == status, answer.text
    return answer.json


def post(client: FlaskClient, status: int = 201, **fields: Any) -> Any:
    answer = client.post(MEASUREMENTS, data={"image": (BytesIO(PICTURE), "strip.png"), **fields})
    assert answer.status_code == status, answer.text
    return answer.json


def get(client: FlaskClient, path: str, status: int = 200) -> Any:
    answer = client.get(path)
    assert answer.status_code == status, answer.text
    return answer.json


# ---- Versions


def test_each_change_is_a_version_and_none_is_lost(client: FlaskClient) -> None:
    first = put(client, "strip", score_threshold=0.5, rules=[at_most(5)])
    assert (first["version"], first["current"]) == (1, True)
    assert put(client, "strip", rules=[at_most(5.0)], score_threshold=0.5)["version"] == 1  # the same
    second = put(client, "strip", score_threshold=0.7, rules=[at_most(5)])
    assert second["version"] == 2
    assert [entry["version"] for entry in second["versions"]] == [2, 1]
    assert get(client, f"{PROFILES}/strip")["profile"]["score_threshold"] == 0.7
    old = get(client, f"{PROFILES}/strip?version=1")
    assert (old["profile"], old["current"]) == (first["profile"], False)
    assert (
        put(client, "strip", score_threshold=0.5, rules=[at_most(5)])["version"] == 3
    )  # back is a change too
    (listed,) = get(client, PROFILES)["profiles"]
    assert (listed["name"], listed["version"]) == ("strip", 3)
    assert client.delete(f"{PROFILES}/strip").status_code == 204
    assert get(client, PROFILES)["profiles"] == []
    assert "was deleted" in get(client, f"{PROFILES}/strip", 404)["error"]["message"]
    assert get(client, f"{PROFILES}/strip?version=2")["profile"]["score_threshold"] == 0.7
    assert client.delete(f"{PROFILES}/strip").status_code == 404
    assert put(client, "strip", score_threshold=0.5)["version"] == 4


def test_a_change_of_a_version_that_is_past_is_refused(client: FlaskClient) -> None:
    place = f"{PROFILES}/two"

    def change(after: int, limit: float) -> tuple[int, Any]:
        answer = client.put(f"{place}?after={after}", json={"rules": [at_most(limit)]})
        return answer.status_code, answer.json

    gone = "there is no profile 'two' now, and this change was made from its version"
    assert change(1, 5)[1]["error"]["message"] == f"{gone} 1"
    assert change(0, 5)[0] == 200
    status, answer = change(0, 6)
    assert (status, answer["error"]["code"]) == (409, "profile_changed")
    assert answer["error"]["message"] == "there is a profile 'two' already, in version 1"
    assert change(1, 6)[1]["version"] == 2
    status, answer = change(1, 7)
    assert (status, answer["error"]["code"]) == (409, "profile_changed")
    assert "is in version 2 now, and this change was made from version 1" in answer["error"]["message"]
    assert change(1, 6) == (200, client.get(place).json)  # it says so already
    assert client.get(place).json["profile"]["rules"][0]["at_most"] == 6  # type: ignore[index]
    assert client.put(place, json={"rules": [at_most(8)]}).json["version"] == 3  # type: ignore[index]
    assert client.delete(place).status_code == 204
    status, answer = change(3, 9)
    assert (status, answer["error"]["message"]) == (409, f"{gone} 3")
    assert change(0, 9)[1]["version"] == 4


def test_what_was_measured_stays_whatever_becomes_of_the_profile(client: FlaskClient) -> None:
    put(client, "strip", score_threshold=0.7, rules=[at_most(25)])
    before = post(client, profile="strip")
    assert (before["verdict"], before["coverage"]["percent_masked"]) == ("pass", 25.0)
    assert before["profile"]["version"] == 1
    put(client, "strip", score_threshold=0.5, rules=[at_most(20)])
    after = post(client, profile="strip")
    assert (after["verdict"], after["coverage"]["percent_masked"], after["profile"]["version"]) == (
        "fail",
        25.78125,
        2,
    )
    client.delete(f"{PROFILES}/strip")
    url = f"{MEASUREMENTS}/{before['id']}"
    for name in ("profile", "verdict", "rules", "options", "coverage"):
        assert get(client, url)[name] == before[name]
    sha256 = get(client, f"{PROFILES}/strip?version=1")["sha256"]
    assert sha256 == before["profile"]["sha256"]
    kept = client.put(f"{url}/threshold", data={"score_threshold": "0.5"}).get_json()
    assert (kept["verdict"], kept["rules"][0]["at_most"]) == ("undecided", 25.0)  # by its own version
    assert kept["rules"][0]["value"] == 25.78125


# ---- What a request may say beside it


def test_a_profile_gives_what_the_request_leaves_out(client: FlaskClient, runtime: BlockRuntime) -> None:
    said: dict[str, Any] = {
        "model": "blocks",
        "score_threshold": 0.3,
        "region": SMALL,
        "ignore": ["saturated"],
    }
    put(client, "full", **said, classes=["red"], least_area=9, pixel_size=0.5, unit="mm")
    for page in ("/", "/profiles"):
        said_there = "a region, without saturated pixels, only red, instances of 9 pixels or more"
        assert said_there in client.get(page).text
    answer = post(client, profile="full", lot="7", operator="Ada")
    counting = answer["options"]["counting"]
    assert answer["options"]["score_threshold"] == 0.3
    assert answer["coverage"]["pixels_counted"] == 512
    assert (counting["ignore"], counting["classes"], counting["least_area"]) == (["saturated"], ["red"], 9)
    assert (answer["image"]["scale"]["pixel_size"], answer["image"]["scale"]["unit"]) == (0.5, "mm")
    assert (answer["lot"], answer["operator"], answer["verdict"], answer["rules"]) == ("7", "Ada", None, [])
    same: dict[str, Any] = {
        "score_threshold": "0.3",
        "classes": "red",
        "pixel_size": "500",
        "unit": "um",
        "model": "blocks",
    }
    again = post(client, profile="full", region=json.dumps(SMALL), **same)
    assert again["coverage"] == answer["coverage"]
    ran = runtime.ran
    for name, value, shown in (
        ("score_threshold", "0.31", "score_threshold is 0.31, and the profile 'full' says 0.3"),
        ("region", json.dumps(region((0, 0, 9, 9))), "region is"),
        ("region_mask", "aGVsbG8=", "region_mask is"),
        ("classes", "green", "classes is 'green', and the profile 'full' says 'red'"),
        ("ignore", "transparent", "ignore is"),
        ("least_area", "8", "least_area is 8, and the profile 'full' says 9"),
    ):
        error = post(client, 409, profile="full", **{name: value})["error"]
        assert shown in error["message"]
    assert (
        "pixel_size is 0.4"
        in post(client, 409, profile="full", pixel_size="0.4", unit="mm")["error"]["message"]
    )
    assert runtime.ran == ran
    assert get(client, MEASUREMENTS)["count"] == 2


def test_what_it_leaves_open_is_the_request_s(client: FlaskClient) -> None:
    put(client, "open", rules=[at_most(100)])
    answer = post(client, profile="open", score_threshold="0.7", region=json.dumps(SMALL))
    assert (answer["coverage"]["pixels_counted"], answer["coverage"]["percent_masked"]) == (512, 100.0)
    assert answer["options"]["score_threshold"] == 0.7
    assert answer["verdict"] == "pass"


def test_a_stored_picture_measured_again_keeps_its_profile_or_says_why_not(client: FlaskClient) -> None:
    def again(of: Any, **fields: Any) -> Any:
        answer = client.post(MEASUREMENTS, query_string={"from": of["id"], **fields})
        assert answer.status_code == 201, answer.text
        made: Any = answer.json
        notes = [note["message"] for note in made["notes"] if note["code"] == "profile_not_kept"]
        return made["profile"], made["verdict"], "".join(notes)

    put(client, "strip", score_threshold=0.7, region=SMALL, pixel_size=0.5, unit="mm", rules=[at_most(5)])
    first = post(client, profile="strip", lot="7")
    assert again(first) == (first["profile"], "fail", "")
    second = put(client, "strip", score_threshold=0.7, rules=[at_most(100)])
    used, verdict, said = again(first)
    assert (used["version"], verdict, said) == (second["version"], "pass", "")  # as it is now
    assert again(first, score_threshold="0.7")[1] == "pass"
    for fields, why in (
        ({"score_threshold": "0.5"}, "score_threshold is 0.5, and the profile 'strip' says 0.7"),
        ({"whole": "true"}, ""),
    ):
        used, verdict, said = again(first, **fields)
        assert (used, verdict) == (None, None)
        assert why in said
        assert bool(said) == bool(why)
    url = f"{MEASUREMENTS}/{first['id']}"
    put(client, "strip", pixel_size=0.5, unit="mm", rules=[at_most(100)])
    assert client.put(f"{url}/scale?pixel_size=0.6&unit=mm").status_code == 200
    assert "another size of a pixel" in again(first)[2]
    assert client.delete(f"{url}/scale").status_code == 200
    assert client.put(f"{url}/region?whole=true").status_code == 200
    assert "let count afterwards" in again(first)[2]
    assert client.delete(f"{url}/region").status_code == 200
    assert again(first)[1] == "pass"
    client.delete(f"{PROFILES}/strip")
    assert "not measured by the profile 'strip' as it was before: There is no profile" in again(first)[2]


def test_a_request_that_is_sent_again_finds_its_measurement_though_the_profile_changed(
    client: FlaskClient,
) -> None:
    put(client, "strip", rules=[at_most(5)])
    key = {"Idempotency-Key": "once"}
    first = client.post(f"{MEASUREMENTS}?profile=strip", data=PICTURE, content_type="image/png", headers=key)
    put(client, "strip", rules=[at_most(90)])
    again = client.post(f"{MEASUREMENTS}?profile=strip", data=PICTURE, content_type="image/png", headers=key)
    assert first.get_json()["id"] == again.get_json()["id"]
    assert again.get_json()["verdict"] == "fail"


# ---- What cannot be


@pytest.mark.parametrize(
    ("name", "said", "status", "what"),
    [
        ("strip", {"model": "gone"}, 404, "there is no model 'gone'"),
        (
            "strip",
            {"model": "blocks", "rules": [at_most(1, "count", **{"class": "blue"})]},
            409,
            "model lacks",
        ),
        ("strip", {"model": "blocks", "classes": ["blue"]}, 409, "which the model lacks"),
        ("strip", {"rules": [at_most(False)]}, 400, "rules.1.at_most is False"),
        ("strip", {"score_threshold": "0.5"}, 400, "score_threshold is '0.5': it should be a valid number"),
        ("strip", {"rules": [at_most(1, "dust")]}, 400, "rules.1.figure is 'dust'"),
        ("strip", {"rules": [at_most(float("nan"))]}, 400, "finite"),
        ("n" * 4096, {}, 400, "4,096 characters"),
        ("Strip", {}, 400, "small letters"),
        ("strip", {"region": {"include": [[[0, 0], [9, 9], [9, 0], [0, 9]]]}}, 409, "crosses or touches"),
        ("strip", {"note": "n" * 2001}, 400, "2,001 characters"),
        (
            "strip",
            {"rules": [at_most(1, "count"), {"figure": "count", "at_least": 2}]},
            409,
            "no picture can keep both of the rules 'instances ≤ 1' and 'instances ≥ 2'",
        ),
    ],
)
def test_a_profile_that_cannot_be_is_a_sentence_and_nothing_is_stored(
    client: FlaskClient, name: str, said: dict[str, Any], status: int, what: str
) -> None:
    assert what in put(client, name, status, **said)["error"]["message"]
    assert get(client, PROFILES)["profiles"] == []


def test_a_body_that_is_no_profile_is_a_sentence(client: FlaskClient) -> None:
    for body, kind in ((b"{", "application/json"), (b"[1]", "application/json"), (b"a=1", "text/plain")):
        answer = client.put(f"{PROFILES}/strip", data=body, content_type=kind)
        assert answer.status_code == 400, answer.text
    long = client.put(f"{PROFILES}/strip", data=b" " * (LARGEST + 1), content_type="application/json")
    assert (long.status_code, "is larger than the limit" in long.text) == (413, True)
    answer = client.put(f"{PROFILES}/strip?model=blocks", json={})
    assert "unknown option 'model'" in answer.get_json()["error"]["message"]


def test_a_profile_whose_model_is_gone_and_one_that_never_was(client: FlaskClient, models: Models) -> None:
    put(client, "strip", model="blocks", rules=[at_most(5)])
    assert post(client, 404, profile="nowhere")["error"]["code"] == "unknown_profile"
    models._find = lambda _: {}
    error = post(client, 404, profile="strip")["error"]
    assert (error["code"], "'strip' measures with the model 'blocks'" in error["message"]) == (
        "unknown_model",
        True,
    )
    assert get(client, f"{PROFILES}/strip")["version"] == 1


def test_a_rule_on_a_class_of_another_model_is_refused_before_the_network_runs(
    client: FlaskClient, runtime: BlockRuntime
) -> None:
    put(client, "any", rules=[at_most(5, **{"class": "scratches"})])
    assert "'percent masked of scratches ≤ 5 %'" in post(client, 409, profile="any")["error"]["message"]
    assert runtime.ran == 0


# ---- Changed later


def test_the_verdict_follows_threshold_region_and_scale(client: FlaskClient) -> None:
    rules = [at_most(1, "count"), at_most(10, "largest_feret_diameter", unit="mm")]
    put(client, "strip", rules=rules)
    answer = post(client, profile="strip")
    url = f"{MEASUREMENTS}/{answer['id']}"

    def verdicts(answer: Any) -> list[str]:
        whole = [answer["verdict"], *(rule["verdict"] for rule in answer["rules"])]
        assert get(client, url)["verdict"] == answer["verdict"]
        assert get(client, f"{MEASUREMENTS}?verdict={answer['verdict']}")["count"] == 1
        return whole

    assert verdicts(answer) == ["fail", "fail", "undecided"]
    asked = get(client, f"{url}?score_threshold=0.7")
    assert [asked["verdict"], asked["rules"][0]["value"]] == ["undecided", 1]
    kept = client.put(f"{url}/threshold", data={"score_threshold": "0.7"}).get_json()
    assert verdicts(kept) == ["undecided", "pass", "undecided"]
    scaled = client.put(f"{url}/scale", data={"pixel_size": "0.2", "unit": "mm"}).get_json()
    assert verdicts(scaled) == ["pass", "pass", "pass"]
    assert scaled["rules"][1]["value"] == pytest.approx(0.2 * 44.553338, abs=1e-5)
    coarse = client.put(f"{url}/scale", data={"pixel_size": "0.5", "unit": "mm"}).get_json()
    assert verdicts(coarse) == ["fail", "pass", "fail"]
    clipped = client.put(f"{url}/region", data={"region": json.dumps(region((0, 0, 8, 8)))}).get_json()
    assert verdicts(clipped) == ["pass", "pass", "pass"]
    client.delete(f"{url}/region")
    client.delete(f"{url}/threshold")
    assert verdicts(get(client, url)) == ["fail", "fail", "fail"]
    assert verdicts(client.delete(f"{url}/scale").get_json()) == ["fail", "fail", "undecided"]


def test_verdicts_stand_in_lists_tables_sums_lots_and_reports(client: FlaskClient) -> None:
    put(client, "strict", rules=[at_most(25), at_most(9, "count")])
    put(client, "mild", rules=[at_most(90)])
    strict = post(client, profile="strict", lot="7")
    post(client, profile="mild", lot="7", score_threshold="0.7")
    post(client, lot="7")
    (listed,) = get(client, f"{MEASUREMENTS}?profile=strict")["measurements"]
    assert (listed["id"], listed["verdict"], listed["profile"]["name"]) == (strict["id"], "fail", "strict")
    lines = get(client, f"{MEASUREMENTS}/lines?order=created_at")["lines"]
    assert [(line["profile"], line["verdict"]) for line in lines] == [
        ("strict", "fail"),
        ("mild", "pass"),
        (None, None),
    ]
    rows = [*csv.DictReader(StringIO(client.get(f"{MEASUREMENTS}/csv?order=created_at").text))]
    assert [(row["profile"], row["profile_version"], row["verdict"]) for row in rows] == [
        ("strict", "1", "fail"),
        ("mild", "1", "pass"),
        ("", "", ""),
    ]
    assert rows[0]["rules"] == "percent masked ≤ 25 %: 25.7812, fail | instances ≤ 9: 2, pass"
    sums = {"passed": 1, "failed": 1, "undecided": 0, "without": 1}
    assert get(client, f"{MEASUREMENTS}/statistics")["verdicts"] == sums
    assert get(client, f"{MEASUREMENTS}/statistics?verdict=fail")["count"] == 1
    page = client.get("/report?lot=7&repeats=true").text
    assert page.count('class="verdict passed"') == 1
    assert "1 of 3 pass" in page
    sheet = client.get(f"/report?ids={strict['id']}&score_threshold=0.7").text
    assert "Passes" in sheet  # what counts there is 25 %
    assert "percent masked ≤ 25 %" in sheet
    assert client.get("/measurements?verdict=fail").text.count('class="verdict failed"') == 1
    (model,) = get(client, "/api/v1/lots/7")["by_model"]
    assert model["statistics"]["verdicts"]["without"] == 1  # of the same picture, the last one counts


def test_a_profile_that_is_gone_is_named_on_the_home_page(client: FlaskClient) -> None:
    put(client, "two")
    assert "data-profile-gone-name></strong>" in client.get("/?profile=two").text
    client.delete(f"{PROFILES}/two")
    for path in ("/?profile=two", "/?profile=%3Cb%3E"):
        page = client.get(path).text
        name = "two" if "two" in path else "&lt;b&gt;"
        assert f"There is no profile <strong data-profile-gone-name>{name}</strong> any more" in page
    assert re.search(r"data-profile-gone role=\"status\" hidden", client.get("/").text)


def test_the_call_that_repeats_a_measurement_names_its_profile(client: FlaskClient) -> None:
    put(client, "strip", model="blocks", score_threshold=0.5, region=SMALL)
    fields: dict[str, Any] = {"profile": "strip", "ignore": "saturated", "pixel_size": "0.5", "unit": "mm"}
    id_ = post(client, **fields)["id"]

    def call() -> str:
        (found,) = re.findall(r"<code>(curl.*?)</code>", client.get(f"/measurements/{id_}").text)
        return re.sub("<[^>]*>", "", found)

    assert call().startswith(
        "curl -F image=@strip.png -F profile=strip -F pixel_size=0.5 -F unit=mm -F ignore=saturated "
    )
    repeated = post(client, **fields)
    assert repeated["coverage"] == client.get(f"{MEASUREMENTS}/{id_}").json["coverage"]  # type: ignore[index]
    client.delete(f"{PROFILES}/strip")
    assert "-F model=blocks -F score_threshold=0.5" in call()
    assert "profile=" not in call()


def test_the_trash_keeps_profile_and_verdict(client: FlaskClient) -> None:
    put(client, "strip", rules=[at_most(5)])
    answer = post(client, profile="strip")
    assert client.delete(f"{MEASUREMENTS}/{answer['id']}").status_code == 204
    assert get(client, f"{MEASUREMENTS}?verdict=fail")["count"] == 0
    assert client.post(f"/api/v1/trash/{answer['id']}/restore").status_code == 200
    assert get(client, f"{MEASUREMENTS}?verdict=fail&profile=strip")["count"] == 1
    assert get(client, f"{MEASUREMENTS}/{answer['id']}")["rules"] == answer["rules"]


# ---- Pages without a script


def test_the_form_makes_a_profile_and_a_page_measures_by_it(client: FlaskClient, store: Store) -> None:
    rules = {
        "rule_figure": ["percent_masked", "count"],
        "rule_class": ["red", ""],
        "rule_side": ["at_most", "at_least"],
        "rule_limit": ["25", ""],
        "rule_unit": ["mm", ""],
    }
    made = client.post("/new-profile", data={"name": "strip", "model": "blocks", "unit": "um", **rules})
    assert made.status_code == 303, made.text
    (rule,) = get(client, f"{PROFILES}/strip")["profile"]["rules"]
    assert (rule["class"], rule["unit"], rule["at_most"]) == ("red", None, 25.0)
    taken = client.post("/new-profile", data={"name": "strip"})
    assert (taken.status_code, "is a profile &#39;strip&#39; already" in taken.text) == (409, True)
    broken = client.post("/profiles/strip", data={"title": "Kept", "pixel_size": "-3", "unit": "mm", **rules})
    assert broken.status_code == 400
    assert 'value="Kept"' in broken.text
    assert store.profiles.get("strip").version == 1
    form = {"image": (BytesIO(PICTURE), "strip.png"), "model": "blocks", "profile": "strip"}
    answer = client.post("/measure", data=form)
    assert answer.status_code == 303, answer.text
    (listed,) = get(client, MEASUREMENTS)["measurements"]
    assert (listed["verdict"], listed["profile"]["name"]) == ("pass", "strip")
    page = client.get(f"/measurements/{listed['id']}").text
    assert "PASS" in page
    assert "Percent masked of red ≤ 25 %" in page
    assert "version 1 as it was" not in client.get("/profiles/strip").text
    put(client, "strip", rules=[])
    assert "version 1 as it was" in client.get("/profiles/strip?version=1").text
    assert client.post("/profiles/strip/delete").status_code == 303
    assert client.get("/profiles/strip").status_code == 404
    assert client.get("/profiles/strip?version=1").status_code == 200


# ---- The command line


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder with a pack, two pictures and a profile: 25 % and 1.5625 % red, at most 5 are allowed."""
    write_block_pack(tmp_path / "packs")
    (tmp_path / "a.png").write_bytes(encoded(blocks(red=(0, 0, 32, 32))))
    (tmp_path / "b.png").write_bytes(encoded(blocks(red=(0, 0, 8, 8))))
    (tmp_path / "strip.toml").write_text(
        'title = "Strip"\nmodel = "blocks"\nscore_threshold = 0.5\n\n'
        '[[rules]]\nfigure = "percent_masked"\nat_most = 5\n',
        "utf-8",
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PLANIMETER_PACKS_FOLDER", "packs")
    monkeypatch.setenv("PLANIMETER_DATABASE", "sqlite:///planimeter.db")
    return tmp_path


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments))


def measured(*arguments: str) -> Result:
    return run("measure", *arguments, "--profile", "strip.toml")


@pytest.mark.usefixtures("folder")
def test_pictures_are_measured_by_a_file_and_the_exit_status_tells_the_verdict() -> None:
    both = measured("a.png", "b.png")
    assert both.exit_code == 0, both.output
    assert "FAIL" in both.stdout
    assert "a.png: fail, percent masked ≤ 5 %, it is 25" in both.stderr
    assert "1 pass, 1 fail" in both.stderr
    assert measured("a.png", "b.png", "--fail-on-verdict").exit_code == 3
    assert measured("b.png", "--fail-on-verdict").exit_code == 0
    rows = [*csv.DictReader(StringIO(measured("a.png", "b.png", "--format", "csv").stdout))]
    assert [(row["profile"], row["verdict"]) for row in rows] == [("strip", "fail"), ("strip", "pass")]
    (answer,) = json.loads(measured("b.png", "--format", "json", "--score-threshold", "0.5").stdout)
    assert (answer["verdict"], answer["profile"]["version"]) == ("pass", None)


def test_an_undecided_picture_has_a_status_of_its_own(folder: Path) -> None:
    with (folder / "strip.toml").open("a", encoding="utf-8") as file:
        file.write('\n[[rules]]\nfigure = "largest_area"\nunit = "mm"\nat_most = 1\n')
    assert measured("b.png", "--fail-on-verdict").exit_code == 4
    assert measured("b.png", "--fail-on-verdict", "--pixel-size", "0.1", "--unit", "mm").exit_code == 0


@pytest.mark.usefixtures("folder")
def test_what_contradicts_the_file_is_refused() -> None:
    other = measured("b.png", "--model", "nuclei")
    assert (other.exit_code, "model is 'nuclei', and the profile 'strip' says 'blocks'" in other.output) == (
        1,
        True,
    )
    assert measured("b.png", "--score-threshold", "0.6").exit_code == 1
    assert run("measure", "b.png", "--fail-on-verdict").exit_code == 2
    missing = run("measure", "b.png", "--profile", "nowhere.toml")
    assert (missing.exit_code, "nowhere.toml cannot be read" in missing.output) == (1, True)


def test_a_profile_of_the_service_is_measured_by_under_its_name(folder: Path) -> None:
    missing = run("measure", "b.png", "--profile", "line-3")
    assert missing.exit_code == 1
    assert "line-3 is no file, and no profile of the service: There is no database" in missing.output
    assert not (folder / "planimeter.db").exists()
    assert run("profiles", "add", "strip.toml", "--name", "line-3").exit_code == 0
    by_name = run("measure", "a.png", "--profile", "line-3", "--fail-on-verdict", "--format", "json")
    (answer,) = json.loads(by_name.stdout)
    assert (by_name.exit_code, answer["profile"]["name"], answer["profile"]["version"]) == (3, "line-3", 1)
    assert "no profile 'line-4'" in run("measure", "b.png", "--profile", "line-4").output


def test_profiles_of_a_service_are_added_listed_and_printed_as_they_are_read(folder: Path) -> None:
    assert "strip is version 1" in run("profiles", "add", "strip.toml").output
    assert "strip is version 1" in run("profiles", "add", "strip.toml").output
    shown = run("profiles", "show", "strip").output
    assert shown == (folder / "strip.toml").read_text("utf-8")
    (folder / "line.json").write_text(json.dumps({"region": SMALL, "rules": [at_most(1, "count")]}), "utf-8")
    assert "line-2 is version 1" in run("profiles", "add", "line.json", "--name", "line-2").output
    (folder / "again.toml").write_text(run("profiles", "show", "line-2").output, "utf-8")
    assert "line-2 is version 1" in run("profiles", "add", "again.toml", "--name", "line-2").output
    assert "instances ≤ 1" in run("profiles", "list").output
    assert run("profiles", "remove", "line-2").exit_code == 0
    assert run("profiles", "show", "line-2").exit_code == 1
    assert run("profiles", "show", "line-2", "--version", "1").exit_code == 0
    (folder / "bad.toml").write_text(
        'model = "blocks"\n[[rules]]\nfigure = "count"\nclass = "blue"\nat_most = 1\n'
    )
    bad = run("profiles", "add", "bad.toml")
    assert (bad.exit_code, "a class that the model lacks" in bad.output) == (1, True)
    (folder / "worse.toml").write_text("model = ")
    assert "worse.toml cannot be read" in run("profiles", "add", "worse.toml").output
