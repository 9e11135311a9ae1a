"""Kills at random moments while measurements are made, thrown away, brought back, changed and deleted for good.

Each client repeats what was not answered until it is: so for every measurement it is known where it must be in the end,
and nothing else may be there.
"""

import json
import random
import re
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

from running import MEASUREMENTS, Running
from verdict import PICTURES, Verdict

SAMPLE = PICTURES / "tile-holes.png"
MODEL = "tiles"
"""The lightest: the store is to be hit."""
CLIENTS = 6
FIRST = 10
"""Measured before the first kill."""
ANSWER_SECONDS = 20.0
"""How long a kill waits for something to have been answered since the last."""
CLIENT_SECONDS = 1800.0
"""How long a client repeats a request: on a busy machine many kills fall before it is answered."""
KILLED_AT_START = 0.25
"""How often the next kill comes before the service is ready, while it cleans up after the last."""
MANY = 60
"""With so many listed, more is deleted than measured."""
TRASH = "/api/v1/trash"
THRESHOLDS = (0.6, 0.7, 0.8)


class Ledger:
    """Where each measurement must be, as the answers told; one that a client works on is in none of the places."""

    def __init__(self) -> None:
        self.listed: dict[str, float | None] = {}
        """With the score threshold that is kept for it."""
        self.trashed: dict[str, float | None] = {}
        self.gone: set[str] = set()
        self.answers: Counter[str] = Counter()
        self._lock = threading.Lock()

    def take(
        self, place: "dict[str, float | None]", chance: random.Random
    ) -> tuple[str, float | None] | None:
        """Take one out of a place, to work on it alone."""
        with self._lock:
            if not place:
                return None
            id_ = chance.choice([*place])
            return id_, place.pop(id_)

    def put(self, what: str, id_: str, place: "dict[str, float | None] | None", kept: float | None) -> None:
        """Note an answer, and where its measurement is now; None is nowhere."""
        with self._lock:
            self.answers[what] += 1
            if place is None:
                self.gone.add(id_)
            else:
                place[id_] = kept


class Client:
    """Does one thing after the other, each until it is answered."""

    def __init__(self, running: Running, ledger: Ledger, number: int) -> None:
        self._running, self._ledger = running, ledger
        self._chance = random.Random(number)  # noqa: S311 - not for secrets
        self._picture = SAMPLE.read_bytes()
        self.whole = False
        """Whether all that it asked was answered."""

    def work(self, over: threading.Event) -> None:
        """Work until it is over; what was begun is finished."""
        while not over.is_set():
            self._one()
        self.whole = True

    def _one(self) -> None:
        ledger = self._ledger
        few = len(ledger.listed) < MANY
        what = self._chance.choices(
            ("measured", "thrown away", "brought back", "changed", "deleted", "deleted from the trash"),
            (4 if few else 1, 3 if few else 6, 2.5, 2, 0.7 if few else 3, 0.7),
        )[0]
        if what == "measured":
            key = {"Idempotency-Key": str(uuid4()), "Content-Type": "image/png"}
            _, body = self._until(201, "POST", MEASUREMENTS, self._picture, key)
            ledger.put(what, json.loads(body)["id"], ledger.listed, None)
            return
        from_trash = what in {"brought back", "deleted from the trash"}
        taken = ledger.take(ledger.trashed if from_trash else ledger.listed, self._chance)
        if taken is None:
            return
        id_, kept = taken
        url = f"{MEASUREMENTS}/{id_}"
        if what == "thrown away":
            self._until({204, 404}, "DELETE", url)
            ledger.put(what, id_, ledger.trashed, kept)
        elif what == "brought back":
            self._until({200, 404}, "POST", f"{TRASH}/{id_}/restore")
            ledger.put(what, id_, ledger.listed, kept)
        elif what == "changed":
            kept = self._chance.choice(THRESHOLDS)
            self._until(200, "PUT", f"{url}/threshold?score_threshold={kept}")
            ledger.put(what, id_, ledger.listed, kept)
        else:
            self._until({204, 404}, "DELETE", f"{TRASH}/{id_}" if from_trash else f"{url}?for_good=true")
            ledger.put(what, id_, None, None)

    def _until(
        self,
        wanted: int | set[int],
        method: str,
        path: str,
        body: bytes | None = None,
        headers: dict[str, str] | None = None,
    ) -> tuple[int, bytes]:
        """Ask again and again until one of the statuses that are wanted is answered.

        404 stands for "it was done before", by a request whose answer the kill took: where that is not so, the
        measurement will be found missing in the end.
        """
        statuses = {wanted} if isinstance(wanted, int) else wanted
        end = time.monotonic() + CLIENT_SECONDS
        while time.monotonic() < end:
            status, answer, _ = self._running.ask(method, path, body, seconds=30, headers=headers)
            if status in statuses:
                return status, answer
            time.sleep(0.1)
        raise RuntimeError(
            f"{method} {path} was not answered in {CLIENT_SECONDS:.0f} s, the last time with {status}: {answer[:200]!r}"
        )


def kills(folder: Path, count: int, say: Callable[[str], None] = lambda _: None) -> Verdict:
    """Kill a service of its own again and again under load; where each measurement is must be what the answers told."""
    folder.mkdir()
    running = Running(folder, "--model", MODEL)
    running.start()
    try:
        return _kill(running, count, say)
    finally:
        running.kill()


