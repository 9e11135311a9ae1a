"""A process that is killed at every step of what it does: forked anew for each, until one survives."""

import itertools
import os
import shutil
import signal
import sys
import traceback
from collections.abc import Callable, Collection
from pathlib import Path


def kill_self_at(step: int, calls: Collection[str]) -> None:
    """Have SIGKILL strike at the n-th moment before one of these calls into the system or into SQLite."""
    moments = itertools.count(1)

    def strike(_frame: object, event: str, called: object) -> None:
        if event == "c_call" and getattr(called, "__name__", "") in calls and next(moments) == step:
            os.kill(os.getpid(), signal.SIGKILL)

    sys.setprofile(strike)


def die_at_every_step(action: Callable[[Path, int], None], template: Path, base: Path) -> None:
    """Fork a process for each step of the action and have it killed there, until one survives."""
    for step in itertools.count(1):
        home = base / f"{step:04}"
        shutil.copytree(template, home)
        child = os.fork()
        if not child:
            status = 1
            try:
                action(home, step)
                status = 0
            except BaseException:  # noqa: BLE001 - the fork must not return into the loop of its parent
                sys.setprofile(None)
                traceback.print_exc()
            finally:
                os._exit(status)
        _, ended = os.waitpid(child, 0)
        if not os.WIFSIGNALED(ended):
            shutil.rmtree(home)
            sys.exit(os.WEXITSTATUS(ended))
