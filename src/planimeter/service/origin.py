"""Where a request comes from: from a page of this service or a program, or from another site's page (CSRF).

Browsers say so by `Sec-Fetch-Site`, or, on plain http, by `Origin`. Programs such as curl send neither, and are
no danger: nobody else makes them send a request.
"""

from urllib.parse import urlsplit

from flask import request

PAGE_HEADER = "Planimeter-Page"
"""Our pages' scripts send it. A script of another site would need our leave for it (a CORS preflight): never given."""


def from_other_site() -> bool:
    """Return whether a page of another site sent the request under way through a visitor's browser.

    Behind a proxy that replaces the host name, on plain http, this is true for our own pages too: they carry a
    token to tell them apart.
    """
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        return site not in {"same-origin", "none"}
    origin = request.headers.get("Origin")
    try:
        return origin is not None and urlsplit(origin).netloc != request.host
    except ValueError:  # brackets that do not close: no browser says so of a page of ours
        return True
