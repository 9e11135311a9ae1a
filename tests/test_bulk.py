"""`planimeter measure --to`: Parquet tables that a kill at any time leaves whole, and that others read."""

import json
import os
import signal
import subprocess
import sys
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from fakes import MODEL, blocks, encoded, write_block_pack
from planimeter.commands import main

pa = pytest.importorskip("pyarrow", reason="needs the extra parquet")
ds = pytest.importorskip("pyarrow.dataset", reason="needs the extra parquet")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, with the block pack and six pictures in it: 25 % red each."""
    write_block_pack(tmp_path / "packs")
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    add(pictures, range(6))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PLANIMETER_PACKS_FOLDER", "packs")
    monkeypatch.setenv("PLANIMETER_MODEL", MODEL)
    return tmp_path


def add(pictures: Path, numbers: range) -> None:
    for number in numbers:
        (pictures / f"{number:04}.png").write_bytes(encoded(blocks(red=(0, 0, 32, 32))))


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["measure", *arguments])


def table(folder: Path, name: str = "measurements") -> list[dict[str, Any]]:
    rows = ds.dataset(folder / name, format="parquet").to_table().to_pylist()
    return sorted(rows, key=lambda row: (row["key"], row.get("id", 0)))


def test_rows_and_instances_are_what_measure_prints(folder: Path) -> None:
    (folder / "pictures" / "more").mkdir()
    both = encoded(blocks(red=(0, 0, 32, 32), green=(16, 0, 48, 32)))
    (folder / "pictures" / "more" / "both.png").write_bytes(both)
    result = run("pictures", "--to", "out", "--pixel-size", "2", "--unit", "um", "--lot", "7")
    assert result.exit_code == 0, result.output
    assert "7 measured, mean 26.79 % masked" in result.stderr
    rows = table(folder / "out")
    printed = json.loads(run("pictures", "--format", "json", "--pixel-size", "2", "--unit", "um").stdout)
    assert [row["key"] for row in rows] == [str(folder / entry["path"]) for entry in printed]
    for row, entry in zip(rows, printed, strict=True):
        coverage, model = entry["coverage"], entry["model"]
        assert (row["sha256"], row["width"], row["height"]) == (entry["image"]["sha256"], 64, 64)
        assert (row["percent_masked"], row["pixels_masked"]) == (
            coverage["percent_masked"],
            coverage["pixels_masked"],
        )
        assert row["area_masked_um2"] == coverage["area_masked"] == 4 * coverage["pixels_masked"]
        assert (row["model"], row["model_sha256"], row["precision"]) == (MODEL, model["sha256"], "f32")
        assert [(each["class"], each["percent_masked"]) for each in row["by_class"]] == [
            (each["class"], each["percent_masked"]) for each in coverage["by_class"]
        ]
        assert [note["code"] for note in row["notes"]] == [note["code"] for note in entry["notes"]]
        assert (row["lot"], row["error_code"], row["score_threshold"]) == ("7", None, 0.5)
    assert {row["percent_of"] for row in rows} == {"picture"}
    found = [row for row in table(folder / "out", "instances") if row["key"].endswith("both.png")]
    said = printed[-1]["instances"]
    assert [(row["id"], row["class"], row["score"], tuple(row["bbox"]), row["area_px"]) for row in found] == [
        (each["id"], each["class"], each["score"], tuple(each["bbox"]), each["area_px"]) for each in said
    ]
    assert [{"size": row["rle_size"], "counts": row["rle_counts"]} for row in found] == [
        each["mask"] for each in said
    ]
    assert [row["area_um2"] for row in found] == [each["area"] for each in said]


def test_rows_say_what_percentages_are_of(folder: Path) -> None:
    Path("station.toml").write_text(f'model = "{MODEL}"\nof = "red"\n', "utf-8")
    result = run("pictures", "--to", "out", "--profile", "station.toml")
    assert result.exit_code == 0, result.output
    for row in table(folder / "out"):
        # Red is what counts, and nothing else lies in it.
        assert (row["percent_of"], row["percent_masked"]) == ("red", 0.0)
        assert (row["profile"], row["profile_version"]) == ("station", None)


def test_others_read_the_tables(folder: Path) -> None:
    duckdb = pytest.importorskip("duckdb", reason="reads what was written")
    pandas = pytest.importorskip("pandas", reason="reads what was written")
    assert run("pictures", "--to", "out").exit_code == 0
    frame = pandas.read_parquet(folder / "out" / "measurements")
    assert (len(frame), frame.percent_masked.mean()) == (6, 25.0)
    asked = "select count(*), sum(area_px) from 'out/instances/*.parquet'"
    assert duckdb.sql(asked).fetchall() == [(6, 6 * 32 * 32)]


def test_a_broken_picture_is_a_row_with_its_error(folder: Path) -> None:
    (folder / "pictures" / "broken.png").write_bytes(b"text")
    (folder / "pictures" / "empty.png").write_bytes(b"")
    result = run("pictures", "--to", "out")
    assert result.exit_code == 1
    assert "6 measured, 2 failed" in result.stderr
    assert "broken.png: " in result.stderr
    failed = {Path(row["key"]).name: row for row in table(folder / "out") if row["error_code"]}
    assert {name: row["error_code"] for name, row in failed.items()} == {
        "broken.png": "unsupported_picture",
        "empty.png": "missing_picture",
    }
    assert failed["broken.png"]["sha256"] is not None
    assert failed["broken.png"]["percent_masked"] is None
    again = run("pictures", "--to", "out")
    assert again.exit_code == 0
    assert "8 of 8 pictures are in" in again.stderr

    (folder / "pictures" / "broken.png").write_bytes(encoded(blocks()))
    mended = run("pictures", "--to", "out", "--retry-failed")
    assert "1 measured, 1 failed" in mended.stderr
    rows = {Path(row["key"]).name: row["percent_masked"] for row in table(folder / "out")}
    assert len(table(folder / "out")) == len(rows) == 8
    assert (rows["broken.png"], rows["empty.png"]) == (0.0, None)


def test_a_name_that_is_no_text_is_measured_too(folder: Path) -> None:
    name = os.fsencode(folder / "pictures") + b"/\xff.png"
    try:
        Path(os.fsdecode(name)).write_bytes(encoded(blocks()))
    except OSError:
        pytest.skip("this file system has no such names")
    assert run("pictures", "--to", "out").exit_code == 0
    assert "7 of 7 pictures are in" in run("pictures", "--to", "out").stderr


def test_pictures_that_came_later_are_added(folder: Path) -> None:
    assert run("pictures", "--to", "out").exit_code == 0
    before = {path: path.read_bytes() for path in (folder / "out").rglob("*.parquet")}
    add(folder / "pictures", range(6, 8))
    again = run("pictures", "--to", "out")
    assert "6 of 8 pictures are in" in again.stderr
    assert "2 measured" in again.stderr
    assert len(table(folder / "out")) == 8
    assert {path: path.read_bytes() for path in before} == before


def test_one_table_has_one_way_of_measuring(folder: Path) -> None:
    assert run("pictures", "--to", "out").exit_code == 0
    other = run("pictures", "--to", "out", "--score-threshold", "0.7")
    assert other.exit_code == 1
    assert "score_threshold 0.5, and now it is 0.7" in other.stderr
    (folder / "out" / "task.json").unlink()
    assert "was not written by planimeter measure" in run("pictures", "--to", "out").stderr


def test_what_is_wrong_for_every_picture_ends_the_run_before_the_first(folder: Path) -> None:
    result = run("pictures", "--to", "out", "--classes", "blue")
    assert result.exit_code == 1
    assert "'blue', which the model lacks" in result.stderr
    assert not (folder / "out").exists()


def test_options_that_do_not_go_together(folder: Path) -> None:
    assert "--results does not go with --to" in run("pictures", "--to", "out", "--results", "r.csv").stderr
    assert "--format does not go with --to" in run("pictures", "--to", "out", "--format", "json").stderr
    assert "--engine needs --to" in run("pictures", "--engine", "ray").stderr
    assert "--retry-failed needs --to" in run("pictures", "--retry-failed").stderr
    assert "s3://… needs --to" in run("s3://line/7").stderr
    assert not (folder / "out").exists()


@pytest.mark.skipif(os.name == "nt", reason="locks")
def test_two_runs_do_not_write_to_one_folder(folder: Path) -> None:
    import fcntl  # noqa: PLC0415 - not on Windows

    hidden = folder / "out" / ".planimeter"
    hidden.mkdir(parents=True)
    with (hidden / "run.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        result = run("pictures", "--to", "out")
    assert result.exit_code == 1
    assert "another run writes to" in result.stderr


def test_what_a_kill_left_is_finished_and_tidied_up(folder: Path) -> None:
    """As a kill leaves it: a journal whose last line is cut off, instances without their part, a file aside."""
    assert run("pictures/0000.png", "pictures/0001.png", "--to", "out").exit_code == 0
    kept = table(folder / "out")
    out, begun = folder / "out", folder / "out" / ".planimeter" / "begun"
    first = {**kept[0], "candidates": b64encode(kept[0]["candidates"]).decode()}
    row = {**first, "key": str(folder / "pictures" / "0002.png"), "measured_at": 1_700_000_000_000}
    twice = {**row, "key": kept[0]["key"]}
    lines = [json.dumps([each, []]) for each in (twice, row, row)]
    (begun / "abc.jsonl").write_text("\n".join(lines) + '\n[{"key": "half')
    (out / "instances" / "gone-0.parquet").write_bytes(b"half")
    (out / ".planimeter" / "aside" / "half").write_bytes(b"half")
    result = run("pictures", "--to", "out")
    assert "3 of 6 pictures are in" in result.stderr
    rows = table(out)
    assert [Path(each["key"]).name for each in rows] == [f"{number:04}.png" for number in range(6)]
    assert rows[2]["measured_at"].timestamp() == 1_700_000_000
    assert rows[2]["candidates"] == kept[0]["candidates"]
    assert not [*begun.iterdir()]
    assert not [*(out / ".planimeter" / "aside").iterdir()]
    assert not (out / "instances" / "gone-0.parquet").exists()


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="signals")
@pytest.mark.parametrize("kill", [signal.SIGKILL, signal.SIGINT])
def test_a_run_that_ends_early_is_gone_on_with(folder: Path, kill: signal.Signals) -> None:
    add(folder / "pictures", range(6, 600))
    command = [sys.executable, "-m", "planimeter", "measure", "pictures", "--to", "out"]
    done = 0
    for _ in range(3):
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
            while noted(folder) < 5:
                assert process.poll() is None
            process.send_signal(kill)
            said = process.communicate(timeout=60)[1]
        if kill == signal.SIGINT:
            assert process.returncode == 130
            assert "the same command goes on from there" in said
            assert len(table(folder / "out")) > done
            done = len(table(folder / "out"))
    assert subprocess.run(command, stderr=subprocess.DEVNULL, check=False).returncode == 0
    keys = [row["key"] for row in table(folder / "out")]
    assert keys == sorted({*keys})
    assert len(keys) == len(table(folder / "out", "instances")) == 600


def noted(folder: Path) -> int:
    """Return how many pictures are in the journal."""
    journals = (folder / "out" / ".planimeter" / "begun").glob("*.jsonl")
    try:
        return sum(journal.read_bytes().count(b"\n") for journal in journals)
    except FileNotFoundError:  # its part was written
        return 0
