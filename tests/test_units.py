"""Areas and lengths in units at every door: the API, tables, the command line, Python. Without a scale, none."""

import csv
import json
import re
from io import BytesIO, StringIO
from math import pi, sqrt
from pathlib import Path
from typing import Any

import pytest
import tifffile
from click.testing import CliRunner
from flask.testing import FlaskClient

from fakes import block_segmenter, blocks, encoded, write_block_pack
from planimeter.commands import main
from planimeter.errors import InvalidOption
from planimeter.scale import METRES, Unit, square

API = "/api/v1/measurements"
PIXELS = blocks(red=(0, 0, 32, 32), green=(32, 32, 64, 48))
"""1,024 red pixels and 512 green ones of 4,096."""
PICTURE = encoded(PIXELS)


def ome(size: str = "0.5", unit: str = "µm", down: str | None = None) -> bytes:
    file = BytesIO()
    sides = (
        f'PhysicalSizeX="{size}" PhysicalSizeXUnit="{unit}" '
        f'PhysicalSizeY="{down or size}" PhysicalSizeYUnit="{unit}"'
    )
    description = f"<OME><Image><Pixels {sides}/></Image></OME>".encode()
    tifffile.imwrite(file, PIXELS, description=description, metadata=None, photometric="rgb")
    return file.getvalue()


def post(client: FlaskClient, data: bytes = PICTURE, query: str = "", status: int = 201) -> Any:
    kind = "image/tiff" if data[:2] == b"II" else "image/png"
    answer = client.post(f"{API}?{query}", data=data, content_type=kind)
    assert answer.status_code == status, answer.text
    return answer.json


def read(client: FlaskClient, path: str) -> Any:
    answer = client.get(path)
    assert answer.status_code == 200, answer.text
    return answer.json


# ---- The API


def test_a_size_that_is_given_makes_areas(client: FlaskClient) -> None:
    answer = post(client, query="pixel_size=0.5&unit=um")
    scale = {
        "pixel_size": 0.5,
        "pixel_width": 0.5,
        "pixel_height": 0.5,
        "unit": "um",
        "source": "given",
        "measured": None,
    }
    assert answer["image"]["scale"] == scale
    coverage = answer["coverage"]
    assert (coverage["pixels_masked"], coverage["area_masked"]) == (1536, 384)
    assert coverage["area_counted"] == 1024
    assert coverage["instances_per_mm2"] == pytest.approx(2 / 1024e-6)
    assert [entry["area_masked"] for entry in coverage["by_class"]] == [256, 128]
    assert [entry["instances_per_mm2"] for entry in coverage["by_class"]] == pytest.approx([1 / 1024e-6] * 2)
    assert [entry["area"] for entry in answer["instances"]] == [256, 128]
    stored = read(client, f"{API}/{answer['id']}")
    assert (stored["image"]["scale"], stored["coverage"]) == (scale, coverage)
    (listed,) = read(client, API)["measurements"]
    assert listed["coverage"] == coverage


def test_the_file_says_it_and_who_gives_another_is_believed(client: FlaskClient) -> None:
    answer = post(client, ome("0.325"))
    assert (answer["image"]["scale"]["pixel_size"], answer["image"]["scale"]["source"]) == (0.325, "OME")
    assert answer["coverage"]["area_masked"] == 162.24
    answer = post(client, ome("0.325"), "pixel_size=2&unit=mm")
    assert (answer["image"]["scale"]["unit"], answer["image"]["scale"]["source"]) == ("mm", "given")
    assert answer["coverage"]["area_masked"] == 6144


def test_without_a_size_nothing_is_in_units(client: FlaskClient) -> None:
    answer = post(client)
    assert answer["image"]["scale"] is None
    coverage = answer["coverage"]
    names = ("area_masked", "area_counted", "instances_per_mm2")
    assert {coverage[name] for name in names} == {None}
    assert {entry[name] for entry in coverage["by_class"] for name in names if name in entry} == {None}
    assert {entry["area"] for entry in answer["instances"]} == {None}
    listed = read(client, f"{API}/{answer['id']}/instances")
    assert listed["scale"] is None
    assert {entry[name] for entry in listed["instances"] for name in ("area", "lengths")} == {None}
    text = client.get(f"{API}/{answer['id']}/instances?format=csv").text
    assert "_um" not in text
    assert "_mm" not in text


