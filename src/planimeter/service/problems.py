"""Every error as its answer: one JSON shape for programs, a page for people."""

import logging
from http import HTTPStatus

from flask import Flask, Response, current_app, g, jsonify, render_template, request
from werkzeug.exceptions import HTTPException, RequestedRangeNotSatisfiable, RequestEntityTooLarge
from werkzeug.wrappers import Response as AnyResponse

from planimeter import errors
from planimeter.service.api.answers.base import ErrorAnswer, Problem
from planimeter.service.context import context

log = logging.getLogger(__name__)

STATUS: dict[type[errors.PlanimeterError], int] = {
    errors.InvalidOption: 400,
    errors.ContradictoryOptions: 409,
    errors.MissingPicture: 400,
    errors.UnknownModel: 404,
    errors.UnknownMeasurement: 404,
    errors.UnknownSample: 404,
    errors.UnknownLot: 404,
    errors.UnknownProfile: 404,
    errors.UnknownJob: 404,
    errors.WrongJobState: 409,
    errors.TooFewPictures: 409,
    errors.TrainingUnavailable: 503,
    errors.ScoresNotKept: 409,
    errors.CorrectedMeanwhile: 409,
    errors.ProfileChanged: 409,
    errors.CountDiffers: 409,
    errors.CursorGone: 409,
    errors.KeyReused: 409,
    errors.TooMany: 409,
    errors.DifferentPictures: 409,
    errors.TooManyBytes: 413,
    errors.UnsupportedPicture: 415,
    errors.UndecodablePicture: 422,
    errors.TooManyPixels: 422,
    errors.ClientGone: 408,
    errors.QueueFull: 429,
    errors.TooManyRequests: 429,
    errors.NotReady: 503,
    errors.StoreFailed: 503,
    errors.NoRoom: 507,
    errors.ModelsBusy: 503,
    errors.RuntimeUnavailable: 503,
    errors.DeadlineExceeded: 504,
}
"""Any other `PlanimeterError` is our fault: 500."""

PROGRAM_PATHS = ("/api/", "/v2/", "/label-studio/", "/healthz", "/readyz", "/metrics", "/openapi.json")
INFERENCE = "/v2"
"""Where the Open Inference Protocol is spoken, in which an error is a sentence."""


def register(app: Flask) -> None:
    """Make `app` answer every error through this module."""
    app.register_error_handler(errors.PlanimeterError, answer_planimeter_error)
    app.register_error_handler(HTTPException, answer_http_error)
    app.register_error_handler(Exception, answer_crash)


def answer_planimeter_error(error: errors.PlanimeterError) -> AnyResponse:
    """Answer an error that was raised on purpose."""
    status = status_of(error)
    if status >= 500:
        log.error("%s %s: %s: %s", request.method, request.path, error.code, error)
    answer = _answer(status, error.code, str(error))
    if isinstance(error, (errors.QueueFull, errors.TooManyRequests)):
        answer.headers["Retry-After"] = str(error.retry_after)
    return answer


def answer_http_error(error: HTTPException) -> AnyResponse:
    """Answer what Flask and Werkzeug refuse by themselves: unknown routes, wrong methods, too long bodies."""
    if error.code is None or error.code < 400:
        return error.get_response(request.environ)
    if isinstance(error, RequestEntityTooLarge):
        return answer_planimeter_error(errors.TooManyBytes(_too_large()))
    answer = _answer(error.code, error.name.lower().replace(" ", "_"), _sentence(error))
    if error.code == 401:
        answer.headers["WWW-Authenticate"] = 'Bearer realm="planimeter"'
    if retry_after := getattr(error, "retry_after", None):
        answer.headers["Retry-After"] = str(retry_after)
    if isinstance(error, RequestedRangeNotSatisfiable):
        answer.headers["Content-Range"] = f"bytes */{error.length}"
    if allowed := _allowed(error):
        answer.headers["Allow"] = ", ".join(sorted(allowed))
    return answer


def answer_crash(error: Exception) -> AnyResponse:
    """Answer a defect of ours, telling the log all and the client nothing of it."""
    request_id = g.get("request_id", "without an id")
    log.error("%s %s crashed (request %s)", request.method, request.path, request_id, exc_info=error)
    return _answer(
        500,
        "internal_error",
        f"something failed inside the service, not in the request; its log says what (request {request_id})",
    )


def status_of(error: errors.PlanimeterError) -> int:
    """Return the HTTP status for an error."""
    return next((STATUS[kind] for kind in type(error).__mro__ if kind in STATUS), 500)


def too_many_bytes(limit: int) -> str:
    """Return the sentence for a body that is too long."""
    size = f"{limit:,} bytes ({limit / 2**20:.3g} MiB)"
    return f"the upload is larger than the limit of {size}; send a smaller file"


def _too_large() -> str:
    taken = request.max_content_length or 0
    if (request.content_length or 0) > taken:
        # Around a picture, a form or base64 may be longer; what is no picture has a limit of its own.
        return too_many_bytes(min(context().settings.max_bytes, taken))
    return (
        f"the form has more than {request.max_form_parts:,} parts, or fields of text with more than "
        f"{request.max_form_memory_size or 0:,} bytes together; send the picture as a file, and each option once"
    )


def _allowed(error: HTTPException) -> set[str]:
    """Return the methods that are possible at the path, where others were refused."""
    return methods_here() or set(getattr(error, "valid_methods", None) or ())


def methods_here() -> set[str]:
    """Return the methods of what is at the path, and not of what else its last part could be the name of."""
    fixed = [rule for rule in current_app.url_map.iter_rules() if rule.rule == request.path]
    return {method for rule in fixed for method in rule.methods or ()}


def _sentence(error: HTTPException) -> str:
    if error.code == 404:
        return f"there is nothing at {request.path}; the routes are listed at /docs and in /openapi.json"
    if error.code == 405:
        allowed = ", ".join(sorted(_allowed(error)))
        return f"{request.method} is not possible at {request.path}; possible: {allowed}"
    return error.description or error.name


def _answer(status: int, code: str, message: str) -> Response:
    context().metrics.rejected(code, status)
    if is_inference():
        answer = jsonify({"error": message, "code": code})
    elif wants_json():
        answer = jsonify(ErrorAnswer(error=Problem(code=code, message=message)).model_dump())
    else:
        title = HTTPStatus(status).phrase
        answer = Response(
            render_template("error.html", status=status, title=title, code=code, message=message)
        )
    answer.status_code = status
    answer.headers["Cache-Control"] = "no-store"
    return answer


def is_inference() -> bool:
    """Return whether the request is one of the Open Inference Protocol."""
    return request.path == INFERENCE or request.path.startswith(f"{INFERENCE}/")


def wants_json() -> bool:
    """Return whether the client is a program: by the route, else by what it accepts."""
    if request.path in {"/api", INFERENCE} or request.path.startswith(PROGRAM_PATHS):
        return True
    accepted = request.accept_mimetypes
    return accepted["application/json"] > accepted["text/html"]
