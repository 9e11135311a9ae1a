"""Kills at random moments while measurements are made, thrown away, brought back, changed and deleted for good.

Each client repeats what was not answered until it is: so for every measurement it is known where it must be in the end,
and nothing else may be there. What is killed is the service, or one of what it works with: its database, its object
store, a node or a process of its cluster.
"""

import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from aftermath import check_files, check_places
from clients import Client
from ledger import Ledger
from running import Running
from system import Choice, Part, System
from verdict import Verdict

CLIENTS = 6
FIRST = 10
"""Measured before the first kill."""
ANSWER_SECONDS = 20.0
"""How long a kill waits for something to have been answered since the last."""
GONE_SECONDS = 3.0
"""How long at most something is gone that the service works with."""
KILLED_AT_START = 0.25
"""How often the next kill of the service comes before it is ready, while it cleans up after the last."""
BUSY = {"0", "409 key_in_use", "429", "503", "504"}
"""What may be answered while something is down, up to the code where only the status is told; 0 is no answer."""


def kills(
    folder: Path,
    count: int,
    choice: Choice | None = None,
    say: Callable[[str], None] = lambda _: None,
    *,
    seed: int = 7,
) -> Verdict:
    """Kill parts of a system of its own again and again under load; all measurements must be where the answers told."""
    chance = random.Random(seed)  # noqa: S311 - not for secrets
    system = System(folder, choice or Choice(), chance)
    try:
        return _Kills(system, chance, count, say).run()
    finally:
        system.end()


class _Kills:
    """A round of kills."""

    def __init__(self, system: System, chance: random.Random, count: int, say: Callable[[str], None]) -> None:
        self._system, self._chance, self._count, self._say = system, chance, count, say
        self._ledger = Ledger()
        self._killed: Counter[str] = Counter()
        self._deck: list[Part] = []

    def run(self) -> Verdict:
        """Kill, and look what is there in the end."""
        verdict, ledger = Verdict(f"{self._count} kills under load"), self._ledger
        services = self._system.services
        over = threading.Event()
        clients = [Client(services, ledger, number) for number in range(CLIENTS)]
        threads = [threading.Thread(target=client.work, args=(over,), daemon=True) for client in clients]
        for thread in threads:
            thread.start()
        try:
            while len(ledger.listed) < FIRST:
                time.sleep(0.1)
            while self._killed.total() < self._count:
                self._one()
        finally:
            over.set()  # whoever ends this early does not wait for clients whom nobody answers any more
        for thread in threads:
            thread.join()
        verdict.expect("every client was answered in the end", held=all(client.whole for client in clients))
        for (
            service
        ) in services:  # once more, with nothing under way, so that the last start cleans up after it
            service.kill()
        for service in services:
            service.start()
        verdict.seen.append(f"killed: {dict(self._killed)}")
        verdict.seen.append(f"answered: {dict(ledger.answers)}; asked again after: {dict(ledger.refused)}")
        other = [said for said in ledger.refused if said not in BUSY and said.partition(" ")[0] not in BUSY]
        verdict.expect(f"nothing else is answered while something is down ({other})", held=not other)
        check_places(services[-1], ledger, verdict)
        for service in services:
            verdict.expect("the service stops", held=service.stop() == 0)
        check_files(self._system, verdict)
        logs = [(service.folder / "log.txt").read_text("utf-8", "replace") for service in services]
        crashes = sum(log.count("Traceback") for log in logs)
        verdict.expect(f"no traceback in the log ({crashes})", held=not crashes)
        return verdict

    def _one(self) -> None:
        """Kill something, and have it back after a while."""
        self._wait_for_an_answer()
        time.sleep(self._chance.uniform(0.0, 2.0))
        part = self._next()
        self._kill(part)
        if isinstance(part, Running):
            while self._chance.random() < KILLED_AT_START and self._killed.total() < self._count:
                part.launch()
                time.sleep(self._chance.uniform(0.0, 4.0))
                self._kill(part, " while it started")
        else:
            time.sleep(self._chance.uniform(0.0, GONE_SECONDS))
        part.start()

    def _next(self) -> Part:
        """Return what is killed next: each part as often as every other, in any order."""
        if not self._deck:
            self._deck = self._chance.sample(self._system.parts, len(self._system.parts))
        return self._deck.pop()

    def _kill(self, part: Part, when: str = "") -> None:
        part.kill()
        self._killed[part.name + when] += 1
        if self._killed.total() % 25 == 0:
            self._say(f"    {self._killed.total()} kills; {self._ledger.answers.total()} answers")

    def _wait_for_an_answer(self) -> None:
        before, end = self._ledger.answers.total(), time.monotonic() + ANSWER_SECONDS
        while self._ledger.answers.total() == before and time.monotonic() < end:
            time.sleep(0.05)  # a slow machine has none yet
