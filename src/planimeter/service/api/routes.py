"""Where the API lives, and what every request to it must pass."""

from flask import request
from werkzeug.exceptions import Forbidden

from planimeter.service.api.described import DescribedBlueprint
from planimeter.service.origin import PAGE_HEADER, from_other_site

api = DescribedBlueprint("api", __name__, "/api/v1")


@api.blueprint.before_request
def refuse_foreign_pages() -> None:
    """Keep the pages of other sites from uploading or deleting here through a visitor's browser (CSRF)."""
    safe = request.method in {"GET", "HEAD", "OPTIONS"} or PAGE_HEADER in request.headers
    if not safe and from_other_site():
        raise Forbidden("a page of another site sent this request; open Planimeter's own page instead")
