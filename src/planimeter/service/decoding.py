"""Decoders in processes of their own: a file that is too slow, too large or too much for one takes nothing else along.

Why processes, and what was measured, stands in `docs/reliability.md`.
"""

import atexit
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from planimeter.errors import (
    MissingPicture,
    NotReady,
    PlanimeterError,
    TooManyBytes,
    TooManyPixels,
    UndecodablePicture,
    UnsupportedPicture,
)
from planimeter.pictures.decode import Picture, read_size
from planimeter.pictures.header import Header
from planimeter.pictures.worker import Answer, Request, receive, send
from planimeter.service.alarms import ALARMS
from planimeter.service.deadline import Deadline
from planimeter.settings import Limits

MOST_DECODERS = 4
SECONDS = 5.0
SECONDS_A_MEGAPIXEL = 0.4
SECONDS_A_MEGABYTE = 0.1
"""How long decoding may take: some three times what the slowest honest file took on two busy cores."""
START_SECONDS = 60.0
SHARED_SECONDS = 0.1
"""How long a picture waits for a process that is at work before another one is started, which takes three times as
long, and 30 MiB from then on."""
_ENVIRONMENT = {
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    # glibc keeps buffers of some megabytes for the next picture: without it a megapixel cost 2,500 page faults.
    "MALLOC_MMAP_THRESHOLD_": str(2**23),
    "MALLOC_TRIM_THRESHOLD_": str(2**24),
}
_COMMAND = (sys.executable, "-m", "planimeter.pictures.worker")


class Decoders:
    """Up to `most` processes that decode; started when they are needed, ended when they misbehave."""

    def __init__(
        self, most: int = MOST_DECODERS, *, patience: float = 1.0, shared_for: float = SHARED_SECONDS
    ) -> None:
        """`patience` multiplies the time that decoding may take; see `SHARED_SECONDS` for `shared_for`."""
        self.patience = patience
        self._shared_for = shared_for
        self._places = threading.Semaphore(most)
        self._idle: list[_Decoder] = []
        self._working = 0
        self._change = threading.Condition()
        """Of what is idle and what is at work."""

    def decode(self, data: bytes, *, filename: str, limits: Limits, deadline: Deadline) -> Picture:
        """Return the picture in `data`, as `planimeter.pictures.decode.decode` does, and raise what it raises.

        A decoder that takes too long, too much memory or that dies is ended, and the file refused.
        """
        with self.decoding(data, filename=filename, limits=limits, deadline=deadline) as picture:
            return picture()

    @contextmanager
    def decoding(
        self, data: bytes, *, filename: str, limits: Limits, deadline: Deadline
    ) -> Iterator[Callable[[], Picture]]:
        """Have a picture decoded while something else is done; what is yielded waits for it, and may be called once.

        Both raise what `decode` raises.
        """
        header = read_size(data, limits)
        with ExitStack() as held:
            decoder = held.enter_context(self._decoder(deadline))
            decoder.ask(data, filename, limits, header, self.patience)

            def picture() -> Picture:
                with held:  # another picture can have the decoder then
                    return decoder.answer()

            yield picture

    def start(self) -> None:
        """Start the first process, so that the first picture need not wait for it."""
        with self._decoder(Deadline(60)):
            pass

    def close(self) -> None:
        """End the processes that have nothing to do."""
        with self._change:
            idle, self._idle = self._idle, []
        for decoder in idle:
            decoder.end()

    @contextmanager
    def _decoder(self, deadline: Deadline) -> Iterator["_Decoder"]:
        if not self._places.acquire(timeout=deadline.left):
            raise deadline.missed("waited for its turn to be decoded")
        try:
            decoder = self._take(deadline)
            try:
                if decoder is not None and not decoder.alive:
                    decoder.end()
                    decoder = None
                decoder = decoder or _Decoder()
                yield decoder
            finally:
                if decoder is not None and decoder.asked:  # nobody waited for its answer
                    decoder.end()
                with self._change:
                    self._working -= 1
                    if decoder is not None and decoder.alive:
                        self._idle.append(decoder)
                    self._change.notify()
        finally:
            self._places.release()

    def _take(self, deadline: Deadline) -> "_Decoder | None":
        """Return a process that is idle, or soon is; None where one has to be started. Either counts as at work."""
        with self._change:
            if self._working:
                self._change.wait_for(lambda: self._idle, max(0.0, min(self._shared_for, deadline.left)))
            self._working += 1
            return self._idle.pop() if self._idle else None


