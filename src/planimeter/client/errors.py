"""What a service answers when something is wrong, as the errors that Planimeter itself raises."""

from collections.abc import Iterator

from planimeter.errors import (
    ContradictoryOptions,
    InvalidOption,
    PlanimeterError,
    QueueFull,
    ServiceAnswered,
    TooManyBytes,
    TooManyRequests,
)
from planimeter.http_client import Answer

_PROXY_REFUSES = 413
"""The one refusal of a picture that a proxy may say, in words of its own."""


def error_of(shown: str, answer: Answer) -> PlanimeterError:
    """Return the error that an answer stands for: that of its code, else `ServiceAnswered` with code and status."""
    code, message = answer.said
    if not code:
        return _of_another(shown, answer)
    if code in {QueueFull.code, TooManyRequests.code}:
        seconds = int(answer.retry_after or 1)
        return (
            QueueFull(message, seconds)
            if code == QueueFull.code
            else TooManyRequests(message, retry_after=seconds)
        )
    if code == InvalidOption.code:
        return (ContradictoryOptions if answer.status == 409 else InvalidOption)(message)
    if code in _BY_CODE:
        return _BY_CODE[code](message)
    return ServiceAnswered(message, code=code, status=answer.status)


def _of_another(shown: str, answer: Answer) -> PlanimeterError:
    """Return the error for an answer that Planimeter does not give: of a proxy, or of another program."""
    if answer.status == _PROXY_REFUSES:
        return TooManyBytes(
            f"{shown} answers 413: the picture is larger than what is let through on the way there"
        )
    if 300 <= answer.status < 400 and "location" in answer.headers:
        there = answer.headers["location"][:100]
        return foreign(f"{shown} answers that it is at {there!r}: give that as the address", answer)
    return foreign(
        f"{shown} answers {answer.status}, and not as Planimeter does; is it the address of the service?",
        answer,
    )


def foreign(message: str, answer: Answer) -> ServiceAnswered:
    """Return the error for an answer that is not one of Planimeter's."""
    return ServiceAnswered(message, code="foreign_answer", status=answer.status)


def _kinds(of: type[PlanimeterError]) -> Iterator[type[PlanimeterError]]:
    for kind in of.__subclasses__():
        yield kind
        yield from _kinds(kind)


_BY_CODE: dict[str, type[PlanimeterError]] = {
    kind.code: kind for kind in reversed([*_kinds(PlanimeterError)]) if not issubclass(kind, ServiceAnswered)
}
