"""The process of a job: started beside the service, told to stop, and known to run by the lock that it holds.

The lock is passed on to the process and is let go of by its end, whatever that is: a service that is started anew sees
whether the job runs, and no job runs twice.
"""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence

from planimeter.errors import TrainingUnavailable, WrongJobState
from planimeter.jobs.folder import JobFolder


def training_command(folder: JobFolder) -> list[str]:
    """Return the command that does the job of a folder."""
    return [sys.executable, "-m", "planimeter.jobs", str(folder.path)]


def start(folder: JobFolder, command: Sequence[str]) -> "subprocess.Popen[bytes]":
    """Start the process of a job; raises `WrongJobState` where it runs, also for another service, and `OSError`."""
    lock = _take(folder)
    if lock is None:
        raise WrongJobState(f"the job in {folder.path} is running already")
    try:
        folder.begin()
        folder.note_attempt()
        with folder.log.open("ab") as log:
            process = subprocess.Popen(  # noqa: S603  ours, with the path of a folder of ours
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # what stops the service does not reach it
                pass_fds=(lock,),
            )
        (folder.path / "pid").write_text(str(process.pid), "utf-8")
    finally:
        os.close(lock)
    return process


@contextlib.contextmanager
def held(folder: JobFolder) -> Iterator[bool]:
    """Yield whether nobody else has the job, and keep its process from being started meanwhile; raises OSError."""
    lock = _take(folder)
    try:
        yield lock is not None
    finally:
        if lock is not None:
            os.close(lock)


def is_running(folder: JobFolder) -> bool:
    """Return whether a process holds the job."""
    try:
        lock = _take(folder)
    except OSError:  # the folder is gone
        return False
    if lock is None:
        return True
    os.close(lock)
    return False


def stop(folder: JobFolder) -> None:
    """Ask the process of a job that runs to save where it stands, and to end."""
    with contextlib.suppress(OSError, ValueError):  # it ended by itself
        os.kill(int((folder.path / "pid").read_text("utf-8")), signal.SIGTERM)


def refuse_other_systems() -> None:
    """Raise `TrainingUnavailable` where there are no such locks."""
    if sys.platform == "win32":
        raise TrainingUnavailable(
            "a service on Windows has no jobs; train with planimeter train, and this service finds the model"
        )


def _take(folder: JobFolder) -> int | None:
    """Return the lock of a job as a file that is open and ours, or None where a process holds it."""
    refuse_other_systems()
    import fcntl  # noqa: PLC0415 - not on Windows

    lock = os.open(folder.lock, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        return None
    return lock
