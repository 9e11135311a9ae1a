"""In which states a job can be, and what a person can do in each."""

from typing import Literal, TypeAlias, get_args

from planimeter.errors import WrongJobState

State: TypeAlias = Literal["queued", "running", "stopping", "stopped", "failed", "done"]
Ended: TypeAlias = Literal["stopped", "failed", "done"]
STATES: tuple[State, ...] = get_args(State)
WORDS: dict[str, str] = {
    "queued": "waits for its turn",
    "running": "is running",
    "stopping": "is being stopped",
    "stopped": "is stopped",
    "failed": "has failed",
    "done": "is done",
}
ACTIVE: tuple[State, ...] = ("running", "stopping")
"""Those that a process belongs to."""


def stopped(state: str) -> State:
    """Return the state of a job that is asked to stop; raises `WrongJobState`."""
    if state == "queued":
        return "stopped"
    if state in ACTIVE:
        return "stopping"
    raise WrongJobState(f"the job {WORDS[state]}; there is nothing to stop")


def resumed(state: str) -> State:
    """Return the state of a job that is asked to go on; raises `WrongJobState`."""
    if state in {"stopped", "failed"}:
        return "queued"
    raise WrongJobState(f"the job {WORDS[state]}; only one that is stopped or has failed can go on")


def refuse_deletion(state: str) -> None:
    """Raise `WrongJobState` for a job that a process belongs to."""
    if state in ACTIVE:
        raise WrongJobState(f"the job {WORDS[state]}; stop it first, and delete it once it is stopped")