def test_another_threshold_has_its_own_areas(client: FlaskClient) -> None:
    id_ = post(client, query="pixel_size=0.5&unit=um")["id"]
    answer = read(client, f"{API}/{id_}?score_threshold=0.8")
    assert answer["coverage"]["area_masked"] == 256
    assert [entry["area"] for entry in answer["instances"]] == [256]
    client.put(f"{API}/{id_}/threshold?score_threshold=0.8")
    assert read(client, f"{API}/{id_}")["coverage"]["area_masked"] == 256
    assert client.delete(f"{API}/{id_}/threshold").json["coverage"]["area_masked"] == 384  # type: ignore[index]


def test_lengths_of_instances_are_those_in_pixels_times_the_size(client: FlaskClient) -> None:
    id_ = post(client, query="pixel_size=0.5&unit=um")["id"]
    first, second = read(client, f"{API}/{id_}/instances")["instances"]
    assert first["perimeter"] == 124
    assert first["equivalent_diameter_area"] == pytest.approx(sqrt(4 * 1024 / pi))
    assert first["lengths"]["equivalent_diameter_area"] == pytest.approx(0.5 * sqrt(4 * 1024 / pi))
    for entry in (first, second):
        for name, length in entry["lengths"].items():
            assert length == pytest.approx(0.5 * entry[name], rel=1e-11)
    rows = list(csv.DictReader(StringIO(client.get(f"{API}/{id_}/instances?format=csv").text)))
    assert [float(row["area_um2"]) for row in rows] == [256, 128]
    assert float(rows[0]["perimeter_um"]) == 62
    assert float(rows[0]["feret_diameter_max_um"]) == pytest.approx(first["feret_diameter_max"] / 2)


def test_pixels_that_are_not_square_have_areas_and_no_lengths(client: FlaskClient) -> None:
    answer = post(client, ome("0.5", down="0.25"))
    assert answer["image"]["scale"]["pixel_size"] is None
    assert answer["coverage"]["area_masked"] == 192
    (first, _) = read(client, f"{API}/{answer['id']}/instances")["instances"]
    assert (first["area"], first["lengths"]) == (128, None)
    names = ("perimeter", "feret_diameter_max", "equivalent_diameter_area", "circularity")
    assert {first[name] for name in names} == {None}  # in pixels neither
    text = client.get(f"{API}/{answer['id']}/instances?format=csv").text
    assert "area_um2" in text
    assert "perimeter_um" not in text
    assert {row[name] for row in csv.DictReader(StringIO(text)) for name in names} == {""}


@pytest.mark.parametrize("unit", [None, "um"])
def test_a_rule_on_lengths_is_undecided_where_pixels_are_not_square(
    client: FlaskClient, unit: str | None
) -> None:
    rules = [
        {"figure": "largest_feret_diameter", "at_most": 1000, "unit": unit},
        {"figure": "largest_area", "at_most": 1024},
    ]
    assert client.put("/api/v1/profiles/strip", json={"rules": rules}).status_code == 200
    answer = post(client, ome("0.5", down="0.25"), query="profile=strip")
    length, area = answer["rules"]
    assert (length["verdict"], length["value"]) == ("undecided", None)
    assert "not square" in length["reason"]
    assert (area["verdict"], area["value"]) == ("pass", 1024)
    assert post(client, ome("0.5"), query="profile=strip")["verdict"] == "pass"


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("unit=um", ["unit", "pixel_size is missing"]),
        ("pixel_size=0.5", ["pixel_size is 0.5", "unit is missing"]),
        ("pixel_size=0&unit=um", ["pixel_size", "greater than 0"]),
        ("pixel_size=-1&unit=um", ["pixel_size", "-1", "greater than 0"]),
        ("pixel_size=nan&unit=um", ["pixel_size", "finite"]),
        ("pixel_size=inf&unit=um", ["pixel_size", "finite"]),
        ("pixel_size=1e-300&unit=um", ["1e-300 um", "1 picometre", "10 kilometres"]),
        ("pixel_size=1e300&unit=m", ["1e+300 m", "10 kilometres"]),
        (f"pixel_size={'9' * 5000}&unit=um", ["pixel_size"]),
        ("pixel_size=small&unit=um", ["pixel_size", "small"]),
        ("pixel_size=1&unit=parsec", ["unit", "parsec", "'nm'"]),
        ("pixel_size=1&unit=", ["unit"]),
    ],
)
def test_what_is_no_size_is_refused_by_its_name(client: FlaskClient, query: str, words: list[str]) -> None:
    together = words[-1].endswith("missing") or "10 kilometres" in words
    status = 409 if together else 400
    message = post(client, query=query, status=status)["error"]["message"]
    assert all(word in message for word in words), message
    assert len(message) < 600
    assert read(client, API)["count"] == 0


