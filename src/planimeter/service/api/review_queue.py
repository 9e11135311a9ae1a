"""What is worth a look of a person first."""

from flask import Response
from pydantic import Field

from planimeter.evaluation.review_order import Reason
from planimeter.service.api.answering import json_answer
from planimeter.service.api.answers.base import Answer
from planimeter.service.api.answers.many import LineAnswer, line_answer
from planimeter.service.api.described import answer_of
from planimeter.service.api.options.review_queue import QueueOptions
from planimeter.service.api.routes import api
from planimeter.service.reviewing import ReviewQueue, queue_of


class QueuedAnswer(Answer):
    """A measurement in the queue."""

    reasons: list[Reason] = Field(
        description="Why it is there, the most urgent first; none where chance chose it."
    )
    measurement: LineAnswer


class QueueAnswer(Answer):
    """What is to be reviewed, the first ones of it."""

    count: int = Field(description="How many there are in all.")
    waiting: int = Field(description="How many nobody has reviewed, of the newest 5,000 that match.")
    measurements: list[QueuedAnswer]


@api.get(
    "/review-queue",
    "List what is to be reviewed",
    answer_of("The first of it.", QueueAnswer),
    role="read",
    options=QueueOptions,
    description="Measurements that nobody has reviewed. By doubt: undecided verdicts, pictures unlike those of the "
    "training, pictures on which two models of the same classes disagree, and the tenth with the widest intervals, in "
    "this order. Of a picture that was measured several times, the newest measurement is in it.",
)
def review_queue(options: QueueOptions) -> Response:
    """Answer what is to be reviewed."""
    return json_answer(queue_answer(queue_of(options)))


def queue_answer(queue: ReviewQueue) -> QueueAnswer:
    """Return a queue as it is answered."""
    return QueueAnswer(
        count=queue.count,
        waiting=queue.waiting,
        measurements=[
            QueuedAnswer(reasons=[*entry.reasons], measurement=line_answer(entry.line))
            for entry in queue.entries
        ],
    )
