"""What of a query or a form a page understands: a link may carry more, from a mail for example."""

from werkzeug.datastructures import MultiDict

from planimeter.service.api.options.parsing import RequestOptions, option_names


def known(
    kind: type[RequestOptions], given: "MultiDict[str, str]", *, only: set[str] | None = None
) -> "MultiDict[str, str]":
    """Return those of the options given that `kind` has, or `only` these."""
    names = set(option_names(kind)) if only is None else only
    return MultiDict([(name, value) for name, value in given.items(multi=True) if name in names])