@pytest.mark.parametrize("unit", ["um", "%C2%B5m", "%CE%BCm"])
def test_a_micrometre_may_have_any_mu(client: FlaskClient, unit: str) -> None:
    assert post(client, query=f"pixel_size=0.5&unit={unit}")["image"]["scale"]["unit"] == "um"


@pytest.mark.parametrize("unit", METRES)
def test_the_same_picture_has_the_same_area_in_each_unit(client: FlaskClient, unit: Unit) -> None:
    size = 5e-7 / METRES[unit]
    coverage = post(client, query=f"pixel_size={size!r}&unit={unit}")["coverage"]
    assert coverage["area_masked"] * METRES[unit] ** 2 == pytest.approx(384e-12)
    assert coverage["instances_per_mm2"] == pytest.approx(2 / 1024e-6)


def test_a_json_body_and_a_form_give_it_too(client: FlaskClient) -> None:
    form = {"image": (BytesIO(PICTURE), "a.png"), "pixel_size": "0.5", "unit": "um"}
    answer = client.post(API, data=form)
    assert answer.json is not None
    assert answer.json["coverage"]["area_masked"] == 384


def test_a_picture_that_is_measured_again_keeps_what_a_person_said(client: FlaskClient) -> None:
    said, file = post(client, query="pixel_size=0.5&unit=um")["id"], post(client, ome("0.25"))["id"]
    again = client.post(f"{API}?from={said}").json
    assert again is not None
    assert again["coverage"]["area_masked"] == 384
    again = client.post(f"{API}?from={said}&pixel_size=1&unit=um").json
    assert again is not None
    assert again["coverage"]["area_masked"] == 1536
    again = client.post(f"{API}?from={file}").json
    assert again is not None
    assert again["image"]["scale"]["source"] == "OME"


# ---- Tables


def test_the_table_of_many_has_areas_in_fixed_units(client: FlaskClient) -> None:
    post(client, query="pixel_size=0.5&unit=um&filename=a")
    post(client, query="pixel_size=0.01&unit=cm&filename=b")
    post(client, query="filename=c")
    rows = {row["filename"]: row for row in csv.DictReader(StringIO(client.get(f"{API}/csv").text))}
    assert [rows[name]["pixel_width_um"] for name in "abc"] == ["0.5", "100.0", ""]
    assert [rows[name]["pixel_size_source"] for name in "abc"] == ["given", "given", ""]
    assert [rows[name]["area_masked_um2"] for name in "abc"] == ["384.0", "15360000.0", ""]
    assert [rows[name]["area_masked_mm2"] for name in "abc"] == ["0.000384", "15.36", ""]
    assert [rows[name]["area_masked_mm2[green]"] for name in "abc"] == ["0.000128", "5.12", ""]
    assert float(rows["b"]["instances_per_mm2"]) == pytest.approx(2 / 40.96)


def test_the_list_of_a_report_has_areas_with_the_unit_in_the_head_of_the_column(client: FlaskClient) -> None:
    post(client)
    assert "Masked, " not in client.get("/report").text
    post(client, query="pixel_size=0.5&unit=um")
    post(client, query="pixel_size=0.0005&unit=mm")
    page = client.get("/report?repeats=true").text
    heads = re.findall(r'report-area">(Masked, [^<]*)</th>', page)
    areas = re.findall(r'<td class="number report-area">([^<]*)<', page)
    assert heads in (["Masked, µm²"], ["Masked, mm²"])
    assert sorted(areas) == sorted(
        [
            "",
            *[
                "384.0"
                if "µm" in heads[0]
                else "3.84\N{NO-BREAK SPACE}\N{MULTIPLICATION SIGN}\N{NO-BREAK SPACE}10⁻⁴"
            ]
            * 2,
        ]
    )
    assert page.count(', given with the picture">given</small>') == 2


def test_a_comparison_has_areas_where_both_know_the_same_size(client: FlaskClient) -> None:
    first = post(client, query="pixel_size=0.5&unit=um")["id"]
    same = post(client, query="pixel_size=500&unit=nm&score_threshold=0.8")["id"]
    other = post(client, query="pixel_size=0.6&unit=um")["id"]
    overlap = read(client, f"/api/v1/comparisons?first={first}&second={same}")["overlap"]
    assert (overlap["area_both"], overlap["area_only_first"], overlap["area_only_second"]) == (256, 128, 0)
    assert read(client, f"/api/v1/comparisons?first={first}&second={other}")["overlap"]["area_both"] is None


