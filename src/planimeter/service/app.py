"""The Flask app: its parts put together, and what holds for every answer."""

from functools import lru_cache
from gzip import compress
from importlib.metadata import version
from pathlib import Path
from typing import Any

from flask import Flask, Response, current_app, request

from planimeter.service import access, problems, rates, watching
from planimeter.service.api import openapi
from planimeter.service.api.routes import api
from planimeter.service.context import Context, context
from planimeter.service.hosts import frame_ancestors, refuse_foreign_hosts
from planimeter.service.inference.routes import inference
from planimeter.service.label_studio.routes import label_studio
from planimeter.service.links import link
from planimeter.service.models import Models
from planimeter.service.pages import (
    changes,
    compare,
    history,
    home,
    jobs,
    lots,
    measurement,
    models,
    pictures,
    profiles,
    report,
    review_queue,
    site,
    slash,
    thresholds,
    trash,
    words,
)
from planimeter.service.probes import probes
from planimeter.service.roles import needs
from planimeter.settings import Settings
from planimeter.store import Store

FORM_OVERHEAD = 2**20
"""Bytes that a multipart form may need beside the picture."""

PAGES = (
    home,
    measurement,
    thresholds,
    changes,
    pictures,
    profiles,
    history,
    report,
    review_queue,
    lots,
    models,
    jobs,
    compare,
    trash,
    words,
)
"""The modules whose routes and filters belong to the pages; importing them is what makes those known."""

PACKED_KINDS = {"text/css", "text/javascript", "application/javascript", "image/svg+xml"}

HEADERS = {
    # Nothing is loaded from elsewhere.
    "Content-Security-Policy": (
        f"default-src 'self'; script-src 'self' {slash.POLICY}; img-src 'self' data: blob:; "
        "object-src 'none'; base-uri 'none'; form-action 'self'; "
        f"frame-ancestors {frame_ancestors()}"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Permissions-Policy": "geolocation=(), microphone=(), camera=()",
}


def create_app(settings: Settings, store: Store, models: Models) -> Flask:
    """Return the app; nothing is loaded or opened by it."""
    app = Flask("planimeter.service")
    app.config["MAX_CONTENT_LENGTH"] = settings.max_bytes + FORM_OVERHEAD
    app.json.sort_keys = False  # type: ignore[attr-defined]
    app.json.ensure_ascii = False  # type: ignore[attr-defined]
    # A redirect to the "right" number of slashes would carry an absolute address, wrong behind a proxy.
    app.url_map.strict_slashes = False
    app.url_map.merge_slashes = False
    Context(settings, store, models).attach(app)
    for blueprint in (
        api.blueprint,
        inference.blueprint,
        label_studio.blueprint,
        probes.blueprint,
        openapi.blueprint,
        site.blueprint,
    ):
        app.register_blueprint(blueprint)
    needs("open")(app.view_functions["static"])
    app.add_url_rule("/docs", "docs", openapi.show_docs)
    problems.register(app)
    watching.register(app)
    app.before_request(refuse_foreign_hosts)
    guard = access.Guard()
    guard.add_pages(app)
    app.before_request(guard.identify)
    rates.register(app)  # those without a key are counted too
    app.before_request(guard.check)
    app.after_request(pack_static)
    app.after_request(add_headers)
    app.context_processor(template_names)
    return app


@lru_cache(maxsize=64)
def _packed(path: Path, _changed: int) -> bytes:
    return compress(path.read_bytes(), 9, mtime=0)


def pack_static(answer: Response) -> Response:
    """Send style sheets and modules packed: a quarter of their size, and they hold no secrets that this could tell."""
    if request.endpoint != "static" or answer.status_code != 200 or answer.mimetype not in PACKED_KINDS:
        return answer
    answer.vary.add("Accept-Encoding")
    if request.accept_encodings.quality("gzip") <= 0:
        return answer
    path = Path(current_app.static_folder or "") / (request.view_args or {})["filename"]
    answer.close()  # the file that would have been sent
    answer.direct_passthrough = False
    answer.set_data(_packed(path, path.stat().st_mtime_ns))
    answer.headers["Content-Encoding"] = "gzip"
    answer.set_etag(answer.get_etag()[0] or "", weak=True)  # the same file, in other bytes
    return answer


def add_headers(answer: Response) -> Response:
    """Add the headers that every answer carries."""
    for name, value in HEADERS.items():
        answer.headers.setdefault(name, value)
    answer.headers.setdefault("Cache-Control", "no-cache")
    if request.method == "OPTIONS" and (possible := problems.methods_here()):
        answer.headers["Allow"] = ", ".join(sorted(possible))
    return answer


def template_names() -> dict[str, Any]:
    """Return what every template can use."""
    return {
        "link": link,
        "public_url": context().public_url,
        "version": version("planimeter"),
    }
