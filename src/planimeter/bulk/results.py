"""What a run writes: parts of two tables. A part that is there is finished, and its pictures are not measured again.

`measurements/NAME.parquet` has a row for each picture of a part, `instances/NAME.parquet` one for each instance. The
second is written first: a part counts from the moment at which the first is there. In a folder, each picture is
noted in a journal as well, in the moment in which it was measured, until its part is written: a kill at any time loses
nothing but the pictures that are under way. A bucket has no journal, so that parts are written there once a minute.
"""

import json
from base64 import b64decode, b64encode
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from hashlib import sha256
from pathlib import Path
from time import monotonic

from planimeter.bulk.places import Place
from planimeter.bulk.schema import INSTANCES, MEASUREMENTS, Row, read_columns, to_parquet
from planimeter.errors import StoreFailed
from planimeter.locks import lock_file

MEASURED, FOUND = "measurements", "instances"
MOST_INSTANCES = 50_000
"""After so many instances a part is written, whatever number of pictures they are of: they are held in memory."""
LONGEST = 60.0
"""Seconds after which a part is written where there is no journal."""
PATIENCE = 20.0
"""Seconds for which processes of a run that was killed may go on."""
Rows = tuple[Row, list[Row]]
"""The row of a picture, and those of its instances."""


class Results:
    """The parts in one place."""

    def __init__(self, place: Place) -> None:
        self.place = place

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Keep other runs away from a folder; raises `InvalidOption` where one is at work there."""
        taken = f"another run writes to {self.place.address}: end that one, or choose another place"
        with self._lock("run", taken):
            yield

    @contextmanager
    def written(self) -> Iterator[None]:
        """Say for as long as this lasts that parts are written: by a process that may outlive its run."""
        with self._lock("parts", "the next run is tidying up", with_others=True, patience=10 * PATIENCE):
            yield

    @contextmanager
    def _lock(
        self, name: str, taken: str, *, with_others: bool = False, patience: float = 0.0
    ) -> Iterator[None]:
        hidden = self.place.hidden
        if hidden is None:
            yield
            return
        with ExitStack() as held:
            try:
                hidden.mkdir(parents=True, exist_ok=True)
                held.enter_context(
                    lock_file(hidden / f"{name}.lock", taken, with_others=with_others, patience=patience)
                )
            except OSError as error:
                raise StoreFailed(f"{hidden} cannot be written: {error.strerror}") from error
            yield

    def finish_left_over(self) -> None:
        """Make parts of what a run that was killed had measured, and remove what it had not finished.

        Processes of that run that have not ended yet are waited for; raises `InvalidOption` where they do not.
        """
        taken = f"processes of a run that ended still write to {self.place.address}: try again in a minute"
        with self._lock("parts", taken, patience=PATIENCE):
            self._finish_left_over()

    def _finish_left_over(self) -> None:
        parts = {_stem(name) for name in self.place.names(MEASURED)}
        for name in self.place.names(FOUND):
            if _stem(name) not in parts:
                self.place.remove(name)
        hidden = self.place.hidden
        if hidden is None:
            return
        journals = sorted((hidden / "begun").glob("*.jsonl"))
        for aside in (hidden / "aside").glob("*"):
            aside.unlink(missing_ok=True)
        done = self.done() if journals else set()
        for journal in journals:
            Part(self, journal.stem).salvage(done)

    def done(self) -> set[str]:
        """Return the keys of all pictures that are in a part."""
        return {key for name in self.place.names(MEASURED) for key in self._keys(name)}

    def rows_of(self, batch: str) -> list[Row]:
        """Return what a tally counts of the pictures that are in the parts of one batch, and their keys."""
        columns = ["key", "error_code", "percent_masked", "verdict"]
        return [row for name in self.parts_of(batch) for row in self._rows(name, columns)]

    def parts_of(self, batch: str) -> list[str]:
        """Return the names of the parts of a batch."""
        return [name for name in self.place.names(MEASURED) if _stem(name).startswith(f"{batch}-")]

    def forget_failed(self) -> int:
        """Take the rows of pictures that failed out of their parts, to be measured again; return how many."""
        count = 0
        for name in self.place.names(MEASURED):
            rows = self._rows(name, MEASUREMENTS.names)
            kept = [row for row in rows if row["error_code"] is None]
            if len(kept) < len(rows):
                self.place.write(name, to_parquet(kept, MEASUREMENTS))
                count += len(rows) - len(kept)
        return count

    def _keys(self, name: str) -> list[str]:
        return [row["key"] for row in self._rows(name, ["key"])]

    def _rows(self, name: str, columns: list[str]) -> list[Row]:
        data = self.place.read(name)
        if data is None:
            raise StoreFailed(f"{self.place.address}/{name} is gone; does another run write there?")
        return read_columns(data, columns, f"{self.place.address}/{name}")


class Part:
    """The rows of a batch that are in no part yet."""

    def __init__(self, results: Results, batch: str) -> None:
        self._results = results
        self._batch = batch
        self._number = len(results.parts_of(batch))
        self._rows: list[Row] = []
        self._instances: list[Row] = []
        hidden = results.place.hidden
        self._journal = None if hidden is None else hidden / "begun" / f"{batch}.jsonl"
        self._since = monotonic()

    def salvage(self, done: set[str]) -> None:
        """Write what the journal of a killed run holds, unless it is `done`, and remove the journal."""
        if self._journal is None:
            return
        for row, instances in _noted(self._journal):
            if row["key"] not in done:
                self._rows.append(row)
                self._instances += instances
                done.add(row["key"])
        self.write()

    def add(self, row: Row, instances: list[Row]) -> None:
        """Add a picture, and write the part where it is large enough."""
        if self._journal is not None:
            _note(self._journal, (row, instances))
        self._rows.append(row)
        self._instances += instances
        overdue = self._journal is None and monotonic() - self._since > LONGEST
        if overdue or len(self._instances) >= MOST_INSTANCES:
            self.write()

    def write(self) -> None:
        """Write what there is; the journal is then needed no more."""
        place = self._results.place
        if self._rows:
            name = f"{self._batch}-{self._number}.parquet"
            place.write(f"{FOUND}/{name}", to_parquet(self._instances, INSTANCES))
            place.write(f"{MEASURED}/{name}", to_parquet(self._rows, MEASUREMENTS))
            self._number += 1
            self._rows, self._instances = [], []
        if self._journal is not None:
            self._journal.unlink(missing_ok=True)
        self._since = monotonic()


def name_batch(keys: Iterable[str]) -> str:
    """Return the name of a batch: that of its keys, so that whoever measures it again finds its parts."""
    return sha256("\n".join(keys).encode("utf-8", "backslashreplace")).hexdigest()[:20]


def _note(journal: Path, rows: Rows) -> None:
    try:
        journal.parent.mkdir(parents=True, exist_ok=True)
        with journal.open("ab") as file:
            file.write(json.dumps(rows, default=_as_text).encode() + b"\n")
    except OSError as error:
        raise StoreFailed(f"{journal} cannot be written: {error.strerror}") from error


def _as_text(value: bytes) -> str:
    return b64encode(value).decode()


def _noted(journal: Path) -> Iterator[Rows]:
    """Yield what a journal holds; of a line that a kill cut off, nothing."""
    try:
        lines: Sequence[bytes] = journal.read_bytes().split(b"\n")[:-1]
    except FileNotFoundError:
        return
    except OSError as error:
        raise StoreFailed(f"{journal} cannot be read: {error.strerror}") from error
    for line in lines:
        try:
            row, instances = json.loads(line)
            row["candidates"] = b64decode(row.get("candidates") or "") or None
        except ValueError:  # half of a line, which the next run went on from
            continue
        yield row, instances


def _stem(name: str) -> str:
    return name.rpartition("/")[2].removesuffix(".parquet")
