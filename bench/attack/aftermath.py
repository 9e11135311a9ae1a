"""What is there after the kills: each measurement where the answers said, each file beside its record, nothing else."""

import json
import re
import subprocess
import sys
from pathlib import Path

import sqlalchemy as sa
from clients import SAMPLE, TRASH
from ledger import Ledger
from running import MEASUREMENTS, Running
from system import System
from verdict import Verdict

from planimeter.store.slots import SUFFIX, note_in

INCOMING = ".incoming"
_SWEEP = """
import sys
from planimeter.store import Store, places
places.LEFT_SECONDS = -60.0
store = Store.open(*sys.argv[1:])
store.tidy()
store.close()
"""
"""Sweeps as a service does that finds all notes old: nobody waits for an hour here."""


def check_places(running: Running, ledger: Ledger, verdict: Verdict) -> None:
    """Hold what is listed, what is in the trash and what is gone against the ledger."""
    listed, trashed = _ids(running), _trashed_ids(running)
    lost = [id_ for id_ in ledger.listed if not _is_whole(running, id_)]
    back = [id_ for id_ in ledger.gone | {*ledger.trashed} if _status(running, id_) != 404]
    wrong = [id_ for id_, counts in ledger.listed.items() if _threshold(running, id_) != counts]
    verdict.seen.append(
        f"{len(ledger.listed)} listed, {len(ledger.trashed)} in the trash, {len(ledger.gone)} gone; lost {len(lost)}, "
        f"back {len(back)}, another threshold {len(wrong)}"
    )
    verdict.expect("nothing that was answered is lost", held=not lost)
    verdict.expect("nothing that was deleted comes back", held=not back and not ledger.gone & trashed)
    verdict.expect(
        "what was thrown away is in the trash, and nothing else", held=trashed == {*ledger.trashed}
    )
    verdict.expect("nothing is listed that was not answered", held=listed == {*ledger.listed})
    verdict.expect("what was kept for a measurement is kept", held=not wrong)
    for id_ in [*ledger.trashed][:20]:
        restored = running.ask("POST", f"{TRASH}/{id_}/restore")[0]
        verdict.expect(
            "what is in the trash comes back whole", held=restored == 200 and _is_whole(running, id_)
        )


def check_files(system: System, verdict: Verdict) -> None:
    """Hold the files against the records: none is missing, and none is left over. The service has ended."""
    recorded = _recorded(system, verdict)
    if system.by_age:
        left = _there(system) - recorded
        verdict.seen.append(f"{len(left)} files left behind by kills, for the sweep by age")
        verdict.expect(
            "each file that is left is noted, so that time removes it", held=left <= _noted(system)
        )
        swept = _planimeter(system, "-c", _SWEEP, *(where.split("=", 1)[1] for where in system.where))
        verdict.expect(f"the sweep runs ({swept.stderr[-300:]})", held=swept.returncode == 0)
    there, aside = _there(system), _aside(system)
    verdict.seen.append(
        f"{len(there)} files: {len(recorded - there)} missing, {len(there - recorded)} left over, "
        f"{len(aside)} unfinished"
    )
    verdict.expect("no file is missing", held=recorded <= there)
    verdict.expect("no file is left over", held=there <= recorded and not aside)
    doctor = _planimeter(system, "-m", "planimeter", "doctor", *system.where)
    said = re.sub(r"\s+", " ", doctor.stdout)[-200:]
    verdict.expect(f"planimeter doctor finds nothing ({said})", held=doctor.returncode == 0)


def _recorded(system: System, verdict: Verdict) -> set[str]:
    """Return the names of all files that are recorded, as the database has them."""
    names = "SELECT upload_name, overlay_name, mask_name FROM"
    engine = sa.create_engine(system.database, poolclass=sa.NullPool)
    with engine.connect() as connection:
        rows = connection.exec_driver_sql(
            f"{names} measurements UNION ALL {names} trashed_measurements"
        ).fetchall()
        if engine.dialect.name == "sqlite":
            sound = connection.exec_driver_sql("PRAGMA integrity_check").fetchall() == [("ok",)]
            orphans = connection.exec_driver_sql("PRAGMA foreign_key_check").fetchall()
            verdict.expect("the database is sound", held=sound and not orphans)
    return {name for row in rows for name in row}


def _there(system: System) -> set[str]:
    return {path.name for place in system.places for path in place.iterdir() if path.is_file()}


def _aside(system: System) -> set[str]:
    """Return what is kept beside the files: notes, and on this machine files that are not in place yet."""
    beside = [place / INCOMING for place in system.places if (place / INCOMING).is_dir()]
    files = [path for place in beside for path in place.rglob("*") if path.is_file()]
    noted = [path for path in files if path.suffix != SUFFIX or note_in(path)]
    return {path.name for path in noted} - {"lock", "probe"}


def _noted(system: System) -> set[str]:
    """Return the names in all notes."""
    notes = [note for place in system.places for note in (place / INCOMING).rglob("*.json")]
    return {name for note in notes for name in _files_in(note)}


def _files_in(note: Path) -> list[str]:
    try:
        return list(json.loads(note.read_text("utf-8"))["files"])
    except (ValueError, KeyError):  # cut short by a kill of a store that does not write whole objects
        return []


def _planimeter(system: System, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=system.services[0].folder,
        env=system.services[0].environment,
        capture_output=True,
        text=True,
        check=False,
    )


def _ids(running: Running) -> set[str]:
    return _all_ids(running, f"{MEASUREMENTS}/lines", "lines")


def _trashed_ids(running: Running) -> set[str]:
    return _all_ids(running, TRASH, "measurements")


def _all_ids(running: Running, path: str, listed: str) -> set[str]:
    """Return the ids of all that is in a list, page after page."""
    found: set[str] = set()
    while True:
        page = json.loads(running.ask("GET", f"{path}?limit=1000&offset={len(found)}")[1])
        found |= {entry["id"] for entry in page[listed]}
        if len(found) >= page["count"] or not page[listed]:
            return found


def _status(running: Running, id_: str) -> int:
    return running.ask("GET", f"{MEASUREMENTS}/{id_}?mask_format=none")[0]


def _threshold(running: Running, id_: str) -> float | None:
    """Return the score threshold that counts, kept or measured: a kept one may be the measured one again."""
    status, body, _ = running.ask("GET", f"{MEASUREMENTS}/{id_}?mask_format=none")
    counts: float | None = json.loads(body)["options"]["score_threshold"] if status == 200 else None
    return counts


def _is_whole(running: Running, id_: str) -> bool:
    """Say whether a measurement is there with all its files, and the picture as it was sent."""
    found = [
        running.ask("GET", f"{MEASUREMENTS}/{id_}{path}") for path in ("", "/overlay", "/mask", "/image")
    ]
    return all(status == 200 for status, _, _ in found) and found[-1][1] == SAMPLE.read_bytes()
