"""A profile: how a station measures, under one name. Model, threshold, what counts, pixel size, and rules."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from typing import Annotated, Any

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    model_validator,
)
from pydantic_core import PydanticCustomError

from planimeter.details import LONGEST_NAME, LONGEST_NOTE, Name, NoteText
from planimeter.errors import ContradictoryOptions, InvalidOption
from planimeter.measurement import IGNORED, Counting, Fixed, Ignored, ProfileUsed, Region
from planimeter.measuring.counting import check_classes, check_region
from planimeter.measuring.judging import Judging, check_rules
from planimeter.measuring.parts import make_counting, read_region
from planimeter.packs.manifest import NAME_PATTERN
from planimeter.rules import MOST_RULES, Rule, contradiction
from planimeter.scale import GivenUnit, Scale, given_scale, unit_of

PROFILE_NAME = NAME_PATTERN
"""As of models: a name is an address, a file and a word on a command line."""
LISTS = ("ignore", "classes")
MOST_CLASSES = 100
_KEPT = "kept"
Options = Mapping[str, Any]
"""Options of a measurement by their names, as a request gives them; those that are not given are left out."""


def _class_name(value: object) -> object:
    """Refuse what could not be told from two names in one text, which has commas between them."""
    if isinstance(value, str) and value and ("," in value or value != value.strip()):
        raise PydanticCustomError(
            "no_name", "it should be the name of a class, without commas or outer spaces"
        )
    return value


ClassName = Annotated[str, BeforeValidator(_class_name), Field(min_length=1, max_length=200)]


def _number(value: object) -> object:
    """Refuse what an option of a request may be: of JSON, 5.0 is a whole number, and "5" is none."""
    if isinstance(value, (bool, str)):
        raise PydanticCustomError("no_number", "it should be a number")
    return value


class Profile(BaseModel):
    """How a station measures: the options of a measurement, and what is allowed of it. What it leaves out is open."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())

    title: Name = Field(
        None, description=f"What people call it; at most {LONGEST_NAME} characters, without it its name."
    )
    note: NoteText = Field(
        None, description=f"What else they must know; at most {LONGEST_NOTE:,} characters."
    )
    model: str | None = Field(
        None, max_length=64, description="Name of the model; without it, the request's or the default."
    )
    score_threshold: float | None = Field(
        None,
        ge=0,
        le=1,
        allow_inf_nan=False,
        strict=True,
        description="Without it, the request's, else the default of the model.",
    )
    region: Region | None = Field(None, description="What of each picture counts, in its pixels.")
    ignore: tuple[Ignored, ...] = Field(
        (), max_length=len(IGNORED), description="Kinds of pixels that do not count."
    )
    classes: tuple[ClassName, ...] = Field(
        (), max_length=MOST_CLASSES, description="Whose instances count; without any, all."
    )
    least_area: Annotated[int, BeforeValidator(_number)] = Field(
        0, ge=0, le=2**40, description="Instances with fewer pixels are left out."
    )
    of: ClassName | None = Field(
        None, description="Class that percentages are of; without it, of all that counts."
    )
    pixel_size: float | None = Field(
        None, gt=0, allow_inf_nan=False, strict=True, description="Side of a pixel in the unit."
    )
    unit: GivenUnit | None = Field(None, description="Of pixel_size.")
    rules: tuple[Rule, ...] = Field(
        (), max_length=MOST_RULES, description="What figures may be; without any there is no verdict."
    )

    @model_validator(mode="after")
    def _holds_together(self, info: ValidationInfo) -> "Profile":
        if not (info.context and info.context.get(_KEPT)):
            _refuse_contradiction(self.rules)
        try:
            if self.region is not None:
                _check_region(self.region)
            check_rules(self.rules, _classes_in(self.rules), self.counting)
        except InvalidOption as error:
            raise ValueError(str(error)) from None
        given_scale(self.pixel_size, self.unit)
        return self

    @cached_property
    def options(self) -> Options:
        """What it says, as a request would."""
        said: dict[str, Any] = {
            "model": self.model,
            "score_threshold": self.score_threshold,
            "region": None if self.region is None else self.region.model_dump_json(),
            "ignore": ",".join(self.ignore) or None,
            "classes": ",".join(self.classes) or None,
            "least_area": self.least_area or None,
            "of": self.of,
            "pixel_size": self.pixel_size,
            "unit": self.unit,
        }
        return {name: value for name, value in said.items() if value is not None}

    @property
    def counting(self) -> Counting | None:
        """What of a picture counts."""
        return counting_of(self.options)

    @property
    def scale(self) -> Scale | None:
        """How large a pixel is, where it says so."""
        return given_scale(self.pixel_size, self.unit, "profile")

    @cached_property
    def document(self) -> dict[str, Any]:
        """The profile as JSON and TOML hold it: what it leaves open is not there."""
        found = self.model_dump(exclude={"rules"}, exclude_defaults=True, exclude_none=True)
        if self.unit is not None:
            found["unit"] = unit_of(self.unit)
        if self.region is not None:
            found["region"] = _plain(found["region"])
        if self.ignore:
            found["ignore"] = [kind for kind in IGNORED if kind in self.ignore]
        if self.classes:
            found["classes"] = [*dict.fromkeys(self.classes)]
        rules = [rule.model_dump(by_alias=True, exclude_none=True) for rule in self.rules]
        return {**found, "rules": _plain(rules)} if rules else found

    @property
    def text(self) -> str:
        """The document as it is kept; two profiles that say the same have the same."""
        return json.dumps(self.document, sort_keys=True, ensure_ascii=False, separators=(",", ":"))

    @property
    def sha256(self) -> str:
        """Of all that the profile says."""
        return sha256(self.text.encode()).hexdigest()

    def check(self, classes: tuple[str, ...] | list[str]) -> None:
        """Refuse classes that the model lacks; `classes` are those that it knows."""
        counting = self.counting
        if counting is not None:
            check_classes(counting, classes)
        check_rules(self.rules, classes, counting)