def test_qupath_gets_areas_by_a_name_that_says_the_unit(client: FlaskClient) -> None:
    id_ = post(client, query="pixel_size=0.5&unit=um")["id"]
    features = read(client, f"{API}/{id_}/export?format=geojson")["features"]
    assert [entry["properties"]["measurements"]["area_um2"] for entry in features] == [256, 128]


# ---- Python


def test_python_gives_and_takes_it() -> None:
    segmenter = block_segmenter()
    measured = segmenter.measure(PIXELS, pixel_size=0.5, unit="µm")
    assert measured.image.scale == square(0.5, "um", "given")
    assert measured.coverage.area_masked == 384
    assert [entry.area for entry in measured.instances] == [256, 128]
    assert segmenter.measure(ome("0.25")).coverage.area_masked == 96
    assert segmenter.measure(PIXELS).coverage.area_masked is None
    for size, unit in ((0.5, None), (None, "um"), (0, "um"), (float("nan"), "um"), (1, "ell"), (1e-30, "m")):
        with pytest.raises(InvalidOption, match=r"pixel_size|unit"):
            segmenter.measure(PIXELS, pixel_size=size, unit=unit)


# ---- The command line


def run(*arguments: str | Path) -> Any:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.mark.slow
def test_the_command_line_gives_it_and_prints_it(tmp_path: Path) -> None:
    write_block_pack(tmp_path / "packs")
    (tmp_path / "a.png").write_bytes(PICTURE)
    (tmp_path / "b.tif").write_bytes(ome("0.25"))
    measure = ("measure", "--model", "blocks", "--packs-folder", tmp_path / "packs")
    given = run(*measure, tmp_path / "a.png", "--pixel-size", "0.5", "--unit", "µm")
    assert given.exit_code == 0, given.output
    assert "384.0 µm²" in given.output
    assert "0.5 µm (given)" in given.output
    both = run(*measure, tmp_path / "b.tif", tmp_path / "a.png")
    assert "96.00 µm²" in both.output
    assert "0.25 µm (OME)" in both.output
    assert "Pixel size" not in run(*measure, tmp_path / "a.png").output
    printed = run(*measure, tmp_path / "b.tif", "--format", "json").stdout
    assert json.loads(printed)[0]["coverage"]["area_masked"] == 96
    table = run(*measure, tmp_path, "--format", "csv").stdout
    assert {row["area_masked_um2"] for row in csv.DictReader(StringIO(table))} == {"", "96.0"}
    for arguments, words in (
        (("--unit", "um"), "pixel_size is missing"),
        (("--pixel-size", "0.5"), "unit is missing"),
        (("--pixel-size", "-1", "--unit", "um"), "--pixel-size"),
        (("--pixel-size", "1e-300", "--unit", "um"), "picometre"),
        (("--pixel-size", "1", "--unit", "ell"), "ell"),
    ):
        refused = run(*measure, tmp_path / "a.png", *arguments)
        assert refused.exit_code == 2, refused.output
        assert words in refused.output
        assert "Traceback" not in refused.output


# ---- Set afterwards


def put(client: FlaskClient, id_: str, query: str, status: int = 200) -> Any:
    answer = client.put(f"{API}/{id_}/scale?{query}")
    assert answer.status_code == status, answer.text
    return answer.json


def test_a_scale_bar_sets_the_size_and_can_be_undone(client: FlaskClient) -> None:
    id_ = post(client)["id"]
    answer = put(client, id_, "line=2,10,42,40&length=25&unit=um")  # 50 pixels long
    assert answer["image"]["scale"] == {
        "pixel_size": 0.5,
        "pixel_width": 0.5,
        "pixel_height": 0.5,
        "unit": "um",
        "source": "drawn",
        "measured": None,
    }
    assert answer["coverage"]["area_masked"] == 384
    assert [entry["area"] for entry in answer["instances"]] == [256, 128]
    stored = read(client, f"{API}/{id_}")
    assert (stored["coverage"], stored["measured_threshold"]) == (answer["coverage"], 0.5)
    (row,) = csv.DictReader(StringIO(client.get(f"{API}/csv").text))
    assert (row["area_masked_um2"], row["pixel_size_source"]) == ("384.0", "drawn")
    answer = client.delete(f"{API}/{id_}/scale").json
    assert answer is not None
    assert answer["image"]["scale"] is None
    assert answer["coverage"]["area_masked"] is None
    assert read(client, f"{API}/{id_}")["instances"][0]["area"] is None


