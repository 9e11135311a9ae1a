"""What holds for every page: where they live, and who may send their forms.

Everything works without JavaScript; the modules in `static/` only make it quicker and pleasanter. Forms that change
something are protected from other sites without cookies or sessions, see `refuse_other_sites`.
"""

import secrets
from typing import Any

from flask import Blueprint, abort, request

from planimeter.service.context import context
from planimeter.service.links import link
from planimeter.service.origin import from_other_site
from planimeter.store import Line, Record

blueprint = Blueprint("pages", __name__)
PAGE_TOKEN = secrets.token_urlsafe(24)


@blueprint.before_request
def refuse_other_sites() -> None:
    """Answer 403 to a form that another site's page sends through a visitor's browser.

    There are no sessions and no cookies, so a forged request gains no rights that its sender does not have;
    what is left to protect is a service that only the visitor can reach (this machine, a company's network).
    Where a proxy has changed the host name and says so nowhere, `Origin`
    cannot be compared; then the token in the form decides, which only a page of this service can have read.
    """
    if request.method != "POST" or not from_other_site():
        return
    if secrets.compare_digest(request.form.get("page_token", "").encode(), PAGE_TOKEN.encode()):
        return
    abort(
        403,
        "This form came from another site, or the page is older than the service. Reload it and try again.",
    )


def given(*names: str) -> dict[str, str]:
    """Return what of these the query of the request gives."""
    return {name: request.args[name] for name in names if name in request.args}


@blueprint.app_context_processor
def for_every_page() -> dict[str, Any]:
    """Return what every template knows beside `link`."""
    packs = context().models.packs()

    def title_of(name: str) -> str:
        """Return what a model is called, or its name where it is gone."""
        return packs[name].manifest.title if name in packs else name

    def thumbnail_of(entry: Record | Line, threshold: float | None = None) -> str:
        """Return the link to the small picture of a measurement, at a threshold or at the one that is kept for it."""
        return link(
            "pages.thumbnail",
            id=entry.id,
            at=entry.kept_threshold if threshold is None else threshold,
            region=entry.region,
        )

    return {
        "title_of": title_of,
        "thumbnail_of": thumbnail_of,
        "page_token": PAGE_TOKEN,
        "keep_trash_days": context().settings.keep_trash_days,
        "api": link("api.create_measurement"),
        "docs_endpoint": "docs",
    }
