"""Attack a service and say which of its promises held: `make attack`, or `make attack ATTACK=--short` as CI does."""

import argparse
import resource
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import rounds
from kills import kills
from running import Running
from system import Choice
from verdict import Verdict

ROUNDS = ("hostile", "unread", "gone", "soak", "kills")
MOST_MIB = 1_536


def main() -> int:
    """Run the rounds; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", action="store_true", help="a minute or two instead of half an hour")
    parser.add_argument("--only", choices=ROUNDS, action="append", help="only this round; may be repeated")
    parser.add_argument("--kills", type=int, help="how often the service is killed (500; 5)")
    parser.add_argument("--soak", type=float, help="seconds at twice the capacity (600; 20)")
    parser.add_argument(
        "--patience",
        type=float,
        default=rounds.HEALTH_SECONDS,
        help="seconds within which health must answer; more where the machine does other work too",
    )
    parser.add_argument(
        "--database", choices=("sqlite", "postgresql"), default="sqlite", help="of those kills"
    )
    parser.add_argument("--files", choices=("folders", "s3"), default="folders", help="of those kills")
    parser.add_argument("--workers", choices=("here", "ray"), default="here", help="of those kills")
    parser.add_argument("--services", type=int, default=1, help="of those kills, all on one store")
    parser.add_argument("--seed", type=int, default=7, help="of what is killed, and when")
    parser.add_argument("--model", default="nuclei")
    parser.add_argument("--most-mib", type=float, default=MOST_MIB, help="memory of the service at most")
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # nothing of ours stays behind
    count = given.kills if given.kills is not None else (5 if given.short else 500)
    seconds = given.soak if given.soak is not None else (20 if given.short else 600)
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, hard) if hard > 0 else 4096, hard))
    rounds.Probes.patience = given.patience
    choice = Choice(given.database, given.files, given.workers, given.services)
    if missing := choice.missing():
        say(f"NOT RUN: this needs {', and '.join(missing)}, and it is not here.")
        return 0
    broken = 0
    with tempfile.TemporaryDirectory(prefix="planimeter-attack-") as folder:
        running = Running(Path(folder), "--model", given.model)
        running.start()
        attacks: dict[str, Callable[[], Verdict]] = {
            "hostile": lambda: rounds.hostile(running),
            "unread": lambda: rounds.unread(running),
            "gone": lambda: rounds.gone(running),
            "soak": lambda: rounds.soak(running, seconds, given.most_mib),
            "kills": lambda: kills(Path(folder) / "kills", count, choice, say, seed=given.seed),
        }
        try:
            for name in given.only or ROUNDS:
                started = time.monotonic()
                verdict = attacks[name]()
                verdict.expect("the service still runs", held=running.status == "running")
                say(f"{verdict.title} ({time.monotonic() - started:.0f} s)")
                for line in verdict.seen:
                    say(f"    {line}")
                for line in verdict.broken:
                    say(f"    BROKEN: {line}")
                broken += len(verdict.broken)
            status = running.stop()
            say(f"stopped with {status}")
            broken += status != 0
        finally:
            running.kill()
        log = (Path(folder) / "log.txt").read_text("utf-8", "replace")
    crashes = log.count("Traceback")
    say(f"{crashes} tracebacks in the log; {broken} promises broken")
    return 1 if broken or crashes else 0


def say(line: str) -> None:
    """Print a line at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
