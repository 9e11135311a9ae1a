"""The log of a service: sentences for people, or one JSON object a line for what collects logs."""

import json
import logging
from datetime import datetime, timezone

from planimeter.settings import LogFormat

TEXT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


class JsonLines(logging.Formatter):
    """Writes a record as one line of JSON, with the id of the request that it belongs to."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        from flask import g, has_request_context  # noqa: PLC0415 - the log is set up before all else is imported

        moment = datetime.fromtimestamp(record.created, timezone.utc)
        line = {
            "time": moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if has_request_context() and "request_id" in g:
            line["request_id"] = g.request_id
        line |= getattr(record, "seen", {})
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


def set_up(form: LogFormat) -> None:
    """Write the log to standard error; each request has a line of its own in JSON only."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines() if form == "json" else logging.Formatter(TEXT))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    quiet = {
        "alembic": logging.WARNING,
        "waitress.queue": logging.ERROR,  # keep-alive connections look like a queue to it
        "flask-limiter": logging.WARNING,  # each refused request would be a line
        "planimeter.requests": logging.INFO if form == "json" else logging.WARNING,
    }
    for name, level in quiet.items():
        logging.getLogger(name).setLevel(level)