def test_undoing_goes_back_to_what_the_file_said_however_often_it_was_set(client: FlaskClient) -> None:
    id_ = post(client, ome("0.25"))["id"]
    put(client, id_, "pixel_size=1&unit=um")
    answer = put(client, id_, "line=0,0,64,0&length=1&unit=mm")
    assert (answer["image"]["scale"]["source"], answer["image"]["scale"]["pixel_size"]) == (
        "drawn",
        1 / 64,
    )
    assert answer["image"]["scale"]["measured"]["source"] == "OME"
    for _ in range(2):
        answer = client.delete(f"{API}/{id_}/scale").json
        assert answer is not None
        assert answer["image"]["scale"]["source"] == "OME"
        assert answer["coverage"]["area_masked"] == 96


def test_a_kept_threshold_and_a_drawn_scale_do_not_undo_each_other(client: FlaskClient) -> None:
    id_ = post(client)["id"]
    client.put(f"{API}/{id_}/threshold?score_threshold=0.8")
    assert put(client, id_, "pixel_size=0.5&unit=um")["coverage"]["area_masked"] == 256
    assert client.delete(f"{API}/{id_}/threshold").json["coverage"]["area_masked"] == 384  # type: ignore[index]
    client.put(f"{API}/{id_}/threshold?score_threshold=0.8")
    answer = client.delete(f"{API}/{id_}/scale").json
    assert answer is not None
    assert (answer["kept_threshold"], answer["coverage"]["area_masked"]) == (0.8, None)
    assert answer["coverage"]["pixels_masked"] == 1024


def test_a_picture_measured_again_takes_the_drawn_scale_along(client: FlaskClient) -> None:
    id_ = post(client, ome("0.25"))["id"]
    put(client, id_, "pixel_size=0.5&unit=um")
    again = client.post(f"{API}?from={id_}").json
    assert again is not None
    assert again["coverage"]["area_masked"] == 384
    assert again["image"]["scale"]["measured"]["pixel_size"] == 0.25
    assert client.delete(f"{API}/{again['id']}/scale").json["coverage"]["area_masked"] == 96  # type: ignore[index]


@pytest.mark.parametrize(
    ("query", "status", "words"),
    [
        ("unit=um", 409, ["pixel_size", "line and length"]),
        ("pixel_size=1", 400, ["unit is missing"]),
        ("pixel_size=0&unit=um", 400, ["pixel_size"]),
        ("pixel_size=1e-30&unit=um", 409, ["1e-30 um", "picometre"]),
        ("line=0,0,9,0&unit=um", 409, ["length is missing"]),
        ("length=5&unit=um", 409, ["line is missing"]),
        ("line=0,0,9,0&length=5&pixel_size=1&unit=um", 409, ["both"]),
        ("line=0,0,9&length=5&unit=um", 400, ["line", "x0,y0,x1,y1"]),
        ("line=0,0,9,nan&length=5&unit=um", 400, ["line", "four numbers"]),
        ("line=0,0,9,x&length=5&unit=um", 400, ["line"]),
        ("line=0,0,65,0&length=5&unit=um", 409, ["0,0,65,0", "64 x 64"]),
        ("line=-1,0,9,0&length=5&unit=um", 400, ["line is", "-1,0,9,0"]),
        ("line=5,5,5,5&length=5&unit=um", 409, ["0 pixels long"]),
        ("line=0,0,9,0&length=inf&unit=um", 400, ["length"]),
        ("line=0,0,9,0&length=1e-300&unit=um", 409, ["picometre"]),
        ("line=0,0,9,0&length=5&unit=ell", 400, ["unit", "ell"]),
    ],
)
def test_what_sets_no_size_changes_nothing(
    client: FlaskClient, query: str, status: int, words: list[str]
) -> None:
    id_ = post(client, ome("0.25"))["id"]
    message = put(client, id_, query, status)["error"]["message"]
    assert all(word in message for word in words), message
    assert read(client, f"{API}/{id_}")["coverage"]["area_masked"] == 96


def test_an_unknown_measurement_has_no_scale(client: FlaskClient) -> None:
    for id_ in ("nowhere", "01M8D4HJ8CSKW827JYWGX3W52V"):
        assert put(client, id_, "pixel_size=1&unit=um", 404)["error"]["code"] == "unknown_measurement"
        assert client.delete(f"{API}/{id_}/scale").status_code == 404
