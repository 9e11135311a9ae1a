"""The attacks, each a promise that it tries to break; each yields what it saw and whether the promise held."""

import json
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from hostile import hostile_pictures
from running import MEASUREMENTS, Running
from verdict import SAMPLE, Verdict

HEALTH_SECONDS = 1.0
FINE = {200, 201, 400, 404, 408, 409, 413, 415, 422, 429, 503, 504, 507}


class Probes:
    """Asks for health, a page and the memory all the time."""

    patience = HEALTH_SECONDS
    """Seconds within which health must answer; more on machines that do other work too."""

    def __init__(self, running: Running) -> None:
        self.running = running
        self.health: list[float] = []
        self.pages: list[float] = []
        self.main, self.decoders = 0.0, 0.0

    def once(self) -> None:
        """Ask once."""
        for kept, path in ((self.health, "/healthz"), (self.pages, "/measurements")):
            status, _, seconds = self.running.ask("GET", path, seconds=30)
            kept.append(seconds if status == 200 else 99.0)
        main, decoders = self.running.memory_mib()
        self.main, self.decoders = max(self.main, main), max(self.decoders, decoders)

    def judge(self, verdict: Verdict) -> None:
        """Hold what was seen against what is promised."""
        verdict.seen.append(
            f"health at most {max(self.health):.2f} s, a page {max(self.pages):.2f} s; memory at most "
            f"{self.main:,.0f} MiB and {self.decoders:,.0f} in decoders"
        )
        verdict.expect(f"health within {self.patience:g} s", held=max(self.health) <= self.patience)


@contextmanager
def probing(running: Running, verdict: Verdict) -> Iterator[Probes]:
    """Probe meanwhile, and judge at the end."""
    probes, ended = Probes(running), threading.Event()

    def run() -> None:
        while not ended.wait(0.3):
            probes.once()

    thread = threading.Thread(target=run)
    probes.once()
    thread.start()
    try:
        yield probes
    finally:
        ended.set()
        thread.join()
        probes.judge(verdict)


def in_threads(count: int, work: Callable[[int], None]) -> None:
    """Do `work` in so many threads at once."""
    threads = [threading.Thread(target=work, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def hostile(running: Running) -> Verdict:
    """Send each hostile picture four times at once; a good one is measured as before afterwards."""
    verdict = Verdict("hostile pictures, four clients each")
    good = SAMPLE.read_bytes()
    expected = _percent(running, good)
    with probing(running, verdict):
        for name, picture in hostile_pictures().items():
            answers: list[tuple[int, str, float]] = []
            in_threads(4, lambda _, data=picture, kept=answers: kept.append(running.measure(data)))  # type: ignore[misc]
            statuses = Counter(
                f"{status} {code if status != 201 else ''}".strip() for status, code, _ in answers
            )
            verdict.seen.append(
                f"{name} ({len(picture):,} bytes): {dict(statuses)}, {max(a[2] for a in answers):.1f} s"
            )
            verdict.expect(f"{name} is answered", held=all(answer[0] in FINE for answer in answers))
            verdict.expect(f"a good picture after {name}", held=_percent(running, good) == expected)
    return verdict


def unread(running: Running) -> Verdict:
    """Ask for large answers and read none of them."""
    verdict = Verdict("clients that do not read, and half headers")
    good = SAMPLE.read_bytes()
    ids = [running.measure(good + bytes(8_000_000))[1] for _ in range(6)]
    requests = {
        "80 that do not read a file": (f"GET {MEASUREMENTS}/{ids[0]}/image", 80),
        "80 that do not read an archive": (f"GET {MEASUREMENTS}/zip?content=image", 80),
        "1,050 half headers": ("", 1_050),
    }
    with probing(running, verdict):
        for name, (line, count) in requests.items():
            full = f"{line} HTTP/1.1\r\nHost: localhost\r\n\r\n"
            half = "GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Half: "
            opened = running.open_unread((full if line else half).encode(), count)
            status, _, seconds = running.measure(good)
            verdict.seen.append(f"{name}: a good picture {status} in {seconds:.1f} s")
            verdict.expect(f"a good picture beside {name}", held=status == 201)
            time.sleep(3)
            for connection in opened:
                connection.close()
    return verdict


def gone(running: Running) -> Verdict:
    """Send pictures and leave before they are measured."""
    verdict = Verdict("clients that leave")
    good = SAMPLE.read_bytes()
    before = _count(running)
    head = f"POST {MEASUREMENTS} HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/png\r\n"
    request = f"{head}Content-Length: {len(good)}\r\n\r\n".encode() + good
    for connection in running.open_unread(request, 30):
        connection.close()
    status, _, seconds = running.measure(good)
    kept = _count(running) - before - 1
    verdict.seen.append(
        f"30 left; {kept} of them were measured all the same; a good one {status} in {seconds:.1f} s"
    )
    verdict.expect("most of what nobody waits for is dropped", held=kept <= 10)
    return verdict


def soak(running: Running, seconds: float, most_mib: float) -> Verdict:
    """Offer twice what can be done, good and hostile, for a while."""
    verdict = Verdict(f"twice the capacity, mixed, for {seconds:.0f} s")
    good = SAMPLE.read_bytes()
    expected = _percent(running, good)
    pictures = [picture for picture in hostile_pictures().values() if len(picture) < 1_000_000]
    statuses: Counter[int] = Counter()
    wrong: list[float] = []
    lock, end = threading.Lock(), time.monotonic() + seconds

    def client(number: int) -> None:
        chance = random.Random(number)  # noqa: S311 - not for secrets
        while time.monotonic() < end:
            if chance.random() < 0.15:
                status = running.measure(chance.choice(pictures), seconds=180)[0]
            else:
                status, body, _ = running.ask("POST", MEASUREMENTS, good, seconds=180)
                percent = json.loads(body)["coverage"]["percent_masked"] if status == 201 else expected
                if percent != expected:
                    wrong.append(percent)
            with lock:
                statuses[status] += 1
            if status == 429:
                time.sleep(1)

    with probing(running, verdict) as probes:
        in_threads(66, client)
    verdict.seen.append(f"statuses {dict(sorted(statuses.items()))}")
    verdict.expect("every request is answered, none by a crash", held=set(statuses) <= FINE)
    verdict.expect("good answers stay the same", held=not wrong)
    verdict.expect(f"memory below {most_mib:,.0f} MiB", held=probes.main <= most_mib)
    return verdict


def _percent(running: Running, picture: bytes) -> float:
    for _ in range(60):
        status, body, _ = running.ask("POST", MEASUREMENTS, picture)
        if status == 201:
            return float(json.loads(body)["coverage"]["percent_masked"])
        time.sleep(1)
    return float("nan")


def _count(running: Running) -> int:
    return int(json.loads(running.ask("GET", f"{MEASUREMENTS}?limit=1")[1])["count"])
