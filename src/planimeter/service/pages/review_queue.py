"""What is to be reviewed, as a page that a review begins at."""

from flask import render_template, request

from planimeter.evaluation.review_order import Reason
from planimeter.service.api.options.parsing import parse
from planimeter.service.api.options.review_queue import QueueOptions
from planimeter.service.context import context
from planimeter.service.pages.known import known
from planimeter.service.pages.site import blueprint
from planimeter.service.reviewing import queue_of
from planimeter.service.roles import needs

WHY: dict[Reason, str] = {
    "undecided": "undecided verdict",
    "unlike_training": "unlike the training",
    "models_disagree": "models disagree",
    "wide_interval": "wide interval",
}


@blueprint.get("/review-queue")
@needs("read")
def review_queue() -> str:
    """List what is to be reviewed first, and lead to it."""
    options = parse(QueueOptions, known(QueueOptions, request.args))
    queue = queue_of(options)
    return render_template(
        "review_queue.html",
        queue=queue,
        options=options,
        why=WHY,
        packs=list(context().models.packs().values()),
        review={"ids": ",".join(entry.line.id for entry in queue.entries), "order": "-created_at"},
    )
