"""`planimeter measure --export`: files that other programs open, written as pictures finish."""

import csv
import json
from pathlib import Path

import pytest
from PIL import Image

from planimeter.exports.formats import FORMATS, ExportFormat
from planimeter.labels import read_labels
from test_measure_results import folder, run

__all__ = ["folder"]

OPENED: dict[ExportFormat, str] = {
    "coco": "coco.json",
    "cvat": "annotations.xml",
    "label_studio": "label_studio.json",
}
"""What is read of an export; else its folder."""


@pytest.mark.parametrize("kind", FORMATS)
def test_an_export_is_read_back_and_says_what_it_changes(folder: Path, kind: ExportFormat) -> None:
    result = run("pictures", "--export", kind, "--to", "out")
    assert result.exit_code == 0, result.output
    assert (
        f"exported to out as {FORMATS[kind].title}, 6 pictures: the export covers what was measured"
        in result.stderr
    )
    assert FORMATS[kind].cannot_carry in result.stderr
    if kind == "yolo":
        (folder / "pictures").rename(folder / "out" / "images")
    images = None if kind in {"yolo", "labelme"} else folder / "pictures"
    read = read_labels(folder / "out" / OPENED.get(kind, ""), images)
    assert [len(picture.masks) for picture in read.pictures] == [1] * 6
    assert {picture.masks[0].area for picture in read.pictures} == {32 * 32}
    if kind not in OPENED:
        rows = list(csv.DictReader((folder / "out" / "coverage.csv").read_text("utf-8").splitlines()))
        assert [row["percent_exported"] for row in rows] == ["25.0"] * 6
        assert all((folder / "out" / row["file"]).is_file() for row in rows)


def test_nothing_that_is_there_is_replaced(folder: Path) -> None:
    mine = folder / "pictures" / "3.json"
    mine.write_text("mine")
    result = run("pictures", "--export", "labelme", "--to", "pictures")
    assert result.exit_code == 1
    assert "pictures/3.json is there already" in result.output
    assert mine.read_text() == "mine"
    assert len(list((folder / "pictures").iterdir())) == 7


def test_an_export_goes_on_with_its_results(folder: Path) -> None:
    first = run("pictures/0.png", "pictures/1.png", "--results", "r.csv", "--export", "yolo", "--to", "out")
    assert first.exit_code == 0, first.output
    assert run("pictures", "--results", "r.csv", "--export", "yolo", "--to", "out").exit_code == 0
    assert sorted(path.name for path in (folder / "out" / "labels").iterdir()) == [
        f"{n}.txt" for n in range(6)
    ]
    assert len((folder / "out" / "coverage.csv").read_text().splitlines()) == 7
    whole = run("pictures", "--results", "r.csv", "--export", "coco", "--to", "out")
    assert whole.exit_code == 1
    assert "one file for all pictures, and 6 of them were measured before" in whole.output


def test_pictures_of_one_name_in_several_folders_have_files_of_their_own(folder: Path) -> None:
    (folder / "pictures" / "more").mkdir()
    Image.new("RGB", (64, 64)).save(folder / "pictures" / "more" / "0.png")
    assert run("pictures", "--export", "labelme", "--to", "out").exit_code == 0
    places = {
        file.stem: json.loads(file.read_text("utf-8"))["imagePath"]
        for file in (folder / "out").glob("*.json")
    }
    assert (places["0"], places["0_2"]) == ("../pictures/0.png", "../pictures/more/0.png")


def test_a_failed_picture_is_not_exported(folder: Path) -> None:
    (folder / "pictures" / "0.png").write_bytes(b"")
    result = run("pictures", "--export", "geojson", "--to", "out")
    assert result.exit_code == 1
    assert sorted(path.name for path in (folder / "out").glob("*.geojson")) == [
        f"{n}.geojson" for n in range(1, 6)
    ]


def test_an_export_needs_its_folder(folder: Path) -> None:  # noqa: ARG001
    assert "--to FOLDER" in run("pictures", "--export", "geojson").output


def test_results_for_excel_are_gone_on_with_in_their_style(folder: Path) -> None:
    assert run("pictures/0.png", "--results", "r.csv", "--csv-style", "excel_semicolon").exit_code == 0
    assert run("pictures", "--results", "r.csv").exit_code == 0
    data = (folder / "r.csv").read_bytes()
    assert data.startswith(b"\xef\xbb\xbfpath;error;")
    assert data.count(b"\xef\xbb\xbf") == 1
    rows = list(csv.DictReader(data.decode("utf-8-sig").splitlines(), delimiter=";"))
    assert [row["percent_masked"] for row in rows] == ["25,0"] * 6
    assert run("pictures", "--format", "csv", "--csv-style", "excel").stdout.startswith("\ufeffpath,error,")
