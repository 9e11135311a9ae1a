"""Links that work wherever the service is reached from.

Every link is a relative reference (RFC 3986, section 4.2) from the address of the request to its target. The
browser resolves it against the address *it* used, so scheme, host name, port and path prefix of a proxy or a
tunnel never have to be known here, and no forwarded header has to be trusted.
"""

from functools import lru_cache
from typing import Any

from flask import request, url_for

_SOME_ID = "0" * 26
"""What stands for an id: letters and digits, as all ids are."""


def relative(base: str, target: str) -> str:
    """Return the relative reference that leads from the path `base` to `target`.

    Both start with a slash; `target` may carry a query and a fragment. It holds that
    `urljoin(base, relative(base, target)) == target`, and also under any common prefix.
    """
    cut = min((position for position in map(target.find, "?#") if position >= 0), default=len(target))
    path, rest = target[:cut], target[cut:]
    here = base.split("/")[1:-1]
    *folders, last = path.split("/")[1:]
    shared = 0
    while shared < min(len(here), len(folders)) and here[shared] == folders[shared]:
        shared += 1
    steps = [".."] * (len(here) - shared) + folders[shared:] + [last]
    reference = "/".join(steps)
    if not reference or reference.startswith("/") or ":" in steps[0]:  # else "current page", host, or scheme
        reference = f"./{reference}"
    return reference + rest


def link(endpoint: str, **values: Any) -> str:
    """Return the relative link from the current request to `endpoint`; arguments as for `url_for`."""
    return relative(requested_path(), url_for(endpoint, **values))


def links_of(id_: str, *endpoints: str, score_threshold: float | None = None) -> list[str]:
    """Return what `link` returns for each endpoint that takes an id, all at once."""
    path = requested_path()
    # Where the id is in the address, the way from one to the other is shorter.
    if score_threshold is not None or id_ in path or _SOME_ID in path:
        return [link(endpoint, id=id_, score_threshold=score_threshold) for endpoint in endpoints]
    return [text.replace(_SOME_ID, id_) for text in _links_of(path, request.root_path, endpoints)]


@lru_cache(maxsize=64)
def _links_of(_path: str, _root: str, endpoints: tuple[str, ...]) -> list[str]:
    # Asked for within a request that these tell from others: `link` looks at that.
    return [link(endpoint, id=_SOME_ID) for endpoint in endpoints]


def requested_path() -> str:
    """Return the path as the client wrote it.

    `request.path` is decoded: an escaped slash in it would look like one folder more than the browser counts.
    """
    written = str(request.environ.get("REQUEST_URI") or "").partition("?")[0]
    if not written.startswith("/"):
        return request.root_path + request.path
    return written if written.startswith(request.root_path + "/") else request.root_path + written