def room_for(header: Header, limits: Limits) -> int:
    """Return the bytes of memory that a picture needs; one that will be refused needs none."""
    # Some formats store a little more than they show, and cut it.
    refused = (
        header.pixels > 1.1 * limits.max_pixels or max(header.width, header.height) > 1.1 * limits.max_side
    )
    return 0 if refused else header.decoding_bytes


class _Decoder:
    """One process; for one thread at a time."""

    def __init__(self) -> None:
        environment = {**os.environ, **_ENVIRONMENT}
        self._process = subprocess.Popen(  # noqa: S603 - our own command
            _COMMAND,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
        )
        self._format, self._seconds = "", START_SECONDS
        self._timed_out = False
        self._watch = ALARMS.set(START_SECONDS, self._give_up)
        self.asked = True
        """Whether an answer is still to come."""
        try:
            ready = receive(self._streams[1])
        finally:
            self._answered()
        if not ready:
            self.end()
            raise NotReady(
                "a process that decodes pictures did not start; the service's machine may be overloaded"
            )

    def _answered(self) -> None:
        self._watch.cancel()
        self.asked = False

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def ask(self, data: bytes, filename: str, limits: Limits, header: Header, patience: float) -> None:
        """Begin to decode a picture; `answer` is to be called next."""
        room = room_for(header, limits)
        megapixels, megabytes = (header.pixels if room else 0) / 1e6, len(data) / 1e6
        seconds = patience * (SECONDS + SECONDS_A_MEGAPIXEL * megapixels + SECONDS_A_MEGABYTE * megabytes)
        request = Request(
            size=len(data),
            filename=filename,
            max_bytes=limits.max_bytes,
            max_pixels=limits.max_pixels,
            max_side=limits.max_side,
            memory=room,
        )
        self._format, self._seconds = header.format, seconds
        self._watch, self.asked = ALARMS.set(seconds, self._give_up), True
        with self._ended_by_failing():
            send(self._streams[0], request, data)

    def answer(self) -> Picture:
        """Wait for the picture; raises what decoding it raised."""
        try:
            with self._ended_by_failing():
                answer = self._receive()
        finally:
            self._answered()
        if isinstance(answer, PlanimeterError):
            raise answer
        return answer

    @contextmanager
    def _ended_by_failing(self) -> Iterator[None]:
        """End the process where what is done inside fails."""
        try:
            yield
        except (OSError, EOFError) as error:
            self.end()
            why = (
                f"decoding took longer than {self._seconds:.0f} s"
                if self._timed_out
                else "the decoder gave up on it"
            )
            raise UndecodablePicture(
                f"the bytes start like {self._format} but cannot be decoded ({why}); the file may be damaged: open it "
                "in a viewer and save it again"
            ) from error
        except BaseException:
            self.end()
            raise

    def end(self) -> None:
        """End the process, whatever it does."""
        self._answered()
        self._process.kill()
        self._process.wait()
        for stream in self._streams:
            try:
                stream.close()
            except OSError:  # what was not sent cannot be sent any more
                continue

    def _give_up(self) -> None:
        self._timed_out = True
        self._process.kill()

    @property
    def _streams(self) -> tuple[BinaryIO, BinaryIO]:
        requests, answers = self._process.stdin, self._process.stdout
        if requests is None or answers is None:
            raise EOFError
        return requests, answers  # type: ignore[return-value]  # they are what Popen calls IO[bytes]

    def _receive(self) -> Picture | PlanimeterError:
        _, answers = self._streams
        text = receive(answers)
        if not text:
            raise EOFError
        answer = Answer.model_validate_json(text)
        if answer.info is None:
            return _error(answer)
        height, width = answer.info.height, answer.info.width
        pixels = _read_into(np.empty((height, width, 3), np.uint8), answers)
        transparent = None
        if answer.transparent:
            bits = _read_into(np.empty((height * width + 7) // 8, np.uint8), answers)
            transparent = np.unpackbits(bits, count=height * width).astype(bool).reshape(height, width)
        return Picture(pixels, answer.info, answer.notes, transparent, answer.lossy)


def _read_into(array: NDArray[np.uint8], answers: BinaryIO) -> NDArray[np.uint8]:
    room = array.data.cast("B")
    while room:
        count = answers.readinto(room)  # type: ignore[attr-defined]
        if not count:
            raise EOFError
        room = room[count:]
    return array


def _error(answer: Answer) -> PlanimeterError:
    kinds = {
        kind.__name__: kind for kind in (MissingPicture, TooManyBytes, TooManyPixels, UnsupportedPicture)
    }
    return kinds.get(answer.error, UndecodablePicture)(answer.message)


@cache
def shared_decoders() -> Decoders:
    """Return the decoders of this process."""
    decoders = Decoders()
    atexit.register(decoders.close)
    return decoders
