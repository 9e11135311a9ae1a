"""`planimeter measure` on a folder: rows as pictures finish, and nothing lost when it ends early."""

import csv
import json
import os
import signal
import subprocess
import sys
from io import StringIO
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from fakes import MODEL, blocks, encoded, write_block_pack
from planimeter.commands import main


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, with the block pack and six pictures in it: 25 % red each."""
    write_block_pack(tmp_path / "packs")
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for number in range(6):
        (pictures / f"{number}.png").write_bytes(encoded(blocks(red=(0, 0, 32, 32))))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PLANIMETER_PACKS_FOLDER", "packs")
    monkeypatch.setenv("PLANIMETER_MODEL", MODEL)
    return tmp_path


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["measure", *arguments])


def rows_of(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(StringIO(path.read_text("utf-8"))))


def test_a_file_of_results_is_gone_on_with(folder: Path) -> None:
    first = run("pictures/0.png", "pictures/1.png", "--results", "out/results.csv")
    assert first.exit_code == 0, first.output
    assert [row["path"] for row in rows_of(folder / "out" / "results.csv")] == [
        "pictures/0.png",
        "pictures/1.png",
    ]
    again = run("pictures", "--results", "out/results.csv")
    assert "2 of 6 pictures are in out/results.csv already" in again.stderr
    rows = rows_of(folder / "out" / "results.csv")
    assert [row["path"] for row in rows] == [f"pictures/{number}.png" for number in range(6)]
    assert {row["percent_masked"] for row in rows} == {"25.0"}
    assert "4 measured, mean 25.00 % masked" in again.stderr


def test_what_failed_is_tried_again(folder: Path) -> None:
    (folder / "pictures" / "0.png").write_bytes(b"")
    assert run("pictures", "--results", "results.csv").exit_code == 1
    (folder / "pictures" / "0.png").write_bytes(encoded(blocks()))
    assert run("pictures", "--results", "results.csv").exit_code == 0
    rows = rows_of(folder / "results.csv")
    assert len(rows) == 7
    assert (rows[0]["error"] != "", rows[-1]["path"], rows[-1]["percent_masked"]) == (
        True,
        "pictures/0.png",
        "0.0",
    )


def test_a_file_that_is_no_table_of_results_is_left_alone(folder: Path) -> None:
    (folder / "results.csv").write_text("name,price\npear,2\n")
    result = run("pictures", "--results", "results.csv")
    assert result.exit_code == 1
    assert "has no column path" in result.output
    assert (folder / "results.csv").read_text() == "name,price\npear,2\n"


def test_a_run_ends_with_a_line_that_sums_up(folder: Path) -> None:
    (folder / "pictures" / "9.png").write_text("text")
    assert "6 measured, 1 failed, mean 25.00 % masked" in run("pictures").stderr
    assert "measured" not in run("pictures/0.png").stderr


def test_what_systems_and_tools_leave_in_folders_is_no_picture(folder: Path) -> None:
    pictures = folder / "pictures"
    for name in (
        "._0.png",
        ".hidden.png",
        "__MACOSX/0.png",
        ".ipynb_checkpoints/0-checkpoint.png",
        "Thumbs.db",
    ):
        (pictures / name).parent.mkdir(exist_ok=True)
        (pictures / name).write_bytes(encoded(blocks()))
    (pictures / "scan.ndpi").write_bytes(b"x")
    (pictures / "raw.CR2").write_bytes(b"x")
    result = run("pictures", "--format", "json")
    assert result.exit_code == 0
    assert [entry["path"] for entry in json.loads(result.stdout)] == [f"pictures/{n}.png" for n in range(6)]
    assert "left out: raw.CR2, scan.ndpi" in result.stderr


@pytest.mark.slow
@pytest.mark.parametrize("output_format", ["csv", "json"])
@pytest.mark.skipif(os.name == "nt", reason="signals")
def test_a_run_that_is_stopped_has_printed_and_kept_what_was_done(folder: Path, output_format: str) -> None:
    for number in range(6, 2000):
        (folder / "pictures" / f"{number}.png").write_bytes(encoded(blocks(red=(0, 0, 32, 32))))
    command = [sys.executable, "-m", "planimeter", "measure", "pictures", "--results", "kept.csv"]
    with subprocess.Popen(
        [*command, "--format", output_format], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        while not (folder / "kept.csv").is_file() or len(rows_of(folder / "kept.csv")) < 5:
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        printed, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "stopped, " in said
    kept = rows_of(folder / "kept.csv")
    shown = json.loads(printed) if output_format == "json" else list(csv.DictReader(StringIO(printed)))
    assert [row["path"] for row in shown] == [row["path"] for row in kept]
    assert 5 <= len(kept) < 2000
