"""The one bound on all that a request waits for."""

import time

from planimeter.errors import DeadlineExceeded


class Deadline:
    """A moment until which a picture must be measured, whatever it waits for on its way."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._end = time.monotonic() + seconds

    @property
    def left(self) -> float:
        """Seconds until then; 0 where it is past."""
        return max(0.0, self._end - time.monotonic())

    def check(self, what: str) -> None:
        """Raise `DeadlineExceeded` where it is past; `what` is what was waited for."""
        if not self.left:
            raise self.missed(f"waited {self._seconds:g} s for {what}")

    def check_needed(self, seconds: float) -> None:
        """Raise `DeadlineExceeded` at once where work of so many seconds cannot be done by then."""
        if seconds > self.left:
            raise self.missed(
                f"needs about {seconds:,.0f} s on this machine, longer than the {self._seconds:g} s allowed,"
            )

    def missed(self, what: str) -> DeadlineExceeded:
        """Return the error for a picture that did `what`."""
        return DeadlineExceeded(
            f"the picture {what} and was not measured; try again when there is less to do, send fewer pixels, or start "
            "the service with a longer --deadline"
        )
