"""Options of a request: checked against their declaration, and explained where they are wrong."""

import re
from typing import Annotated, ClassVar, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails
from werkzeug.datastructures import MultiDict

from planimeter.errors import ContradictoryOptions, InvalidOption

OptionsKind = TypeVar("OptionsKind", bound="RequestOptions")


class RequestOptions(BaseModel):
    """Options of one route; names it does not know are refused, so that a typing error cannot go unseen."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True, protected_namespaces=())

    never_empty: ClassVar[frozenset[str]] = frozenset()
    """Names of what decides about a number. An empty text is no way to leave them out: it comes of a variable that is
    not set or of a file without bytes, and the number would be another one without a word. What is said of a picture
    may be empty: then nothing is said."""


def _true_or_false(value: object) -> object:
    """Refuse the other words that pydantic takes for them."""
    if isinstance(value, str) and value not in {"true", "false"}:
        raise ValueError("it should be true or false")
    return value


Flag = Annotated[bool, BeforeValidator(_true_or_false)]


class NoOptions(RequestOptions):
    """For routes without options."""


LONGEST_SHOWN = 200
"""Characters of what came, in what is said of it."""
MOST_SHOWN = 20
_LIBRARY_WORDS = re.compile(r", unable to .*|, got .*")
"""What pydantic adds to a message about its own inner life."""
LISTS = frozenset({"ids", "tags", "tag"})
"""Options that may be repeated; each may also hold several values with commas between them."""


def parse(
    kind: type[OptionsKind], *sources: "MultiDict[str, str]", from_program: bool = False
) -> OptionsKind:
    """Return the options that `sources` (query, form) give.

    An empty text means "not given", as forms send it; `from_program` refuses it where it is `never_empty`, and in the
    query, the first of `sources`, where a number, a time or one of several words belongs. Raises `InvalidOption` for
    an unknown name, a wrong value, or two values for one name.
    """
    values: dict[str, str | list[str]] = {}
    lists: dict[str, list[str]] = {}
    for number, source in enumerate(sources):
        for name, value in source.items(multi=True):
            if name in LISTS:
                # Of a program, what is empty counts too: the limit is that of how often the option is given.
                each = value.split(",")
                lists.setdefault(name, []).extend(each if from_program else filter(None, each))
                continue
            if values.get(name, value) != value:
                raise (ContradictoryOptions if number else InvalidOption)(
                    f"{name[:LONGEST_SHOWN]} is given twice, as {_shown(values[name])} and {_shown(value)}; "
                    "give it once"
                )
            if value == "" and from_program and name in kind.never_empty:
                raise InvalidOption(
                    f"{name} is empty, and the number would be another one without it: leave it out, or give its value"
                )
            if value != "" or (from_program and not number and not _takes_text(kind, name)):
                values[name] = value
    try:
        return kind.model_validate({**values, **lists})
    except ValidationError as error:
        together = from_program and not any(problem["loc"] for problem in error.errors())
        raise (ContradictoryOptions if together else InvalidOption)(_explain(kind, error)) from None


def _takes_text(kind: type[RequestOptions], name: str) -> bool:
    found = (field for key, field in kind.model_fields.items() if (field.alias or key) == name)
    return any(field.annotation in {str, str | None} and not _has_form(field) for field in found)


def _has_form(field: FieldInfo) -> bool:
    return any(getattr(rule, "pattern", None) or getattr(rule, "min_length", None) for rule in field.metadata)


def option_names(kind: type[RequestOptions]) -> list[str]:
    """Return the names as a client writes them."""
    return [field.alias or name for name, field in kind.model_fields.items()]


def can_contradict(kind: type[RequestOptions]) -> bool:
    """Say whether options that are each possible may not be so together."""
    return bool(kind.__pydantic_decorators__.model_validators)


def _explain(kind: type[RequestOptions], error: ValidationError) -> str:
    problems = error.errors()
    names = [str(problem["loc"][0]) for problem in problems if problem["type"] == "extra_forbidden"]
    unknown = [*map(_shown, names[:MOST_SHOWN]), *(["…"] if len(names) > MOST_SHOWN else [])]
    if unknown:
        known = ", ".join(option_names(kind)) or "none"
        return (
            f"unknown {'options' if len(unknown) > 1 else 'option'} {', '.join(unknown)}; known here: {known}"
        )
    return "; ".join(_sentence(problem) for problem in problems)


def _sentence(problem: ErrorDetails) -> str:
    name = ".".join(str(step) for step in problem["loc"][:1])
    if problem["type"] == "missing":
        return f"{name} is missing; give it in the query, as a form field or in a JSON object"
    message = problem["msg"].removeprefix("Value error, ").replace("Input", "it", 1)
    message = _LIBRARY_WORDS.sub("", message)
    if not name:
        return message
    message = message.removeprefix(f"{name} is ")  # what checks more than requests says so, too
    return f"{name} is {_shown(problem['input'])}: {message}"


def _shown(value: object) -> str:
    given = repr(value)
    return given if len(given) <= LONGEST_SHOWN else given[:LONGEST_SHOWN] + "…"
