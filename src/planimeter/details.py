"""What a person says of a picture beside its name: lot, sample, operator, a note, tags."""

import re
import unicodedata
from collections.abc import Callable, Sequence
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

LONGEST_NAME = 100
LONGEST_NOTE = 2000
LONGEST_TAG = 50
MOST_TAGS = 20
_UNSEEN = r"\u0000-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069"
"""Control characters, ends of lines, what turns the direction of writing."""
_UNSEEN_IN_NOTES = r"\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069"
NAME_PATTERN = rf"^[^{_UNSEEN}]*$"
NOTE_PATTERN = rf"^[^{_UNSEEN_IN_NOTES}]*$"
_PART = rf"[^{_UNSEEN}/.\s][^{_UNSEEN}/]*"
LOT_PATTERN = rf"^ *({_PART}(/{_PART})*)?$"
"""A lot has an address, /lots/NAME, in which a part of dots or without a character would be lost."""
_SEEN = "it has a control character, a line break or another character that nobody sees"


def _text(pattern: str, longest: int, problem: str) -> Callable[[object], object]:
    """Return what checks and tidies a text; nothing but spaces is no text."""
    form = re.compile(pattern)

    def check(value: object) -> object:
        if not isinstance(value, str):
            return value
        if len(value) > longest:
            raise ValueError(f"it has {len(value):,} characters and may have {longest:,}")
        if not form.fullmatch(value) or _has_halves(value):
            raise ValueError(
                _SEEN if _has_halves(value) or not re.fullmatch(NAME_PATTERN, value) else problem
            )
        return tidied(value) or None

    return check


def _has_halves(text: str) -> bool:
    """Return whether there are halves of characters, which JSON can carry and no database keeps."""
    return any("\ud800" <= character <= "\udfff" for character in text)


def tidied(text: str) -> str:
    """Return a text as it is kept and searched for: accents and line ends in one form, no outer spaces."""
    return unicodedata.normalize("NFC", text.replace("\r\n", "\n").replace("\r", "\n")).strip()


def _each_tag(value: object) -> object:
    """Return tags, tidied, each once, in the order of the alphabet."""
    if not isinstance(value, (list, tuple)):
        return value
    given = [tag for entry in value if isinstance(entry, str) for tag in entry.split(",")]
    if len(given) > MOST_TAGS:
        raise ValueError(f"there are {len(given)} tags and may be {MOST_TAGS}")
    for tag in given:
        if len(tag) > LONGEST_TAG:
            raise ValueError(f"the tag {tag[:20]!r}… has {len(tag):,} characters and may have {LONGEST_TAG}")
        if not re.fullmatch(NAME_PATTERN, tag) or _has_halves(tag):
            raise ValueError(f"in the tag {tag!r}, {_SEEN}")
    return tuple(sorted({tidied(tag) for tag in given} - {""}))


def _said(pattern: str, longest: int) -> dict[str, Any]:
    return {"pattern": pattern, "maxLength": longest}


LotName = Annotated[
    str | None,
    BeforeValidator(
        _text(
            LOT_PATTERN,
            LONGEST_NAME,
            "a lot's name is also its address, so that no part of it between slashes may be empty or begin with a dot "
            "or a space",
        )
    ),
    Field(json_schema_extra=_said(LOT_PATTERN, LONGEST_NAME)),
]
Name = Annotated[
    str | None,
    BeforeValidator(_text(NAME_PATTERN, LONGEST_NAME, _SEEN)),
    Field(json_schema_extra=_said(NAME_PATTERN, LONGEST_NAME)),
]
NoteText = Annotated[
    str | None,
    BeforeValidator(_text(NOTE_PATTERN, LONGEST_NOTE, _SEEN)),
    Field(json_schema_extra=_said(NOTE_PATTERN, LONGEST_NOTE)),
]
_Tag = Annotated[str, Field(json_schema_extra=_said(NAME_PATTERN, LONGEST_TAG))]
Tags = Annotated[tuple[_Tag, ...], BeforeValidator(_each_tag)]
SomeTags = Annotated[
    Annotated[tuple[_Tag, ...], Field(json_schema_extra={"maxItems": MOST_TAGS})] | None,
    BeforeValidator(_each_tag),
]


class Details(BaseModel):
    """What a person says of a picture; all of it may be missing."""

    model_config = ConfigDict(frozen=True)

    lot: LotName = Field(
        None, description=f"The lot that the picture belongs to; at most {LONGEST_NAME} characters."
    )
    sample: Name = Field(
        None, description=f"The sample that it shows a field of; at most {LONGEST_NAME} characters."
    )
    operator: Name = Field(None, description=f"Who prepared or took it; at most {LONGEST_NAME} characters.")
    note: NoteText = Field(None, description=f"Anything else; at most {LONGEST_NOTE:,} characters.")
    tags: Tags = Field(
        (),
        json_schema_extra={"maxItems": MOST_TAGS},
        description=f"Words to find it by, with commas between them: at most {MOST_TAGS}, of {LONGEST_TAG} characters "
        "each; may be repeated.",
    )

    @property
    def details(self) -> "Details":
        """These alone, of options that hold more."""
        return Details.model_construct(**{name: getattr(self, name) for name in Details.model_fields})

    def or_else(self, other: "Details") -> "Details":
        """Return these, and where nothing is said, what `other` says."""
        said = {name: getattr(self, name) or getattr(other, name) for name in Details.model_fields}
        return Details.model_construct(**said)

    @property
    def any_said(self) -> bool:
        """Whether anything is said."""
        return any(getattr(self, name) for name in Details.model_fields)


NOTHING_SAID = Details()


def columns_of(details: Details) -> dict[str, str]:
    """Return them as columns of a table."""
    texts = {name: getattr(details, name) or "" for name in ("lot", "sample", "operator", "note")}
    return {**texts, "tags": joined(details.tags)}


def joined(tags: Sequence[str]) -> str:
    """Return tags as one text; none of them has a comma."""
    return ", ".join(tags)
