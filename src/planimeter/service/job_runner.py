"""Looks after the jobs of a service: starts one at a time, sees how they end, and takes those over that run already."""

import logging
import secrets
import subprocess
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from planimeter.errors import PlanimeterError, StoreFailed, WrongJobState
from planimeter.jobs import process, unlisted
from planimeter.jobs.folder import JobFolder, refuse_full
from planimeter.jobs.states import ACTIVE, State
from planimeter.store import Store
from planimeter.store.jobs import Job

log = logging.getLogger(__name__)

EVERY_SECONDS = 2.0
MOST_ATTEMPTS = 3
"""Starts of a job that gets no further, after which it has failed."""
ENDING_SECONDS = 5.0
MOST_LOOKED_AT = 10_000
"""Jobs that are done, whose folders are looked at where a service starts."""
Command = Callable[[JobFolder], Sequence[str]]


class JobRunner:
    """A thread that looks after jobs; their processes need it only to be started."""

    def __init__(
        self,
        store: Store,
        folder: Path,
        *,
        command: Command = process.training_command,
        every: float = EVERY_SECONDS,
    ) -> None:
        self._store = store
        self._folder = folder.absolute()
        self._command = command
        self._every = every
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._placing = threading.Lock()
        self._woken, self._ended = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="jobs", daemon=True)

    @property
    def place(self) -> str:
        """What the folder of jobs is known by, so that a service looks after its own jobs only; raises StoreFailed."""
        file = self._folder / "place"
        try:
            with self._placing:  # two first jobs at once have one place
                self._folder.mkdir(parents=True, exist_ok=True)
                if not file.is_file():
                    aside = file.with_suffix(".part")
                    aside.write_text(secrets.token_hex(16), "utf-8")
                    aside.replace(file)
            return file.read_text("utf-8").strip()
        except OSError as error:
            raise StoreFailed(
                f"the folder of jobs, {self._folder}, cannot be written: {error.strerror}"
            ) from error

    def folder(self, id_: str) -> JobFolder:
        """Return the folder of a job."""
        return JobFolder(self._folder / id_)

    def start(self) -> None:
        """Begin to look after them."""
        self._thread.start()

    def stop(self) -> None:
        """Look after them no more; those that run go on."""
        self._ended.set()
        self._woken.set()
        if self._thread.is_alive():
            self._thread.join(ENDING_SECONDS)
        for started in self._processes.values():
            started.poll()  # those that have ended leave the list of processes

    def wake(self) -> None:
        """Look at once."""
        self._woken.set()

    def tidy(self) -> None:
        """Remove what killed processes left, and what jobs that are done need no more; raises StoreFailed."""
        if not (self._folder / "place").is_file():
            return
        jobs = self._store.jobs
        for id_ in unlisted.sweep(self._folder, jobs.store_id, jobs.is_listed):
            log.info("the folder of the job %s, which was begun or deleted by half, is removed", id_)
        for job in jobs.list(limit=MOST_LOOKED_AT, states=("done",), place=self.place):
            self.folder(job.id).keep_what_is_needed()

    def round(self) -> None:
        """Note what has ended, and start what is next; raises StoreFailed."""
        if not (self._folder / "place").is_file():
            return  # there never was a job
        for job in self._store.jobs.list(states=ACTIVE, place=self.place):
            self._look_after(job)
        following = self._store.jobs.start_next(self.place)
        while following is not None and not self._begin(following):
            following = self._store.jobs.start_next(self.place)

    def _look_after(self, job: Job) -> None:
        folder = self.folder(job.id)
        if process.is_running(folder):
            if job.state == "stopping":
                process.stop(folder)
            return
        end = folder.end()
        if end is not None:
            self._end(job, end.state, end.message)
        elif job.state == "stopping":
            self._end(job, "stopped", "")
        elif job.id in self._processes:
            self._end(job, "failed", _died(folder, self._processes[job.id].poll()))
        elif folder.attempts() >= MOST_ATTEMPTS:
            self._end(
                job, "failed", f"it was started {MOST_ATTEMPTS} times and got no further; {_last(folder)}"
            )
        else:  # this service was not there when it ended
            self._begin(job)

    def _begin(self, job: Job) -> bool:
        """Start the process of a job; return whether it runs."""
        folder = self.folder(job.id)
        try:
            refuse_full(folder.path)
            folder.prepared()
            self._processes[job.id] = process.start(folder, self._command(folder))
        except WrongJobState:  # another service was quicker
            return True
        except (PlanimeterError, OSError) as error:
            self._end(job, "failed", f"it cannot be started: {error}")
            return False
        log.info("job %s is started: process %d", job.id, self._processes[job.id].pid)
        return True

    def _end(self, job: Job, state: State, message: str) -> None:
        self._store.jobs.change(job.id, lambda before: state if before in ACTIVE else before, message=message)
        started = self._processes.pop(job.id, None)
        if started is not None:
            started.wait()
        if state == "done":
            self.folder(job.id).keep_what_is_needed()
        log.info("job %s: %s %s", job.id, state, message)

    def _run(self) -> None:
        try:
            self.tidy()
        except StoreFailed as error:
            log.warning("the folder of jobs is not tidied up: %s", error)
        while not self._ended.is_set():
            self._woken.clear()
            try:
                self.round()
            except StoreFailed as error:
                log.warning("jobs are not looked after: %s", error)
            except Exception:
                log.exception("jobs are not looked after; it is tried again")
            self._woken.wait(self._every)


def _died(folder: JobFolder, status: int | None) -> str:
    how = (
        f"was killed by signal {-status}"
        if status is not None and status < 0
        else f"ended with status {status}"
    )
    return f"its process {how} before it was done, of too little memory perhaps; {_last(folder)}"


def _last(folder: JobFolder) -> str:
    said = folder.said(1)
    return f"the last it said was: {said[0][:300]}" if said else "it had said nothing"