@dataclass(frozen=True)
class NamedProfile:
    """A profile under its name, in one version."""

    name: str
    profile: Profile
    version: int | None = None

    @classmethod
    def of_text(cls, name: str, text: str, version: int) -> "NamedProfile":
        """Return a profile as it was kept."""
        return cls(name, read_profile(json.loads(text), kept=True), version)

    @property
    def judging(self) -> Judging:
        """By which rules a measurement is judged."""
        return Judging(self.used, self.profile.rules)

    @property
    def used(self) -> ProfileUsed:
        """What a measurement by it keeps of it."""
        said = self.profile
        fixes = Fixed(score_threshold=said.score_threshold, counting=said.counting, scale=said.scale)
        return ProfileUsed(name=self.name, version=self.version, sha256=said.sha256, fixes=fixes)

    def fill(self, given: Options) -> dict[str, Any]:
        """Return the options of a measurement: what the profile says, and what is given where it leaves that open.

        Raises `ContradictoryOptions` where both say something, and not the same.
        """
        said = self.profile.options
        for name, value in said.items():
            if name in given and not _same(name, value, given[name]):
                self._refuse(name, given[name], value)
        if "region" in said and given.get("region_mask") is not None:
            self._refuse("region_mask", given["region_mask"], said["region"])
        return {**given, **said}

    def fill_for(self, model: str, given: Options) -> dict[str, Any]:
        """Return what `fill` does for a model that is chosen; what is empty in `given` is not given.

        Raises `InvalidOption` where the profile is for another model.
        """
        wanted = self.profile.model
        if wanted is not None and wanted != model:
            raise InvalidOption(
                f"the profile {self.name!r} measures with the model {wanted!r}, and this is {model!r}"
            )
        return self.fill({name: value for name, value in given.items() if not _is_empty(name, value)})

    def _refuse(self, name: str, given: Any, said: Any) -> None:
        raise ContradictoryOptions(
            f"{name} is {_short(given)}, and the profile {self.name!r} says {_short(said)}: leave it out, or measure "
            "without the profile"
        )


