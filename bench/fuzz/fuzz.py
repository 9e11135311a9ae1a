"""Send changed pictures to the decoders: `make fuzz`; CI does so for a minute.

Each is handled as the service handles an upload: its header is read here, and decoded in a process with limits of time
and memory. It must give a picture within the limits, or one of Planimeter's own errors. What ends a decoder takes
nothing along, and is kept to be looked at; so is what breaks that rule, and then the status is 1. An input is known by
its number: `--first N --count 1` makes it again.
"""

import argparse
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from random import Random

from mutations import mutated
from seeds import seeds

from planimeter.errors import PlanimeterError
from planimeter.pictures.decode import Picture, read_size
from planimeter.service.deadline import Deadline
from planimeter.service.decoding import Decoders
from planimeter.settings import Limits

LIMITS = Limits(max_bytes=2**20, max_pixels=2_000_000, max_side=30_000)
HEADER_SECONDS = 0.5
"""Of one thread, within which a header of some kilobytes must be read: nothing could end that."""
LEAST_DECODED = 0.02
"""Of all inputs: with fewer, nothing behind the headers was tried."""


class Fuzz:
    """Inputs by number, shared out among threads."""

    def __init__(self, first: int, count: int, seconds: float, kept: Path) -> None:
        self._seeds = seeds()
        self._next, self._end = first, first + count
        self._until = time.monotonic() + seconds
        self._kept = kept
        self._lock = threading.Lock()
        self._decoders = Decoders()
        self.outcomes: Counter[str] = Counter()
        self.broken: list[str] = []

    def run(self, jobs: int) -> None:
        """Try inputs until there are no more, or the time is up."""
        threads = [threading.Thread(target=self._work) for _ in range(jobs)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self._decoders.close()

    def _work(self) -> None:
        while time.monotonic() < self._until:
            with self._lock:
                number = self._next
                self._next += 1
            if number >= self._end:
                return
            data = mutated(self._seeds, Random(number))  # noqa: S311  not for secrets
            outcome, problem = self._try(data)
            with self._lock:
                self.outcomes[outcome] += 1
                if problem:
                    self.broken.append(f"{number}: {problem}")
                if problem or outcome.startswith("ended"):
                    self._kept.mkdir(parents=True, exist_ok=True)
                    (self._kept / f"{number}.bin").write_bytes(data)

    def _try(self, data: bytes) -> tuple[str, str]:
        """Return what became of an input, and what of that must not be."""
        began = time.thread_time()
        try:
            read_size(data, LIMITS)
        except PlanimeterError:
            pass
        except Exception as error:  # noqa: BLE001  what is looked for
            return "broken", f"reading its header raised {error!r}"
        if (took := time.thread_time() - began) > HEADER_SECONDS:
            return "broken", f"reading its header took {took:.2f} s"
        try:
            picture = self._decoders.decode(data, filename="picture", limits=LIMITS, deadline=Deadline(600))
        except PlanimeterError as error:
            if "took longer" in str(error) or "gave up" in str(error):
                return f"ended: {str(error).partition('(')[2].partition(')')[0]}", ""
            return f"refused: {error.code}", ""
        except Exception as error:  # noqa: BLE001  what is looked for
            return "broken", f"decoding raised {error!r}"
        return self._judged(picture)

    @staticmethod
    def _judged(picture: Picture) -> tuple[str, str]:
        height, width, channels = picture.pixels.shape
        if channels != 3 or width * height > LIMITS.max_pixels or max(width, height) > LIMITS.max_side:
            return "broken", f"a picture of {width} x {height} x {channels} came out"
        return f"decoded: {picture.info.format}", ""


def main() -> int:
    """Try them, and say what became of them; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("--count", type=int, default=1_000_000)
    parser.add_argument("--seconds", type=float, default=float("inf"), help="end after so many")
    parser.add_argument("--first", type=int, default=0, help="number of the first")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--kept", type=Path, default=Path("dist/fuzz"), help="receives what was interesting")
    given = parser.parse_args()
    fuzz = Fuzz(given.first, given.count, given.seconds, given.kept)
    began = time.monotonic()
    fuzz.run(given.jobs)
    tried = sum(fuzz.outcomes.values())
    for outcome, times in sorted(fuzz.outcomes.items()):
        sys.stdout.write(f"{times:9,}  {outcome}\n")
    decoded = sum(times for outcome, times in fuzz.outcomes.items() if outcome.startswith("decoded"))
    if tried >= 1000 and decoded < LEAST_DECODED * tried:
        fuzz.broken.append(f"only {decoded} of {tried} were decoded: the inputs try nothing")
    for line in fuzz.broken:
        sys.stdout.write(f"BROKEN: {line}\n")
    sys.stdout.write(f"{tried:,} inputs in {time.monotonic() - began:.0f} s, {len(fuzz.broken)} broken\n")
    return 1 if fuzz.broken else 0


if __name__ == "__main__":
    sys.exit(main())