def _kill(running: Running, count: int, say: Callable[[str], None]) -> Verdict:
    verdict = Verdict(f"{count} kills under load")
    chance = random.Random(7)  # noqa: S311 - not for secrets
    ledger, over = Ledger(), threading.Event()
    clients = [Client(running, ledger, number) for number in range(CLIENTS)]
    threads = [threading.Thread(target=client.work, args=(over,)) for client in clients]
    for thread in threads:
        thread.start()
    while len(ledger.listed) < FIRST:
        time.sleep(0.1)
    at_start = 0
    for number in range(1, count + 1):
        _wait_for_an_answer(ledger)
        time.sleep(chance.uniform(0.0, 2.0))
        running.kill()
        while chance.random() < KILLED_AT_START and number + at_start < count:
            running.launch()
            time.sleep(chance.uniform(0.0, 4.0))
            running.kill()
            at_start += 1
        running.start()
        if number % 25 == 0:
            say(f"    {number + at_start} kills; {sum(ledger.answers.values())} answers")
        if number + at_start >= count:
            break
    over.set()
    for thread in threads:
        thread.join()
    verdict.expect("every client was answered in the end", held=all(client.whole for client in clients))
    running.kill()  # once more, with nothing under way, so that the last start cleans up after it
    running.start()
    verdict.seen.append(f"{at_start} of them while it started; answered: {dict(ledger.answers)}")
    _check_places(running, ledger, verdict)
    verdict.expect("the service stops", held=running.stop() == 0)
    _check_files(running.folder, verdict)
    crashes = (running.folder / "log.txt").read_text("utf-8", "replace").count("Traceback")
    verdict.expect(f"no traceback in the log ({crashes})", held=not crashes)
    return verdict


def _wait_for_an_answer(ledger: Ledger) -> None:
    before, end = sum(ledger.answers.values()), time.monotonic() + ANSWER_SECONDS
    while sum(ledger.answers.values()) == before and time.monotonic() < end:  # a slow machine has none yet
        time.sleep(0.05)


def _check_places(running: Running, ledger: Ledger, verdict: Verdict) -> None:
    """Hold what is listed, what is in the trash and what is gone against the ledger."""
    listed, trashed = _ids(running), _trashed_ids(running)
    lost = [id_ for id_ in ledger.listed if not _is_whole(running, id_)]
    back = [id_ for id_ in ledger.gone | {*ledger.trashed} if _status(running, id_) != 404]
    wrong = [id_ for id_, kept in ledger.listed.items() if _kept(running, id_) != kept]
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


def _check_files(folder: Path, verdict: Verdict) -> None:
    """Hold the files against the records: none is missing, and none is left over."""
    data = folder / "planimeter-data"
    database = sqlite3.connect(data / "planimeter.db")
    names = "SELECT upload_name, overlay_name, mask_name FROM"
    rows = database.execute(f"{names} measurements UNION ALL {names} trashed_measurements").fetchall()
    sound = database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    orphans = database.execute("PRAGMA foreign_key_check").fetchall()
    database.close()
    recorded = {name for row in rows for name in row}
    there = {
        path.name for kind in ("uploads", "outputs") for path in (data / kind).iterdir() if path.is_file()
    }
    aside = {
        path.name for kind in ("uploads", "outputs") for path in (data / kind / ".incoming").iterdir()
    } - {"lock"}
    verdict.seen.append(
        f"{len(there)} files: {len(recorded - there)} missing, {len(there - recorded)} left over, "
        f"{len(aside)} unfinished"
    )
    verdict.expect("no file is missing", held=recorded <= there)
    verdict.expect("no file is left over", held=there <= recorded and not aside)
    verdict.expect("the database is sound", held=sound and not orphans)
    doctor = subprocess.run(
        [sys.executable, "-m", "planimeter", "doctor"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    said = re.sub(r"\s+", " ", doctor.stdout)[-200:]
    verdict.expect(f"planimeter doctor finds nothing ({said})", held=doctor.returncode == 0)


def _ids(running: Running) -> set[str]:
    """Return the ids of all that is listed."""
    found: set[str] = set()
    while True:
        page = json.loads(running.ask("GET", f"{MEASUREMENTS}/lines?limit=1000&offset={len(found)}")[1])
        found |= {line["id"] for line in page["lines"]}
        if len(found) >= page["count"] or not page["lines"]:
            return found


def _trashed_ids(running: Running) -> set[str]:
    found: set[str] = set()
    while True:
        page = json.loads(running.ask("GET", f"{TRASH}?limit=1000&offset={len(found)}")[1])
        found |= {entry["id"] for entry in page["measurements"]}
        if len(found) >= page["count"] or not page["measurements"]:
            return found


def _status(running: Running, id_: str) -> int:
    return running.ask("GET", f"{MEASUREMENTS}/{id_}?mask_format=none")[0]


def _kept(running: Running, id_: str) -> float | None:
    status, body, _ = running.ask("GET", f"{MEASUREMENTS}/{id_}?mask_format=none")
    kept: float | None = json.loads(body)["kept_threshold"] if status == 200 else None
    return kept


def _is_whole(running: Running, id_: str) -> bool:
    paths = ("", "/image", "/overlay", "/mask")
    return all(running.ask("GET", f"{MEASUREMENTS}/{id_}{path}")[0] == 200 for path in paths)