def counting_of(options: Options) -> Counting | None:
    """Return what of a picture counts by options, which a profile may have filled."""
    return make_counting(
        options.get("region"),
        options.get("region_mask"),
        [kind for kind in IGNORED if kind in _split(options.get("ignore", ()))],
        _split(options["classes"]) if options.get("classes") is not None else None,
        options.get("least_area", 0),
        options.get("of"),
    )


def read_profile(given: Any, *, kept: bool = False) -> Profile:
    """Return the profile that a mapping is; one that was `kept` may have rules that contradict each other.

    Raises `InvalidOption` and, for what is impossible only together, `ContradictoryOptions`.
    """
    if not isinstance(given, Mapping):
        raise InvalidOption('a profile is an object, like {"model": "steel", "rules": []}')
    try:
        return Profile.model_validate(given, context={_KEPT: kept})
    except (ValidationError, RecursionError) as error:
        if isinstance(error, RecursionError):
            raise InvalidOption("the profile is nested too deeply") from None
        problems = error.errors()
        together = all(problem["type"] == "value_error" and _is_whole(problem["loc"]) for problem in problems)
        said = "; ".join(dict.fromkeys(map(_sentence, problems)))
        raise (ContradictoryOptions if together else InvalidOption)(said) from None


def _is_empty(name: str, value: Any) -> bool:
    """Return whether an option has the value that says nothing."""
    return value is None or (name == "least_area" and value == 0) or (name == "ignore" and not value)


def _is_whole(place: tuple[int | str, ...]) -> bool:
    """Return whether a place is that of a whole profile or rule, of which each part is possible by itself."""
    return not place or (len(place) == 2 and place[0] == "rules")


def _sentence(problem: Any) -> str:
    place = ".".join(
        str(step + 1) if isinstance(step, int) else step for step in problem["loc"]
    )  # rules.1 is the first
    message = (
        problem["msg"].removeprefix("Value error, ").replace("Input", "it", 1).replace("valid tuple", "list")
    )
    if problem["type"] == "extra_forbidden":
        return f"{place} is nothing that a profile or a rule has"
    if not place or _is_whole(problem["loc"]):
        return f"rule {problem['loc'][1] + 1}: {message}" if place else message
    return (
        f"{place} is {_short(problem['input'])}: {message}"
        if problem["type"] != "missing"
        else f"{place} is missing"
    )


def _refuse_contradiction(rules: tuple[Rule, ...]) -> None:
    """Refuse rules by which every picture would fail."""
    found = contradiction(rules)
    if found is not None:
        one, other = (rule.words for rule in found)
        raise ValueError(f"no picture can keep both of the rules {one!r} and {other!r}: change one of them")


def _check_region(region: Region) -> None:
    """Refuse what is a region of no picture, whatever its size."""
    for corners in (*region.include, *region.exclude):
        for x, y in corners:
            if min(x, y) < 0:
                raise InvalidOption(f"region has a corner at ({x:g}, {y:g}): pixels are counted from 0")
    check_region(region)


def _classes_in(rules: tuple[Rule, ...]) -> list[str]:
    return [rule.class_name for rule in rules if rule.class_name is not None]


def _same(name: str, one: Any, other: Any) -> bool:
    if other is None:
        return True
    if name == "region":
        return read_region(one) == read_region(other)
    if name in LISTS:
        return set(_split(one)) == set(_split(other))
    if name == "unit":
        return str(one).replace("µ", "u") == str(other).replace("µ", "u")
    return bool(one == other)


def _split(value: Any) -> list[str]:
    parts = value.split(",") if isinstance(value, str) else value
    return [part.strip() for part in parts if part.strip()]


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 100 else f"{text[:100]}…"


def _plain(value: Any) -> Any:
    """Return numbers as people write them: 5, not 5.0."""
    if isinstance(value, Mapping):
        return {name: _plain(entry) for name, entry in value.items() if entry or name != "exclude"}
    if isinstance(value, (list, tuple)):
        return [_plain(entry) for entry in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value
